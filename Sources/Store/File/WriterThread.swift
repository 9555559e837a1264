import Glibc

/// The thread on which a writer runs: its waits and syncs must not take a thread from the concurrency pool.
enum WriterThread {
    /// Starts the writer's loop; nothing else may touch the writer afterwards.
    static func start(_ writer: sending TickWriter) throws(StoreError) {
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(writer).toOpaque()
        let code = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<TickWriter>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, argument)
        guard code == 0 else {
            Unmanaged<TickWriter>.fromOpaque(argument).release()
            throw StoreError(systemError: code, operation: "start the writer's thread", path: nil)
        }
        pthread_detach(thread)
    }
}
