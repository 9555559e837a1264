import MarketData

/// A batch while its rows are read: what could be read, and where the reading ended.
struct BatchRun {
    var batch: BufferedBatch
    /// Rows that are not valid events, because another program wrote them.
    var unreadable = DropTally()
    /// The last row's sequence; `nil` when there was no row.
    var end: Int64?
    /// The number of rows, including those that are not valid events.
    private(set) var count = 0
    /// Whether the reading ended before a damaged page.
    var isCut = false
    /// The missing numbers between the rows and before the first.
    private(set) var holes: [ClosedRange<Int64>] = []
    /// Unreadable rows through this sequence were counted by an earlier reading.
    private let countedThrough: Int64
    private var last: Int64?
    private var lastConnection: (bytes: [UInt8], index: Int32)?

    /// - Parameter after: The number before the first row; `nil` if missing numbers before it don't matter.
    init(stream: EventStream, after: Int64? = nil, countedThrough: Int64 = 0) {
        batch = BufferedBatch(stream: stream)
        last = after
        self.countedThrough = countedThrough
    }

    /// Adds the statement's current row.
    mutating func append(_ row: RowColumns) {
        let sequence = row.integer(0) ?? 0
        end = sequence
        count += 1
        if let last, let hole = SequenceSpans.hole(after: last, before: sequence) { holes.append(hole) }
        last = sequence
        guard batch.stream != .bars else { return appendBar(row, sequence) }
        guard let symbol = Symbol(utf8: row.bytes(1)), let time = row.integer(2) else {
            return skip(row, symbolAt: 1, timeAt: 2, sequence)
        }
        switch batch.stream {
        case .bars: break
        case .trades:
            let trade = Trade(
                symbol: symbol, time: time, price: row.number(3) ?? .nan, size: row.number(4) ?? .nan,
                exchange: row.smallInteger(5), tape: row.smallInteger(6), tradeID: text(row, 7),
                conditions: text(row, 8), sequence: row.integer(9), trfID: row.smallInteger(10),
                trfTime: row.integer(11), participantTime: row.integer(14))
            batch.trades.append(buffered(trade, row, sequence, receivedAt: 12))
        case .quotes:
            let quote = Quote(
                symbol: symbol, time: time, bid: row.number(3), bidSize: row.number(4),
                bidExchange: row.smallInteger(5), ask: row.number(6), askSize: row.number(7),
                askExchange: row.smallInteger(8), condition: row.smallInteger(9), indicators: text(row, 10),
                tape: row.smallInteger(11), sequence: row.integer(12), participantTime: row.integer(15))
            batch.quotes.append(buffered(quote, row, sequence, receivedAt: 13))
        case .luld:
            let event = LimitBand(
                symbol: symbol, time: time, timeNanoseconds: row.integer(3), high: row.number(4),
                low: row.number(5), indicators: text(row, 6), tape: row.smallInteger(7), sequence: row.integer(8))
            batch.limitBands.append(buffered(event, row, sequence, receivedAt: 9))
        case .imbalances:
            let event = Imbalance(
                symbol: symbol, time: time, timeNanoseconds: row.integer(3),
                auctionTime: row.smallInteger(4), auctionType: text(row, 5), sequence: row.integer(6),
                exchange: row.smallInteger(7), imbalance: row.number(8), paired: row.number(9),
                clearingPrice: row.number(10))
            batch.imbalances.append(buffered(event, row, sequence, receivedAt: 11))
        case .fairValues:
            let event = FairValue(
                symbol: symbol, time: time, timeNanoseconds: row.integer(3), value: row.number(4) ?? .nan)
            batch.fairValues.append(buffered(event, row, sequence, receivedAt: 5))
        }
    }

    private mutating func appendBar(_ row: RowColumns, _ sequence: Int64) {
        guard let symbol = Symbol(utf8: row.bytes(2)),
            let interval = row.smallInteger(1).flatMap({ Bar.Interval(rawValue: $0) }), let start = row.integer(3),
            let end = row.integer(4)
        else { return skip(row, symbolAt: 2, timeAt: 3, sequence) }
        let bar = Bar(
            symbol: symbol, interval: interval, start: start, end: end,
            open: row.number(5) ?? .nan, high: row.number(6) ?? .nan, low: row.number(7) ?? .nan,
            close: row.number(8) ?? .nan, volume: row.number(9) ?? .nan, vwap: row.number(10),
            dayVolume: row.number(11), dayOpen: row.number(12), dayVWAP: row.number(13), averageSize: row.number(14),
            isOTC: row.integer(15).map { $0 != 0 })
        // The first letter identifies the source without allocating a string.
        let source: EventSource =
            switch row.bytes(18).first {
            case UInt8(ascii: "b"): .backfill
            case UInt8(ascii: "r"): .reconcile
            default: .stream
            }
        batch.bars.append(buffered(bar, row, sequence, receivedAt: 16, source: source))
    }

    /// The connection's column follows that of the receipt.
    private mutating func buffered<Event>(
        _ event: Event, _ row: RowColumns, _ sequence: Int64, receivedAt column: Int32, source: EventSource = .stream
    ) -> Buffered<Event> {
        Buffered(
            sequence: sequence, event: event, receivedMicroseconds: row.integer(column) ?? 0,
            connection: connection(row.bytes(column + 1)), source: source)
    }

    private mutating func skip(_ row: RowColumns, symbolAt: Int32, timeAt: Int32, _ sequence: Int64) {
        guard sequence > countedThrough else { return }
        unreadable.add(
            batch.stream, Symbol(utf8: row.bytes(symbolAt)), .unreadable, time: row.integer(timeAt), sequence: sequence)
    }

    private mutating func text(_ row: RowColumns, _ column: Int32) -> TextRange? {
        row.isNull(column) ? nil : batch.text.append(row.bytes(column))
    }

    /// Returns the index of a connection's name; rows of one connection are usually adjacent.
    private mutating func connection(_ name: UnsafeRawBufferPointer) -> Int32 {
        if let lastConnection, lastConnection.bytes.elementsEqual(name) { return lastConnection.index }
        let text = String(decoding: name, as: UTF8.self)
        let index = batch.connections.firstIndex(of: text) ?? batch.connections.count
        if index == batch.connections.count { batch.connections.append(text) }
        lastConnection = (Array(name), Int32(index))
        return Int32(index)
    }
}
