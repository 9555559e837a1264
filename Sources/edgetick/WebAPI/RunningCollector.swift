import Collector
import Dispatch
import Feed
import Foundation
import Store
import Universe
import WebAPI

/// The running collector as the HTTP API sees it: memory for what must be answered at once, read-only connections to
/// the files for the rest.
final class RunningCollector: CollectorSource {
    let mirror: UniverseMirror
    let symbols: Symbols
    let universeService: UniverseService
    let history: TickHistory
    private let connections: ConnectionSet
    private let sync: SyncService?
    private let files = DispatchQueue(label: "EdgeTick.web-files", attributes: .concurrent)

    init(
        directory: String, mirror: UniverseMirror, connections: ConnectionSet, sync: SyncService?, symbols: Symbols,
        universes: UniverseService
    ) {
        self.mirror = mirror
        self.connections = connections
        self.sync = sync
        self.symbols = symbols
        universeService = universes
        history = TickHistory(directory: directory)
    }

    func tickers(of connection: String) -> ConnectionTickers? {
        guard let snapshot = connections.snapshot.members.first(where: { $0.id == connection })?.feed else {
            return nil
        }
        return ConnectionTickers(
            takesAll: snapshot.takesAll, assigned: snapshot.assigned, confirmed: snapshot.confirmed,
            refused: snapshot.refused)
    }

    func pushNow() async throws(CollectorProblem) {
        guard let sync else {
            throw CollectorProblem(.conflict, "There is no upstream to push to: DATABASE_URI is not set.")
        }
        sync.pushNow()
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
        case .failure(let error): throw CollectorProblem(error)
        }
    }
}
