import MarketData

/// Why events were dropped: `drops.reason`.
enum DropReason: String, Sendable, CaseIterable {
    /// The file's limit was reached and its oldest rows made room.
    case oldestDropped = "oldest_dropped"
    /// The file's limit or the disk's was reached and new events were rejected.
    case newRejected = "new_rejected"
    /// The queue in memory was full; the connection was closed.
    case queueFull = "queue_full"
    /// The rows were in a damaged file that was set aside.
    case fileSetAside = "file_set_aside"
    /// The rows were durable, and are no longer in the file.
    case vanished
    /// The row can't be read back as an event.
    case unreadable
    /// The buffer was closed before the events could be written.
    case closed
    /// A person took the dead letter out of the file.
    case discarded
    /// The oldest dead letters were deleted to make room for newer ones, or for rows that wait.
    case letterDropped = "letter_dropped"
    /// Upstream lost rows that it had confirmed, and the file no longer has them.
    case upstreamLost = "upstream_lost"
    /// A dead letter was put back into the queue, and its row has moved there. Nothing is lost, and nothing is counted:
    /// this only says that no row has the number any more.
    case requeued

    /// SQL that selects the first and the last number of each run of a stream's rows that upstream refused, among those
    /// after ?1 and through ?2: dead letters, and those that were discarded. A discarded span that counts fewer rows than
    /// it has numbers comes from a version that joined them.
    static func refused(_ stream: EventStream) -> String {
        """
        SELECT seq AS first_seq, seq AS last_seq FROM dead_letters
        WHERE stream = '\(stream.rawValue)' AND seq > ?1 AND seq <= ?2
        UNION ALL SELECT first_seq, last_seq FROM drops
        WHERE stream = '\(stream.rawValue)' AND last_seq > ?1 AND first_seq <= ?2
        AND reason = '\(discarded.rawValue)' AND count = last_seq - first_seq + 1
        """
    }

    /// SQL that selects the rows of `drops` that span only numbers under which upstream never had a row, or whose rows
    /// are counted as lost already.
    static let namesAbsent = """
        (reason = '\(requeued.rawValue)'
        OR reason <> '\(upstreamLost.rawValue)' AND count = last_seq - first_seq + 1)
        """

    /// SQL that selects the rows of `drops` that still matter in a file that continues this one's numbering: which rows
    /// waited when an earlier file was set aside, and which upstream lost.
    static let concernsSuccessor =
        "(reason IN (\([fileSetAside, upstreamLost].map(\.rawValue).sqlList)) AND first_seq IS NOT NULL)"

    /// SQL that selects the rows of a stream after ?1 and through ?2 that upstream may have refused: their dead letters
    /// had to make room, and it is known only between which rows of a symbol those were.
    static func mayBeRefused(_ stream: EventStream) -> String {
        // Without such drops, no row of the stream is read.
        """
        SELECT event.seq FROM drops CROSS JOIN \(stream.rawValue) AS event
        WHERE drops.stream = '\(stream.rawValue)' AND drops.reason = '\(letterDropped.rawValue)'
        AND event.seq BETWEEN max(drops.first_seq, ?1 + 1) AND min(drops.last_seq, ?2)
        AND drops.symbol IN ('*', event.symbol)
        """
    }

    /// SQL that selects the rows of `drops` that explain why the file lacks the rows between their numbers. After some
    /// drops the rows are still there.
    static let explainsHole = """
        reason NOT IN ('\(discarded.rawValue)', '\(letterDropped.rawValue)')
        AND (reason <> '\(unreadable.rawValue)' OR count = last_seq - first_seq + 1)
        """
}

/// Counts events that are dropped, by stream, symbol and reason, with their span of feed time.
///
/// Bounded by the number of symbols: from ``maximumEntries`` on, further symbols count as unknown.
struct DropTally: Sendable, Equatable {
    /// What is counted separately.
    struct Key: Hashable, Sendable {
        var stream: EventStream
        /// `nil` when not known.
        var symbol: Symbol?
        var reason: DropReason
        /// The first of the rows' numbers if these must be known exactly: rows of one key follow one another then. `nil`
        /// if it is enough to know between which numbers they were.
        var run: Int64?
    }

