import FeedServerSupport
import LedgerSupport
import MarketData
import Store
import TestSupport
import Testing

@testable import Relay

@Suite(.timeLimit(.minutes(2))) struct `What the relay missed itself` {
    private func gap(_ symbols: [String], _ kinds: [EventKind], _ from: Int64, _ to: Int64? = nil) -> Gap {
        Gap(
            connection: "primary", symbols: symbols.compactMap { Symbol($0) }, events: kinds, from: from, to: to,
            cause: .disconnected)
    }

    @Test func `is told to those who read it, when it begins and when it is over, between the events`() async throws {
        try await RelayRig.run { rig in
            let one = try await rig.client(subscribingTo: "T.AAPL,Q.MSFT")
            let all = try await rig.client(subscribingTo: "T.*")
            let other = try await rig.client(subscribingTo: "T.NVDA")
            let plan = plan(["AAPL"], kinds: [.trade])
            try rig.take(plan, 0..<10)
            let lost = gap(["AAPL", "MSFT"], [.trade, .quote], 1000)
            rig.tap.record(GapChange(gaps: [lost]))
            rig.tap.record(GapChange(ended: [lost], gaps: [gap(["AAPL", "MSFT"], [.trade, .quote], 1000, 2000)]))
            try rig.take(plan, 10..<20)
            let told = try await one.wait { $0.eventCount == 20 }
            #expect(
                told.messages("gap") == [
                    "from 1000, disconnected: Q.MSFT,T.AAPL", "from 1000 to 2000, disconnected: Q.MSFT,T.AAPL",
                ])
            let places = told.texts.indices.filter { told.texts[$0].contains("\"gap\"") }
            #expect(told.texts[places[0] - 1].contains("\"q\":") && told.texts[places[1] + 1].contains("\"q\":"))
            #expect(
                try await all.wait { $0.eventCount == 20 }.messages("gap") == [
                    "from 1000, disconnected: T.AAPL,T.MSFT", "from 1000 to 2000, disconnected: T.AAPL,T.MSFT",
                ])
            #expect(other.snapshot.messages("gap").isEmpty)
        }
    }

    @Test func `is told to one who comes while it goes on`() async throws {
        try await RelayRig.run { rig in
            let lost = gap([], [.trade], 1000)
            rig.tap.record(GapChange(gaps: [lost]))
            let client = try await rig.client(subscribingTo: "Q.*,T.AAPL")
            try await client.wait { $0.messages("gap") == ["from 1000, disconnected: T.AAPL"] }
            rig.tap.record(GapChange(ended: [lost], gaps: [gap([], [.trade], 1000, 2000)]))
            try await client.wait { $0.messages("gap").last == "from 1000 to 2000, disconnected: T.AAPL" }
            let late = try await rig.client(subscribingTo: "T.AAPL")
            let plan = plan(["AAPL"], kinds: [.trade])
            try rig.take(plan, 0..<10)
            let received = try await late.wait { $0.eventCount >= 10 }
            #expect(received.messages("gap").isEmpty)
        }
    }

    @Test func `is told before past events of that time`() async throws {
        try await RelayRig.run { rig in
            let plan = plan(["AAPL"], kinds: [.trade])
            try rig.take(plan, 0..<10)
            rig.buffer.record(gap(["AAPL"], [.trade], plan.event(3).time, plan.event(5).time))
            rig.buffer.record(gap(["AAPL"], [.trade], 1000, 2000))
            try await rig.buffer.flush()
            let client = try await rig.client()
            try await client.send(
                #"{"action":"subscribe","params":"T.AAPL","from":\#(plan.event(0).time)}"#)
            let received = try await client.wait { $0.replaysDone > 0 }
            let span = "from \(plan.event(3).time) to \(plan.event(5).time)"
            #expect(received.messages("gap") == ["\(span), disconnected: T.AAPL"])
        }
    }

    @Test func `is reported before past events although it is not in the file yet`() async throws {
        try await RelayRig.run { rig in
            let plan = plan(["AAPL"], kinds: [.trade])
            try rig.take(plan, 0..<10)
            let client = try await rig.client()
            var open: [Gap] = []
            // The file may have got one by chance.
            for round in 1...20 {
                let from = plan.event(3).time + Int64(round)
                let next = gap(["AAPL"], [.trade], from)
                rig.tap.record(GapChange(ended: open, gaps: [next]))
                open = [next]
                try await client.send(#"{"action":"subscribe","params":"T.AAPL","from":0,"to":\#(from)}"#)
                let received = try await client.wait { $0.replaysDone == round }
                #expect(received.messages("gap").last == "from \(from), disconnected: T.AAPL")
            }
        }
    }

    /// Bars are named by their starts, and a gap has their ends.
    @Test func `is told before past bars also where a gap begins within the window of the last one`() async throws {
        try await RelayRig.run { rig in
            let plan = plan(["AAPL"], kinds: [.minuteBar])
            try rig.take(plan, 0..<10)
            let last = plan.event(5).time
            rig.buffer.record(gap(["AAPL"], [.minuteBar, .secondBar, .trade], last + 59_000, last + 62_000))
            rig.buffer.record(gap(["AAPL"], [.minuteBar], last + 60_001, last + 62_000))
            try await rig.buffer.flush()
            let client = try await rig.client()
            try await client.send(
                #"{"action":"subscribe","params":"AM.AAPL,A.AAPL,T.AAPL","from":\#(plan.event(0).time),"to":\#(last)}"#)
            let received = try await client.wait { $0.replaysDone > 0 }
            #expect(received.messages("gap") == ["from \(last + 59_000) to \(last + 62_000), disconnected: AM.AAPL"])
        }
    }

    @Test func `is told before past events however many newer gaps there are`() async throws {
        try await RelayRig.run { rig in
            let plan = plan(["AAPL"], kinds: [.trade])
            try rig.take(plan, 0..<10)
            let (from, to) = (plan.event(3).time, plan.event(5).time)
            rig.buffer.record(gap(["AAPL"], [.trade], from, to))
            try await rig.buffer.flush()
            try await Blocking.run { try rig.addGaps(10_001, of: "MSFT", .trade, from: from, to: to) }
            let client = try await rig.client()
            try await client.send(
                #"{"action":"subscribe","params":"T.AAPL","from":\#(plan.event(0).time)}"#)
            let received = try await client.wait { $0.replaysDone > 0 }
            #expect(received.messages("gap") == ["from \(from) to \(to), disconnected: T.AAPL"])
        }
    }
}
