import MarketData
import TestSupport
import Testing

@testable import Feed

@Suite(.timeLimit(.minutes(3))) struct SightingsTests {
    private let aapl = Symbol("AAPL")!

    private func trade(_ number: Int, _ symbol: Symbol? = nil) -> Trade {
        Trade(symbol: symbol ?? aapl, time: Int64(number), price: 1, size: 1)
    }

    private func batch(_ numbers: some Sequence<Int>) -> EventBatch {
        var batch = EventBatch(connection: "x", receivedMicroseconds: 0)
        batch.trades = numbers.map { trade($0) }
        return batch
    }

    private func times(_ sightings: inout Sightings, _ numbers: some Sequence<Int>, _ slot: Int) -> [Int] {
        var batch = batch(numbers)
        sightings.filter(&batch, from: slot, now: .zero)
        return batch.trades.map { Int($0.time) }
    }

    private func shared(_ slots: SlotSet = [0, 1], ended: SlotSet = []) -> SetMachine.Sharing {
        .init(symbol: aapl, slots: slots, ended: ended)
    }

    @Test func `what one connection alone brings passes as it is, twice when it came twice`() {
        var sightings = Sightings(memory: .seconds(120), limit: 1 << 17)
        #expect(times(&sightings, [1, 1, 2], 0) == [1, 1, 2])
        #expect(sightings.duplicates == 0)
    }

    @Test func `what is left out of the columns is left out beside them`() {
        var sightings = Sightings(memory: .seconds(120), limit: 1 << 17)
        sightings.share([shared()])
        #expect(times(&sightings, [2, 4], 0) == [2, 4])
        var second = batch(1...5)
        var sent = SentEvents()
        for text in ["one", "two", "three", "four", "five"] {
            sent.trades.append(TextRange(offset: UInt32(sent.byteCount), count: UInt32(text.utf8.count)))
            Array(text.utf8).withUnsafeBytes { sent.keep($0) }
        }
        second.sent = sent
        sightings.filter(&second, from: 1, now: .zero)
        #expect(second.trades.map(\.time) == [1, 3, 5])
        #expect(second.sent?.trades.map { sent.text[$0] } == ["one", "three", "five"])
    }

    @Test func `each event is kept once whichever connection is ahead`() {
        var sightings = Sightings(memory: .seconds(120), limit: 1 << 17)
        sightings.share([shared()])
        #expect(times(&sightings, 1...5, 0) == [1, 2, 3, 4, 5])
        #expect(times(&sightings, 3...7, 1) == [6, 7])
        #expect(times(&sightings, 6...9, 0) == [8, 9])
        #expect(times(&sightings, 8...9, 1) == [])
        #expect(sightings.duplicates == 7)
        // The second connection still owed 1 and 2.
        #expect(times(&sightings, 1...2, 1) == [])
    }

    @Test(arguments: EventStream.allCases)
    func `an event of any stream is kept once`(stream: EventStream) {
        var sightings = Sightings(memory: .seconds(120), limit: 1 << 17)
        let symbols = ["BRK.B", "IBM"].compactMap { Symbol($0) }
        sightings.share(symbols.map { .init(symbol: $0, slots: [0, 1], ended: []) })
        let sent = stream.fullAndBareEvents()
        var first = sent
        sightings.filter(&first, from: 0, now: .zero)
        #expect(first == sent)
        var second = sent
        sightings.filter(&second, from: 1, now: .zero)
        #expect(second.isEmpty && sightings.duplicates == 2)
    }

    @Test func `the same event twice on each connection is two events`() {
        var sightings = Sightings(memory: .seconds(120), limit: 1 << 17)
        sightings.share([shared()])
        #expect(times(&sightings, [1, 1, 2], 0) == [1, 1, 2])
        #expect(times(&sightings, [1, 1, 1, 2], 1) == [1])
    }

    @Test func `a corrected bar is another event, and the newer version comes last`() {
        var sightings = Sightings(memory: .seconds(120), limit: 1 << 17)
        sightings.share([shared()])
        func bar(_ volume: Double) -> Bar {
            Bar.flat(aapl, at: 0, volume: volume)
        }
        var kept: [Double] = []
        for (volume, slot) in [(10.0, 0), (20, 0), (10, 1), (20, 1), (30, 1), (30, 0)] {
            var batch = EventBatch(connection: "x", receivedMicroseconds: 0)
            batch.bars = [bar(volume)]
            sightings.filter(&batch, from: slot, now: .zero)
            kept += batch.bars.map(\.volume)
        }
        #expect(kept == [10, 20, 30])
    }

    @Test func `texts tell trades apart`() {
        var sightings = Sightings(memory: .seconds(120), limit: 1 << 17)
        sightings.share([shared()])
        func batch(_ identifier: String, padding: String) -> EventBatch {
            var batch = EventBatch(connection: "x", receivedMicroseconds: 0)
            _ = batch.text.append(padding)
            var trade = trade(1)
            trade.tradeID = batch.text.append(identifier)
            batch.trades = [trade]
            return batch
        }
        var batches = [batch("a", padding: "one"), batch("b", padding: ""), batch("a", padding: "")]
        for index in batches.indices { sightings.filter(&batches[index], from: index % 2, now: .zero) }
        #expect(batches.map(\.count) == [1, 1, 1])
        var other = batch("b", padding: "other")
        sightings.filter(&other, from: 0, now: .zero)
        #expect(other.isEmpty)
    }

    @Test func `once a place has ended, the other one's new events are not remembered, and a straggler's are`() {
        var sightings = Sightings(memory: .seconds(120), limit: 1 << 17)
        sightings.share([shared()])
        #expect(times(&sightings, 1...4, 0) == [1, 2, 3, 4])
        sightings.share([shared(ended: [0])])
        #expect(times(&sightings, 5...5, 0) == [5])
        #expect(times(&sightings, 2...9, 1) == [6, 7, 8, 9])
        // 1 is still remembered; 2 is not, since both have brought it.
        #expect(times(&sightings, 1...2, 1) == [2])
        sightings.share([shared([1])])
        #expect(sightings.isEmpty)
        #expect(times(&sightings, 10...11, 1) == [10, 11])
    }

    @Test func `a batch that the sink refused was brought by nobody`() {
        var sightings = Sightings(memory: .seconds(120), limit: 1 << 17)
        sightings.share([shared()])
        #expect(times(&sightings, 1...3, 0) == [1, 2, 3])
        sightings.undo()
        #expect(times(&sightings, 2...3, 1) == [2, 3])
        sightings.undo()
        #expect(times(&sightings, 1...3, 0) == [1, 2, 3])
        #expect(times(&sightings, 2...3, 1) == [])
    }

    private func take(_ sightings: inout Sightings, _ numbers: some Sequence<Int>, _ slot: Int, at seconds: Double)
        -> Int
    {
        var batch = batch(numbers)
        sightings.filter(&batch, from: slot, now: .seconds(seconds))
        return batch.count
    }

    @Test func `memory is bounded in time and number, and what everybody brought takes no part of it`() {
        var sightings = Sightings(memory: .seconds(10), limit: 100)
        sightings.share([shared()])
        _ = take(&sightings, 1...50, 0, at: 0)
        _ = take(&sightings, 51...60, 0, at: 11)
        // The first fifty are forgotten, so one of them passes for new.
        #expect(take(&sightings, [50, 51], 1, at: 11) == 1)
        _ = take(&sightings, 100..<400, 0, at: 12)
        #expect(take(&sightings, [399, 299], 1, at: 12) == 1)
        // No connection that is up owes them.
        #expect(sightings.forgotten == 0 && sightings.behind.isEmpty)
        var steady = Sightings(memory: .seconds(10), limit: 100)
        steady.share([shared()])
        for slot in 0...1 { steady.observe(slot, line: 0, now: .zero) }
        #expect(take(&steady, 0..<60, 0, at: 1) == 60)
        for number in 60..<20_000 {
            let kept = (take(&steady, [number], 0, at: 1), take(&steady, [number - 60], 1, at: 1))
            #expect(kept == (1, 0))
        }
        #expect(steady.forgotten == 0 && steady.behind.isEmpty)
    }

    @Test func `a connection that owes what had to be forgotten is behind until it is another one`() {
        var sightings = Sightings(memory: .seconds(120), limit: 100)
        sightings.share([shared()])
        for slot in 0...1 { sightings.observe(slot, line: 0, now: .zero) }
        _ = take(&sightings, 0..<130, 0, at: 1)
        #expect(sightings.behind == [1] && sightings.forgotten == 30)
        sightings.observe(1, line: 0, now: .seconds(2))
        #expect(sightings.behind == [1])
        sightings.observe(1, line: 1, now: .seconds(3))
        #expect(sightings.behind.isEmpty)
        // It does not owe what came before it was up.
        _ = take(&sightings, 130..<160, 0, at: 4)
        #expect(sightings.behind.isEmpty && sightings.forgotten == 30)
        _ = take(&sightings, 160..<300, 0, at: 5)
        #expect(sightings.behind == [1])
        sightings.observe(1, line: nil, now: .seconds(6))
        #expect(sightings.behind.isEmpty)
    }

    @Test func `one that comes half the memory's time late is behind as well, before anything is doubled`() {
        var sightings = Sightings(memory: .seconds(120), limit: 1 << 17)
        sightings.share([shared()])
        for slot in 0...1 { sightings.observe(slot, line: 0, now: .zero) }
        #expect(take(&sightings, 1...9, 0, at: 1) == 9)
        #expect(take(&sightings, 1...2, 1, at: 61) == 0)
        #expect(sightings.behind.isEmpty)
        #expect(take(&sightings, 3...9, 1, at: 62) == 0)
        #expect(sightings.behind == [1])
    }

    @Test func `of three connections the one that owes is behind, not those that brought what was forgotten`() {
        var sightings = Sightings(memory: .seconds(120), limit: 100)
        sightings.share([shared([0, 1, 2])])
        for slot in 0...2 { sightings.observe(slot, line: 0, now: .zero) }
        for number in 0..<130 {
            _ = take(&sightings, [number], 0, at: 1)
            _ = take(&sightings, [number], 1, at: 1)
        }
        #expect(sightings.behind == [2])
    }

    @Test func `what comes late is no sign of being behind where it is new, or was never owed`() {
        var sightings = Sightings(memory: .seconds(120), limit: 1 << 17)
        sightings.share([shared([0, 1, 2])])
        for slot in 0...2 { sightings.observe(slot, line: 0, now: .zero) }
        for slot in 0...1 { _ = take(&sightings, [1], slot, at: 1) }
        // A new event that looks like an earlier one.
        #expect(take(&sightings, [1], 1, at: 100) == 1)
        #expect(sightings.behind.isEmpty)
        // The third was opened again after the event came, so it never owed it.
        sightings.observe(2, line: 1, now: .seconds(2))
        #expect(take(&sightings, [1], 2, at: 100) == 0)
        #expect(sightings.behind.isEmpty)
        // Nor did a connection whose place had ended.
        sightings.share([shared([0, 1, 2], ended: [1])])
        _ = take(&sightings, [9], 0, at: 101)
        #expect(take(&sightings, [9], 1, at: 200) == 0)
        #expect(sightings.behind.isEmpty)
    }

    @Test func `nothing that was shared before makes a connection behind when symbols are shared again`() {
        var sightings = Sightings(memory: .seconds(120), limit: 100)
        sightings.share([shared()])
        for slot in 0...1 { sightings.observe(slot, line: 0, now: .zero) }
        _ = take(&sightings, 0..<130, 0, at: 1)
        #expect(sightings.behind == [1])
        sightings.share([shared([0])])
        sightings.share([shared()])
        #expect(sightings.behind.isEmpty)
    }

    /// Two connections deliver random runs of one sequence at random speeds.
    @Test(arguments: 0..<40) func `random interleavings lose and double nothing`(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        // Some events occur twice in the feed itself.
        let sequence = (0..<400).map { Int.random(in: 0..<8, using: &random) == 0 ? max(0, $0 - 1) : $0 }
        var sightings = Sightings(memory: .seconds(120), limit: 1 << 17)
        sightings.share([shared()])
        let begin = Int.random(in: 1..<100, using: &random)
        let end = Int.random(in: 250..<400, using: &random)
        var positions = [0, begin]
        let ends = [end, sequence.count]
        var kept: [Int] = []
        // The second connection begins in the middle, and the first ends before the sequence does.
        while positions[0] < ends[0] || positions[1] < ends[1] {
            let slot = Int.random(in: 0..<2, using: &random)
            let count = min(Int.random(in: 1..<30, using: &random), ends[slot] - positions[slot])
            guard count > 0 else { continue }
            let run = sequence[positions[slot]..<positions[slot] + count]
            positions[slot] += count
            kept += times(&sightings, run, slot)
        }
        #expect(kept.sorted() == sequence.sorted())
    }
}
