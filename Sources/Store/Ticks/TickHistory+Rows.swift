import GRDB
public import MarketData

/// Reads all rows of a span, for those who write them elsewhere.
extension TickHistory {
    /// Returns the numbers of the rows that a stream has now; `nil` if it has none.
    public func sequences(of stream: EventStream) throws(StoreError) -> ClosedRange<Int64>? {
        try snapshot { try Self.bounds($0, stream) }
    }

    /// Returns, for each day, the range among some of a stream's rows in which that day's rows are; days without rows
    /// are left out.
    public func sequences(
        of stream: EventStream, among sequences: ClosedRange<Int64>, on days: ClosedRange<TradingDay>,
        pace: Pace = { _, _ in true }
    ) throws(StoreError) -> [TradingDay: ClosedRange<Int64>] {
        try reading { connection in
            let times = days.lowerBound.span.lowerBound..<days.upperBound.span.upperBound
            var found: [TradingDay: ClosedRange<Int64>] = [:]
            var last: (day: TradingDay, span: Range<Int64>, rows: ClosedRange<Int64>)?
            func keep() {
                guard let last else { return }
                let known = found[last.day] ?? last.rows
                let first = min(known.lowerBound, last.rows.lowerBound)
                found[last.day] = first...max(known.upperBound, last.rows.upperBound)
            }
            let near = try Self.rows(among: sequences, of: stream, near: times.lowerBound, connection)
            _ = try steps(connection, stream, near, pace) { database, range in
                try Self.each(database, "seq, \(stream.timeColumn)", of: stream, range, times) { row in
                    guard let sequence = row.integer(0), let time = row.integer(1) else { return true }
                    if let known = last, known.span.contains(time) {
                        last?.rows = known.rows.lowerBound...sequence
                    } else {
                        keep()
                        let day = TradingDay(at: time)
                        last = (day, day.span, sequence...sequence)
                    }
                    return true
                }
            }
            keep()
            return found
        }
    }

    /// Passes to `each` those rows of a stream whose event's time is within a span, in the order of their numbers. The
    /// columns are those of the stream in their order, with NULL for a column that the file's version lacks.
    ///
    /// - Parameters:
    ///   - sequences: The rows' numbers.
    ///   - pace: Called between two steps of reading; returning `false` ends the reading.
    ///   - each: Called with each row; returning `false` ends the reading too.
    /// - Returns: Whether all rows were passed.
    public func rows(
        of stream: EventStream, among sequences: ClosedRange<Int64>, times: Range<Int64>,
        pace: Pace = { _, _ in true }, each: (RowColumns) -> Bool
    ) throws(StoreError) -> Bool {
        try reading { connection in
            let columns = try Self.columns(of: stream, connection)
            let near = try Self.rows(among: sequences, of: stream, near: times.lowerBound, connection)
            return try steps(connection, stream, near, pace) { database, range in
                try Self.each(database, columns, of: stream, range, times, each)
            }
        }
    }

    /// Passes to `each` the rows of a stream whose event's time is within a span, as
    /// ``rows(of:among:times:pace:each:)`` does.
    ///
    /// - Parameter received: A time before which none of them was received, in milliseconds since the Unix epoch; `nil`
    ///   if that is not known. All rows since then are read.
    public func rows(
        of stream: EventStream, received: Int64?, times: Range<Int64>, each: (RowColumns) -> Void
    ) throws(StoreError) {
        try reading { connection in
            let columns = try Self.columns(of: stream, connection)
            let all = try connection.read { database in
                try Self.bounds(database, stream).map { bounds in
                    guard let received else { return bounds.lowerBound..<bounds.upperBound + 1 }
                    let first = try ReceiptOrder.first(of: stream, in: bounds, receivedFrom: received * 1000, database)
                    return first..<bounds.upperBound + 1
                }
            }
            guard let all else { return }
            _ = try steps(connection, stream, all, { _, _ in true }) { database, range in
                try Self.each(database, columns, of: stream, range, times) { row in
                    each(row)
                    return true
                }
            }
        }
    }

    /// Returns whether rows of a stream whose event's time is within a span wait for upload.
    public func hasWaiting(_ stream: EventStream, times: Range<Int64>) throws(StoreError) -> Bool {
        let waiting = try snapshot { database -> ClosedRange<Int64>? in
            let settled = try Int64.fetchOne(
                database, sql: "SELECT max(acknowledged, deleted_through) FROM streams WHERE stream = ?",
                arguments: [stream.rawValue])
            guard let rows = try Self.bounds(database, stream) else { return nil }
            let first = max(rows.lowerBound, (settled ?? 0) + 1)
            return first <= rows.upperBound ? first...rows.upperBound : nil
        }
        guard let waiting else { return false }
        // The first row ends the reading.
        return try !rows(of: stream, among: waiting, times: times) { _ in false }
    }

