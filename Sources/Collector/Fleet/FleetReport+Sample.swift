import Feed
import Store
import Upstream

extension FleetReport {
    /// How long a pushed-out connection is reported, in milliseconds. Two boxes that push each other out soon do so
    /// only every quarter of an hour.
    static let pushedOutMemory: Int64 = 3_600_000

    /// How many seconds a box that has not collected anything yet counts as starting; after that it is failing.
    static let startingTime = 60.0

    /// Takes over the figures of the collector's own sample.
    ///
    /// - Parameter gapsOpen: gaps that are not settled.
    mutating func take(_ sample: StatusBoard.Sample, gapsOpen: Int64) {
        let snapshot = sample.snapshot
        let health = sample.health
        uptime = sample.uptime
        state =
            switch (snapshot.isStopping, health.level) {
            case (true, _): .stopped
            case (_, .ok): .ok
            case (_, .degraded): .degraded
            case (_, .failing): snapshot.eventCount > 0 || uptime > Self.startingTime ? .failing : .starting
            }
        reason = snapshot.isStopping ? nil : health.headline.map { String($0.prefix(500)) }
        takesAll = snapshot.connections.contains(where: \.feed.takesAll)
        symbols = takesAll ? 0 : Set(snapshot.connections.flatMap(\.feed.assigned)).count
        eventsPerSecond = snapshot.connections.reduce(0) { $0 + $1.member.eventsPerMinute }
        rowsPending = snapshot.buffer.pending
        oldestPending = snapshot.oldestPendingAge ?? 0
        lastEvent = snapshot.connections.compactMap(\.feed.lastEvent).max()
        self.gapsOpen = gapsOpen
        eventsDropped = snapshot.buffer.drops
        deadLetters = snapshot.buffer.deadLetters
        diskFreeBytes = snapshot.buffer.diskFreeBytes
        isPushedOut = snapshot.connections.contains { connection in
            connection.feed.lastError?.reason == .connectionLimit
                && snapshot.time - (connection.feed.lastErrorTime ?? 0) <= Self.pushedOutMemory
        }
    }
}
