import MarketData

/// A batch prepared for its upload, away from the thread that talks to the server: which rows to send, in which order.
struct UploadParcel: Sendable {
    let batch: BufferedBatch
    let context: RowContext
    /// The bars to send, and their order.
    let bars: BarSelection
    /// The rows of the other streams, all of them, in the order to send them.
    let ticks: [Int32]
    /// Whether ticks are ordered by what identifies them, not as they arrived.
    private let isByIdentity: Bool

    /// - Parameters:
    ///   - rows: the rows to send; all if `nil`.
    ///   - isByIdentity: whether the batch's table has each event once.
    init(_ batch: BufferedBatch, rows: Range<Int>? = nil, context: RowContext, isByIdentity: Bool) {
        let rows = rows ?? 0..<batch.count
        self.batch = batch
        self.context = context
        self.isByIdentity = isByIdentity
        bars = BarSelection(
            batch.bars, in: batch.stream == .bars ? rows : 0..<0, timestamp: context.barTimestamp,
            connections: batch.connections)
        ticks =
            switch batch.stream {
            case .bars: []
            case _ where !isByIdentity: rows.map { Int32($0) }
            case .trades: TickOrder.places(of: batch.trades, in: rows, batch.text)
            case .quotes: TickOrder.places(of: batch.quotes, in: rows, batch.text)
            case .luld: TickOrder.places(of: batch.limitBands, in: rows, batch.text)
            case .imbalances: TickOrder.places(of: batch.imbalances, in: rows, batch.text)
            case .fairValues: TickOrder.places(of: batch.fairValues, in: rows, batch.text)
            }
    }

    /// The same batch, limited to these rows.
    func part(_ rows: Range<Int>) -> UploadParcel {
        UploadParcel(batch, rows: rows, context: context, isByIdentity: isByIdentity)
    }
}

/// Rows of one kind, in the order to send them, and the table that they go into.
struct UploadRows<Field: RowField>: Sendable {
    let rows: [Buffered<Field.Event>]
    /// The places of the rows to send.
    let order: ArraySlice<Int32>
    let target: UploadTarget<Field>
    let context: RowContext

    var count: Int { order.count }

    /// The row, if there is just one.
    var only: Buffered<Field.Event>? { order.count == 1 ? order.first.map { rows[Int($0)] } : nil }

    /// Those at these places.
    func at(_ order: ArraySlice<Int32>) -> UploadRows {
        UploadRows(rows: rows, order: order, target: target, context: context)
    }
}

/// The tables that a parcel's rows go to, and which rows go to which.
enum UploadPlan {
    /// Bars by table and rule.
    case bars([(group: BarGroup, rows: UploadRows<BarField>)])
    case trades(UploadRows<TradeField>)
    case quotes(UploadRows<QuoteField>)
    case luld(UploadRows<LimitBandField>)
    case imbalances(UploadRows<ImbalanceField>)
    case fairValues(UploadRows<FairValueField>)

    /// - Throws: reason `schema`, naming what prevents the use of a table.
    init(_ parcel: UploadParcel, in catalog: Catalog) throws(UpstreamError) {
        let batch = parcel.batch
        func load<Field: RowField>(
            _ rows: [Buffered<Field.Event>], _ order: [Int32], into shape: TableShape
        ) throws(UpstreamError) -> UploadRows<Field> {
            let target = try UploadTarget<Field>(shape, in: catalog)
            return UploadRows(rows: rows, order: order[...], target: target, context: parcel.context)
        }
        switch batch.stream {
        case .bars:
            var tables: [(group: BarGroup, rows: UploadRows<BarField>)] = []
            for group in BarGroup.all {
                guard let order = parcel.bars.groups[group] else { continue }
                tables.append((group, try load(batch.bars, order, into: .table(of: EventKind(group.interval)))))
            }
            self = .bars(tables)
        case .trades: self = .trades(try load(batch.trades, parcel.ticks, into: .trades))
        case .quotes: self = .quotes(try load(batch.quotes, parcel.ticks, into: .quotes))
        case .luld: self = .luld(try load(batch.limitBands, parcel.ticks, into: .luld))
        case .imbalances: self = .imbalances(try load(batch.imbalances, parcel.ticks, into: .imbalances))
        case .fairValues: self = .fairValues(try load(batch.fairValues, parcel.ticks, into: .fairValues))
        }
    }
}

extension BufferedBatch {
    /// The rows of `range` that come after a sequence.
    func rows(in range: Range<Int>, after settled: Int64) -> Range<Int> {
        let first = range.partitioningIndex { sequence(at: $0) ?? .max > settled }
        return first..<range.upperBound
    }
}
