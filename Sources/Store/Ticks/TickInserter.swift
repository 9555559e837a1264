import GRDBSQLite
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
        guard !rows.isEmpty else { return }
        try bars.insert(rows, first: last + 1) { handle, base, bar, sequence, room in
            let row = RowBinding(handle: handle, base: base)
            row.bind(sequence, 1)
            row.bind(Int64(bar.interval.rawValue), 2)
            row.bind(bar.symbol, 3, room)
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
        guard !rows.isEmpty else { return }
        try trades.insert(rows, first: last + 1) { handle, base, trade, sequence, room in
            let row = RowBinding(handle: handle, base: base)
            row.bind(sequence, 1)
            row.bind(trade.symbol, 2, room)
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
        guard !rows.isEmpty else { return }
        try quotes.insert(rows, first: last + 1) { handle, base, quote, sequence, room in
            let row = RowBinding(handle: handle, base: base)
            row.bind(sequence, 1)
            row.bind(quote.symbol, 2, room)
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
        guard !rows.isEmpty else { return }
        try luld.insert(rows, first: last + 1) { handle, base, event, sequence, room in
            let row = RowBinding(handle: handle, base: base)
            row.bind(sequence, 1)
            row.bind(event.symbol, 2, room)
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
        guard !rows.isEmpty else { return }
        try imbalances.insert(rows, first: last + 1) { handle, base, event, sequence, room in
            let row = RowBinding(handle: handle, base: base)
            row.bind(sequence, 1)
            row.bind(event.symbol, 2, room)
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
        guard !rows.isEmpty else { return }
        try fairValues.insert(rows, first: last + 1) { handle, base, event, sequence, room in
            let row = RowBinding(handle: handle, base: base)
            row.bind(sequence, 1)
            row.bind(event.symbol, 2, room)
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

/// Binds the columns of one row in a statement that inserts several.
private struct RowBinding {
    let handle: OpaquePointer
    let base: Int32

    /// An empty text with a stable address.
    private static let empty: StaticString = ""
    private static var noText: UnsafePointer<CChar> {
        UnsafeRawPointer(empty.utf8Start).assumingMemoryBound(to: CChar.self)
    }

    @inline(__always)
    func bind(_ value: Int64?, _ column: Int32) {
        if let value {
            sqlite3_bind_int64(handle, base + column, value)
        } else {
            sqlite3_bind_null(handle, base + column)
        }
    }

    @inline(__always)
    func bind(_ value: Int32?, _ column: Int32) {
        if let value {
            sqlite3_bind_int(handle, base + column, value)
        } else {
            sqlite3_bind_null(handle, base + column)
        }
    }

    /// SQLite has no NaN and stores NULL for it.
    @inline(__always)
    func bind(_ value: Double?, _ column: Int32) {
        if let value {
            sqlite3_bind_double(handle, base + column, value)
        } else {
            sqlite3_bind_null(handle, base + column)
        }
    }

    @inline(__always)
    func bind(_ bytes: UnsafeBufferPointer<UInt8>?, _ column: Int32) {
        guard let bytes else {
            sqlite3_bind_null(handle, base + column)
            return
        }
        guard let start = bytes.baseAddress, bytes.count > 0 else {
            sqlite3_bind_text(handle, base + column, RowBinding.noText, 0, nil)
            return
        }
        let characters = UnsafeRawPointer(start).assumingMemoryBound(to: CChar.self)
        sqlite3_bind_text(handle, base + column, characters, Int32(bytes.count), nil)
    }

    @inline(__always)
    func bind(_ symbol: Symbol, _ column: Int32, _ room: UnsafeMutableRawPointer) {
        let count = symbol.withUTF8 { bytes in
            room.copyMemory(from: UnsafeRawPointer(bytes.baseAddress!), byteCount: bytes.count)
            return bytes.count
        }
        sqlite3_bind_text(handle, base + column, room.assumingMemoryBound(to: CChar.self), Int32(count), nil)
    }
}
