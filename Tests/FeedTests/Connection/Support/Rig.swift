import Feed
import Logging
import MarketData
import ServiceLifecycle
import TestSupport

/// A key that must not appear anywhere but in the login.
let canary = "canary5f1cKEY7Qx0mJt2RbvW9zLpYd4A"

/// The sink and the log of a connection under test.
struct Rig: Sendable {
    let sink = CollectingSink()
    let log = CapturedLog()

    /// A configuration with short waits between tries, and with time-outs that a loaded machine does not run into.
    static func configuration(
        port: Int, host: String = "127.0.0.1", scheme: String = "ws", events: Set<EventKind> = [.trade]
    ) throws -> FeedConfiguration {
        var configuration = FeedConfiguration(
            name: "primary",
            endpoint: try FeedEndpoint(url: "\(scheme)://\(host):\(port)/stocks", allowsPlaintext: false),
            apiKey: Secret(canary), events: events)
        configuration.connectTimeout = .seconds(60)
        configuration.loginTimeout = .seconds(60)
        configuration.confirmTimeout = .seconds(60)
        configuration.closeTimeout = .seconds(30)
        configuration.reconnect.firstDelay = .milliseconds(20)
        configuration.reconnect.cap = .milliseconds(40)
        configuration.reconnect.quickDelay = .milliseconds(10)
        configuration.reconnect.refusedKeyDelay = .milliseconds(20) ... .milliseconds(40)
        configuration.reconnect.connectionLimitDelay = .milliseconds(20) ... .milliseconds(40)
        return configuration
    }

    /// Runs a connection while `body` does, then stops it and waits for its end.
    func run(
        _ configuration: FeedConfiguration, interest: Interest = .symbols([Symbol("AAPL")!]),
        tap: (any FrameTap)? = nil, _ body: @Sendable (FeedConnection) async throws -> Void
    ) async throws {
        let connection = FeedConnection(
            configuration: configuration, interest: interest, sink: sink, tap: tap, logger: log.logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await connection.run() }
            do {
                try await body(connection)
            } catch let timeout as Waiting.TimedOut {
                throw Waiting.TimedOut(
                    timeout.what + "; log:\n" + log.lines.joined(separator: "\n"))
            }
            group.cancelAll()
            try await group.waitForAll()
        }
    }
}
