/// Decides which repeated failures are logged: a new one at once, the same again every 30 s with its count.
///
/// Bounded: keys come from a small set, and of each only a few messages are told apart at a time.
struct FaultLog<Key: Hashable & Sendable>: Sendable {
    private struct Entry {
        var lastLogged: Duration
        var suppressed = 0
    }

    let interval: Duration
    /// How many messages of one key are logged within one interval.
    let variety: Int
    private var entries: [Key: [String: Entry]] = [:]

    init(interval: Duration = .seconds(30), variety: Int = 4) {
        self.interval = interval
        self.variety = variety
    }

    /// Takes note of a failure.
    ///
    /// - Returns: how many times it happened since it was last logged, this time included; `nil` when it is not to be
    ///   logged now.
    mutating func occurred(_ key: Key, message: String, now: Duration) -> Int? {
        var known = entries[key] ?? [:]
        defer { entries[key] = known }
        if let entry = known[message] {
            if now - entry.lastLogged < interval {
                known[message]?.suppressed += 1
                return nil
            }
            known[message] = Entry(lastLogged: now)
            return entry.suppressed + 1
        }
        known = known.filter { now - $0.value.lastLogged < interval }
        guard known.count < variety else { return nil }
        known[message] = Entry(lastLogged: now)
        return 1
    }
}
