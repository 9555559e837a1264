import MarketData

/// Keeps one copy of each event that several connections deliver. Reads no clock.
///
/// Each connection delivers the events of a symbol in the feed's order, a run of the one sequence that the feed sends.
/// How often an event occurs in that sequence is its greatest count over the connections: an event that one connection
/// delivers a second time is a second event, unless another connection has delivered it twice already. So an event is
/// kept if its count on its own connection exceeds all earlier counts. Within one period of sharing, this neither
/// misses nor doubles an event, whichever connection is ahead, and first arrivals come in the feed's order.
///
/// An event that every connection has delivered is forgotten at once. One that a connection still owes is remembered
/// for a while. A connection that is so late that what it owes may be forgotten is ``behind``: nothing more is taken
/// from it until it reconnects, because its copies would pass for new events.
struct Sightings: Sendable {
    private struct Sighting {
        /// How many times each connection delivered the event.
        var counts = SIMD16<UInt8>()
        /// When it came first.
        var since: MonotonicTime
        /// The other connections that were expected to deliver it then.
        var owing: SlotSet
        /// The greatest count.
        var kept: UInt8 = 0
    }

    private struct Due {
        var fingerprint: EventFingerprint
        /// The time of the sighting, which distinguishes it from an older one of the same event.
        var since: MonotonicTime
    }

    /// A period in which a connection is up, distinguished from its earlier ones.
    private struct Line {
        var number: Int64
        var since: MonotonicTime
    }

    /// How long to remember an event that not all connections have delivered.
    let memory: Duration
    /// The maximum number of events to remember that not all connections have delivered.
    let limit: Int
    /// The connections whose copies can no longer be told from new events.
    private(set) var behind: SlotSet = []
    private var lines = [Line?](repeating: nil, count: SlotSet.capacity)
    /// Each with a number that distinguishes it from the symbol's earlier ones.
    private var sharings: [Symbol: (sharing: SetMachine.Sharing, era: UInt32)] = [:]
    private var seen: [EventFingerprint: Sighting] = [:]
    private var dues: [Due] = []
    private var firstDue = 0
    /// What the last batch changed, so that it can be taken back.
    private var journal: [(fingerprint: EventFingerprint, before: Sighting?)] = []
    private var eras: UInt32 = 0
    /// Events left out because another connection had delivered them.
    private(set) var duplicates: Int64 = 0
    /// Events forgotten early because there were too many, while a connection that is up owed them.
    private(set) var forgotten: Int64 = 0

    init(memory: Duration, limit: Int) {
        self.memory = memory
        self.limit = limit
    }

    /// Whether every symbol comes from one connection alone.
    var isEmpty: Bool { sharings.isEmpty }

    /// Takes over how often a connection had reconnected; `nil` while it is not up.
    mutating func observe(_ slot: Int, line: Int64?, now: Duration) {
        guard lines[slot]?.number != line else { return }
        lines[slot] = line.map { Line(number: $0, since: MonotonicTime(sinceBoot: now)) }
        behind.remove(slot)
    }

    /// Takes over which connections deliver which symbols.
    mutating func share(_ changes: [SetMachine.Sharing]) {
        for change in changes {
            guard change.slots.count > 1 else {
                sharings[change.symbol] = nil
                continue
            }
            let era = sharings[change.symbol]?.era
            if era == nil { eras &+= 1 }
            sharings[change.symbol] = (change, era ?? eras)
        }
        if sharings.isEmpty {
            seen = [:]
            dues = []
            firstDue = 0
            behind = []
        }
    }

    /// Removes from a batch the events that another connection delivered before.
    mutating func filter(_ batch: inout EventBatch, from slot: Int, now: Duration) {
        let before = batch.count
        let now = MonotonicTime(sinceBoot: now)
        journal.removeAll(keepingCapacity: true)
        // Taken out of the batch, so that what belongs to the columns is filtered in place.
        let keepsSent = batch.sent != nil
        var sent = batch.sent ?? SentEvents()
        batch.sent = nil
        func keepNew<Event: MarketEvent>(
            _ events: inout [Event], along ranges: inout [TextRange], identity: (Event, UInt32) -> EventFingerprint
        ) {
            events.keep(along: &ranges) { event in
                guard let (sharing, era) = sharings[event.symbol] else { return true }
                return isNew(identity(event, era), sharing, slot, now)
            }
        }
        let text = batch.text
        keepNew(&batch.bars, along: &sent.bars) { EventFingerprint($0, era: $1) }
        keepNew(&batch.fairValues, along: &sent.fairValues) { EventFingerprint($0, era: $1) }
        keepNew(&batch.trades, along: &sent.trades) { EventFingerprint($0, text: text, era: $1) }
        keepNew(&batch.quotes, along: &sent.quotes) { EventFingerprint($0, text: text, era: $1) }
        keepNew(&batch.limitBands, along: &sent.limitBands) { EventFingerprint($0, text: text, era: $1) }
        keepNew(&batch.imbalances, along: &sent.imbalances) { EventFingerprint($0, text: text, era: $1) }
        if keepsSent { batch.sent = sent }
        duplicates += Int64(before - batch.count)
        forget(now)
    }

