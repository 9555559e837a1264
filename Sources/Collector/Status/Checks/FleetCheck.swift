import MarketData

extension Health.Check {
    /// With SHARD=auto, how many seconds of being unable to ask the database make the fleet degraded.
    static let askingLimit = 60.0

    /// Whether the box's place in the fleet is in order.
    static func fleet(_ snapshot: CollectorSnapshot) -> Self {
        guard let fleet = snapshot.fleet else { return Self("fleet", ok: "by itself: DATABASE_URI is not set") }
        var problems: [Health.Problem] = []
        if fleet.hasNamesake {
            problems.degrade("another box is called \(snapshot.collector) too: give each a COLLECTOR_ID of its own")
        }
        if let problem = fleet.groupProblem { problems.degrade(problem) }
        if fleet.isSharing, let problem = fleet.askingProblem, let since = fleet.unaskedSince,
            snapshot.age(of: since) > askingLimit
        {
            problems.degrade(
                "the database can't be asked who else shares the symbols, so the last assignment stays: " + problem)
        }
        // A row that can't be written is reported once in the log, and by doctor: nothing is lost.
        let summary = fleet.problem.map { "the row is not written: \($0)" } ?? "the row is written"
        return Self("fleet", ok: summary, problems: problems)
    }
}
