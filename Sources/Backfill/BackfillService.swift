import Glibc
public import Logging
import MarketData
public import ServiceLifecycle
public import Store

/// Fills gaps soon after they were recorded, as far as the key allows; never in the way of the collecting.
public struct BackfillService: Service {
    /// What is filled, and when.
    public struct Configuration: Sendable {
        /// The buffer's directory.
        public var directory: String
        /// How long after a gap's end its last bars may still come from the stream.
        public var settleTime: Duration = .seconds(30)
        /// How often to look for gaps.
        public var interval: Duration = .seconds(5)
        /// Gaps that ended longer ago are left to `edgetick backfill`.
        public var horizon: Duration = .seconds(86_400)
        /// How long to leave the server alone after a failure that waiting does not mend.
        public var refusedPause: Duration = .seconds(3600)
        /// How late the feed's events are, in milliseconds.
        public var feedDelay: Int64 = 0

        /// Makes a configuration with the defaults.
        public init(directory: String) {
            self.directory = directory
        }
    }

    private let configuration: Configuration
    private let client: AggregatesClient
    private let buffer: TickBuffer
    private let logger: Logger

    /// Makes a service; ``AggregatesClient/shutdown()`` is called at its end.
    public init(configuration: Configuration, client: AggregatesClient, buffer: TickBuffer, logger: Logger) {
        self.configuration = configuration
        self.client = client
        self.buffer = buffer
        self.logger = logger
    }

    /// Works until graceful shutdown. Never throws: a failure is told and tried again.
    public func run() async throws {
        await cancelWhenGracefulShutdown { await work() }
        await client.shutdown()
    }

    private func work() async {
        let filler = GapFiller(
            client: client, buffer: buffer, directory: configuration.directory, feedDelay: configuration.feedDelay)
        var seen: Int64 = -1
        var isWaiting = true
        while !Task.isCancelled {
            let count = buffer.statistics.gaps
            if count != seen || isWaiting {
                seen = count
                isWaiting = await pass(filler)
            }
            try? await Task.sleep(for: configuration.interval)
        }
    }

    /// Fills what can be filled now.
    ///
    /// - Returns: whether something is left for later.
    private func pass(_ filler: GapFiller) async -> Bool {
        let records: [GapRecord]
        do {
            records = try GapLog.read(directory: configuration.directory, states: [.open], limit: 1000)
        } catch {
            logger.debug("the gaps can't be read", metadata: ["error": "\(error)"])
            return true
        }
        let now = GapFiller.wallMicroseconds() / 1000
        let recent = records.filter { now - $0.gap.to <= Int64(configuration.horizon / .milliseconds(1)) }
        let due = recent.filter { now - $0.gap.to >= Int64(configuration.settleTime / .milliseconds(1)) }
        for record in due {
            guard !Task.isCancelled else { return true }
            do {
                let state = try await filler.fill(record)
                logger.info(
                    "a gap was looked after",
                    metadata: [
                        "gap": "\(record.id)", "state": "\(state.rawValue)", "connection": "\(record.gap.connection)",
                    ])
            } catch {
                guard !Task.isCancelled else { return true }
                logger.warning(
                    "a gap could not be filled and stays open",
                    metadata: ["gap": "\(record.id)", "error": "\(error)"])
                let pause = error.isRetryable ? Duration.seconds(60) : configuration.refusedPause
                try? await Task.sleep(for: pause)
                return true
            }
        }
        return due.count < recent.count
    }
}

extension GapFiller {
    /// The wall clock in microseconds since the Unix epoch.
    static func wallMicroseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
}
