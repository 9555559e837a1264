import MarketData

/// The times that govern failover.
public struct FailoverRules: Sendable {
    /// How long a connection may be down before its symbols are given away.
    public var grace: Duration = .seconds(10)
    /// How long a failed connection must be up before it gets its symbols back; doubled with each failure within an
    /// hour.
    public var recovery: Duration = .seconds(30)
    /// The longest that ``recovery`` becomes by doubling.
    var longestRecovery: Duration = .seconds(600)
    /// How long a trusted connection must have been up for its earlier failures to be forgotten.
    var forgetsAfter: Duration = .seconds(3600)
}

/// Decides when a connection's symbols are given away and when it gets them back. Reads no clock.
///
/// A connection that was down for longer than the grace period fails. It is trusted again after it has been up for the
/// recovery period without a break. That period doubles with every further failure within an hour, so that the symbols
/// of a connection that keeps breaking are not moved back and forth.
struct Failover: Sendable {
    private enum Phase: Equatable {
        case up(since: Duration)
        case down(since: Duration)
        /// Down, and its symbols are given away.
        case failed
        /// Up again, but not trusted yet.
        case recovering(since: Duration)
    }

    private struct Record {
        var phase: Phase
        var failures = 0
    }

    private let rules: FailoverRules
    private var records: [Int: Record] = [:]

    init(_ rules: FailoverRules) {
        self.rules = rules
    }

    /// The connections whose symbols are given away.
    var failed: SlotSet {
        SlotSet(
            records.compactMap { slot, record in
                switch record.phase {
                case .failed, .recovering: slot
                case .up, .down: nil
                }
            })
    }

    /// When ``tick(now:)`` is due next.
    var deadline: Duration? {
        records.values.compactMap { record in
            switch record.phase {
            case .down(let since): since + rules.grace
            case .recovering(let since): since + recovery(record.failures)
            case .up, .failed: nil
            }
        }.min()
    }

    /// Adds a connection; it counts as down until it is reported up.
    mutating func add(_ slot: Int, now: Duration) { records[slot] = Record(phase: .down(since: now)) }

    mutating func remove(_ slot: Int) { records[slot] = nil }

    /// Records whether a connection is up.
    mutating func observe(_ slot: Int, isUp: Bool, now: Duration) {
        guard let record = records[slot] else { return }
        switch (record.phase, isUp) {
        case (.down, true): records[slot]?.phase = .up(since: now)
        case (.up(let since), false):
            if now - since >= rules.forgetsAfter { records[slot]?.failures = 0 }
            records[slot]?.phase = .down(since: now)
        case (.failed, true): records[slot]?.phase = .recovering(since: now)
        case (.recovering, false): records[slot]?.phase = .failed
        case (.up, true), (.down, false), (.failed, false), (.recovering, true): break
        }
    }

    /// Does what is due by time alone. Returns whether ``failed`` changed.
    mutating func tick(now: Duration) -> Bool {
        var changed = false
        for (slot, record) in records {
            switch record.phase {
            case .down(let since) where now - since >= rules.grace:
                records[slot]?.phase = .failed
                records[slot]?.failures += 1
                changed = true
            case .recovering(let since) where now - since >= recovery(record.failures):
                records[slot]?.phase = .up(since: now)
                changed = true
            default: break
            }
        }
        return changed
    }

    /// How long a connection must be up after this many failures.
    private func recovery(_ failures: Int) -> Duration {
        rules.recovery.backoff(after: failures, upTo: max(rules.recovery, rules.longestRecovery))
    }
}
