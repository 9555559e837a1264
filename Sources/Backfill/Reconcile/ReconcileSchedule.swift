import MarketData

/// Decides when `run` compares a day with the tape, and which. Reads no clock.
///
/// A day is due at the first `RECONCILE_AT` at which it is final. A day that failed or is not complete is retried at
/// growing intervals, as long as it is one of the last few. It is done for the symbols that it was compared for, and is
/// due again for those that are collected only later. While none is collected, no day is due.
struct ReconcileSchedule: Sendable, Equatable {
    private struct Retry: Sendable, Equatable {
        var from: Int64
        var failures: Int
    }

    /// The number of recent trading days that are compared.
    static let reach = 7
    /// The pause after the first failure, and the longest pause.
    private static let pauses: (first: Duration, longest: Duration) = (.seconds(10 * 60), .seconds(6 * 3600))

    /// The time of day in New York, in minutes since midnight.
    let minute: Int
    private let since: Int64
    private let delay: Int64
    /// The complete days, each with the symbols that it was compared for.
    private var finished: [TradingDay: Set<Symbol>] = [:]
    private var retries: [TradingDay: Retry] = [:]

    /// - Parameters:
    ///   - since: days that were due before this are left alone, in milliseconds since the Unix epoch. It is the time
    ///     at which the file was made.
    ///   - delay: how late events may arrive, in milliseconds.
    init(minute: Int, since: Int64, delay: Int64 = 0) {
        self.minute = minute
        self.since = since
        self.delay = delay
    }

    /// Returns the newest day to compare now; `nil` when none is due.
    ///
    /// - Parameter symbols: what is collected now; `nil` when that is everything.
    func due(at now: Int64, collecting symbols: Set<Symbol>? = nil) -> TradingDay? {
        waiting(at: now, symbols).first { retries[$0].map { now >= $0.from } ?? true }
    }

    /// Returns how long until a day may be due, in milliseconds.
    ///
    /// - Parameter symbols: what is collected now; `nil` when that is everything.
    func wait(at now: Int64, collecting symbols: Set<Symbol>? = nil) -> Int64 {
        let tries = waiting(at: now, symbols).map { retries[$0]?.from ?? now }
        return max(0, (tries + [next(after: now)]).reduce(.max, min) - now)
    }

    /// Notes that a day is complete.
    ///
    /// - Parameter symbols: those that it was compared for; `nil` when that is everything.
    mutating func finished(_ day: TradingDay, of symbols: Set<Symbol>? = nil) {
        finished[day, default: []].formUnion(symbols ?? [])
        retries[day] = nil
    }

    /// Notes that a day could not be compared, or is not complete.
    mutating func failed(_ day: TradingDay, at now: Int64) {
        let failures = (retries[day]?.failures ?? 0) + 1
        let pause = Self.pauses.first.backoff(after: failures, upTo: Self.pauses.longest)
        retries[day] = Retry(from: now + pause.milliseconds, failures: failures)
    }

    /// Forgets the days that are too old to be compared.
    ///
    /// - Returns: those of them that were tried and never became complete.
    mutating func forgetPast(at now: Int64) -> [TradingDay] {
        guard let oldest = recent(at: now).last else { return [] }
        finished = finished.filter { $0.key >= oldest }
        let given = retries.keys.filter { $0 < oldest }.sorted()
        for day in given { retries[day] = nil }
        return given
    }

    private func waiting(at now: Int64, _ symbols: Set<Symbol>?) -> [TradingDay] {
        guard symbols?.isEmpty != true else { return [] }
        return recent(at: now).filter { day in
            guard let compared = finished[day] else { return true }
            return symbols.map { !compared.isSuperset(of: $0) } ?? false
        }
    }

    /// The last trading days that are due, the newest first.
    private func recent(at now: Int64) -> [TradingDay] {
        var days: [TradingDay] = []
        var day = TradingDay(at: now)
        while days.count < Self.reach {
            if let due = day.firstFinal(atMinute: minute, delay: delay) {
                guard due > since else { break }
                if due <= now { days.append(day) }
            }
            day = day.before
        }
        return days
    }

    private func next(after now: Int64) -> Int64 {
        var day = TradingDay(at: now)
        while day.moment(minuteOfDay: minute) <= now { day = day.after }
        return day.moment(minuteOfDay: minute)
    }
}
