import MarketData

extension Health.Check {
    /// Whether the feed's events can be decoded.
    static func decoding(_ snapshot: CollectorSnapshot) -> Self {
        Self(
            "decoding", ok: "the feed's events can be decoded",
            problems: snapshot.decoding.map { .degraded(text($0)) })
    }

    private static func text(_ problem: DecodeProblem) -> String {
        let counts = problem.counts
        let example = problem.sample.map { "; for example \($0)" } ?? ""
        let advice = "; the feed may have changed: check for a newer EdgeTick"
        let (one, many): (String, String)
        switch problem.subject {
        case .kind(let kind): (one, many) = (String(kind.plural.dropLast()), kind.plural)
        case .noKind: (one, many) = ("message without a kind", "messages without a kind")
        case .unknownKind:
            return "within 30 s, \(counts.rejected.counted("event")) of a kind that EdgeTick doesn't know arrived and "
                + "can't be kept: perhaps a kind that is collected has been renamed" + example + advice
        }
        var parts: [String] = []
        if counts.rejected > 0 {
            parts.append("\(counts.rejected.counted(one, many)) could not be decoded and \(were(counts.rejected)) lost")
        }
        if counts.leftOutFields > 0 {
            let fields = counts.leftOutFields.counted("field")
            parts.append("\(fields) of \(many) could not be read and \(were(counts.leftOutFields)) left out")
        }
        return "in the last 30 s, " + parts.joined(separator: ", ")
            + ", and \(counts.taken.grouped) \(were(counts.taken)) taken" + example + advice
    }

    private static func were(_ count: Int64) -> String { count == 1 ? "was" : "were" }
}
