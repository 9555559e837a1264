import Logging
import MarketData
import Synchronization

/// Logs what could not be read for clients, which may ask as often as they like: repeated failures with their count.
final class ReadFailures: Sendable {
    private let throttle = Mutex(LogThrottle<String, ContinuousClock.Instant>())
    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    func occurred(_ what: String, _ error: any Error) {
        guard let count = throttle.withLock({ $0.occurred(what, "\(error)", now: .now) }) else { return }
        logger.error("\(what)", metadata: ["error": "\(error)", "occurrences": "\(count)"])
    }
}
