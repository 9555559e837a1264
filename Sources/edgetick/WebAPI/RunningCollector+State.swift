import Collector
import Feed
import Foundation
import MarketData
import Store
import Universe
import WebAPI

extension ConnectionState {
    /// A connection's state, from memory.
    ///
    /// - Parameter time: Milliseconds since the Unix epoch.
    init(_ member: SetSnapshot.Member, universeKey: String?, at time: Int64) {
        let snapshot = member.feed
        self.init(
            id: member.id, name: snapshot.name, status: ConnectionStatus(rawValue: snapshot.status.rawValue) ?? .error)
        takesAll = snapshot.takesAll
        assigned = snapshot.assigned.count
        confirmed = snapshot.confirmed.count
        refused = snapshot.refused.count
        self.universeKey = universeKey
        priority = member.priority
        events = snapshot.events
        frames = snapshot.frames
        bytes = snapshot.bytes
        overflowed = snapshot.overflowed
        for reason in DecodeRejects.Reason.allCases where snapshot.rejects[reason] > 0 {
            rejects[reason.rawValue] = Int64(snapshot.rejects[reason])
        }
        reconnects = snapshot.reconnects
        errors = snapshot.errors
        lastMessage = snapshot.lastMessage
        lastEvent = snapshot.lastEvent
        connectedSince = snapshot.connectedSince
        quietFor = Self.quiet(at: time, connectedSince: connectedSince, lastEvent: lastEvent)
        lastError = snapshot.lastError?.description
        lastErrorTime = snapshot.lastErrorTime
        latency = snapshot.latency
        isPaused = snapshot.isPaused
    }

    /// Seconds of the regular session in which a subscribed connection brought nothing; `nil` outside of it. All times
    /// are milliseconds since the Unix epoch.
    static func quiet(at time: Int64, connectedSince: Int64?, lastEvent: Int64?) -> Double? {
        guard let connectedSince, let session = TradingCalendar.session(at: time),
            session.regularOpen <= time, time < session.regularClose
        else { return nil }
        return Double(max(0, time - max(session.regularOpen, connectedSince, lastEvent ?? 0))) / 1000
    }
}

extension BufferState {
    /// The buffer's state, from memory.
    init(_ statistics: BufferStatistics, maximumBytes: Int64) {
        self.init()
        condition =
            switch statistics.state {
            case .writing: .writing
            case .full: .full
            case .failing(let message): .failing(message)
            }
        for stream in EventStream.allCases {
            let counts = statistics[stream]
            var own = Stream()
            own.appended = counts.appended
            own.pending = counts.pending
            own.lastSequence = counts.lastSequence
            own.acknowledged = counts.acknowledgedSequence
            streams[stream] = own
        }
        queuedEvents = statistics.queuedEvents
        queuedBytes = statistics.queuedBytes
        if let oldest = statistics.oldestPendingMilliseconds {
            oldestPendingAge = max(0, Date().timeIntervalSince1970 - Double(oldest) / 1000)
        }
        usedBytes = statistics.usedBytes
        fileBytes = statistics.fileBytes
        walBytes = statistics.walBytes
        self.maximumBytes = maximumBytes
        drops = statistics.drops
        gaps = statistics.gaps
        deadLetters = statistics.deadLetters
        setAside = statistics.setAside
    }
}

extension SyncState {
    /// The upload's state, from memory.
    init(_ status: SyncStatus, now: ContinuousClock.Instant) {
        self.init()
        isConfigured = true
        rows = Int64(status.rows)
        refused = Int64(status.refused)
        lastSuccessAge = status.lastSuccess.map { max(0, (now - $0) / .seconds(1)) }
        failure = status.failure.map {
            Failure(
                description: $0.description, needsPerson: $0.needsPerson, age: max(0, (now - $0.since) / .seconds(1)))
        }
    }
}

extension CacheState {
    /// The cache's counts, from memory.
    init(_ statistics: CacheStatistics) {
        self.init()
        hits = Int64(statistics.hits)
        misses = Int64(statistics.misses)
        loads = Int64(statistics.loads)
        evictions = Int64(statistics.evictions)
        entries = statistics.entries
        bytes = statistics.bytes
    }
}

extension MirrorState {
    /// The mirror's state, from memory.
    init(_ status: UniverseStatus) {
        self.init(
            age: status.mirrorPulledAt.map { max(0, Double(TimeText.now() - $0) / 1000) },
            failure: status.failure?.description)
    }
}
