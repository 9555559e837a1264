import MarketData

/// Decides when `run` compares a day with the tape, and which. Reads no clock.
struct ReconcileSchedule: Sendable, Equatable {
    /// The minute of New York's day.
    let minute: Int
    /// The last time that was seen to, in milliseconds since the Unix epoch.
    private var seen: Int64
    private var pausedUntil: Int64?
    private var failures = 0

    /// How long after the first failure it is tried again, and the longest pause, in milliseconds.
    private static let pauses: (first: Int64, longest: Int64) = (10 * 60_000, 6 * 3_600_000)

    /// - Parameter since: times before are left alone, in milliseconds since the Unix epoch: when the file was made.
    init(minute: Int, since: Int64) {
        self.minute = minute
        seen = since
    }

    /// The day to compare now; `nil` when none is due.
    func due(at now: Int64) -> TradingDay? {
        let last = last(before: now)
        guard last > seen, now >= pausedUntil ?? now else { return nil }
        return TradingDay.lastFinal(at: last)
    }

    /// How long until something may be due, in milliseconds.
    func wait(at now: Int64) -> Int64 {
        max(0, max(pausedUntil ?? 0, last(before: now) > seen ? 0 : next(after: now)) - now)
    }

    /// Notes that a day was compared.
    mutating func finished(at now: Int64) {
        seen = last(before: now)
        pausedUntil = nil
        failures = 0
    }

    /// Notes that a day could not be compared, or is not complete: it is tried again, later each time.
    mutating func failed(at now: Int64) {
        pausedUntil = now + min(Self.pauses.first << min(failures, 10), Self.pauses.longest)
        failures += 1
    }

    private func last(before now: Int64) -> Int64 {
        var day = TradingDay(at: now)
        while day.moment(minuteOfDay: minute) > now { day = day.before }
        return day.moment(minuteOfDay: minute)
    }

    private func next(after now: Int64) -> Int64 {
        var day = TradingDay(at: now)
        while day.moment(minuteOfDay: minute) <= now { day = day.after }
        return day.moment(minuteOfDay: minute)
    }
}
