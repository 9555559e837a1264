public import Logging
public import MarketData
public import Store

extension Logger {
    /// A logger that keeps nothing.
    public static var quiet: Logger { Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() } }
}

extension TickBuffer {
    /// The error when a buffer did not take a batch, or asked for a pause.
    public struct NotTaken: Error {
        /// What the buffer said.
        public let admission: Admission
    }

    /// Opens a buffer that commits within milliseconds.
    public static func scratch(
        in directory: String, collector: String = "tests", retention: Duration = .seconds(86_400),
        logger: Logger = .quiet
    ) throws(StoreError) -> TickBuffer {
        let options = Options(
            collector: collector, commitInterval: .fixed(.milliseconds(5)), retention: retention)
        return try open(directory: directory, options: options, logger: logger)
    }

    /// Makes a directory, and opens a buffer in it.
    public static func scratch() throws -> (Workspace, TickBuffer) {
        let workspace = try Workspace()
        return (workspace, try scratch(in: workspace.path))
    }

    /// Offers a batch that there must be room for, and waits until it is written.
    public func collect(_ batch: EventBatch) async throws {
        let admission = offer(batch)
        guard admission == .accepted else { throw NotTaken(admission: admission) }
        try await flush()
    }
}
