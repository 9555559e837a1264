public import Logging
public import MarketData
public import ServiceLifecycle
public import Store
import Upstream

/// Compares each day's minute bars with the tape at a time of day (`RECONCILE_AT`); never in the way of the collecting.
public struct ReconcileService: Service {
    private let reconciler: Reconciler
    private let target: Reconciler.Target?
    private let client: AggregatesClient
    private let directory: String
    private let minute: Int
    private let symbols: @Sendable () -> [Symbol]?
    private let logger: Logger

    /// Makes a service; ``AggregatesClient/shutdown()`` is called at its end. One that is never run has to be closed.
    ///
    /// - Parameters:
    ///   - minute: the minute of New York's day.
    ///   - symbols: what is collected now; `nil` when that is everything.
    public init(
        client: AggregatesClient, buffer: TickBuffer, directory: String, target: Reconciler.Target?, minute: Int,
        symbols: @escaping @Sendable () -> [Symbol]?, logger: Logger
    ) {
        reconciler = Reconciler(source: .aggregates(client), buffer: buffer, directory: directory, target: target)
        self.target = target
        self.client = client
        self.directory = directory
        self.minute = minute
        self.symbols = symbols
        self.logger = logger
    }

    /// Works until graceful shutdown. Never throws: a failure is logged and tried again.
    public func run() async throws {
        await cancelWhenGracefulShutdown { await work() }
        await close()
    }

    /// Gives back what a service that never ran holds.
    public func close() async { await client.shutdown() }

    private func work() async {
        // A box that was off at the time of day catches up; one whose file is new has nothing to catch up on.
        let made = try? DayLog.made(directory: directory)
        var schedule = ReconcileSchedule(minute: minute, since: made ?? WallClock.milliseconds())
        let bell = Doorbell()
        while !Task.isCancelled {
            if let day = schedule.due(at: WallClock.milliseconds()) {
                let isDone = await reconcile(day)
                await target?.uploader.disconnect()
                guard !Task.isCancelled else { return }
                let now = WallClock.milliseconds()
                if isDone { schedule.finished(at: now) } else { schedule.failed(at: now) }
            }
            // The clock may be set, or the machine may sleep, meanwhile.
            let wait = min(schedule.wait(at: WallClock.milliseconds()), 60_000)
            await bell.sleep(upTo: .milliseconds(max(1, wait)))
        }
    }

    /// Compares a day, but for the symbols that are complete.
    ///
    /// - Returns: whether nothing is left to try again.
    private func reconcile(_ day: TradingDay) async -> Bool {
        do throws(BackfillError) {
            let left = try remaining(day)
            guard !left.isEmpty else { return true }
            logger.notice(
                "comparing a day with the tape", metadata: ["day": "\(day)", "symbols": "\(left.count)"])
            let report = try await reconciler.run(day, left)
            tell(report, day)
            return report.isComplete
        } catch {
            guard !Task.isCancelled else { return false }
            logger.warning(
                "a day could not be compared with the tape; it is tried again",
                metadata: ["day": "\(day)", "error": "\(error)"])
            return false
        }
    }

    private func remaining(_ day: TradingDay) throws(BackfillError) -> [Symbol] {
        do {
            let starts = day.moment(minuteOfDay: 0)..<day.after.moment(minuteOfDay: 0)
            let all = try symbols() ?? DayLog.symbols(directory: directory, starts: starts)
            let done = Set(
                try DayLog.reconciled(directory: directory, days: day...day).filter(\.isComplete).map(\.symbol))
            return all.filter { !done.contains($0) }
        } catch {
            throw BackfillError(.buffer, "\(error)")
        }
    }

    private func tell(_ report: Reconciler.Report, _ day: TradingDay) {
        let totals = DayTotals(report.findings.map(\.day))
        var metadata: Logger.Metadata = [
            "day": "\(day)", "symbols": "\(totals.symbols)", "bars": "\(totals.have) of \(totals.tape)",
            "added": "\(totals.added)", "corrected": "\(totals.corrected)", "not_on_tape": "\(totals.extra)",
        ]
        guard !report.isComplete else {
            return logger.notice("a day is complete, as the tape has it", metadata: metadata)
        }
        metadata["open"] = "\(totals.missing)"
        metadata["not_compared"] = "\(report.failures.count)"
        if let error = report.failures.values.first { metadata["error"] = "\(error)" }
        logger.warning("a day is not complete; it is tried again", metadata: metadata)
    }
}
