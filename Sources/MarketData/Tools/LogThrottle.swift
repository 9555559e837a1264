/// Decides which repeated messages are logged: a new one at once, the same again every 30 s with its count.
///
/// Messages are distinguished, so two that alternate are logged as rarely as one; and of each key only a few within one
/// interval, so messages that always differ can't fill the log. What is not logged is counted in a later line. Bounded
/// when the keys come from a small set. Reads no clock.
public struct LogThrottle<Key: Hashable & Sendable, Moment: InstantProtocol>: Sendable
where Moment.Duration == Duration {
    private struct Message {
        var lastLogged: Moment
        var unlogged = 0
    }

    private struct Entry {
        var messages: [String: Message] = [:]
        /// Of messages that were too many to be distinguished, or are no longer remembered.
        var unlogged = 0
        var isReported = false
    }

    private let interval: Duration
    private let variety: Int
    private var entries: [Key: Entry] = [:]

    /// - Parameter variety: How many messages of one key are logged within one interval.
    public init(interval: Duration = .seconds(30), variety: Int = 4) {
        self.interval = interval
        self.variety = variety
    }

    /// Takes note of a message.
    ///
    /// - Returns: How many the line reports: this one and those before it that were not logged; `nil` when this one is
    ///   not to be logged now.
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

    /// Notes that the problem of a key is over.
    ///
    /// - Returns: Whether the log should say so, because something of it was logged since it began.
    public mutating func ended(_ key: Key) -> Bool {
        guard entries[key]?.isReported == true else { return false }
        entries[key]?.isReported = false
        return true
    }
}