    /// A count and what it spans.
    struct Entry: Sendable, Equatable {
        var count: Int64 = 0
        /// Feed time in milliseconds.
        var from: Int64?
        var to: Int64?
        var firstSequence: Int64?
        var lastSequence: Int64?
    }

    /// How many keys are counted separately.
    static let maximumEntries = 50_000

    /// The SQL for the number of events in rows of `drops`: bounded, since a sum that is too large would be an error.
    static let sum = "CAST(min(max(total(count), 0), 1e15) AS INTEGER)"

    private(set) var entries: [Key: Entry] = [:]
    private(set) var total: Int64 = 0

    var isEmpty: Bool { entries.isEmpty }

    /// Counts one event.
    mutating func add(
        _ stream: EventStream, _ symbol: Symbol?, _ reason: DropReason, time: Int64?, sequence: Int64? = nil
    ) {
        add(
            Key(stream: stream, symbol: symbol, reason: reason),
            Entry(count: 1, from: time, to: time, firstSequence: sequence, lastSequence: sequence))
    }

    mutating func add(_ batch: EventBatch, _ reason: DropReason) {
        batch.forEachHead { add($0.kind.stream, $0.symbol, reason, time: $0.time) }
    }

    mutating func add(_ other: DropTally) {
        for (key, entry) in other.entries { add(key, entry) }
    }

    /// Adds to one key's count.
    mutating func add(_ key: Key, _ addition: Entry) {
        guard addition.count > 0 || key.reason == .requeued else { return }
        var key = key
        if entries.count >= DropTally.maximumEntries, entries[key] == nil { key.symbol = nil }
        entries[key, default: Entry()].merge(addition)
        total += addition.count
    }

    /// Counts rows whose symbols are no longer known.
    ///
    /// - Parameter count: How many; `nil` if each number is that of a row.
    mutating func addUnknown(
        _ stream: EventStream, _ reason: DropReason, sequences: ClosedRange<Int64>, count: Int64? = nil
    ) {
        add(
            Key(stream: stream, symbol: nil, reason: reason, run: sequences.lowerBound),
            Entry(
                count: count ?? sequences.upperBound - sequences.lowerBound + 1, firstSequence: sequences.lowerBound,
                lastSequence: sequences.upperBound))
    }
}

extension DropTally {
    /// Counts letters that were discarded, and notes the numbers of rows that moved: each run of rows by itself. The
    /// letters are given in the order of their rows.
    init(settling letters: [SettledLetter]) {
        self.init()
        var last: (key: Key, sequence: Int64)?
        for letter in letters {
            let isLost = letter.batch == nil
            // Rows that moved need no symbol, so that rows of several symbols are one run.
            var key = Key(
                stream: letter.stream, symbol: isLost ? letter.symbol : nil, reason: isLost ? .discarded : .requeued,
                run: letter.sequence)
            if let last, last.sequence + 1 == letter.sequence, last.key.stream == key.stream,
                last.key.symbol == key.symbol, last.key.reason == key.reason
            {
                key.run = last.key.run
            }
            last = (key, letter.sequence)
            let time = isLost ? letter.time : nil
            add(
                key,
                Entry(
                    count: isLost ? 1 : 0, from: time, to: time, firstSequence: letter.sequence,
                    lastSequence: letter.sequence))
        }
    }
}

extension DropTally.Entry {
    fileprivate mutating func merge(_ other: Self) {
        count += other.count
        from = known(from, other.from, min)
        to = known(to, other.to, max)
        firstSequence = known(firstSequence, other.firstSequence, min)
        lastSequence = known(lastSequence, other.lastSequence, max)
    }

    private func known(_ left: Int64?, _ right: Int64?, _ choose: (Int64, Int64) -> Int64) -> Int64? {
        guard let left, let right else { return left ?? right }
        return choose(left, right)
    }
}
