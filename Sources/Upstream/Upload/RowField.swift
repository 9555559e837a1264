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

    init(of batch: BufferedBatch, _ configuration: UpstreamConfiguration) {
        self.init(
            collector: configuration.collector, connections: batch.connections, text: batch.text,
            barTimestamp: configuration.barTimestamp)
    }
}

/// The columns that rows of one kind can fill. The raw value is the column's name in ``TableShape``.
protocol RowField: CaseIterable, Equatable, RawRepresentable<String>, Sendable where AllCases == [Self] {
    associatedtype Event: MarketEvent

    func write(_ row: Buffered<Event>, as form: ColumnForm, in context: RowContext, to copy: inout some CopyWriter)
}
