public import ServiceLifecycle
public import Store

/// Keeps the buffer open while the others run and closes it after them: commits what is queued, checkpoints,
/// releases the lock.
///
/// Listed before the services that use the buffer, so that a group which stops in reverse order stops it last.
public struct BufferService: Service {
    private let buffer: TickBuffer

    /// A service that closes `buffer` at shutdown.
    public init(buffer: TickBuffer) {
        self.buffer = buffer
    }

    /// Returns after graceful shutdown or cancellation, when the buffer is closed.
    public func run() async throws {
        try? await gracefulShutdown()
        await buffer.close()
    }
}
