import Collector
import Dispatch
import Store
import Universe
import Upstream
import WebAPI

/// The running collector as the HTTP API sees it: immediate answers come from memory, the rest from read-only
/// connections to the files.
struct RunningCollector: CollectorSource {
    /// How long dead letters may wait for their turn; a little less than the API waits for it.
    static let letterPatience: Duration = .seconds(18)

    let buffer: TickBuffer
    let mirror: UniverseMirror
    let uploads: [SyncService]
    let symbols: Symbols
    let universeService: UniverseService
    let fleetBoard: FleetBoard?
    /// The database, for what the file alone can't answer; a query takes no longer than the API waits. `nil` without
    /// one.
    let upstream: UpstreamReader?
    let letterDesk: DeadLetterDesk
    private let files = DispatchQueue(label: "EdgeTick.web-files", attributes: .concurrent)

    var history: TickHistory { TickHistory(directory: buffer.directory) }

    func fleet() -> FleetBoard.View? { fleetBoard?.look() }

    func pushNow() async throws(CollectorProblem) {
        guard !uploads.isEmpty else {
            throw CollectorProblem(.conflict, "There is no database to upload to: DATABASE_URI is not set.")
        }
        for upload in uploads { upload.pushNow() }
    }

    /// Reads a file on a thread that may block; the API bounds how many do at once.
    func reading<Value: Sendable>(
        _ body: @escaping @Sendable () throws(StoreError) -> Value
    ) async throws(CollectorProblem) -> Value {
        do { return try await files.waiting(for: body) } catch { throw CollectorProblem(error) }
    }
}
