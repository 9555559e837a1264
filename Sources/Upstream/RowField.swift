import MarketData

/// What all rows of a batch share.
struct RowContext: Sendable {
    let connections: [String]
    let text: TextArena
    let barTimestamp: BarTimestamp
    /// The collector's and the connections' names as COPY reads them: every row has them, so they are escaped once.
    let collectorText: [UInt8]
    let connectionTexts: [[UInt8]]

    init(collector: String, connections: [String], text: TextArena, barTimestamp: BarTimestamp) {
        self.connections = connections
        self.text = text
        self.barTimestamp = barTimestamp
        collectorText = CopyText.escaped(collector)
        connectionTexts = connections.map(CopyText.escaped)
    }
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
        if context.connectionTexts.indices.contains(index) {
            append(escaped: context.connectionTexts[index])
        } else {
            appendNull()
        }
    }
}