    private static func columns(of stream: EventStream, _ connection: DatabaseQueue) throws -> String {
        let version = try connection.read { try Int.fetchOne($0, sql: "PRAGMA user_version") }
        return stream.selection(inFileOfVersion: version ?? 0)
    }

    /// Returns the range of rows that may be of events from a time on.
    private static func rows(
        among sequences: ClosedRange<Int64>, of stream: EventStream, near time: Int64, _ connection: DatabaseQueue
    ) throws -> Range<Int64> {
        let first = try connection.read { try firstRow(of: stream, in: sequences, near: time, $0) }
        return first..<sequences.upperBound + 1
    }

    /// Reads rows forwards, one snapshot per step; missing numbers are skipped, however many there are.
    ///
    /// - Returns: Whether neither `pace` nor `body` returned `false`.
    private func steps(
        _ connection: DatabaseQueue, _ stream: EventStream, _ sequences: Range<Int64>, _ pace: Pace,
        _ body: (Database, ClosedRange<Int64>) throws -> Bool
    ) throws -> Bool {
        var next = sequences.lowerBound
        while next < sequences.upperBound {
            let goesOn = try connection.read { database in
                let first = try Int64.fetchOne(
                    database, sql: "SELECT min(seq) FROM \(stream.rawValue) WHERE seq >= ?", arguments: [next])
                guard let first, first < sequences.upperBound else {
                    next = sequences.upperBound
                    return true
                }
                next = min(first + Self.step, sequences.upperBound)
                return try body(database, first...(next - 1))
            }
            guard goesOn else { return false }
            guard pace(next - sequences.lowerBound, Int64(sequences.count)) else { return false }
        }
        return true
    }

    private static func each(
        _ database: Database, _ columns: String, of stream: EventStream, _ sequences: ClosedRange<Int64>,
        _ times: Range<Int64>, _ body: (RowColumns) -> Bool
    ) throws -> Bool {
        let statement = try PreparedStatement(
            reading: """
                SELECT \(columns) FROM \(stream.rawValue)
                WHERE seq >= ?1 AND seq <= ?2 AND \(stream.timeColumn) >= ?3 AND \(stream.timeColumn) < ?4
                ORDER BY seq
                """, on: database)
        return try statement.rows(
            [sequences.lowerBound, sequences.upperBound, times.lowerBound, times.upperBound], body)
    }

