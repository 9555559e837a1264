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
        /// The part of it that is due to the feed's delay. A gap's end is in the events' own time, so most of this is over
        /// when the gap ends.
        public var delay: Duration = .zero
        /// How far back to reach; older gaps are left to `edgetick backfill`.
        public var reach: Duration = .seconds(7 * 86_400)
        /// How long to leave the server alone after a failure that waiting does not fix, and not to ask for events that
        /// it refused.
        var refusedPause: Duration = .seconds(3600)

        /// Makes a configuration with the defaults.
        public init() {}
    }

    private let configuration: Configuration
    private let client: AggregatesClient
    private let buffer: TickBuffer
    private let identified: @Sendable () async throws(BackfillError) -> Set<EventStream>
    private let elsewhere: @Sendable (Set<EventStream>, Int64) async throws(BackfillError) -> Set<EventStream>
    private let logger: Logger
    private let lasting = Mutex<LastingFailure?>(nil)

    /// Makes a service, which calls ``AggregatesClient/shutdown()`` when it ends. One that is never run must be closed.
    ///
    /// - Parameters:
    ///   - identified: returns the streams in which the database recognises events that it already has; none without a
    ///     database. While it throws, the gaps that depend on it stay open.
    ///   - elsewhere: returns those of some streams of which another copy of the file has rows to upload, or has uploaded
    ///     some, since a moment in milliseconds since the Unix epoch; none without a database. The same happens while it
    ///     throws.
    public init(
        configuration: Configuration, client: AggregatesClient, buffer: TickBuffer,
        identified: @escaping @Sendable () async throws(BackfillError) -> Set<EventStream> = { [] },
        elsewhere: @escaping @Sendable (Set<EventStream>, Int64) async throws(BackfillError) -> Set<EventStream> = {
            _, _ in []
        },
        logger: Logger
    ) {
        self.identified = identified
        self.elsewhere = elsewhere
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

    /// Closes the connections; needed only for a service that was never run.
    public func close() async { await client.shutdown() }

    private func work() async {
        var queue = GapQueue(rules: configuration)
        var failures = LogThrottle<String, ContinuousClock.Instant>()
        let bell = Doorbell()
        buffer.onNotes { bell.ring() }
        while !Task.isCancelled {
            let begun = ContinuousClock.now
            let next = await pass(&queue, &failures)
            await bell.sleep(upTo: next ?? .seconds(3600))
            // Notes may arrive with every commit, and one pass serves many.
            try? await Task.sleep(until: begun + .seconds(1), clock: .continuous)
        }
    }

    /// The most gaps that are loaded at once. Each may name the symbols of a whole market.
    private static let mostGaps = 1000

    /// Fills the gaps that are due now.
    ///
    /// - Returns: how long until another gap is due; `nil` when none will be without a new note.
    private func pass(
        _ queue: inout GapQueue, _ failures: inout LogThrottle<String, ContinuousClock.Instant>
    ) async -> Duration? {
        guard let open = await reading(&failures, { () async throws(StoreError) in try await buffer.waitingGaps() })
        else { return .seconds(5) }
        var settled: Set<Int64> = []
        let due = queue.due(open, wall: WallClock.milliseconds(), now: Self.now).now
        for part in due.parts(of: Self.mostGaps) where !queue.isResting(now: Self.now) {
            let records = await reading(&failures) { () async throws(StoreError) in
                try await buffer.gaps(part, fills: .all)
            }
            guard let records else { return .seconds(5) }
            await fill(records, &queue, &settled)
            guard !Task.isCancelled else { return nil }
        }
        let rest = open.filter { !settled.contains($0.id) }
        let again = queue.due(rest, wall: WallClock.milliseconds(), now: Self.now)
        let failure = queue.failure.map { found in
            LastingFailure(description: found.message, since: Self.start.advanced(by: found.since))
        }
        lasting.withLock { $0 = failure }
        return again.now.isEmpty ? again.next : .zero
    }

    /// Returns the result of reading about the gaps; `nil` if that failed, which is logged.
    private func reading<Value>(
        _ failures: inout LogThrottle<String, ContinuousClock.Instant>,
        _ read: () async throws(StoreError) -> Value
    ) async -> Value? {
        do throws(StoreError) {
            let value = try await read()
            if failures.ended("") { logger.notice("the gaps can be read again") }
            return value
        } catch {
            if let count = failures.occurred("", "\(error)", now: .now) {
                logger.warning(
                    "the gaps can't be read, so none is filled; this is retried",
                    metadata: ["error": "\(error)", "occurrences": "\(count)"])
            }
            let problem = LastingFailure(description: "the gaps can't be read: \(error)", since: .now)
            lasting.withLock { $0 = $0 ?? problem }
            return nil
        }
    }

    /// Fills gaps, one after another, until the server has to be left alone.
    ///
    /// - Parameter settled: receives the numbers of those that are no longer open.
    private func fill(
        _ records: [GapRecord], _ queue: inout GapQueue, _ settled: inout Set<Int64>
    ) async {
        var filler = GapFiller(
            client: client, buffer: buffer, settleTime: configuration.settleTime, gaps: records)
        for record in records where !queue.isResting(now: Self.now) {
            do throws(BackfillError) {
                let earliest = WallClock.milliseconds() - configuration.reach.milliseconds
                let uncovered = queue.uncovered(now: Self.now)
                let access = try await filler.access(
                    toFill: record, earliest: earliest, uncovered: uncovered, identified: identified,
                    elsewhere: elsewhere)
                let state = try await filler.fill(record, earliest: earliest, ticks: access) { kind in
                    guard queue.refused(kind, now: Self.now) else { return }
                    logger.warning(
                        "missing \(kind.plural) are not backfilled: \(TickAccess.notCovered(kind)); where a server has them, run 'edgetick backfill --ticks'"
                    )
                }
                queue.filled(record, state)
                tell(record, state)
                if state != .open { settled.insert(record.id) }
            } catch {
                guard !Task.isCancelled else { return }
                let isNew = queue.failed(record, error, now: Self.now)
                logger.log(
                    level: isNew ? .warning : .debug, "a gap could not be filled and stays open",
                    metadata: ["gap": "\(record.id)", "error": "\(error)"])
            }
            guard !Task.isCancelled else { return }
        }
    }

    private func tell(_ record: GapRecord, _ state: GapState) {
        let metadata: Logger.Metadata = [
            "gap": "\(record.id)", "state": "\(state.rawValue)", "connection": "\(record.gap.connection)",
        ]
        switch state {
        case .open:
            logger.notice(
                "a gap was filled only as far back as BACKFILL_REACH; 'edgetick backfill' fills the rest",
                metadata: metadata
            )
        case .partial:
            logger.notice("a gap was partly filled; 'edgetick gaps' shows what is missing", metadata: metadata)
        case .unfillable:
            logger.notice("a gap can't be filled; 'edgetick gaps' shows why", metadata: metadata)
        default: logger.info("a gap was settled", metadata: metadata)
        }
    }

    /// The time on a clock that never jumps.
    private static var now: Duration { start.duration(to: .now) }
    private static let start = ContinuousClock.now
}
