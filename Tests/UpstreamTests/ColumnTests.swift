import MarketData
import TestSupport
import Testing

@testable import Upstream

/// COPY names columns by hand, because it is the hot path; it agrees with the one table of them.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct ColumnTests {
    @Test func `a field for every column upstream, and a column for every field`() {
        func agree<Field: RowField>(_: Field.Type, _ shape: TableShape) {
            #expect(Set(Field.allCases.map(\.rawValue)) == Set(shape.columns.map(\.name)), "\(shape.name)")
            #expect(Field.allCases.count == shape.columns.count, "\(shape.name)")
        }
        agree(BarField.self, .minuteBars)
        agree(BarField.self, .secondBars)
        agree(TradeField.self, .trades)
        agree(QuoteField.self, .quotes)
        agree(LimitBandField.self, .luld)
        agree(ImbalanceField.self, .imbalances)
        agree(FairValueField.self, .fairValues)
    }

    @Test(arguments: EventStream.allCases)
    func `COPY has each value in the columns that the table names for it`(stream: EventStream) async throws {
        let sandbox = try await Sandbox.migrated()
        let batch = stream.fullAndBareEvents()
        let rows = BufferedBatch(batch, of: stream)
        _ = try await sandbox.uploader().upload(rows)
        var checked = 0
        try batch.forEachNewestThrowing { event in
            let values = Dictionary(
                uniqueKeysWithValues: event.values(in: batch.text).map { ($0.column.name, $0.value) })
            for column in stream.columns {
                for target in column.targets where !["received_at", "connection", "source"].contains(target.name) {
                    let found = try sandbox.run(
                        "SELECT \(target.content.text(of: "\"\(target.name)\"")) FROM \(stream.upstreamTable) "
                            + "WHERE symbol = '\(event.head.symbol)'")
                    let expected = values[column.name]?.upstreamText(as: target) ?? ""
                    #expect(found == expected, "\(column.name) in \(target.name)")
                    checked += 1
                }
            }
        }
        #expect(checked > 6)
        let received = try sandbox.run(
            "SELECT DISTINCT (extract(epoch FROM received_at) * 1000000)::bigint, collector, connection "
                + "FROM \(stream.upstreamTable)")
        #expect(received == "1767623400123456|edge-1|primary")
    }

    @Test(arguments: EventStream.allCases)
    func `a row as JSON has each column by its name`(stream: EventStream) throws {
        let batch = stream.fullAndBareEvents()
        let rows = BufferedBatch(batch, of: stream)
        let context = RowContext(
            collector: "c", connections: rows.connections, text: rows.text, barTimestamp: .start)
        let json = rows.firstRowJSON(context)
        for column in stream.columns where column.content != .source {
            #expect(json.contains("\"\(column.name)\":"), "\(column.name) in \(json)")
        }
    }
}

extension EventStream {
    /// The table that the stream's full events go to.
    fileprivate var upstreamTable: String { self == .bars ? "ohlcv_1min" : rawValue }
}

extension Column.Content {
    /// A column's value as text that doesn't depend on the session.
    fileprivate func text(of name: String) -> String {
        switch self {
        case .milliseconds: "(extract(epoch FROM \(name)) * 1000)::bigint::text"
        default: "\(name)::text"
        }
    }
}

extension ColumnValue {
    fileprivate func upstreamText(as target: Column.Target) -> String {
        switch self {
        case .integer(let value): target.content == .flag ? (value == 0 ? "false" : "true") : String(value)
        case .real(let value): target.name == "volume" ? String(Int64(value.rounded())) : DecimalText.string(value)
        case .text(let text): text
        }
    }
}

extension EventBatch {
    fileprivate func forEachNewestThrowing(_ body: (AnyMarketEvent) throws -> Void) throws {
        var events: [AnyMarketEvent] = []
        forEachNewest(count) { events.append($0) }
        for event in events { try body(event) }
    }
}

extension BufferedBatch {
    /// A batch's events of a stream as the buffer hands them out.
    init(_ batch: EventBatch, of stream: EventStream) {
        self.init(stream: stream)
        text = batch.text
        connections = [batch.connection]
        func buffered<Event>(_ events: [Event]) -> [Buffered<Event>] {
            events.enumerated().map {
                Buffered(
                    sequence: Int64($0) + 1, event: $1, receivedMicroseconds: batch.receivedMicroseconds,
                    connection: 0, source: batch.source)
            }
        }
        bars = buffered(batch.bars)
        trades = buffered(batch.trades)
        quotes = buffered(batch.quotes)
        limitBands = buffered(batch.limitBands)
        imbalances = buffered(batch.imbalances)
        fairValues = buffered(batch.fairValues)
    }

    fileprivate func firstRowJSON(_ context: RowContext) -> String {
        switch stream {
        case .bars: RowJSON.text(bars[0], context)
        case .trades: RowJSON.text(trades[0], context)
        case .quotes: RowJSON.text(quotes[0], context)
        case .luld: RowJSON.text(limitBands[0], context)
        case .imbalances: RowJSON.text(imbalances[0], context)
        case .fairValues: RowJSON.text(fairValues[0], context)
        }
    }
}
