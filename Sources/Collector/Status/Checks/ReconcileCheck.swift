import MarketData
import Store

extension Health.Check {
    /// Whether the last days that were compared with the tape are complete.
    static func reconcile(_ snapshot: CollectorSnapshot) -> Self {
        if let problem = snapshot.reconcileProblem {
            return Self("reconcile", .degraded, "RECONCILE_AT has no effect: \(problem)")
        }
        guard let state = snapshot.reconcile else { return Self("reconcile", ok: "off: RECONCILE_AT is not set") }
        let daily = "every day at \(state.timeOfDay) in New York"
        var problems: [Health.Problem] = []
        if state.clockLead >= ReconcileState.toleratedLead {
            problems.degrade(
                "this machine's clock is \(state.clockLead / 1000) s ahead of the REST server's, by whose time days are "
                    + "compared: set it right, for instance with timedatectl set-ntp true")
        }
        guard let last = state.days.first else {
            let summary = state.underWay.map { "\($0) is being compared" } ?? "\(daily); no day yet"
            return Self("reconcile", ok: summary, problems: problems)
        }
        for day in state.open {
            let wrong = [
                day.totals.symbols == 0 && day.problem == nil ? "no symbol was compared" : nil,
                day.totals.missing > 0 ? "missing or different: \(day.totals.missing)" : nil,
                day.failures > 0 ? "symbols that could not be compared: \(day.failures)" : nil, day.problem,
            ].compactMap(\.self).joined(separator: "; ")
            let again = state.underWay == day.day ? "it is being retried" : "it will be retried"
            problems.degrade("\(day.day) is not complete, \(have(day)): \(wrong); \(again)")
        }
        return Self(
            "reconcile", ok: "\(last.day) is complete: \(have(last)); \(daily)", problems: problems)
    }

    private static func have(_ day: ReconcileState.Outcome) -> String {
        "\(day.totals.have) of \(day.totals.tape.counted("bar")) of the tape (\(day.totals.percent) %)"
    }
}
