import CBuild

enum Version {
    static let number = "0.2.0"
    /// The release number; in a release build also the commit and the day.
    static let text = edgetick_build_or_null().map { "\(number) (\(String(cString: $0)))" } ?? number
}
