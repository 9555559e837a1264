import MarketData

/// What all rows of a batch share.
struct RowContext: Sendable {
    let collector: String
    let connections: [String]
    let text: TextArena
    let barTimestamp: BarTimestamp
}

/// The columns that rows of one kind can fill; the raw value is the column's name.
protocol RowField: CaseIterable, RawRepresentable<String>, Sendable where AllCases == [Self] {
    associatedtype Event: Sendable & BitwiseCopyable

    /// What the column holds.
    var content: ColumnContent { get }
    /// Whether a target without the column can't be used.
    var isRequired: Bool { get }
    /// Writes the row's value.
    func write(_ row: Buffered<Event>, as form: ColumnForm, in context: RowContext, to copy: inout CopyText)
}

extension CopyText {
    mutating func append(_ value: Double?, as form: ColumnForm) {
        if let value { append(value, rounded: form == .rounded) } else { appendNull() }
    }

    mutating func append(_ value: Int32?) {
        if let value { append(Int64(value)) } else { appendNull() }
    }

    mutating func append(_ value: Int64?) {
        if let value { append(value) } else { appendNull() }
    }

    mutating func append(_ range: TextRange?, as form: ColumnForm, in arena: TextArena) {
        guard let range else { return appendNull() }
        arena.withUTF8(range) { text in
            if form == .array { append(arrayOf: text) } else { append(text: text) }
        }
    }

    mutating func append(connection: Int32, in context: RowContext) {
        let index = Int(connection)
        if context.connections.indices.contains(index) {
            append(text: context.connections[index])
        } else {
            appendNull()
        }
    }
}
