import FeedServer
import Synchronization

/// The frames of numbered events.
final class LedgerSource: FrameSource {
    private let feed: LedgerFeed
    private let blockBytes: Int
    private let sent = Mutex(0)

    init(_ feed: LedgerFeed, pace: SimulatorConfiguration.Pace) {
        self.feed = feed
        blockBytes = pace == .flatOut ? 256 << 10 : 16 << 10
    }

    func nextBlock() throws(SimulatorError) -> FrameBlock? {
        sent.withLock { sent in
            var block = FrameBlock(capacity: blockBytes + (16 << 10))
            let limit = feed.count ?? .max
            while block.byteCount < blockBytes, sent < limit {
                let count = min(feed.eventsPerFrame, limit - sent)
                var counts = KindCounts()
                var text: [UInt8] = []
                for offset in 0..<count {
                    let event = feed.plan.event(feed.firstID + UInt64(sent + offset))
                    text.append(UInt8(ascii: offset == 0 ? "[" : ","))
                    text.append(contentsOf: event.json)
                    counts.add(KindSet(event.kind))
                }
                text.append(UInt8(ascii: "]"))
                sent += count
                let time = feed.plan.start + Int64(Double(sent) * 1000 / feed.eventsPerSecond)
                text.withUnsafeBytes { block.append($0, counts: counts, time: time) }
            }
            return block.frames.isEmpty ? nil : block
        }
    }
}
