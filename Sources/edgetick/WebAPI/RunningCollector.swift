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
    let connections: ConnectionSet
    /// Where connections that are added connect to.
    let url: String
    let mirror: UniverseMirror
    let sync: SyncService?
    let universeService: UniverseService
    let history: TickHistory
    let settings: Settings
    let probe: CollectorProbe
    /// Held while symbols change, so that no change is lost to another.
    let changes = Mutex(())
    private let files = DispatchQueue(label: "EdgeTick.web-files", attributes: .concurrent)

    init(
        settings: Settings, url: String, buffer: TickBuffer, mirror: UniverseMirror, connections: ConnectionSet,
        sync: SyncService?, universes: UniverseService
    ) {
        self.settings = settings
        self.url = url
        self.mirror = mirror
        self.connections = connections
        self.sync = sync
        universeService = universes
        history = TickHistory(directory: settings.dataDirectory)
        probe = CollectorProbe(
            collector: settings.collectorID, version: EdgeTick.version, maximumBytes: settings.buffer.maximumBytes,
            buffer: buffer, connections: connections, sync: sync, universes: universes)
    }

    func snapshot() -> CollectorSnapshot { probe.snapshot() }

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
