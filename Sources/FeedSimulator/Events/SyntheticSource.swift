import MarketData
import Synchronization

/// The frames of a synthetic market, second by second.
final class SyntheticSource: FrameSource {
    private struct State {
        var tickers: [SyntheticTicker]
        var start: Int64?
        var second: Int64 = 0
    }

    private let feed: SyntheticFeed
    private let blockBytes: Int
    let isLive: Bool
    private let now: @Sendable () -> Int64
    private let state: Mutex<State>

    /// - Parameter now: Returns the time of day, in milliseconds since the Unix epoch.
    init(
        _ feed: SyntheticFeed, pace: SimulatorConfiguration.Pace,
        now: @escaping @Sendable () -> Int64 = { WallClock.milliseconds() }
    ) {
        self.feed = feed
        self.now = now
        // When paced, each second is generated as it is needed; at full speed, larger blocks cost less.
        blockBytes = pace == .flatOut ? 256 << 10 : 1
        isLive = feed.start == nil && pace == .speed(1)
        state = Mutex(State(tickers: feed.symbols.map { SyntheticTicker($0, seed: feed.seed) }))
    }

    func nextBlock() throws(SimulatorError) -> FrameBlock? {
        state.withLock { state in
            let start = state.start ?? (feed.start ?? now()) / 1000 * 1000
            state.start = start
            let lastSecond = feed.duration.map { $0.components.seconds } ?? .max
            var block = FrameBlock(capacity: 64 << 10)
            if isLive { catchUp(with: now(), from: start, &state, to: &block) }
            // A late bar comes with a second that is not over, because a block that is past as a whole is never sent.
            while state.second < lastSecond {
                appendSecond(from: start + state.second * 1000, &state.tickers, to: &block)
                state.second += 1
                if block.byteCount >= blockBytes { break }
            }
            return block.frames.isEmpty ? nil : block
        }
    }

    /// Skips the seconds that passed while nobody listened; the minute then in progress still gets its bars if it has
    /// ended.
    private func catchUp(with now: Int64, from start: Int64, _ state: inout State, to block: inout FrameBlock) {
        let second = (now - start) / 1000
        guard second > state.second else { return }
        let minute = (start + state.second * 1000) / 60_000 * 60_000
        if start + second * 1000 >= minute + 60_000 {
            append(state.tickers.indices.compactMap { state.tickers[$0].bar(.minute, from: minute, feed) }, to: &block)
        }
        state.second = second
    }

    private func appendSecond(from start: Int64, _ tickers: inout [SyntheticTicker], to block: inout FrameBlock) {
        var happenings: [SyntheticTicker.Happening] = []
        for index in tickers.indices { tickers[index].live(through: start, of: feed, to: &happenings) }
        // Events of the same millisecond stay in the order of the tickers.
        let order = happenings.indices.sorted { (happenings[$0].time, $0) < (happenings[$1].time, $1) }
        append(order.map { happenings[$0] }, windowMilliseconds: 100, to: &block)
        // In separate frames, so that nothing needs to be cut out for clients that want none of them.
        append(tickers.indices.flatMap { tickers[$0].rarities(from: start, feed) }, to: &block)
        append(tickers.indices.compactMap { tickers[$0].bar(.second, from: start, feed) }, to: &block)
        guard (start + 1000) % 60_000 == 0 else { return }
        let minute = start + 1000 - 60_000
        append(tickers.indices.compactMap { tickers[$0].bar(.minute, from: minute, feed) }, to: &block)
    }

    /// Appends frames of up to 50 events, each of one window of time.
    private func append(
        _ happenings: [SyntheticTicker.Happening], windowMilliseconds: Int64 = 1000, to block: inout FrameBlock
    ) {
        var first = 0
        while first < happenings.count {
            let window = happenings[first].time / windowMilliseconds
            var next = first
            var counts = KindCounts()
            var text: [UInt8] = []
            while next < happenings.count, next - first < 50, happenings[next].time / windowMilliseconds == window {
                text.append(UInt8(ascii: next == first ? "[" : ","))
                text.append(contentsOf: happenings[next].text)
                counts.add(happenings[next].kind)
                next += 1
            }
            text.append(UInt8(ascii: "]"))
            text.withUnsafeBytes { block.append($0, counts: counts, time: happenings[next - 1].time) }
            first = next
        }
    }
}
