public import Logging
public import MarketData
public import ServiceLifecycle
public import Store
import Synchronization

/// Fills gaps soon after they were recorded, as far as the key allows, without getting in the way of collecting.
public final class BackfillService: Service {
    /// Which gaps are filled, and when.
    public struct Configuration: Sendable {
        /// How long after a gap's end its last bars may still come from the stream.
        public var settleTime: Duration = .seconds(30)
        /// How far back to reach; what is older is left to `edgetick backfill`.
        public var reach: Duration = .seconds(7 * 86_400)
        /// How long to leave the server alone after a failure that waiting does not fix.
        var refusedPause: Duration = .seconds(3600)

        /// Makes a configuration with the defaults.
        public init() {}
    }

    private let configuration: Configuration
    private let client: AggregatesClient
    private let buffer: TickBuffer
    private let identified: @Sendable () async throws(BackfillError) -> Set<EventStream>
    private let logger: Logger
    private let lasting = Mutex<LastingFailure?>(nil)

    /// Makes a service, which calls ``AggregatesClient/shutdown()`` when it ends. One that is never run must be closed.
    ///
    /// - Parameter identified: returns the streams in which the database recognises events that it already has; none
    ///   without a database. While it throws, the gaps that depend on it stay open.
    public init(
        configuration: Configuration, client: AggregatesClient, buffer: TickBuffer,
        identified: @escaping @Sendable () async throws(BackfillError) -> Set<EventStream> = { [] }, logger: Logger
    ) {
        self.identified = identified
        self.configuration = configuration
        self.client = client
        self.buffer = buffer
        self.logger = logger
    }

    /// Whether gaps are filled, or what keeps them open; from memory.
    public var state: BackfillState { .filling(lasting.withLock { $0 }) }

    /// Runs until graceful shutdown. Never throws: a failure is logged and retried.
    public func run() async throws {
        await cancelWhenGracefulShutdown { await self.work() }
        await close()
    }

    /// Releases what a service that was never run holds.
    public func close() async { await client.shutdown() }

    private func work() async {
        var queue = GapQueue(rules: configuration)
        var uncovered: Set<EventKind> = []
        var failures = LogThrottle<String, ContinuousClock.Instant>()
        let bell = Doorbell()
        buffer.onNotes { bell.ring() }
        while !Task.isCancelled {
            let begun = ContinuousClock.now
            let next = await pass(&queue, &uncovered, &failures)
            await bell.sleep(upTo: next ?? .seconds(3600))
            // Notes may arrive with every commit, and one pass serves many.
            try? await Task.sleep(until: begun + .seconds(1), clock: .continuous)
        }
    }

    /// Fills the gaps that are due now.
    ///
    /// - Returns: how long until another gap is due; `nil` when none will be without a new note.
    private func pass(
        _ queue: inout GapQueue, _ uncovered: inout Set<EventKind>,
        _ failures: inout LogThrottle<String, ContinuousClock.Instant>
    ) async -> Duration? {
        let open: [GapRecord]
        do {
            open = try await buffer.gaps(states: [.open], limit: 1000, fills: .all)
        } catch {
            if let count = failures.occurred("", "\(error)", now: .now) {
                logger.warning(
                    "the gaps can't be read, so that none is filled; it is tried again",
                    metadata: ["error": "\(error)", "occurrences": "\(count)"])
            }
            let problem = LastingFailure(description: "the gaps can't be read: \(error)", since: .now)
            lasting.withLock { $0 = $0 ?? problem }
            return .seconds(5)
        }
        if failures.ended("") { logger.notice("the gaps are read again") }
        var rest = open
        let due = queue.due(open, wall: WallClock.milliseconds(), now: Self.now).now
        var filler = GapFiller(client: client, buffer: buffer, gaps: due)
        for record in due where !queue.isResting(now: Self.now) {
            do throws(BackfillError) {
                let earliest = WallClock.milliseconds() - configuration.reach.milliseconds
                let access: TickAccess
                do throws(BackfillError) {
                    access = try await filler.access(record.gap, uncovered: uncovered, identified: identified)
                } catch {
                    // Bars need no database.
                    if error.reason == .database { try await filler.fillBars(record, earliest: earliest) }
                    throw error
                }
                let state = try await filler.fill(record, earliest: earliest, ticks: access) { kind in
                    guard uncovered.insert(kind).inserted else { return }
                    logger.warning(
                        "missing \(kind.plural) are not backfilled: \(TickAccess.notCovered(kind)); where a server has them, run 'edgetick backfill --ticks'"
                    )
                }
                queue.filled(record, state)
                tell(record, state)
                if state != .open { rest.removeAll { $0.id == record.id } }
            } catch {
                guard !Task.isCancelled else { return nil }
                let isNew = queue.failed(record, error, now: Self.now)
                logger.log(
                    level: isNew ? .warning : .debug, "a gap could not be filled and stays open",
                    metadata: ["gap": "\(record.id)", "error": "\(error)"])
            }
            guard !Task.isCancelled else { return nil }
        }
        let again = queue.due(rest, wall: WallClock.milliseconds(), now: Self.now)
        let failure = queue.failure.map { found in
            LastingFailure(description: found.message, since: Self.start.advanced(by: found.since))
        }
        lasting.withLock { $0 = failure }
        return again.now.isEmpty ? again.next : .zero
    }

    private func tell(_ record: GapRecord, _ state: GapState) {
        let metadata: Logger.Metadata = [
            "gap": "\(record.id)", "state": "\(state.rawValue)", "connection": "\(record.gap.connection)",
        ]
        switch state {
        case .open:
            logger.notice(
                "a gap was filled as far as BACKFILL_REACH goes; 'edgetick backfill' fills the rest", metadata: metadata
            )
        case .partial:
            logger.notice("a gap was filled in part; 'edgetick gaps' says what is missing", metadata: metadata)
        default: logger.info("a gap was settled", metadata: metadata)
        }
    }

    /// The time on a clock that never jumps.
    private static var now: Duration { start.duration(to: .now) }
    private static let start = ContinuousClock.now
}
