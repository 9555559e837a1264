extension Task where Failure == any Error {
    /// Returns the value. If the task takes longer than `limit`, it is cancelled.
    func value(within limit: Duration) async throws -> Success {
        let timer = Task<Void, any Error> {
            try await Task<Never, Never>.sleep(for: limit)
            cancel()
        }
        defer { timer.cancel() }
        return try await value
    }
}
