import MarketData

extension Health.Check {
    /// Whether what the feed sends can be used.
    static func decoding(_ snapshot: CollectorSnapshot) -> Self {
        Self(
            "decoding", ok: "what the feed sends is understood",
            troubles: snapshot.decoding.map { Health.Trouble(level: .degraded, text: text($0)) })
    }

    private static func text(_ trouble: DecodeTrouble) -> String {
        let events = trouble.kind?.plural ?? "messages of no known kind"
        var parts: [String] = []
        if trouble.rejected > 0 { parts.append("\(trouble.rejected) \(events) can't be decoded and are lost") }
        if trouble.leftOutFields > 0 {
            parts.append("\(trouble.leftOutFields) fields of \(events) have an odd form and are left out")
        }
        return "of the last 30 s " + parts.joined(separator: " and ") + ", beside \(trouble.taken) that were taken"
            + (trouble.sample.map { "; such as \($0)" } ?? "")
            + "; the feed may have changed: see whether a newer EdgeTick knows it"
    }
}
