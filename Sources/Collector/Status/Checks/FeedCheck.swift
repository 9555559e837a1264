extension Health.Check {
    /// A connection without an event for so many seconds of trading makes the feed degraded.
    static let quietLimit = 900.0

    /// Whether every connection that has symbols brings them.
    static func feed(_ snapshot: CollectorSnapshot) -> Self {
        func check(_ level: Health.Level, _ text: String) -> Self { Self("feed", level, text) }
        guard !snapshot.isStopping else { return check(.failing, "shutting down") }
        let working = snapshot.connections.filter(\.hasWork)
        guard !working.isEmpty else {
            return check(.failing, "no connection has symbols: set SYMBOLS or a universe key")
        }
        let idle = working.filter { $0.status != .connected || (!$0.takesAll && $0.confirmed == 0) }
        guard idle.isEmpty else {
            let names = idle.map { connection -> String in
                let state =
                    switch connection.status {
                    case .connected: "has no confirmed symbol"
                    case .error: "has an error"
                    case .connecting, .disconnected: "is \(connection.status.rawValue)"
                    }
                let reason = connection.lastError.map { ": \($0)" } ?? ""
                return "\(connection.name) \(state)\(reason)"
            }
            // While one collects, the collector does.
            return check(
                idle.count < working.count ? .degraded : .failing,
                "\(idle.count) of \(working.count) connections do not collect: " + names.joined(separator: "; "))
        }
        let paused = working.filter(\.isPaused)
        guard paused.isEmpty else {
            return check(
                .degraded,
                "reading is paused until the buffer catches up: " + paused.map(\.name).joined(separator: ", "))
        }
        let missing = working.reduce(0) { $0 + ($1.takesAll ? 0 : max(0, $1.assigned - $1.confirmed)) }
        guard missing == 0 else {
            let refused = working.reduce(0) { $0 + $1.refused }
            return check(
                .degraded, "\(missing) symbols are not confirmed, \(refused) of them refused by the feed's plan")
        }
        let quiet = working.filter { $0.quietFor ?? 0 > quietLimit }
        guard quiet.isEmpty else {
            let names = quiet.map { "\($0.name) for \(Int(($0.quietFor ?? 0) / 60)) minutes" }
            return check(
                .degraded,
                "connected, but no event came although New York trades: " + names.joined(separator: ", ")
                    + "; if these symbols do trade, ask the feed's provider")
        }
        return Self("feed", ok: "\(working.count) of \(working.count) connections collect")
    }
}
