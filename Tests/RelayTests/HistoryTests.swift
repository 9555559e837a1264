import Backfill
import FeedServerSupport
import FeedSimulator
import Foundation
import MarketData
import Store
import Synchronization
import TestSupport
import Testing

@testable import Relay

@Suite(.blocking, .timeLimit(.minutes(2))) struct `Bars over the relay's REST side` {
    private struct Answer: Decodable {
        struct Bar: Decodable {
            var t: Int64
            var o: Double
        }

        struct Missing: Decodable {
            var from: Int64
            var to: Int64
            var why: String
        }

        var status: String
        var error: String?
        var resultsCount: Int?
        var results: [Bar]?
        var next_url: String?
        var missing: [Missing]?
    }

    private func ask(_ rig: RelayRig, _ path: String) async throws -> (status: Int, answer: Answer) {
        var tries = 0
        while true {
            // Waiting for it must not hold up the thread that answers.
            let curl = try ChildProcess(
                "/usr/bin/curl", ["-s", "-w", "\\n%{http_code}\\n", "http://127.0.0.1:\(rig.port)\(path)"])
            try await curl.exit(within: .seconds(60))
            let status = try #require(curl.output.last.flatMap { Int($0) })
            tries += 1
            // After a pause of the machine, reading has taken too long.
            if status == 503, tries < 5 { continue }
            return (status, try JSONDecoder().decode(Answer.self, from: Data(curl.output.dropLast().joined().utf8)))
        }
    }

    private let all = "/v2/aggs/ticker/AAPL/range/1/minute/0/4102444800000"

    @Test func `an empty buffer says that it holds none`() async throws {
        try await RelayRig.run { rig in
            let (status, answer) = try await ask(rig, all)
            #expect(status == 200 && answer.status == "OK" && answer.resultsCount == 0 && answer.results == nil)
            #expect(answer.missing?.map(\.why) == ["the buffer holds no bars"])
        }
    }

    @Test func `the newest version of each bar is there, with what is missing named`() async throws {
        let known = Set([Symbol("AAPL")].compactMap { $0 })
        try await RelayRig.run(configured { $0.kinds = [.minuteBar] }, collected: known) { rig in
            let start = (WallClock.milliseconds() / 60_000 - 30) * 60_000
            func bar(_ minute: Int64, open: Int) -> String {
                let time = start + minute * 60_000
                let prices = #""v":10,"o":\#(open),"c":2,"h":3,"l":1"#
                return #"[{"ev":"AM","sym":"AAPL",\#(prices),"s":\#(time),"e":\#(time + 60_000)}]"#
            }
            try rig.take((0..<10).map { bar($0, open: 1) })
            try rig.take([bar(4, open: 2)])
            rig.tap.record(
                Gap(
                    connection: "primary", symbols: [], events: [.minuteBar], from: start + 600_000,
                    to: start + 720_000, cause: .disconnected))
            rig.tap.record(
                Gap(
                    connection: "primary", symbols: [Symbol("MSFT")].compactMap { $0 }, events: [.minuteBar],
                    from: start, to: start + 1, cause: .stalled))
            let (_, answer) = try await ask(rig, all)
            #expect(answer.results?.map(\.t) == (0..<10).map { start + $0 * 60_000 })
            #expect(answer.results?.map(\.o) == [1, 1, 1, 1, 2, 1, 1, 1, 1, 1])
            #expect(answer.missing?.map(\.why) == ["the buffer holds bars from \(start)", "a gap: disconnected"])
            #expect(answer.missing?.last?.from == start + 600_000 && answer.missing?.last?.to == start + 720_000)

            let (_, part) = try await ask(
                rig, "/v2/aggs/ticker/AAPL/range/1/minute/\(start + 120_000)/\(start + 300_000)?sort=desc&limit=3")
            #expect(part.results?.map(\.t) == [5, 4, 3].map { start + $0 * 60_000 })
            #expect(part.missing == nil && part.next_url?.contains("cursor=\(start + 120_000)") == true)

            let other = try await ask(rig, all.replacing("AAPL", with: "NONE")).answer.missing?.first?.why
            #expect(other == "NONE is not collected")
            let seconds = try await ask(rig, all.replacing("minute", with: "second")).answer.missing?.first?.why
            #expect(seconds == "FEED_EVENTS does not include A, so these bars are not collected")
        }
    }

    @Test func `what the buffer lacks is named whoever else has it, from the minute in which it begins to lack`()
        async throws
    {
        try await RelayRig.run(configured { $0.kinds = [.minuteBar] }) { rig in
            let start = (WallClock.milliseconds() / 60_000 - 30) * 60_000
            try rig.take([
                #"[{"ev":"AM","sym":"AAPL","v":10,"o":1,"c":2,"h":3,"l":1,"s":\#(start),"e":\#(start + 60_000)}]"#
            ])
            let states: [(symbol: String, state: GapState, asked: [String])] = [
                ("COVERED", .covered, []), ("PARTIAL", .partial, []), ("ASKED", .partial, ["ASKED"]),
                ("OPEN", .open, []),
            ]
            for (symbol, _, _) in states {
                rig.tap.record(
                    Gap(
                        connection: "primary", symbols: [Symbol(symbol)].compactMap { $0 },
                        events: [.minuteBar, .trade],
                        from: start + 30_000, to: start + 80_000, cause: .stalled))
            }
            try await rig.buffer.flush()
            let records = try GapLog.read(directory: rig.workspace.path)
            try #require(records.count == states.count)
            for (record, (_, state, asked)) in zip(records, states) where state != .open {
                let symbols = asked.compactMap { Symbol($0) }.map { (symbol: $0, rows: 0) }
                try await rig.buffer.settle([GapFill(of: record, symbols: symbols, state: state)])
            }
            try Command.sqlite(
                rig.workspace.path + "/ticks.sqlite",
                """
                INSERT INTO drops (episode, stream, symbol, reason, from_ms, to_ms, count, at_us)
                VALUES (1, 'bars', 'DROPPED', 'new_rejected', \(start), \(start), 1, 1)
                """)
            for (symbol, why) in [
                ("COVERED", "a gap: stalled"), ("PARTIAL", "a gap: stalled"), ("ASKED", nil),
                ("OPEN", "a gap: stalled"),
                ("DROPPED", "dropped by the buffer"), ("NONE", nil),
            ] {
                let (_, answer) = try await ask(rig, "/v2/aggs/ticker/\(symbol)/range/1/minute/\(start)/\(start)")
                #expect(answer.missing?.map(\.why) == why.map { [$0] }, "\(symbol)")
                #expect(answer.missing?.first.map { $0.from == start && $0.to == start } != false, "\(symbol)")
            }
        }
    }

    @Test func `a gap is named however many newer ones there are, beyond a hundred as a part of the last`()
        async throws
    {
        try await RelayRig.run(configured { $0.kinds = [.minuteBar] }) { rig in
            let start = (WallClock.milliseconds() / 60_000 - 30) * 60_000
            try rig.take([
                #"[{"ev":"AM","sym":"AAPL","v":10,"o":1,"c":2,"h":3,"l":1,"s":\#(start),"e":\#(start + 60_000)}]"#
            ])
            let (from, to) = (start + 60_000, start + 120_000)
            rig.buffer.record(
                Gap(
                    connection: "primary", symbols: [Symbol("AAPL")].compactMap { $0 }, events: [.minuteBar],
                    from: from, to: to, cause: .stalled))
            try await rig.buffer.flush()
            try rig.addGaps(10_001, of: "MSFT", .minuteBar, from: from, to: to)
            let route = "/v2/aggs/ticker/AAPL/range/1/minute/\(start)/\(start + 600_000)"
            #expect(try await ask(rig, route).answer.missing?.map(\.why) == ["a gap: stalled"])

            try rig.addGaps(99, of: "AAPL", .minuteBar, from: start + 240_000, to: start + 300_000)
            try rig.addGaps(1, of: "AAPL", .minuteBar, from: start + 480_000, to: start + 540_000)
            let missing = try #require(try await ask(rig, route).answer.missing)
            #expect(missing.count == 100 && missing.first?.why == "a gap: stalled")
            #expect(missing.last?.from == start + 240_000 && missing.last?.to == start + 540_000)
        }
    }

    @Test func `the time before a symbol was collected without a break is missing, whatever bars there are from it`()
        async throws
    {
        let start = (WallClock.milliseconds() / 60_000 - 30) * 60_000
        let since = start + 330_000
        try await RelayRig.run(
            configured { $0.kinds = [.minuteBar] }, symbols: { _ in RelayRig.Fixed(since: since) }
        ) { rig in
            for time in [start, start + 420_000] {
                try rig.take([
                    #"[{"ev":"AM","sym":"AAPL","v":10,"o":1,"c":2,"h":3,"l":1,"s":\#(time),"e":\#(time + 60_000)}]"#
                ])
            }
            let route = "/v2/aggs/ticker/AAPL/range/1/minute"
            let (_, answer) = try await ask(rig, "\(route)/\(start)/\(start + 600_000)")
            #expect(answer.results?.map(\.t) == [start, start + 420_000])
            #expect(answer.missing?.map(\.why) == ["AAPL has been collected since \(since)"])
            #expect(answer.missing?.first?.from == start && answer.missing?.first?.to == since - 60_000)
            let (_, early) = try await ask(rig, "\(route)/\(start)/\(start + 60_000)")
            #expect(early.missing?.first?.from == start && early.missing?.first?.to == start + 60_000)
            // The bar of the minute in which it began comes.
            let (_, late) = try await ask(rig, "\(route)/\(start + 300_000)/\(start + 600_000)")
            #expect(late.results?.map(\.t) == [start + 420_000] && late.missing == nil)
        }
    }

    @Test func `a gap that is filled after the bars were read is still named`() async throws {
        let file = Mutex<String?>(nil)
        try await RelayRig.run(
            configured { $0.kinds = [.minuteBar] },
            symbols: { _ in
                RelayRig.Fixed(whenAsked: {
                    guard let path = file.withLock({ $0 }) else { return }
                    _ = try? Command.run([
                        "/usr/bin/sqlite3", "-cmd", ".timeout 30000", path, "UPDATE gaps SET state = 'filled'",
                    ])
                })
            }
        ) { rig in
            let start = (WallClock.milliseconds() / 60_000 - 30) * 60_000
            try rig.take([
                #"[{"ev":"AM","sym":"AAPL","v":10,"o":1,"c":2,"h":3,"l":1,"s":\#(start),"e":\#(start + 60_000)}]"#
            ])
            rig.tap.record(
                Gap(
                    connection: "primary", symbols: [], events: [.minuteBar], from: start + 60_000,
                    to: start + 120_000, cause: .disconnected))
            file.withLock { $0 = rig.workspace.file("ticks.sqlite") }
            let route = "/v2/aggs/ticker/AAPL/range/1/minute/\(start)/\(start + 60_000)"
            let (_, answer) = try await ask(rig, route)
            #expect(answer.results?.map(\.t) == [start])
            #expect(answer.missing?.map(\.why) == ["a gap: disconnected"])
            #expect(try await ask(rig, route).answer.missing == nil)
        }
    }

    @Test func `trades and quotes are refused, and a gap behind the relay has its bars and says what it lacks`()
        async throws
    {
        try await RelayRig.run(configured { $0.kinds = [.minuteBar] }) { rig in
            for kind in ["trades", "quotes"] {
                let (status, answer) = try await ask(rig, "/v3/\(kind)/AAPL?limit=1")
                #expect(status == 403 && answer.error == "a relay serves only bars, not trades or quotes")
            }
            // A Tuesday, 10:00 in New York.
            let start: Int64 = 1_704_207_600_000
            for time in [start, start + 60_000, start + 120_000] {
                try rig.take([
                    #"[{"ev":"AM","sym":"AAPL","v":10,"o":1,"c":2,"h":3,"l":1,"s":\#(time),"e":\#(time + 60_000)}]"#
                ])
            }
            let workspace = try Workspace()
            let buffer = try TickBuffer.scratch(in: workspace.path, collector: "behind")
            buffer.record(
                Gap(
                    connection: "primary", symbols: [Symbol("AAPL")].compactMap { $0 }, events: [.minuteBar, .trade],
                    from: start, to: start + 180_000, cause: .disconnected))
            try await buffer.flush()
            let record = try #require(try GapLog.read(directory: workspace.path, fills: .all).first)
            let client = try AggregatesClient(
                configuration: .init(url: "http://127.0.0.1:\(rig.port)", apiKey: Secret("any-key")),
                logger: RelayRig.quiet)
            var filler = GapFiller(client: client, buffer: buffer)
            let outcome: String
            do { outcome = try await filler.fill(record).rawValue } catch { outcome = "\(error)" }
            await client.shutdown()
            #expect(outcome == GapState.partial.rawValue)
            let filled = try #require(try GapLog.read(directory: workspace.path).first)
            #expect(filled.rows == 3 && filled.detail?.contains("refuses trades") == true, "\(filled)")
            await buffer.close()
        }
    }

    @Test func `HEAD gets no body, and other methods are refused, on one connection`() async throws {
        try await RelayRig.run { rig in
            let (path, port) = (all, rig.port)
            let heads = try await Blocking.run {
                let socket = try RawSocket(port: port)
                return try ["HEAD", "POST"].map { method in
                    socket.write("\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n\r\n")
                    return try socket.head()
                }
            }
            #expect(heads[0].first == "HTTP/1.1 200 OK")
            #expect(heads[1].first == "HTTP/1.1 405 Method Not Allowed")
            #expect(heads[1].contains { $0.lowercased() == "allow: get, head" })
        }
    }

    @Test func `a request that can't be met is refused in the provider's form`() async throws {
        try await RelayRig.run(configured { $0.keys = [Secret("the-key-of-this-test")] }) { rig in
            let (status, answer) = try await ask(rig, all)
            #expect(status == 401 && answer.status == "ERROR" && answer.error == "Unknown API Key")
            #expect(try await ask(rig, "/v3/trades/AAPL").status == 401)
            #expect(try await ask(rig, all + "?apiKey=the-key-of-this-test").status == 200)
            let day = try await ask(rig, all.replacing("minute", with: "day") + "?apiKey=the-key-of-this-test")
            #expect(day.status == 400 && day.answer.error?.contains("1 day") == true)
        }
    }
}
