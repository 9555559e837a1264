import FeedServer
import MarketData
import NIOCore

/// Packs a run of batches for those who want them: each event once a lane, in the batches' order within its kind.
struct Fanout {
    private var wildcards: [EventKind: EventFrames] = [:]
    private var touched: [ObjectIdentifier: Lane] = [:]
    private var text = RowText()

    mutating func pack(_ batch: EventBatch, for index: LaneIndex) {
        // Clients may be there and want nothing, or nothing of a kind.
        let (sent, kinds) = (batch.sent, index.kinds)
        if !kinds.isDisjoint(with: .bars) {
            for (place, bar) in batch.bars.enumerated() {
                let kind: EventKind = bar.interval == .minute ? .minuteBar : .secondBar
                deliver(kind, bar.symbol, index, sent, sent?.bars, place) { $0.write(bar) }
            }
        }
        if kinds.contains(.trade) {
            for (place, trade) in batch.trades.enumerated() {
                deliver(.trade, trade.symbol, index, sent, sent?.trades, place) { $0.write(trade, text: batch.text) }
            }
        }
        if kinds.contains(.quote) {
            for (place, quote) in batch.quotes.enumerated() {
                deliver(.quote, quote.symbol, index, sent, sent?.quotes, place) { $0.write(quote, text: batch.text) }
            }
        }
        if kinds.contains(.limitBand) {
            for (place, event) in batch.limitBands.enumerated() {
                deliver(.limitBand, event.symbol, index, sent, sent?.limitBands, place) {
                    $0.write(event, text: batch.text)
                }
            }
        }
        if kinds.contains(.imbalance) {
            for (place, event) in batch.imbalances.enumerated() {
                deliver(.imbalance, event.symbol, index, sent, sent?.imbalances, place) {
                    $0.write(event, text: batch.text)
                }
            }
        }
        if kinds.contains(.fairValue) {
            for (place, event) in batch.fairValues.enumerated() {
                deliver(.fairValue, event.symbol, index, sent, sent?.fairValues, place) { $0.write(event) }
            }
        }
    }

    private mutating func deliver(
        _ kind: EventKind, _ symbol: Symbol, _ index: LaneIndex, _ sent: SentEvents?, _ ranges: [TextRange]?,
        _ place: Int, _ render: (inout RowText) -> Void
    ) {
        let isWanted = !index.all(kind).isEmpty
        let named = index.hasSymbols ? index.named(kind, symbol) : []
        guard isWanted || !named.isEmpty else { return }
        if let sent, let ranges, place < ranges.count, ranges[place] != .none {
            return sent.text.withUTF8(ranges[place]) { put(UnsafeRawBufferPointer($0), kind, isWanted, named) }
        }
        // It was read from the feed before its kind had a reader: only one that has what came before it gets it.
        let (isMissed, missing) = (index.all(kind).contains { $0.followsReplay }, named.filter(\.followsReplay))
        guard isMissed || !missing.isEmpty else { return }
        render(&text)
        let object = text.bytes
        object.withUnsafeBytes { put($0, kind, isMissed, missing) }
    }

    private mutating func put(_ event: UnsafeRawBufferPointer, _ kind: EventKind, _ isWanted: Bool, _ named: [Lane]) {
        if isWanted { wildcards[kind, default: EventFrames()].append(event) }
        for lane in named where !lane.wildcards.contains(kind) {
            lane.append(event)
            touched[ObjectIdentifier(lane)] = lane
        }
    }

    /// Hands what was packed for everybody to the lanes that want it, and returns the lanes that have something.
    mutating func finish(_ index: LaneIndex) -> [Lane] {
        for kind in EventKind.allCases {
            guard let events = wildcards[kind]?.events, events > 0, let buffer = wildcards[kind]?.take() else {
                continue
            }
            for lane in index.all(kind) {
                lane.append(shared: buffer, events: events)
                touched[ObjectIdentifier(lane)] = lane
            }
        }
        defer { touched = [:] }
        return Array(touched.values)
    }
}
