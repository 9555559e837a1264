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

    /// - Parameter isByIdentity: Whether the batch's table has each event once.
    init(_ batch: BufferedBatch, collector: String, barTimestamp: BarTimestamp, isByIdentity: Bool) {
        self.init(
            batch, rows: 0..<batch.count,
            context: RowContext(
                collector: collector, connections: batch.connections, text: batch.text, barTimestamp: barTimestamp),
            isByIdentity: isByIdentity)
    }

    private init(_ batch: BufferedBatch, rows: Range<Int>, context: RowContext, isByIdentity: Bool) {
        self.batch = batch
        self.context = context
        self.isByIdentity = isByIdentity
        bars = BarSelection(
            batch.bars, in: batch.stream == .bars ? rows : 0..<0, timestamp: context.barTimestamp)
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

/// The tables that a parcel's rows go to, and which rows go to which.
enum UploadPlan {
    /// Bars by table and rule, each with the places of the chosen rows in the batch.
    case bars([(group: BarGroup, target: UploadTarget<BarField>, order: [Int32])])
    case trades(UploadTarget<TradeField>)
    case quotes(UploadTarget<QuoteField>)
    case luld(UploadTarget<LimitBandField>)
    case imbalances(UploadTarget<ImbalanceField>)
    case fairValues(UploadTarget<FairValueField>)

    /// - Throws: reason `schema`, naming what prevents the use of a table.
    init(_ parcel: UploadParcel, in catalog: Catalog) throws(UpstreamError) {
        switch parcel.batch.stream {
        case .bars:
            var tables: [(group: BarGroup, target: UploadTarget<BarField>, order: [Int32])] = []
            for group in BarGroup.all {
                guard let order = parcel.bars.groups[group] else { continue }
                let shape: TableShape = group.interval == .minute ? .minuteBars : .secondBars
                tables.append((group, try UploadTarget(shape, in: catalog), order))
            }
            self = .bars(tables)
        case .trades: self = .trades(try UploadTarget(.trades, in: catalog))
        case .quotes: self = .quotes(try UploadTarget(.quotes, in: catalog))
        case .luld: self = .luld(try UploadTarget(.luld, in: catalog))
        case .imbalances: self = .imbalances(try UploadTarget(.imbalances, in: catalog))
        case .fairValues: self = .fairValues(try UploadTarget(.fairValues, in: catalog))
        }
    }
}

extension BufferedBatch {
    /// The rows of `range` that come after a sequence.
    func rows(in range: Range<Int>, after settled: Int64) -> Range<Int> {
        var low = range.lowerBound
        var high = range.upperBound
        while low < high {
            let middle = low + (high - low) / 2
            if let sequence = sequence(at: middle), sequence <= settled { low = middle + 1 } else { high = middle }
        }
        return low..<range.upperBound
    }
}
