/// Decides which repeated messages are logged: a new one at once, a repeated one every 30 s with its count.
///
/// Messages are distinguished, so two that alternate are each logged as rarely as one. Only a few messages of a key are
/// logged within one interval, so messages that always differ can't fill the log. What is not logged is counted in a
/// later line. Memory is bounded when the keys come from a small set. Reads no clock.
public struct LogThrottle<Key: Hashable & Sendable, Moment: InstantProtocol>: Sendable
where Moment.Duration == Duration {
    private struct Message {
        var lastLogged: Moment
        var unlogged = 0
    }

    private struct Entry {
        var messages: [String: Message] = [:]
        /// Counts messages that were too many to distinguish, or that are no longer remembered.
        var unlogged = 0
        var isReported = false
    }

    private let interval: Duration
    private let variety: Int
    private var entries: [Key: Entry] = [:]

    /// - Parameter variety: How many different messages of one key are logged within one interval.
    public init(interval: Duration = .seconds(30), variety: Int = 4) {
        self.interval = interval
        self.variety = variety
    }

    /// Notes a message. Returns how many messages a line about it reports, those included that were not logged; `nil`
    /// when it should not be logged now.
    public mutating func occurred(_ key: Key, _ message: String, now: Moment) -> Int? {
        var entry = entries[key] ?? Entry()
        defer { entries[key] = entry }
        if let known = entry.messages[message], known.lastLogged.duration(to: now) < interval {
            entry.messages[message]?.unlogged += 1
            return nil
        }
        let unlogged = entry.messages.removeValue(forKey: message)?.unlogged ?? 0
        for (text, old) in entry.messages where old.lastLogged.duration(to: now) >= interval {
            entry.messages[text] = nil
            entry.unlogged += old.unlogged
        }
        guard entry.messages.count < variety else {
            entry.unlogged += unlogged + 1
            return nil
        }
        defer { entry.unlogged = 0 }
        entry.messages[message] = Message(lastLogged: now)
        entry.isReported = true
        return entry.unlogged + unlogged + 1
    }

    /// Notes that the problem of a key is over; returns whether the log should say so, because it was in the log.
    public mutating func ended(_ key: Key) -> Bool {
        guard entries[key]?.isReported == true else { return false }
        entries[key]?.isReported = false
        return true
    }
}
