import Collector
import Dispatch
import FoundationEssentials
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
    let directory: String
    private let sync: SyncService?
    private let files = DispatchQueue(label: "EdgeTick.web-files", attributes: .concurrent)

    init(
        directory: String, mirror: UniverseMirror, sync: SyncService?, symbols: Symbols, universes: UniverseService
    ) {
        self.directory = directory
        self.mirror = mirror
        self.sync = sync
        self.symbols = symbols
        universeService = universes
        history = TickHistory(directory: directory)
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
