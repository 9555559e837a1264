import MarketData

extension Health.Check {
    /// Whether the feed's events can be decoded.
    static func decoding(_ snapshot: CollectorSnapshot) -> Self {
        Self(
            "decoding", ok: "what the feed sends is understood",
            problems: snapshot.decoding.map { Health.Problem(level: .degraded, text: text($0)) })
    }

    private static func text(_ problem: DecodeProblem) -> String {
        let events = problem.kind?.plural ?? "messages of no known kind"
        var parts: [String] = []
        if problem.rejected > 0 { parts.append("\(problem.rejected) \(events) can't be decoded and are lost") }
        if problem.leftOutFields > 0 {
            parts.append("\(problem.leftOutFields) fields of \(events) have an odd form and are left out")
        }
        return "of the last 30 s " + parts.joined(separator: " and ") + ", beside \(problem.taken) that were taken"
            + (problem.sample.map { "; such as \($0)" } ?? "")
            + "; the feed may have changed: see whether a newer EdgeTick knows it"
    }
}
