import MarketData

/// Writes the fields of rows for COPY, in one of its formats.
protocol CopyWriter {
    init()
    var bytes: [UInt8] { get set }

    mutating func begin()
    mutating func end()
    mutating func beginRow(columns: Int)
    mutating func beginField(_ type: BinaryType?)
    mutating func endRow()

    mutating func appendNull()
    /// Appends the exact decimal or, for a whole-number column, the nearest integer, halves away from zero.
    mutating func append(_ value: Double, rounded: Bool)
    mutating func append(_ value: Int64)
    mutating func append(flag: Bool)
    mutating func append(_ symbol: Symbol)
    mutating func append(_ text: SharedText)
    mutating func append(text: UnsafeBufferPointer<UInt8>)
    /// Appends a JSON array of numbers as a PostgreSQL array: `[0,12]` becomes `{0,12}`.
    mutating func append(arrayOf text: UnsafeBufferPointer<UInt8>)
    /// Appends a time in milliseconds since the Unix epoch; with its zone for `timestamptz`.
    mutating func append(milliseconds: Int64, zoned: Bool)
    /// Appends a time in microseconds since the Unix epoch.
    mutating func append(microseconds: Int64, zoned: Bool)
}

/// A text shared by many rows, encoded once.
struct SharedText: Sendable {
    let plain: [UInt8]
    /// The text in COPY's text format.
    let escaped: [UInt8]

    init(_ text: String) {
        plain = Array(text.utf8)
        escaped = CopyText.escaped(text)
    }

    static let stream = SharedText(EventSource.stream.rawValue)
    static let backfill = SharedText(EventSource.backfill.rawValue)
    static let reconcile = SharedText(EventSource.reconcile.rawValue)
}

extension CopyWriter {
    mutating func append(_ value: Double?, as form: ColumnForm) {
        if let value { append(value, rounded: form == .rounded) } else { appendNull() }
    }

    mutating func append(_ value: Int32?) { if let value { append(Int64(value)) } else { appendNull() } }

    mutating func append(_ value: Int64?) { if let value { append(value) } else { appendNull() } }

    mutating func append(milliseconds: Int64?, zoned: Bool) {
        if let milliseconds { append(milliseconds: milliseconds, zoned: zoned) } else { appendNull() }
    }

    mutating func append(_ range: TextRange?, as form: ColumnForm, in arena: TextArena) {
        guard let range else { return appendNull() }
        arena.withUTF8(range) { text in
            if form == .array { append(arrayOf: text) } else { append(text: text) }
        }
    }

    mutating func append(connection: Int32, in context: RowContext) {
        let index = Int(connection)
        guard context.connectionTexts.indices.contains(index) else { return appendNull() }
        append(context.connectionTexts[index])
    }

    @inline(__always)
    mutating func append(_ source: EventSource) {
        switch source {
        case .stream: append(SharedText.stream)
        case .backfill: append(SharedText.backfill)
        case .reconcile: append(SharedText.reconcile)
        }
    }
}
