import MarketData

/// What all rows of a batch share.
struct RowContext: Sendable {
    let connections: [String]
    let text: TextArena
    let barTimestamp: BarTimestamp
    /// The collector's and the connections' names, encoded once because every row has them.
    let collectorText: SharedText
    let connectionTexts: [SharedText]

    init(collector: String, connections: [String], text: TextArena, barTimestamp: BarTimestamp) {
        self.connections = connections
        self.text = text
        self.barTimestamp = barTimestamp
        collectorText = SharedText(collector)
        connectionTexts = connections.map(SharedText.init)
    }
}

/// The columns that rows of one kind can fill. The raw value is the column's name, by which ``TableShape`` describes
/// it.
protocol RowField: CaseIterable, Equatable, RawRepresentable<String>, Sendable where AllCases == [Self] {
    associatedtype Event: MarketEvent

    /// Writes the row's value.
    func write(_ row: Buffered<Event>, as form: ColumnForm, in context: RowContext, to copy: inout some CopyWriter)
}