    /// Returns the newest events of a stream and of some symbols whose own time is within a span, oldest first.
    ///
    /// - Parameter limit: The maximum number of events per symbol.
    public func events(
        of stream: EventStream, symbols: Set<Symbol>, from: Int64?, to: Int64?, limit: Int,
        pace: Pace = { _, _ in true }
    ) throws(StoreError) -> Answer<StoredEvent> {
        try reading { connection in
            var found: [Symbol: [StoredEvent]] = [:]
            // When the row was received that completed the limit for every symbol.
            var enoughSince: Int64?
            guard let bounds = try connection.read({ try Self.bounds($0, stream) }) else { return Answer(values: []) }
            let first = try connection.read { database in
                try from.map { try Self.firstRow(of: stream, in: bounds, near: $0, database) } ?? bounds.lowerBound
            }
            let time = stream.timeColumn
            let names = symbols.map { "'\($0.description.replacing("'", with: "''"))'" }.joined(separator: ", ")
            let isComplete = try walk(connection, stream, pace: pace) { database, range in
                guard range.upperBound >= first else { return false }
                if let enoughSince, let oldest = found.values.compactMap(\.first?.time).min(),
                    let received = try ReceiptOrder.receipt(stream, through: range.upperBound, database),
                    received < Self.enough(since: enoughSince, oldest: oldest)
                {
                    return false
                }
                let rows = try Row.fetchCursor(
                    database,
                    sql: """
                        SELECT * FROM \(stream.rawValue)
                        WHERE seq BETWEEN ?1 AND ?2 AND (?3 IS NULL OR \(time) >= ?3) AND (?4 IS NULL OR \(time) < ?4)
                            AND symbol IN (\(names))
                        ORDER BY seq DESC
                        """, arguments: [range.lowerBound, range.upperBound, from, to])
                while let row = try rows.next() {
                    guard let event = StoredEvent(row, of: stream) else { continue }
                    found[event.symbol, default: []].append(event)
                }
                if enoughSince == nil, found.count == symbols.count, found.values.allSatisfy({ $0.count >= limit }) {
                    enoughSince = try ReceiptOrder.receipt(stream, through: range.lowerBound, database)
                }
                // Until every symbol has enough events, trimming now and then is sufficient.
                let many = max(limit, Int(Self.step))
                for symbol in symbols where enoughSince != nil || (found[symbol]?.count ?? 0) / 2 >= many {
                    found[symbol]?.keepNewest(limit)
                }
                return true
            }
            for symbol in symbols { found[symbol]?.keepNewest(limit) }
            return Answer(values: found.values.joined().sorted(by: StoredEvent.isOlder), isComplete: isComplete)
        }
    }

    /// Returns the numbers of those bar rows, among some, that start within a span and have a newer version among the
    /// same rows.
    ///
    /// Uses one bit of memory for each second or minute of a symbol's day.
    public func supersededBars(
        among sequences: ClosedRange<Int64>, starts: Range<Int64>, pace: Pace = { _, _ in true }
    ) throws(StoreError) -> Set<Int64> {
        struct Key: Hashable {
            let symbol: Symbol
            let interval: Int64
            let day: Int64
        }
        return try reading { connection in
            let first = try connection.read { try Self.firstRow(of: .bars, in: sequences, near: starts.lowerBound, $0) }
            var seen: [Key: BitSet] = [:]
            var superseded: Set<Int64> = []
            _ = try walk(connection, .bars, sequences, pace: pace) { database, range in
                guard range.upperBound >= first else { return false }
                let bars = try PreparedStatement(
                    reading: """
                        SELECT seq, interval_s, symbol, start_ms FROM bars
                        WHERE seq BETWEEN ?1 AND ?2 AND start_ms >= ?3 AND start_ms < ?4 ORDER BY seq DESC
                        """, on: database)
                return try bars.rows([range.lowerBound, range.upperBound, starts.lowerBound, starts.upperBound]) {
                    row in
                    guard let symbol = Symbol(utf8: row.bytes(2)), let sequence = row.integer(0),
                        let start = row.integer(3), start >= 0, let interval = row.integer(1), interval > 0
                    else { return true }
                    let (day, rest) = start.quotientAndRemainder(dividingBy: 86_400_000)
                    let key = Key(symbol: symbol, interval: interval, day: day)
                    let isNewest = seen[key, default: BitSet()].insert(Int(rest / 1000 / interval))
                    if !isNewest { superseded.insert(sequence) }
                    return true
                }
            }
            return superseded
        }
    }

    /// Returns when the oldest row was received, in milliseconds since the Unix epoch; `nil` if no row was ever
    /// deleted, and `Int64.max` if none is left.
    public func heldSince(_ stream: EventStream) throws(StoreError) -> Int64? {
        try snapshot { try Self.heldSince(stream, $0) }
    }

    static func heldSince(_ stream: EventStream, _ database: Database) throws -> Int64? {
        let deleted = try Int64.fetchOne(
            database, sql: "SELECT deleted_through FROM streams WHERE stream = ?", arguments: [stream.rawValue])
        guard deleted ?? 0 != 0 else { return nil }
        let oldest = try Int64.fetchOne(
            database, sql: "SELECT received_us FROM \(stream.rawValue) ORDER BY seq LIMIT 1")
        return oldest.map { $0 / 1000 } ?? .max
    }

    /// Returns the first row that may be of an event from a time on.
    private static func firstRow(
        of stream: EventStream, in bounds: ClosedRange<Int64>, near time: Int64, _ database: Database
    ) throws -> Int64 {
        let earliest = ReceiptOrder.earliest(ofEventsFrom: time)
        return try ReceiptOrder.first(of: stream, in: bounds, receivedFrom: earliest, database)
    }
}

extension [StoredEvent] {
    /// Keeps only the newest events, oldest first.
    fileprivate mutating func keepNewest(_ limit: Int) {
        sort(by: StoredEvent.isOlder)
        if count > limit { removeFirst(count - limit) }
    }
}

extension StoredEvent {
    fileprivate static func isOlder(_ one: StoredEvent, _ other: StoredEvent) -> Bool {
        (one.time, one.sequence ?? 0) < (other.time, other.sequence ?? 0)
    }
}
