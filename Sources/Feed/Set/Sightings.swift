import MarketData

/// Keeps one copy of each event that several connections bring. Reads no clock.
///
/// Each connection brings the events of a symbol in the feed's order, a run of the one sequence that the feed sends. The
/// sequence is what each event's greatest count over the connections says: an event that one connection brings for the
/// second time is a second event unless another one brought it twice before. So an event is kept when its count on its
/// own connection exceeds all counts before. Within one time of sharing this neither misses nor doubles an event,
/// whichever connection is ahead, and the first arrivals come in the feed's order.
///
/// What every connection has brought is forgotten at once; what one of them still owes is remembered for a while. A
/// connection that comes so late that what it owes may be forgotten is ``behind``: nothing more is to be taken from it
/// until it is connected again, because its copies would pass for new events.
struct Sightings: Sendable {
    private struct Sighting {
        /// How many times each connection brought the event.
        var counts = SIMD16<UInt8>()
        /// When it came first.
        var since: MonotonicTime
        /// Those that were to bring it then.
        var owing: SlotSet
        /// The greatest count.
        var kept: UInt8 = 0
    }

    private struct Due {
        var fingerprint: EventFingerprint
        /// Of the sighting: tells it apart from an older one of the same event.
        var since: MonotonicTime
    }

    /// A connection that is up, distinguished from its earlier ones.
    private struct Line {
        var number: Int64
        var since: MonotonicTime
    }

    private struct Sharing {
        var slots: SlotSet
        var ended: SlotSet
        var era: UInt32
    }

    /// How long an event is remembered that not all connections brought.
    let memory: Duration
    /// The most events remembered that not all connections brought.
    let limit: Int
    /// The connections whose copies can't be told from new events any more.
    private(set) var behind: SlotSet = []
    private var lines = [Line?](repeating: nil, count: SlotSet.capacity)
    private var sharings: [Symbol: Sharing] = [:]
    private var seen: [EventFingerprint: Sighting] = [:]
    private var dues: [Due] = []
    private var firstDue = 0
    /// What the last batch changed, for taking it back.
    private var journal: [(fingerprint: EventFingerprint, before: Sighting?)] = []
    private var eras: UInt32 = 0
    /// Events left out because another connection had brought them.
    private(set) var duplicates: Int64 = 0
    /// Events forgotten before their time because there were too many, while a connection that is up owed them.
    private(set) var forgotten: Int64 = 0

    init(memory: Duration, limit: Int) {
        self.memory = memory
        self.limit = limit
    }

    /// Whether every symbol comes from one connection alone.
    var isEmpty: Bool { sharings.isEmpty }

    /// Takes over whether a connection is up.
    ///
    /// - Parameter line: the number of times that it was connected again; `nil` while it is not up.
    mutating func observe(_ slot: Int, line: Int64?, now: Duration) {
        guard lines[slot]?.number != line else { return }
        lines[slot] = line.map { Line(number: $0, since: MonotonicTime(sinceBoot: now)) }
        behind.remove(slot)
    }

    /// Takes over who brings what.
    mutating func share(_ changes: [SetMachine.Sharing]) {
        for change in changes {
            if change.slots.count < 2 {
                sharings[change.symbol] = nil
            } else if sharings[change.symbol] != nil {
                sharings[change.symbol]?.slots = change.slots
                sharings[change.symbol]?.ended = change.ended
            } else {
                eras &+= 1
                sharings[change.symbol] = Sharing(
                    slots: change.slots, ended: change.ended, era: eras)
            }
        }
        if sharings.isEmpty {
            seen = [:]
            dues = []
            firstDue = 0
            behind = []
        }
    }

    /// Leaves out of a batch what another connection brought before.
    mutating func filter(_ batch: inout EventBatch, from slot: Int, now: Duration) {
        let before = batch.count
        let now = MonotonicTime(sinceBoot: now)
        journal.removeAll(keepingCapacity: true)
        // Taken out, so that what lies beside the columns is thinned in place.
        var taken: SentEvents?
        swap(&taken, &batch.sent)
        let keepsSent = taken != nil
        var sent = taken ?? SentEvents()
        taken = nil
        batch.bars.keep(along: &sent.bars) { bar in
            guard let sharing = sharings[bar.symbol] else { return true }
            return isNew(EventFingerprint(bar, era: sharing.era), sharing, slot, now)
        }
        batch.fairValues.keep(along: &sent.fairValues) { event in
            guard let sharing = sharings[event.symbol] else { return true }
            return isNew(EventFingerprint(event, era: sharing.era), sharing, slot, now)
        }
        if batch.count > batch.bars.count + batch.fairValues.count {
            let text = batch.text
            batch.trades.keep(along: &sent.trades) { trade in
                guard let sharing = sharings[trade.symbol] else { return true }
                return isNew(EventFingerprint(trade, text: text, era: sharing.era), sharing, slot, now)
            }
            batch.quotes.keep(along: &sent.quotes) { quote in
                guard let sharing = sharings[quote.symbol] else { return true }
                return isNew(EventFingerprint(quote, text: text, era: sharing.era), sharing, slot, now)
            }
            batch.limitBands.keep(along: &sent.limitBands) { event in
                guard let sharing = sharings[event.symbol] else { return true }
                return isNew(EventFingerprint(event, text: text, era: sharing.era), sharing, slot, now)
            }
            batch.imbalances.keep(along: &sent.imbalances) { event in
                guard let sharing = sharings[event.symbol] else { return true }
                return isNew(EventFingerprint(event, text: text, era: sharing.era), sharing, slot, now)
            }
        }
        if keepsSent { batch.sent = sent }
        duplicates += Int64(before - batch.count)
        forget(now)
    }

    /// Takes the last batch back: the sink did not take it, so nobody has brought its events.
    mutating func undo() {
        for entry in journal.reversed() { seen[entry.fingerprint] = entry.before }
        journal.removeAll(keepingCapacity: true)
    }

    private mutating func isNew(
        _ fingerprint: EventFingerprint, _ sharing: Sharing, _ slot: Int, _ now: MonotonicTime
    ) -> Bool {
        guard var sighting = seen[fingerprint] else {
            let owing = sharing.slots.subtracting(sharing.ended).subtracting([slot])
            // Nobody else brings any more what comes for the first time now.
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
        // What came so late in a steady stream is soon followed by what comes too late.
        if !isNew, owes(sighting, slot), now.since(sighting.since) > memory / 2 { behind.insert(slot) }
        sighting.kept = max(sighting.kept, count)
        // What everybody brought as often is settled; when it comes once more it is another event.
        let isSettled = !isNew && sharing.slots.allSatisfy { sighting.counts[$0] == sighting.kept }
        seen[fingerprint] = isSettled ? nil : sighting
        return isNew
    }

    /// Whether a connection was to bring an event when it came first, and has been up since.
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
        // What was settled meanwhile is left out once it is more than half.
        guard dues.count > 4096, dues.count > 2 * seen.count else { return }
        dues.removeFirst(firstDue)
        dues.removeAll { seen[$0.fingerprint]?.since != $0.since }
        firstDue = 0
    }
}

extension Array {
    /// Leaves out in place, in order, what does not satisfy the condition, and what is beside it in `ranges`;
    /// touches nothing where all do.
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
