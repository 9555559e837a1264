import MarketData

extension DisplayText {
    /// Returns `text` without the source positions that BoringSSL adds to its errors (` at /path/file.cc:123`). They
    /// are paths of the machine that built the program.
    static func withoutSourcePlaces(_ text: String) -> String {
        var shown = ""
        var rest = text[...]
        while let match = rest.utf8.firstRange(of: " at /".utf8) {
            shown += rest[..<match.lowerBound]
            rest = rest[match.upperBound...].drop { !"])},;\n".contains($0) }
        }
        return shown + rest
    }
}
