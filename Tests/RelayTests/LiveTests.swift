import Feed
import FeedServer
import FeedServerSupport
import FeedSimulator
import Foundation
import LedgerSupport
import Logging
import MarketData
import Store
import TestSupport
import Testing

@testable import Relay

@Suite(.timeLimit(.minutes(2))) struct `Live events over the relay` {
    @Test func `are the feed's own bytes, each once, in order by kind and symbol`() async throws {
        try await RelayRig.run { rig in
            let all = try await rig.client(subscribingTo: "AM.*,A.*,T.*,Q.*,LULD.*,NOI.*,FMV.*")
            let some = try await rig.client(subscribingTo: "T.AAPL,Q.*,Q.MSFT,AM.BRK.B")
            let plan = plan()
            for start in stride(from: UInt64(0), to: 6000, by: 100) { try rig.take(plan, start..<start + 100) }
            let sent = texts(plan, 0..<6000)
            let received = try await all.wait { $0.eventCount >= sent.count }
            #expect(lanes(received.objects) == lanes(sent))
            let wanted = sent.filter { text in
                text.hasPrefix(#"{"ev":"T","sym":"AAPL""#) || text.hasPrefix(#"{"ev":"Q""#)
                    || text.hasPrefix(#"{"ev":"AM","sym":"BRK.B""#)
            }
            let part = try await some.wait { $0.eventCount >= wanted.count }
            #expect(lanes(part.objects) == lanes(wanted))
        }
    }

    @Test func `keep odd spellings, unknown fields and every kind of number`() async throws {
        let odd = [
            #"{"ev":"T","sym":"AAPL","i":12,"x":4,"p":1.50e2,"s":100,"c":[ 12, 37 ],"t":1704205800000,"q":7,"new":{"a":[1]}}"#,
            #"{ "sym":"MSFT" , "ev":"Q","bp":1.10,"bs":1,"ap":1.2,"as":2,"t":1704205800001,"pt":1704205799999,"q":8 }"#,
        ]
        try await RelayRig.run { rig in
            let client = try await rig.client(subscribingTo: "T.*,Q.MSFT")
            try rig.take(["[\(odd.joined(separator: " , "))]", odd[0]])
            let received = try await client.wait { $0.events.count >= 2 }
            #expect(received.events.joined() == "[\(odd[0]),\(odd[0])][\(odd[1])]")
        }
    }

    @Test func `end with the subscription and go on with the next one`() async throws {
        try await RelayRig.run { rig in
            let client = try await rig.client()
            let plan = plan(["AAPL"], kinds: [.trade])
            try await client.subscribe("T.AAPL")
            try rig.take(plan, 0..<10)
            try await client.wait { $0.eventCount == 10 }
            try await client.send(#"{"action":"unsubscribe","params":"T.AAPL"}"#)
            try await client.wait { $0.statuses.contains("unsubscribed to: T.AAPL") }
            try rig.take(plan, 10..<20)
            try await client.subscribe("Q.AAPL,T.*")
            try rig.take(plan, 20..<30)
            let received = try await client.wait { $0.eventCount >= 20 }
            #expect(received.objects == texts(plan, 0..<10) + texts(plan, 20..<30))
        }
    }

    @Test func `cost nothing without a reader: no text is kept`() async throws {
        try await RelayRig.run { rig in
            #expect(rig.tap.wantedText.isEmpty)
            // Being connected and logged in is not enough.
            let client = try await rig.client()
            #expect(rig.tap.wantedText.isEmpty)
            let plan = plan(["AAPL"], kinds: [.trade])
            try rig.take(plan, 0..<10)
            #expect(rig.tap.queuedBytes == 0)
            try await client.subscribe("T.*")
            #expect(rig.tap.wantedText == .trade)
            try rig.take(plan, 10..<20)
            try await client.wait { $0.objects == texts(plan, 10..<20) }
            try await client.send(#"{"action":"unsubscribe","params":"T.*"}"#)
            try await Waiting.until("no text after the last channel", within: .seconds(60)) {
                rig.tap.wantedText.isEmpty
            }
            try await client.send(#"{"action":"subscribe","params":"T.*"}"#)
            try await Waiting.until("text again", within: .seconds(60)) { rig.tap.wantedText == .trade }
            try await client.close()
            try await Waiting.until("no text without a reader", within: .seconds(60)) { rig.tap.wantedText.isEmpty }
            try rig.take(plan, 20..<30)
            #expect(rig.tap.queuedBytes == 0)
        }
    }

    @Test
    func
        `that were read from the feed before their kind had a reader are not in its bytes, and come after a replay only`()
        async throws
    {
        try await RelayRig.run { rig in
            let plan = plan(["AAPL"], kinds: [.trade])
            let before = (0..<3).map { rig.batch(frames(plan, $0 * 10..<$0 * 10 + 10)) }
            try #require(before.allSatisfy { $0.sent == nil })
            let client = try await rig.client(subscribingTo: "T.*")
            #expect(rig.tap.offer(before[0]) != .refused)
            try rig.take(plan, 30..<40)
            let live = try await client.wait { $0.eventCount >= 10 }
            #expect(live.objects == texts(plan, 30..<40))
            for channel in ["T.AAPL", "T.*"] {
                let client = try await rig.client()
                try await client.send(#"{"action":"subscribe","params":"\#(channel)","from":0}"#)
                let count = try await client.wait { $0.replaysDone > 0 }.eventCount
                #expect(rig.tap.offer(before[channel == "T.*" ? 1 : 2]) != .refused)
                let joined = try await client.wait { $0.eventCount >= count + 10 }
                let numbers: Range<UInt64> = channel == "T.*" ? 10..<20 : 20..<30
                #expect(try joined.objects.suffix(10).map(fields) == texts(plan, numbers).map(fields))
            }
        }
    }

    @Test func `are what the buffer takes, each once and in its order, while symbols fail over`() async throws {
        let symbols = ["AAPL", "MSFT"].compactMap { Symbol($0) }
        let plan = LedgerPlan(kinds: [.trade], symbols: symbols, start: WallClock.milliseconds(), step: 1)
        let (members, proxy, serving) = try await twoWays(
            plan, count: 1_000_000, perSecond: 2000, interests: [[symbols[0]], [symbols[1]]])
        defer { serving.cancel() }
        try await RelayRig.run { rig in
            let client = try await rig.client(subscribingTo: "T.*")
            var setting = SetConfiguration()
            setting.failover.grace = .milliseconds(100)
            setting.failover.recovery = .milliseconds(500)
            let set = try ConnectionSet(
                configuration: setting, members: members, sink: rig.tap, logger: RelayRig.quiet)
            let collecting = Task { try await set.run() }
            func waitForMSFT(on connections: [String]) async throws {
                try await Waiting.until("MSFT on \(connections)", within: .seconds(60)) {
                    set.connections(of: symbols[1]) == connections
                }
                let count = client.snapshot.eventCount
                try await client.wait { $0.eventCount >= count + 1000 }
            }
            try await client.wait { $0.eventCount >= 1000 }
            for _ in 0..<2 {
                proxy.set(.refuse)
                try await waitForMSFT(on: ["connection_1"])
                proxy.set(.pass)
                try await waitForMSFT(on: ["connection_2"])
            }
            collecting.cancel()
            _ = await collecting.result
            let taken = try await buffered(.trades, of: plan, rig)
            let received = try await client.wait { $0.eventCount >= taken.count }
            #expect(Set(received.objects).count == taken.count, "each once")
            #expect(received.objects == taken, "the feed's own bytes, as the buffer took them")
        }
    }

    @Test func `come once while two connections bring each, and one of them is cut again and again`() async throws {
        let symbols = ["AAPL", "MSFT"].compactMap { Symbol($0) }
        let plan = LedgerPlan(kinds: [.trade, .quote], symbols: symbols, start: WallClock.milliseconds(), step: 1)
        let (members, proxy, serving) = try await twoWays(
            plan, count: 20_000, perSecond: 5000, interests: [symbols, symbols])
        defer { serving.cancel() }
        try await RelayRig.run { rig in
            let client = try await rig.client(subscribingTo: "T.*,Q.AAPL,Q.MSFT")
            var setting = SetConfiguration()
            setting.redundant = .all
            let set = try ConnectionSet(
                configuration: setting, members: members, sink: rig.tap, logger: RelayRig.quiet)
            let collecting = Task { try await set.run() }
            for count in [4000, 8000, 12_000] {
                try await client.wait(seconds: 60) { $0.eventCount >= count }
                proxy.set(.refuse)
                try await client.wait(seconds: 60) { $0.eventCount >= count + 500 }
                proxy.set(.pass)
            }
            let received = try await client.wait(seconds: 60) { $0.eventCount >= 20_000 }
            #expect(set.snapshot.duplicates > 0)
            let (came, sent) = (lanes(received.objects), lanes(texts(plan, 0..<20_000)))
            for (lane, objects) in sent {
                let there = came[lane] ?? []
                #expect(Set(there).count == there.count && Set(there) == Set(objects), "\(lane): each once")
            }
            // A connection that is back may be ahead of the other: what it missed comes after what it brings first.
            for (kind, stream) in [("T", EventStream.trades), ("Q", .quotes)] {
                let objects = received.objects.filter { $0.hasPrefix("{\"ev\":\"\(kind)\"") }
                let there = try await buffered(stream, of: plan, rig)
                #expect(objects == there, "\(kind): in the buffer's order")
            }
            collecting.cancel()
            _ = await collecting.result
        }
    }

    /// Two connections to a feed of numbered events, the second of which can be cut.
    private func twoWays(
        _ plan: LedgerPlan, count: Int, perSecond: Double, interests: [[Symbol]]
    ) async throws -> (members: [SetMember], proxy: TCPProxy, serving: Task<Void, any Error>) {
        var feed = SimulatorConfiguration(
            source: .ledger(LedgerFeed(plan: plan, count: count, eventsPerSecond: perSecond)))
        feed.pace = .speed(1)
        feed.startingClients = 2
        feed.server.closeTimeout = .milliseconds(500)
        let simulator = FeedSimulator(configuration: feed, logger: RelayRig.quiet)
        let port = try await simulator.bind()
        let proxy = try TCPProxy(to: port)
        let members = try [port, proxy.port].enumerated().map { number, port in
            var configuration = FeedConfiguration(
                name: "way-\(number)",
                endpoint: try FeedEndpoint(url: "ws://127.0.0.1:\(port)/stocks", allowsPlaintext: false),
                apiKey: Secret("a-key"), events: Set(plan.kinds))
            configuration.reconnect.firstDelay = .milliseconds(50)
            configuration.reconnect.cap = .milliseconds(100)
            return SetMember(
                id: "connection_\(number + 1)", configuration: configuration, interest: .symbols(interests[number]),
                priority: number + 1)
        }
        return (members, proxy, Task { try await simulator.run() })
    }

    /// The JSON of the events of a plan that the buffer has, in its order.
    private func buffered(_ stream: EventStream, of plan: LedgerPlan, _ rig: RelayRig) async throws -> [String] {
        try await rig.buffer.flush()
        let last = rig.buffer.statistics[stream].marks.last
        let rows = try await rig.buffer.read(stream, after: 0, through: last, limit: Int(last)).batch
        let numbers = rows.trades.map(\.event.sequence) + rows.quotes.map(\.event.sequence)
        return numbers.compactMap { $0.map { UInt64($0) } }.flatMap { texts(plan, $0..<$0 + 1) }
    }
}
