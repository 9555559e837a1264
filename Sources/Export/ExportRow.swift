import MarketData
import Store

/// A row with the columns of its stream in their order, wherever it comes from.
protocol ExportRow {
    func integer(_ column: Int) -> Int64?
    func number(_ column: Int) -> Double?
    /// Calls `body` with the text's bytes; returns `false` when there is no text.
    func withText(_ column: Int, _ body: (UnsafeRawBufferPointer) -> Void) -> Bool
}

extension RowColumns: ExportRow {
    func integer(_ column: Int) -> Int64? { integer(Int32(column)) }
    func number(_ column: Int) -> Double? { number(Int32(column)) }

    func withText(_ column: Int, _ body: (UnsafeRawBufferPointer) -> Void) -> Bool {
        let bytes = bytes(Int32(column))
        guard bytes.baseAddress != nil else { return false }
        body(bytes)
        return true
    }
}

struct ValueRow: ExportRow {
    let values: [ColumnValue?]

    func integer(_ column: Int) -> Int64? {
        if case .integer(let value) = values[column] { value } else { nil }
    }

    func number(_ column: Int) -> Double? {
        if case .real(let value) = values[column] { value } else { nil }
    }

    func withText(_ column: Int, _ body: (UnsafeRawBufferPointer) -> Void) -> Bool {
        guard case .text(var text) = values[column] else { return false }
        text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
        return true
    }
}

/// The column that a file of trades has besides those of its rows: ``TradeAdjustment``, read from the conditions.
struct AdjustmentColumn {
    static let name = "adjustment"
    private let conditions: Int

    /// `nil` for streams other than trades.
    init?(_ stream: EventStream) {
        guard stream == .trades, let place = stream.columns.firstIndex(where: { $0.name == "conditions" }) else {
            return nil
        }
        conditions = place
    }

    func value(of row: some ExportRow) -> TradeAdjustment? {
        var found: TradeAdjustment?
        _ = row.withText(conditions) { found = TradeAdjustment(conditions: $0) }
        return found
    }
}
