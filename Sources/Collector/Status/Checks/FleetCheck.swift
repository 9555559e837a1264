import MarketData

extension Health.Check {
    /// With SHARD=auto, how many seconds of being unable to ask the database make the fleet degraded.
    static let askingLimit = 60.0
    /// How many seconds of being unable to exchange covered gaps with the group make the fleet degraded. More than the
    /// five minutes between two checks of older gaps, so that one that failed does not count as lasting.
    static let exchangeLimit = 360.0
    /// How many seconds of another box taking too few symbols make the fleet degraded. The boxes read changed settings
    /// and groups one after the other.
    static let shortfallLimit = 120.0

    /// Whether the box's place in the fleet is in order.
    static func fleet(_ snapshot: CollectorSnapshot) -> Self {
        guard let fleet = snapshot.fleet else { return Self("fleet", ok: "by itself: DATABASE_URI is not set") }
        var problems: [Health.Problem] = []
        if fleet.hasNamesake {
            problems.degrade("another box is called \(snapshot.collector) too: give each a COLLECTOR_ID of its own")
        }
        if let problem = fleet.groupProblem { problems.degrade(problem) }
        // Without the database, the clock may have been set right since it was measured.
        if fleet.problem == nil, let problem = Fleet.clockProblem(offset: fleet.clockOffset) {
            problems.degrade(problem)
        }
        if fleet.isSharing, let failure = fleet.askingFailure, snapshot.age(of: failure.since) > askingLimit {
            problems.degrade(
                "the database can't be asked which boxes share the symbols, so the last known shares are kept: "
                    + failure.description)
        }
        // Without the database, the other box may have its share by now.
        if fleet.askingFailure == nil, let shortfall = fleet.shortfall,
            snapshot.age(of: shortfall.since) > shortfallLimit
        {
            problems.degrade(shortfall.description)
        }
        if let failure = fleet.exchangeFailure, snapshot.age(of: failure.since) > exchangeLimit {
            problems.degrade(
                "the boxes of the group can't exchange which gaps they cover, so those gaps stay open: "
                    + failure.description)
        }
        // A row that can't be written is reported in the log and by doctor, and the box shows as stale: nothing is lost.
        let summary =
            fleet.problem.map { "this box's row can't be written, which costs no events: \($0)" }
            ?? "this box's row is up to date"
        return Self("fleet", ok: summary, problems: problems)
    }
}
