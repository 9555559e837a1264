import MarketData

extension Health.Check {
    /// Whether the feed's events can be decoded.
    static func decoding(_ snapshot: CollectorSnapshot) -> Self {
        Self(
            "decoding", ok: "what the feed sends is understood",
            problems: snapshot.decoding.map { .degraded(text($0)) })
    }

    private static func text(_ problem: DecodeProblem) -> String {
        let events = problem.kind?.plural ?? "messages of no known kind"
        let counts = problem.counts
        var parts: [String] = []
        if counts.rejected > 0 { parts.append("\(counts.rejected) \(events) could not be decoded and were lost") }
        if counts.leftOutFields > 0 {
            parts.append("\(counts.leftOutFields) fields of \(events) could not be read and were left out")
        }
        return "in the last 30 s, " + parts.joined(separator: ", ") + ", and \(counts.taken) were taken"
            + (problem.sample.map { "; for example \($0)" } ?? "")
            + "; the feed may have changed: check for a newer EdgeTick"
    }
}
