/// A connection for the time of one piece of work, on a thread of its own.
actor PostgresVisit {
    private let executor = QueueExecutor(label: "edgetick.visit")
    private let interrupt = Wakeup()

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Runs `body` over a new connection and closes it afterwards. If anything fails before a COMMIT, the server keeps
    /// nothing. Cancelling the task ends the work.
    func run<Value: Sendable>(
        _ configuration: UpstreamConfiguration,
        _ body: @Sendable (PostgresConnection) throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        try await interruptible(by: interrupt, role: configuration.role) { () throws(UpstreamError) in
            let connection = try PostgresConnection.connect(configuration, interrupt: interrupt)
            defer { connection.finish() }
            return try body(connection)
        }
    }
}
