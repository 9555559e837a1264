import FeedServer
import MarketData
import NIOCore

/// Packs a run of batches for the lanes that want them: each event once per lane, in the batches' order within its
/// kind.
struct Fanout {
    /// What is packed for all lanes that want every event of a kind, by the kind's index.
    private var shared = [EventFrames](repeating: EventFrames(), count: EventKind.allCases.count)
    private var touched: [Lane] = []
    private var text = RowText()

    mutating func pack(_ batch: EventBatch, for index: LaneIndex) {
        let sent = batch.sent
        for interval in Bar.Interval.allCases {
            pack(batch.bars, EventKind(interval), batch, sent?.bars, index) { $0.write($1) }
        }
        pack(batch.trades, .trade, batch, sent?.trades, index) { $0.write($1, text: batch.text) }
        pack(batch.quotes, .quote, batch, sent?.quotes, index) { $0.write($1, text: batch.text) }
        pack(batch.limitBands, .limitBand, batch, sent?.limitBands, index) { $0.write($1, text: batch.text) }
        pack(batch.imbalances, .imbalance, batch, sent?.imbalances, index) { $0.write($1, text: batch.text) }
        pack(batch.fairValues, .fairValue, batch, sent?.fairValues, index) { $0.write($1) }
    }

    private mutating func pack<Event: MarketEvent>(
        _ events: [Event], _ kind: EventKind, _ batch: EventBatch, _ ranges: [TextRange]?, _ index: LaneIndex,
        _ render: (inout RowText, Event) -> Void
    ) {
        // Clients may be connected but want nothing, or nothing of this kind.
        let wishes = index[kind]
        guard !events.isEmpty, !wishes.isEmpty else { return }
        let (ranges, isWanted, isMissed) = (
            ranges ?? [], !wishes.all.isEmpty, wishes.all.contains(where: \.followsReplay)
        )
        (batch.sent?.text.bytes ?? []).withUnsafeBytes { bytes in
            for place in events.indices where events[place].kind == kind {
                let named = wishes.named.isEmpty ? [] : wishes.named[events[place].symbol] ?? []
                guard isWanted || !named.isEmpty else { continue }
                if place < ranges.count, ranges[place] != .none {
                    let start = Int(ranges[place].offset)
                    let object = bytes[start..<start + Int(ranges[place].count)]
                    put(UnsafeRawBufferPointer(rebasing: object), kind, isWanted, named)
                    continue
                }
                // The event was read from the feed before its kind had a reader, so its text was not kept. It is sent
                // only to lanes that follow a replay, which must not miss it.
                let missing = named.filter(\.followsReplay)
                guard isMissed || !missing.isEmpty else { continue }
                render(&text, events[place])
                let object = text.bytes
                object.withUnsafeBytes { put($0, kind, isMissed, missing) }
            }
        }
    }

    private mutating func put(_ event: UnsafeRawBufferPointer, _ kind: EventKind, _ isWanted: Bool, _ named: [Lane]) {
        if isWanted { shared[kind.index].append(event) }
        for lane in named where !lane.wildcards.contains(KindSet(kind)) {
            if lane.isEmpty { touched.append(lane) }
            lane.append(event)
        }
    }

    /// Hands what was packed for all to the lanes that want it, and returns the lanes that have something to send.
    mutating func finish(_ index: LaneIndex) -> [Lane] {
        for kind in EventKind.allCases where !shared[kind.index].isEmpty {
            let events = shared[kind.index].events
            let buffer = shared[kind.index].take()
            for lane in index[kind].all {
                if lane.isEmpty { touched.append(lane) }
                lane.append(shared: buffer, events: events)
            }
        }
        defer { touched = [] }
        return touched
    }
}
