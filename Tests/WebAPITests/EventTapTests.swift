import MarketData
import NIOCore
import Store
import Testing
import WebAPISupport

@testable import Collector
@testable import WebAPI

@Suite(.timeLimit(.minutes(2))) struct EventTapTests {
    private func trades(_ count: Int, from first: Int = 0, symbol: String = "AAPL", received: Int64 = 5_000_000) throws
        -> EventBatch
    {
        var batch = EventBatch(connection: "primary", receivedMicroseconds: received)
        let symbol = try #require(Symbol(symbol))
        for number in first..<(first + count) {
            batch.trades.append(Trade(symbol: symbol, time: 4900, price: Double(number), size: 1))
        }
        return batch
    }

    @Test func `events go on to the sink and are looked at`() throws {
        let collector = StagedCollector.market()
        let tap = EventTap(before: collector)
        #expect(tap.offer(try trades(3)) == .accepted)
        #expect(collector.current.events.count == 3)
        let view = tap.view(after: 0)
        #expect(view.events == collector.current.events)
        #expect(view.seen == 3)
        #expect(tap.latency["primary"]?.counts.reduce(0, +) == 3)
        #expect(abs((tap.latency["primary"]?.sum ?? 0) - 0.3) < 1e-9)
    }

    @Test func `what the sink refuses is not shown`() throws {
        final class Full: EventSink {
            func offer(_ batch: EventBatch) -> Admission { .refused }
            func whenRoom(_ resume: @escaping @Sendable () -> Void) {}
            func record(_ change: GapChange) {}
        }
        let tap = EventTap(before: Full())
        #expect(tap.offer(try trades(3)) == .refused)
        #expect(tap.view(after: 0).seen == 0)
    }

    @Test func `memory is bounded and the oldest make room`() throws {
        let tap = EventTap(before: StagedCollector(), capacity: 10)
        for start in stride(from: 0, to: 100, by: 4) { _ = tap.offer(try trades(4, from: start)) }
        let view = tap.view(after: 0)
        #expect(view.end == 100)
        #expect(view.events.count == 10)
        let prices = view.events.map { event -> Double in
            guard case .trade(let trade) = event.event else { return -1 }
            return trade.price
        }
        #expect(prices == (90..<100).map(Double.init))
        #expect(tap.view(after: 97).events.count == 3)
        #expect(tap.view(after: 5000).events.isEmpty)
    }

    @Test func `of a large read the newest are kept and all are counted`() throws {
        let tap = EventTap(before: StagedCollector())
        _ = tap.offer(try trades(1000))
        let view = tap.view(after: 0)
        #expect(view.events.count == EventTap.perBatch)
        #expect(view.seen == 1000)
    }

    @Test func `the newest events of a symbol are found behind others`() throws {
        let tap = EventTap(before: StagedCollector())
        _ = tap.offer(try trades(2, symbol: "IBM"))
        _ = tap.offer(try trades(50))
        let ibm = try #require(Symbol("IBM"))
        let found = tap.newest(5) { $0.symbol == ibm }
        #expect(found.count == 2)
    }

    @Test func `the last price is the newest by its own time, however late an older one comes`() throws {
        let tap = EventTap(before: StagedCollector())
        let symbol = try #require(Symbol("AAPL"))
        func offer(at received: Int64, _ fill: (inout EventBatch) -> Void) {
            var batch = EventBatch(connection: "primary", receivedMicroseconds: received * 1000)
            fill(&batch)
            _ = tap.offer(batch)
        }
        func bar(_ start: Int64, close: Double) -> Bar {
            Bar(
                symbol: symbol, interval: .minute, start: start, end: start + 60_000, open: 1, high: 20, low: 1,
                close: close, volume: 1)
        }
        offer(at: 200_000) { $0.trades = [Trade(symbol: symbol, time: 199_900, price: 12, size: 1)] }
        offer(at: 201_000) { $0.bars = [bar(120_000, close: 11)] }
        #expect(tap.news().map(\.price) == [12] && tap.news().map(\.received) == [201_000])
        offer(at: 242_000) { $0.bars = [bar(180_000, close: 13)] }
        #expect(tap.news().map(\.price) == [13])
        // A time that lies ahead holds nothing off.
        offer(at: 250_000) { $0.trades = [Trade(symbol: symbol, time: 9_000_000, price: 14, size: 1)] }
        offer(at: 251_000) { $0.trades = [Trade(symbol: symbol, time: 250_900, price: 15, size: 1)] }
        #expect(tap.news().map(\.price) == [15])
        // Nor does a clock that was an hour ahead and is set back.
        offer(at: 3_852_000) { $0.trades = [Trade(symbol: symbol, time: 3_851_900, price: 16, size: 1)] }
        offer(at: 253_000) { $0.trades = [Trade(symbol: symbol, time: 252_900, price: 17, size: 1)] }
        #expect(tap.news().map(\.price) == [17])
        offer(at: 254_000) { $0.bars = [bar(180_000, close: 18)] }
        #expect(tap.news().map(\.price) == [17])
    }

    @Test func `a slow reader loses its oldest messages and is told how many`() async {
        let client = EventClient(filter: .init()) {}
        var dropped = 0
        for number in 0..<40 { dropped += client.offer(.init(string: "\(number)")) ? 1 : 0 }
        #expect(dropped == 40 - EventClient.depth)
        #expect(client.took() == dropped)
        #expect(client.took() == 0)
        client.finish()
        var texts: [String] = []
        for await message in client.messages { texts.append(String(buffer: message)) }
        #expect(texts == (24..<40).map(String.init))
    }

    @Test func `readers are bounded, and a place is free again when its response is gone, written or not`() {
        let clients = EventClients(limit: 2)
        var seats = (0..<3).map { _ in clients.add(EventClient(filter: .init()) {}) }
        #expect(seats[0] != nil && seats[1] != nil && seats[2] == nil)
        seats[0] = nil
        #expect(clients.count == 1)
        seats[0] = clients.add(EventClient(filter: .init()) {})
        #expect(seats[0] != nil && clients.count == 2)
    }

    @Test func `a place in the stream is read back and nothing else is`() {
        #expect(EventPlace("abc-12") == EventPlace(run: "abc", next: 12))
        #expect(EventPlace(EventPlace(run: "x", next: 7).text) == EventPlace(run: "x", next: 7))
        for text in ["", "abc", "-", "abc-", "abc-x", "abc--1"] { #expect(EventPlace(text) == nil) }
    }
}
