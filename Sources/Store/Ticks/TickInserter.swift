public import MarketData

/// Inserts events into their tables, without an allocation per event.
final class TickInserter {
    private let bars: RowInserter
    private let trades: RowInserter
    private let quotes: RowInserter
    private let luld: RowInserter
    private let imbalances: RowInserter
    private let fairValues: RowInserter

    init(on database: OpaquePointer) throws(StoreError) {
        bars = try RowInserter(.bars, on: database)
        trades = try RowInserter(.trades, on: database)
        quotes = try RowInserter(.quotes, on: database)
        luld = try RowInserter(.luld, on: database)
        imbalances = try RowInserter(.imbalances, on: database)
        fairValues = try RowInserter(.fairValues, on: database)
    }

    /// Inserts a batch's events; `last` holds the streams' last sequences and is advanced.
    func insert(_ batch: EventBatch, last: inout StreamSequences) throws(StoreError) {
        let connection = Array(batch.connection.utf8)
        let source = Array(batch.source.rawValue.utf8)
        let received = batch.receivedMicroseconds
        try connection.withUnsafeBufferPointer { connection throws(StoreError) in
            try source.withUnsafeBufferPointer { source throws(StoreError) in
                try batch.text.bytes.withUnsafeBufferPointer { text throws(StoreError) in
                    let frame = Frame(connection: connection, source: source, text: text, received: received)
                    try insert(batch.bars, frame, after: last[.bars])
                    try insert(batch.trades, frame, after: last[.trades])
                    try insert(batch.quotes, frame, after: last[.quotes])
                    try insert(batch.limitBands, frame, after: last[.luld])
                    try insert(batch.imbalances, frame, after: last[.imbalances])
                    try insert(batch.fairValues, frame, after: last[.fairValues])
                }
            }
        }
        last.advance(by: batch)
    }

    /// What all rows of a batch share.
    private struct Frame {
        let connection: UnsafeBufferPointer<UInt8>
        let source: UnsafeBufferPointer<UInt8>
        let text: UnsafeBufferPointer<UInt8>
        let received: Int64

        @inline(__always)
        subscript(_ range: TextRange?) -> UnsafeBufferPointer<UInt8>? {
            guard let range else { return nil }
            let start = Int(range.offset)
            return UnsafeBufferPointer(rebasing: text[start..<start + Int(range.count)])
        }
    }

    private func insert(_ rows: [Bar], _ frame: Frame, after last: Int64) throws(StoreError) {
        try bars.insert(rows, first: last + 1) { row, bar in
            row.bind(Int64(bar.interval.rawValue), 2)
            row.bind(bar.symbol, 3)
            row.bind(bar.start, 4)
            row.bind(bar.end, 5)
            row.bind(bar.open, 6)
            row.bind(bar.high, 7)
            row.bind(bar.low, 8)
            row.bind(bar.close, 9)
            row.bind(bar.volume, 10)
            row.bind(bar.vwap, 11)
            row.bind(bar.dayVolume, 12)
            row.bind(bar.dayOpen, 13)
            row.bind(bar.dayVWAP, 14)
            row.bind(bar.averageSize, 15)
            row.bind(bar.isOTC.map { $0 ? Int32(1) : 0 }, 16)
            row.bind(frame.received, 17)
            row.bind(frame.connection, 18)
            row.bind(frame.source, 19)
        }
    }

    private func insert(_ rows: [Trade], _ frame: Frame, after last: Int64) throws(StoreError) {
        try trades.insert(rows, first: last + 1) { row, trade in
            row.bind(trade.symbol, 2)
            row.bind(trade.time, 3)
            row.bind(trade.price, 4)
            row.bind(trade.size, 5)
            row.bind(trade.exchange, 6)
            row.bind(trade.tape, 7)
            row.bind(frame[trade.tradeID], 8)
            row.bind(frame[trade.conditions], 9)
            row.bind(trade.sequence, 10)
            row.bind(trade.trfID, 11)
            row.bind(trade.trfTime, 12)
            row.bind(frame.received, 13)
            row.bind(frame.connection, 14)
            row.bind(trade.participantTime, 15)
        }
    }

    private func insert(_ rows: [Quote], _ frame: Frame, after last: Int64) throws(StoreError) {
        try quotes.insert(rows, first: last + 1) { row, quote in
            row.bind(quote.symbol, 2)
            row.bind(quote.time, 3)
            row.bind(quote.bid, 4)
            row.bind(quote.bidSize, 5)
            row.bind(quote.bidExchange, 6)
            row.bind(quote.ask, 7)
            row.bind(quote.askSize, 8)
            row.bind(quote.askExchange, 9)
            row.bind(quote.condition, 10)
            row.bind(frame[quote.indicators], 11)
            row.bind(quote.tape, 12)
            row.bind(quote.sequence, 13)
            row.bind(frame.received, 14)
            row.bind(frame.connection, 15)
            row.bind(quote.participantTime, 16)
        }
    }

    private func insert(_ rows: [LimitBand], _ frame: Frame, after last: Int64) throws(StoreError) {
        try luld.insert(rows, first: last + 1) { row, event in
            row.bind(event.symbol, 2)
            row.bind(event.time, 3)
            row.bind(event.timeNanoseconds, 4)
            row.bind(event.high, 5)
            row.bind(event.low, 6)
            row.bind(frame[event.indicators], 7)
            row.bind(event.tape, 8)
            row.bind(event.sequence, 9)
            row.bind(frame.received, 10)
            row.bind(frame.connection, 11)
        }
    }

    private func insert(_ rows: [Imbalance], _ frame: Frame, after last: Int64) throws(StoreError) {
        try imbalances.insert(rows, first: last + 1) { row, event in
            row.bind(event.symbol, 2)
            row.bind(event.time, 3)
            row.bind(event.timeNanoseconds, 4)
            row.bind(event.auctionTime, 5)
            row.bind(frame[event.auctionType], 6)
            row.bind(event.sequence, 7)
            row.bind(event.exchange, 8)
            row.bind(event.imbalance, 9)
            row.bind(event.paired, 10)
            row.bind(event.clearingPrice, 11)
            row.bind(frame.received, 12)
            row.bind(frame.connection, 13)
        }
    }

    private func insert(_ rows: [FairValue], _ frame: Frame, after last: Int64) throws(StoreError) {
        try fairValues.insert(rows, first: last + 1) { row, event in
            row.bind(event.symbol, 2)
            row.bind(event.time, 3)
            row.bind(event.timeNanoseconds, 4)
            row.bind(event.value, 5)
            row.bind(frame.received, 6)
            row.bind(frame.connection, 7)
        }
    }
}

/// One number per stream.
public struct StreamSequences: Sendable, Equatable {
    private var numbers = SIMD8<Int64>()

    /// Zeros.
    public init() {}

    init(_ number: (EventStream) -> Int64) {
        for stream in EventStream.allCases { self[stream] = number(stream) }
    }

    /// The number of a stream.
    public subscript(_ stream: EventStream) -> Int64 {
        get { numbers[stream.index] }
        set { numbers[stream.index] = newValue }
    }

    /// Advances each stream's number by the batch's events of that stream.
    mutating func advance(by batch: EventBatch) {
        for stream in EventStream.allCases { self[stream] += Int64(batch.count(of: stream)) }
    }
}
