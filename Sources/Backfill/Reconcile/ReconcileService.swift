public import Logging
public import MarketData
public import ServiceLifecycle
public import Store
import Synchronization
import Upstream

/// Compares each day's minute bars with the tape at a time of day (`RECONCILE_AT`), without getting in the way of
/// collecting.
public final class ReconcileService: Service {
    private let reconciler: Reconciler
    private let client: AggregatesClient
    private let minute: Int
    private let delay: Int64
    private let symbols: @Sendable () -> [Symbol]?
    private let logger: Logger
    private let current: Mutex<ReconcileState>

    /// Makes a service, which calls ``AggregatesClient/shutdown()`` when it ends. One that is never run must be closed.
    ///
    /// - Parameters:
    ///   - minute: the time of day in New York, in minutes since midnight.
    ///   - delay: how late events may arrive, and be on the tape, in milliseconds.
    ///   - symbols: returns what is collected now; `nil` when that is everything.
    public init(
        client: AggregatesClient, buffer: TickBuffer, target: Reconciler.Target?, minute: Int, delay: Int64 = 0,
        symbols: @escaping @Sendable () -> [Symbol]?, logger: Logger
    ) {
        reconciler = Reconciler(source: .aggregates(client), buffer: buffer, target: target)
        self.client = client
        self.minute = minute
        self.delay = delay
        self.symbols = symbols
        self.logger = logger
        current = Mutex(ReconcileState(minute: minute))
    }

    /// The results of the last runs, and the time of the next; from memory.
    public var state: ReconcileState { current.withLock { $0 } }

    /// Runs until graceful shutdown. Never throws: a failure is logged and retried.
    public func run() async throws {
        await cancelWhenGracefulShutdown { await self.work() }
        await close()
    }

    /// Closes the connections; needed only for a service that was never run.
    public func close() async { await client.shutdown() }

    private func work() async {
        // A box that was off at the time of day catches up; one whose file is new has nothing to catch up on.
        let made = try? DayLog.made(directory: reconciler.buffer.directory)
        var schedule = ReconcileSchedule(minute: minute, since: made ?? WallClock.milliseconds(), delay: delay)
        let bell = Doorbell()
        var lead: Int64 = 0
        while !Task.isCancelled {
            let collected = symbols()
            let named = collected.map { Set($0) }
            // A day that is not over yet could be called complete.
            if lead > 0 || schedule.due(at: WallClock.milliseconds(), collecting: named) != nil {
                await compareClocks(&lead)
            }
            if let day = schedule.due(at: WallClock.milliseconds() - lead, collecting: named) {
                let outcome = await reconcile(day, collected)
                await reconciler.target?.uploader.disconnect()
                guard !Task.isCancelled else { return }
                let now = WallClock.milliseconds() - lead
                if outcome.isComplete { schedule.finished(day, of: named) } else { schedule.failed(day, at: now) }
                for day in schedule.forgetPast(at: now) {
                    logger.warning(
                        "a day is still incomplete and is no longer retried; run edgetick reconcile --date for it",
                        metadata: ["day": "\(day)"])
                }
                current.withLock { $0.note(outcome, atMost: ReconcileSchedule.reach) }
            }
            let now = WallClock.milliseconds() - lead
            let wait = schedule.wait(at: now, collecting: named)
            current.withLock { $0.next = now + wait }
            // The clock may be set, the machine may sleep, or other symbols may be collected, meanwhile.
            await bell.sleep(upTo: .milliseconds(min(max(1, wait), 60_000)))
        }
    }

    /// Finds out how far this machine's clock is ahead of the REST server's, in milliseconds; `lead` stays as it is if
    /// the server can't be asked, or shows no time.
    private func compareClocks(_ lead: inout Int64) async {
        let asked = WallClock.milliseconds()
        guard let shown = try? await client.serverTime() else { return }
        // The server shows whole seconds.
        let found = max(0, asked - shown - 1000)
        if found >= ReconcileState.toleratedLead, lead < ReconcileState.toleratedLead {
            logger.warning(
                "this machine's clock is ahead of the REST server's; days are compared with the tape by the server's time",
                metadata: ["ahead_s": "\(found / 1000)"])
        }
        lead = found
        current.withLock { $0.clockLead = found }
    }

    /// Compares a day, except for the symbols that are already complete.
    ///
    /// - Parameter collected: what is collected; `nil` when that is everything.
    private func reconcile(_ day: TradingDay, _ collected: [Symbol]?) async -> ReconcileState.Outcome {
        var outcome = ReconcileState.Outcome(day: day, at: WallClock.milliseconds())
        do throws(BackfillError) {
            // If everything is collected, the symbols are those that the day had.
            let wanted = if let collected { collected } else { try await reconciler.everySymbol(of: day) }
            let before = try log(of: day, wanted)
            let done = Set(before.filter(\.isComplete).map(\.symbol))
            let left = wanted.filter { !done.contains($0) }
            if !left.isEmpty {
                current.withLock { $0.underWay = day }
                logger.notice("comparing a day with the tape", metadata: ["day": "\(day)", "symbols": "\(left.count)"])
                let report = try await reconciler.run(day, left, isLoaded: before.contains { $0.tape > 0 })
                outcome.failures = report.failures.count
                outcome.problem = report.failures.values.first.map { "\($0)" }
            }
            let found = try log(of: day, wanted)
            outcome.totals = DayTotals(found)
            outcome.at = left.isEmpty ? found.map(\.at).max() ?? outcome.at : WallClock.milliseconds()
            if !left.isEmpty { tell(outcome) }
        } catch {
            outcome.problem = "\(error)"
            guard !Task.isCancelled else { return outcome }
            logger.warning(
                "a day could not be compared with the tape; it is tried again",
                metadata: ["day": "\(day)", "error": "\(error)"])
        }
        return outcome
    }

    /// Returns the findings of a day so far.
    private func log(of day: TradingDay, _ wanted: [Symbol]) throws(BackfillError) -> [ReconciledDay] {
        let wanted = Set(wanted)
        let buffer = reconciler.buffer
        return try buffer.reading { try DayLog.reconciled(directory: buffer.directory, days: day...day) }
            .filter { wanted.contains($0.symbol) }
    }

    private func tell(_ outcome: ReconcileState.Outcome) {
        let totals = outcome.totals
        var metadata: Logger.Metadata = [
            "day": "\(outcome.day)", "symbols": "\(totals.symbols)", "bars": "\(totals.have) of \(totals.tape)",
            "added": "\(totals.added)", "corrected": "\(totals.corrected)", "not_on_tape": "\(totals.extra)",
        ]
        guard !outcome.isComplete else {
            return logger.notice("a day matches the tape", metadata: metadata)
        }
        metadata["open"] = "\(totals.missing)"
        metadata["not_compared"] = "\(outcome.failures)"
        if let problem = outcome.problem { metadata["error"] = "\(problem)" }
        logger.warning("a day is not complete; it is tried again", metadata: metadata)
    }
}