    /// Takes back the last batch: the sink refused it, so nobody has delivered its events.
    mutating func undo() {
        for entry in journal.reversed() { seen[entry.fingerprint] = entry.before }
        journal.removeAll(keepingCapacity: true)
    }

    private mutating func isNew(
        _ fingerprint: EventFingerprint, _ sharing: SetMachine.Sharing, _ slot: Int, _ now: MonotonicTime
    ) -> Bool {
        guard var sighting = seen[fingerprint] else {
            let owing = sharing.slots.subtracting(sharing.ended).subtracting([slot])
            // No other connection will deliver this event, so it need not be remembered.
            if owing.isEmpty { return true }
            var sighting = Sighting(since: now, owing: owing, kept: 1)
            sighting.counts[slot] = 1
            seen[fingerprint] = sighting
            journal.append((fingerprint, nil))
            dues.append(Due(fingerprint: fingerprint, since: now))
            return true
        }
        journal.append((fingerprint, sighting))
        let count = sighting.counts[slot] &+ (sighting.counts[slot] == .max ? 0 : 1)
        sighting.counts[slot] = count
        let isNew = count > sighting.kept
        // In a steady stream, a copy this late is soon followed by one that comes too late.
        if !isNew, owes(sighting, slot), now.since(sighting.since) > memory / 2 { behind.insert(slot) }
        sighting.kept = max(sighting.kept, count)
        // An event that all have delivered equally often is settled. If it comes once more, it is another event.
        let isSettled = !isNew && sharing.slots.allSatisfy { sighting.counts[$0] == sighting.kept }
        seen[fingerprint] = isSettled ? nil : sighting
        return isNew
    }

    /// Whether a connection was expected to deliver an event when it first came, and has been up since.
    private func owes(_ sighting: Sighting, _ slot: Int) -> Bool {
        guard sighting.owing.contains(slot), let line = lines[slot] else { return false }
        return !(sighting.since < line.since)
    }

    private mutating func forget(_ now: MonotonicTime) {
        while firstDue < dues.count {
            let due = dues[firstDue]
            let isOld = now.since(due.since) >= memory
            guard isOld || seen.count > limit else { break }
            firstDue += 1
            guard let sighting = seen[due.fingerprint], sighting.since == due.since else { continue }
            seen[due.fingerprint] = nil
            guard !isOld else { continue }
            let late = sighting.owing.filter { sighting.counts[$0] < sighting.kept && owes(sighting, $0) }
            behind = behind.union(SlotSet(late))
            if !late.isEmpty { forgotten += 1 }
        }
        // Entries settled meanwhile are removed once they are more than half.
        guard dues.count > 4096, dues.count > 2 * seen.count else { return }
        dues.removeFirst(firstDue)
        dues.removeAll { seen[$0.fingerprint]?.since != $0.since }
        firstDue = 0
    }
}

extension Array {
    /// Removes the elements that do not satisfy the condition, in place and in order, and their ranges in `ranges`.
    /// Changes nothing if all do.
    fileprivate mutating func keep(along ranges: inout [TextRange], where isKept: (Element) -> Bool) {
        guard !isEmpty else { return }
        let hasRanges = ranges.count == count
        var next = 0
        withUnsafeMutableBufferPointer { elements in
            for index in elements.indices where isKept(elements[index]) {
                if next < index {
                    elements[next] = elements[index]
                    if hasRanges { ranges[next] = ranges[index] }
                }
                next += 1
            }
        }
        guard next < count else { return }
        removeSubrange(next...)
        if hasRanges { ranges.removeSubrange(next...) }
    }
}
