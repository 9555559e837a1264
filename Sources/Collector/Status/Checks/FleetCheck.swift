import MarketData

extension Health.Check {
    /// With SHARD=auto, how many seconds of being unable to ask the database make the fleet degraded.
    static let askingLimit = 60.0

    /// Whether the box's place in the fleet is in order.
    static func fleet(_ snapshot: CollectorSnapshot) -> Self {
        guard let fleet = snapshot.fleet else { return Self("fleet", ok: "by itself: DATABASE_URI is not set") }
        var problems: [Health.Problem] = []
        if fleet.hasNamesake {
            problems.append(
                .init(
                    level: .degraded,
                    text: "another box is called \(snapshot.collector) too: give each a COLLECTOR_ID of its own"))
        }
        if let problem = fleet.groupProblem { problems.append(.init(level: .degraded, text: problem)) }
        if let problem = fleet.askingProblem, fleet.isSharing, fleet.askingProblemAge > askingLimit {
            problems.append(
                .init(
                    level: .degraded,
                    text: "the database can't be asked who else shares the symbols, so the last assignment stays: "
                        + problem))
        }
        // A row that can't be written is reported once in the log, and by doctor: nothing is lost.
        let summary = fleet.problem.map { "the row is not written: \($0)" } ?? "the row is written"
        return Self("fleet", ok: summary, problems: problems)
    }
}
