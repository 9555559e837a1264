import CBuild

/// Which program this is.
enum Version {
    /// The release.
    static let number = "0.2.0"
    /// The release, and of a release build the commit and the day.
    static let text = edgetick_build_or_null().map { "\(number) (\(String(cString: $0)))" } ?? number
}
