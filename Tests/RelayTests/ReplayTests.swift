import FeedServerSupport
import FeedSimulator
import Foundation
import LedgerSupport
import MarketData
import Store
import TestSupport
import Testing

@testable import Relay

@Suite(.blocking, .timeLimit(.minutes(3))) struct `A replay out of the buffer` {
    @Test func `says field for field what the feed said, of all kinds, and goes on live`() async throws {
        try await RelayRig.run { rig in
            let plan = plan()
            try rig.take(plan, 0..<3000)
            let client = try await rig.client()
            try await client.send(#"{"action":"subscribe","params":"AM.*,A.*,T.*,Q.*,LULD.*,NOI.*,FMV.*","from":0}"#)
            let replayed = try await client.wait { $0.replaysDone > 0 }
            let (was, came) = (lanes(texts(plan, 0..<3000)), lanes(replayed.objects))
            #expect(Set(was.keys) == Set(came.keys))
            for (lane, objects) in was {
                #expect(try objects.map(fields) == (came[lane] ?? []).map(fields), "\(lane)")
            }
            #expect(replayed.messages("replay_complete") == ["7 channels: 3000 events replayed"])
            try rig.take(plan, 3000..<3100)
            let live = try await client.wait { $0.eventCount >= 3100 }
            #expect(lanes(Array(live.objects.suffix(100))) == lanes(texts(plan, 3000..<3100)))
        }
    }

    @Test(arguments: ["T.*", "T.MSFT"])
    func `joins a feed that runs flat out without a hole or a double`(channel: String) async throws {
        // Nobody is closed for being slow, or because the relay's thread is: the machine may be busy with other tests.
        let limits = configured {
            $0.clientBufferBytes = 512 << 20
            $0.allClientsBufferBytes = 512 << 20
            $0.queueBytes = 512 << 20
        }
        try await RelayRig.run(limits) { rig in
            let plan = plan(["AAPL", "MSFT"], kinds: [.trade])
            let feeding = Task {
                var next: UInt64 = 0
                while !Task.isCancelled {
                    if rig.buffer.statistics.queuedBytes > 8 << 20 {
                        await withCheckedContinuation { room in rig.tap.whenRoom { room.resume() } }
                    }
                    try rig.take(plan, next..<next + 500)
                    next += 500
                    await Task.yield()
                }
                return next
            }
            try await Waiting.until(within: .seconds(60)) { rig.buffer.statistics[.trades].marks.last > 20_000 }
            var clients: [TestClient] = []
            for _ in 0..<3 {
                let client = try await rig.client()
                try await client.send(#"{"action":"subscribe","params":"\#(channel)","from":"-2h"}"#)
                clients.append(client)
            }
            for client in clients {
                let joined = try await client.wait(seconds: 60) { $0.replaysDone > 0 }
                // Some live events too.
                let count = joined.eventCount
                try await client.wait(seconds: 60) { $0.eventCount >= count + 3000 }
            }
            feeding.cancel()
            let fed = try await feeding.value
            let wanted = texts(plan, 0..<fed).filter { channel == "T.*" || $0.contains("MSFT") }
            for client in clients {
                let received = try await client.wait(seconds: 60) { $0.eventCount >= wanted.count }
                #expect(received.messages("replay_gap").isEmpty && received.messages("slow_consumer").isEmpty)
                let numbers = received.objects.map(number)
                #expect(lanes(received.objects).values.allSatisfy { $0.map(number) == $0.map(number).sorted() })
                #expect(numbers.sorted() == wanted.map(number).sorted())
            }
        }
    }

    @Test func `begins where it is asked to, and says from when there is data`() async throws {
        try await RelayRig.run { rig in
            let plan = plan(["AAPL"], kinds: [.trade])
            try rig.take(plan, 0..<1000)
            let client = try await rig.client()
            let from = plan.event(700).time
            try await client.send(
                #"{"action":"subscribe","params":"T.AAPL","from":\#(from),"to":\#(plan.event(899).time)}"#)
            let part = try await client.wait { $0.replaysDone > 0 }
            #expect(try part.objects.map(fields) == texts(plan, 700..<900).map(fields))
            #expect(part.messages("replay_from").isEmpty)
            // It ended there: nothing is live.
            try rig.take(plan, 1000..<1100)
            try await client.send(#"{"action":"subscribe","params":"T.AAPL","from":0}"#)
            let whole = try await client.wait { $0.replaysDone == 2 }
            #expect(whole.objects.count == 200 + 1100)
            #expect(whole.messages("replay_from") == ["the buffer holds trades from \(plan.event(0).time)"])
        }
    }

    @Test func `begins with the first event asked for, although the clock was behind when it came`() async throws {
        try await RelayRig.run { rig in
            let begin = WallClock.milliseconds() - 3_600_000
            for minute in 0..<30 as Range<Int64> {
                var batch = EventBatch(
                    connection: "primary", receivedMicroseconds: (begin + (minute - 10) * 60_000) * 1000)
                batch.trades = [Trade(symbol: Symbol("AAPL")!, time: begin + minute * 60_000, price: 1, size: 1)]
                #expect(rig.tap.offer(batch) == .accepted)
            }
            try await rig.buffer.flush()
            let client = try await rig.client()
            try await client.send(
                #"{"action":"subscribe","params":"T.AAPL","from":\#(begin + 15 * 60_000)}"#)
            let replayed = try await client.wait { $0.replaysDone > 0 }
            #expect(replayed.messages("replay_complete") == ["T.AAPL: 15 events replayed"])
        }
    }

    @Test func `says from when a symbol has been collected that joined after the replay's beginning`() async throws {
        let since = WallClock.milliseconds() - 1000
        let cases: [(Int64, [String])] = [(since, ["collected from \(since): Q.AAPL,T.AAPL,T.MSFT"]), (Int64.min, [])]
        for (collected, expected) in cases {
            try await RelayRig.run(symbols: { _ in RelayRig.Fixed(since: collected) }) { rig in
                try rig.take(plan(["AAPL"], kinds: [.trade, .quote]), 0..<10)
                let client = try await rig.client()
                try await client.send(#"{"action":"subscribe","params":"T.MSFT,T.AAPL,Q.AAPL","from":"-2h"}"#)
                let received = try await client.wait { $0.replaysDone > 0 }
                #expect(received.messages("replay_from").filter { $0.hasPrefix("collected") } == expected)
                // A replay that begins then is told nothing.
                try await client.send(#"{"action":"unsubscribe","params":"T.MSFT"}"#)
                try await client.send(#"{"action":"subscribe","params":"T.MSFT","from":\#(since)}"#)
                let again = try await client.wait { $0.replaysDone == 2 }
                #expect(again.messages("replay_from").filter { $0.hasPrefix("collected") } == expected)
            }
        }
    }

    @Test func `says that a symbol is not collected yet while the feed has not answered for it`() async throws {
        let msft = try #require(Symbol("MSFT"))
        try await RelayRig.run(symbols: { _ in RelayRig.Fixed(unanswered: [msft]) }) { rig in
            try rig.take(plan(["AAPL"], kinds: [.trade]), 0..<10)
            let client = try await rig.client()
            try await client.send(#"{"action":"subscribe","params":"T.MSFT,T.AAPL","from":"-2h"}"#)
            let received = try await client.wait { $0.replaysDone > 0 }
            #expect(received.messages("replay_from").contains("not collected yet: T.MSFT"))
        }
    }

    @Test func `of an empty buffer says that it holds nothing, and goes live`() async throws {
        try await RelayRig.run { rig in
            let client = try await rig.client()
            try await client.send(#"{"action":"subscribe","params":"Q.AAPL","from":"-15m"}"#)
            let received = try await client.wait { $0.replaysDone > 0 }
            #expect(received.messages("replay_from") == ["the buffer holds no quotes"])
            let plan = plan(["AAPL"], kinds: [.quote])
            try rig.take(plan, 0..<5)
            try await client.wait { $0.objects == texts(plan, 0..<5) }
        }
    }

    @Test(arguments: [
        (#""from":"yesterday""#, "'from' must be a Unix time in milliseconds or a relative time such as -15m"),
        (#""from":true"#, "'from' must be a Unix time in milliseconds or a relative time such as -15m"),
        (#""from":0,"to":"soon""#, "'to' must be a Unix time in milliseconds or a relative time such as -5m"),
        (#""to":5"#, "'to' requires 'from'"),
        (#""from":9223372036854775807"#, "'from' must be a Unix time in milliseconds or a relative time such as -15m"),
        (#""from":"-1m","to":"-2m""#, "'to' is before 'from'"),
    ])
    func `with a time that is none is refused`(span: String, answer: String) async throws {
        try await RelayRig.run { rig in
            let client = try await rig.client()
            try await client.send(#"{"action":"subscribe","params":"T.AAPL",\#(span)}"#)
            try await client.wait { $0.statuses.last == answer }
        }
    }

    @Test(arguments: ["253402300799999", #""-100000000d""#])
    func `may begin at any time that there is`(from: String) async throws {
        try await RelayRig.run { rig in
            let plan = plan(["AAPL"], kinds: [.trade])
            try rig.take(plan, 0..<10)
            let client = try await rig.client()
            try await client.send(#"{"action":"subscribe","params":"T.AAPL","from":\#(from)}"#)
            let replayed = try await client.wait { $0.replaysDone > 0 }
            #expect(replayed.eventCount == (from.hasPrefix("2") ? 0 : 10))
            try rig.take(plan, 10..<20)
            try await client.wait { $0.objects.suffix(10) == texts(plan, 10..<20) }
        }
    }

    @Test func `of what is subscribed to already is refused, since events would come twice`() async throws {
        try await RelayRig.run { rig in
            let client = try await rig.client(subscribingTo: "T.AAPL")
            try await client.send(#"{"action":"subscribe","params":"T.*","from":0}"#)
            try await client.wait {
                $0.statuses.last == "T.* can't be replayed while T.AAPL is subscribed to: unsubscribe first"
            }
        }
    }

    @Test func `says how many rows are gone from the middle of the buffer`() async throws {
        try await RelayRig.run { rig in
            let plan = plan(["AAPL"], kinds: [.trade])
            try rig.take(plan, 0..<100)
            try await rig.buffer.flush()
            try Command.sqlite(rig.workspace.file("ticks.sqlite"), "DELETE FROM trades WHERE seq BETWEEN 41 AND 50")
            let client = try await rig.client()
            try await client.send(#"{"action":"subscribe","params":"T.AAPL","from":0}"#)
            let received = try await client.wait { $0.replaysDone > 0 }
            #expect(received.objects.map(number) == Array(0..<40) + Array(50..<100))
            #expect(received.messages("replay_gap") == ["10 trades are no longer in the buffer"])
        }
    }

    private func number(_ object: String) -> Int {
        guard let start = object.range(of: "\"q\":") else { return -1 }
        return Int(object[start.upperBound...].prefix { $0.isNumber }) ?? -1
    }
}
