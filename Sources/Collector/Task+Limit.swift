extension Task where Failure == any Error {
    /// The value; the task is cancelled where it takes longer than `limit`.
    func value(within limit: Duration) async throws -> Success {
        let timer = Task<Void, any Error> {
            try await Task<Never, Never>.sleep(for: limit)
            cancel()
        }
        defer { timer.cancel() }
        return try await value
    }
}
