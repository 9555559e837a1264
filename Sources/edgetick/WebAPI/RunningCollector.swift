import Collector
import Dispatch
import Feed
import Foundation
import MarketData
import Store
import Synchronization
import Universe
import WebAPI

/// The running collector as the HTTP API sees it: memory for what must be answered at once, read-only connections to
/// the files for the rest.
final class RunningCollector: CollectorSource {
    /// What must be remembered between two snapshots.
    private struct Watches {
        var commits = ProgressWatch()
        var uploads = ProgressWatch()
    }

    /// No commit for so many seconds while events wait is told as a failure.
    static let commitLimit = 5.0
    /// The writer counts as stuck from this many seconds on.
    static let writerLimit = 60.0

    let connections: ConnectionSet
    /// Where connections that are added connect to.
    let url: String
    /// The universe keys of connections that were added while running, by id.
    let addedKeys = Mutex<[String: String]>([:])
    let mirror: UniverseMirror
    let sync: SyncService?
    let universeService: UniverseService
    let history: TickHistory
    let settings: Settings
    private let buffer: TickBuffer
    private let watches = Mutex(Watches())
    private let stopping = Atomic<Bool>(false)
    /// Held while symbols change, so that no change is lost to another.
    let changes = Mutex(())
    private let files = DispatchQueue(label: "EdgeTick.web-files", attributes: .concurrent)

    init(
        settings: Settings, url: String, buffer: TickBuffer, mirror: UniverseMirror, connections: ConnectionSet,
        sync: SyncService?, universes: UniverseService
    ) {
        self.settings = settings
        self.url = url
        self.buffer = buffer
        self.mirror = mirror
        self.connections = connections
        self.sync = sync
        universeService = universes
        history = TickHistory(directory: settings.dataDirectory)
    }

    /// Has the snapshots say that the collector shuts down.
    func beginStopping() { stopping.store(true, ordering: .relaxed) }

    func snapshot() -> CollectorSnapshot {
        let now = ContinuousClock.now
        let time = Int64(Date().timeIntervalSince1970 * 1000)
        let statistics = buffer.statistics
        var snapshot = CollectorSnapshot(
            collector: settings.collectorID, version: EdgeTick.version,
            environment: universeService.environment)
        snapshot.isStopping = stopping.load(ordering: .relaxed)
        let keys = universeService.universeKeys
        let added = addedKeys.withLock { $0 }
        snapshot.connections = connections.snapshot.members.map { member in
            ConnectionState(member, universeKey: added[member.id] ?? keys[member.feed.name], at: time)
        }
        snapshot.buffer = BufferState(statistics, maximumBytes: settings.buffer.maximumBytes)
        let status = sync?.status
        if let status { snapshot.sync = SyncState(status, now: now) }
        snapshot.cache = CacheState(universeService.cache.statistics)
        if universeService.isPulling { snapshot.mirror = MirrorState(universeService.status) }

        let (commitAge, uploadAge) = watches.withLock { watches in
            (
                watches.commits.age(
                    statistics.commits, isWaiting: statistics.queuedEvents > 0 && statistics.state == .writing,
                    now: now),
                watches.uploads.age(
                    Int64(status?.rows ?? 0), isWaiting: status != nil && statistics.pending > 0, now: now)
            )
        }
        if commitAge >= Self.commitLimit, snapshot.buffer.condition == .writing {
            snapshot.buffer.condition = .failing(
                "nothing became durable for \(Int(commitAge)) s while events wait: the disk does not answer; "
                    + "check it and the kernel's log")
        }
        snapshot.sync.stalledFor = uploadAge
        snapshot.loops = [LoopProgress(name: "writer", age: commitAge, limit: Self.writerLimit)]
        return snapshot
    }

    func tickers(of connection: String) -> ConnectionTickers? {
        guard let snapshot = connections.snapshot.members.first(where: { $0.id == connection })?.feed else {
            return nil
        }
        return ConnectionTickers(
            takesAll: snapshot.takesAll, assigned: snapshot.assigned, confirmed: snapshot.confirmed,
            refused: snapshot.refused)
    }

    /// Reads a file on a thread that may block; the API bounds how many do at once.
    func reading<Value: Sendable>(
        _ body: @escaping @Sendable () throws(StoreError) -> Value
    ) async throws(CollectorProblem) -> Value {
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<Value, StoreError>, Never>) in
            files.async {
                do throws(StoreError) {
                    continuation.resume(returning: .success(try body()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        switch result {
        case .success(let value): return value
        case .failure(let error):
            throw CollectorProblem(error.isRetryable || error.reason == .missing ? .unavailable : .failed, "\(error)")
        }
    }
}
