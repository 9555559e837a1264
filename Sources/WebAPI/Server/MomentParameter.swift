import FoundationEssentials

/// Times as people and programs write them in a query.
enum MomentParameter {
    /// Milliseconds since the Unix epoch, from Unix seconds (with or without decimals) or ISO 8601 with a zone.
    static func milliseconds(_ text: String) -> Int64? {
        // A time after the year 9999 is a mistake.
        let limit = 253_402_300_800.0
        if let seconds = Double(text) {
            guard seconds.magnitude < limit else { return nil }
            return Int64((seconds * 1000).rounded())
        }
        for style in [Date.ISO8601FormatStyle(), Date.ISO8601FormatStyle(includingFractionalSeconds: true)] {
            if let date = try? style.parse(text) { return Int64((date.timeIntervalSince1970 * 1000).rounded()) }
        }
        return nil
    }
}
