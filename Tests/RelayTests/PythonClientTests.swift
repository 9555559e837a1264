import Collector
import FeedServerSupport
import FeedSimulator
import Foundation
import LedgerSupport
import Logging
import MarketData
import TestSupport
import Testing

@testable import Relay

@Suite(
    .timeLimit(.minutes(3)),
    .enabled(
        if: PythonClient.interpreter != nil, "no python3 with the package massive; name one in EDGETICK_TEST_PYTHON"))
struct `The official Python client on the relay` {
    /// Prints every field of so many events, then ends.
    private static let script = """
        import os, sys
        from massive import WebSocketClient
        seen = 0
        def show(messages):
            global seen
            for message in messages:
                print(sorted(vars(message).items()))
                seen += 1
            if seen >= int(sys.argv[3]):
                sys.stdout.flush()
                os._exit(0)
        WebSocketClient(
            api_key=sys.argv[4], feed=sys.argv[1], secure=False, subscriptions=sys.argv[2].split(",")).run(show)
        """

    /// Prints every field of a symbol's bars.
    private static let bars = """
        import sys
        from massive import RESTClient
        client = RESTClient(api_key=sys.argv[2], base=sys.argv[1], retries=0)
        print(type(client).__name__)
        for span in ("minute", "second"):
            for bar in client.list_aggs(
                    sys.argv[3], 1, span, sys.argv[4], sys.argv[5], adjusted=False, sort=sys.argv[6],
                    limit=int(sys.argv[7])):
                print(span, sorted(vars(bar).items()))
        """

    /// Follows the orders that come as lines of a pipe, and prints what it receives.
    private static let obedient = """
        import asyncio, sys
        from massive import WebSocketClient
        client = WebSocketClient(api_key=sys.argv[2], feed=sys.argv[1], secure=False, subscriptions=["T.AAPL"])
        async def show(messages):
            for message in messages:
                print(message.event_type, message.symbol, message.sequence_number, flush=True)
        async def obey():
            loop = asyncio.get_running_loop()
            orders = await loop.run_in_executor(None, open, sys.argv[3])
            while line := await loop.run_in_executor(None, orders.readline):
                action, channel = line.split()
                getattr(client, action)(channel)
        async def main():
            await asyncio.gather(client.connect(show), obey())
        asyncio.run(main())
        """

    private static let key = "the-key-of-this-test"

    private func client(_ port: Int, _ channels: String, _ count: Int, key: String = key) throws -> ChildProcess {
        try ChildProcess(
            try #require(PythonClient.interpreter),
            ["-c", Self.script, "127.0.0.1:\(port)", channels, "\(count)", key])
    }

    private func lanes(_ lines: [String]) -> [String: [String]] {
        Dictionary(grouping: lines) { line in
            line.split(separator: "(").filter { $0.hasPrefix("'event_type'") || $0.hasPrefix("'symbol'") }.joined()
        }
    }

    @Test(arguments: ["AM.*,A.*,T.*,Q.*,LULD.*,NOI.*,FMV.*", "T.AAPL,Q.*"])
    func `gets, field by field, what the feed itself gives it`(channels: String) async throws {
        let plan = plan(["AAPL", "BRK.B"])
        let count = 2000
        var feed = SimulatorConfiguration(source: .ledger(LedgerFeed(plan: plan, count: count)))
        feed.settleTime = .milliseconds(300)
        let simulator = FeedSimulator(configuration: feed, logger: RelayRig.quiet)
        let wanted = texts(plan, 0..<UInt64(count)).filter { text in
            channels.hasPrefix("AM") || text.hasPrefix(#"{"ev":"Q""#) || text.hasPrefix(#"{"ev":"T","sym":"AAPL""#)
        }
        let direct = try client(try await simulator.bind(), channels, wanted.count)
        let serving = Task { try await simulator.run() }
        #expect(try await direct.exit(within: .seconds(60)) == 0)
        serving.cancel()
        try await RelayRig.run(configured { $0.keys = [Secret(Self.key)] }) { rig in
            let relayed = try client(rig.port, channels, wanted.count)
            let number = channels.split(separator: ",").count
            try await Waiting.until("the subscription") { rig.service.state.readers.first?.channels == number }
            try rig.take(plan, 0..<UInt64(count))
            #expect(try await relayed.exit(within: .seconds(60)) == 0)
            #expect(relayed.output.count == wanted.count)
            #expect(lanes(relayed.output) == lanes(direct.output))
        }
    }

    private func bars(
        _ port: Int, key: String = key, _ symbol: String = "BRK.B", _ from: String = "0",
        _ to: String = "4102444800000", sort: String = "asc", limit: Int = 50_000
    ) async throws -> [String] {
        let client = try ChildProcess(
            try #require(PythonClient.interpreter),
            ["-c", Self.bars, "http://127.0.0.1:\(port)", key, symbol, from, to, sort, "\(limit)"])
        try await client.exit(within: .seconds(60))
        return client.output
    }

    @Test func `gets the same bars from the relay as from the feed's REST side, in pages and both ways`() async throws {
        let plan = plan(["AAPL", "BRK.B"], kinds: [.minuteBar, .secondBar, .trade])
        var feed = SimulatorConfiguration(source: .ledger(LedgerFeed(plan: plan, count: 300)))
        feed.servesAggregates = true
        let simulator = FeedSimulator(configuration: feed, logger: RelayRig.quiet)
        let port = try await simulator.bind()
        let serving = Task { try await simulator.run() }
        defer { serving.cancel() }
        let reader = try await TestClient.connect(port: port, subscribingTo: "AM.*,A.*")
        try await reader.wait { $0.eventCount >= 200 }
        try await RelayRig.run(configured { $0.keys = [Secret(Self.key)] }) { rig in
            try rig.take(plan, 0..<300)
            for (sort, limit) in [("asc", 50_000), ("desc", 50_000), ("asc", 7), ("desc", 7)] {
                let own = try await bars(rig.port, sort: sort, limit: limit)
                #expect(own.count > 40)
                #expect(try await bars(port, sort: sort, limit: limit) == own, "\(sort) \(limit)")
            }
            let newYork = try #require(TimeZone(identifier: "America/New_York"))
            let day = Date(timeIntervalSince1970: Double(plan.event(0).time) / 1000).formatted(
                Date.ISO8601FormatStyle(timeZone: newYork).year().month().day().dateSeparator(.dash))
            #expect(try await bars(rig.port, "AAPL", day, "2099-12-31").count > 1)
            #expect(try await bars(rig.port, "NONE") == ["RESTClient"])
            let refused = try await bars(rig.port, key: "another-key-altogether")
            #expect(refused.joined().contains("Unknown API Key"))
            #expect(rig.service.state.loginsRefused == 1)
            #expect(rig.service.state.barRequests > 10)
        }
    }

    @Test func `follows a wildcard, an unsubscription, and connects again to what it had`() async throws {
        let plan = plan(["AAPL", "MSFT"], kinds: [.trade])
        try await RelayRig.run(configured { $0.keys = [Secret(Self.key)] }) { rig in
            let proxy = try TCPProxy(to: rig.port)
            let orders = rig.workspace.file("orders")
            try #require(mkfifo(orders, 0o600) == 0)
            // Opened for reading too, it doesn't wait for a reader.
            let pipe = try #require(FileHandle(forUpdatingAtPath: orders))
            func order(_ what: String) throws { try pipe.write(contentsOf: Data("\(what)\n".utf8)) }
            let client = try ChildProcess(
                try #require(PythonClient.interpreter),
                ["-c", Self.obedient, "127.0.0.1:\(proxy.port)", Self.key, orders])
            func channels(_ names: [String]) async throws {
                try await Waiting.until("\(names)", within: .seconds(60)) {
                    rig.service.state.readers.count == 1 && rig.service.state.readers[0].sample == names
                }
            }
            func take(_ numbers: Range<UInt64>, _ symbol: String? = nil) async throws {
                let before = client.output.count
                try rig.take(plan, numbers)
                let wanted = numbers.map { plan.event($0) }.filter { symbol == nil || $0.symbol.description == symbol }
                try await Waiting.until("\(numbers)", within: .seconds(60)) {
                    client.output.count >= before + wanted.count
                }
                let got = client.output.dropFirst(before)
                #expect(got.allSatisfy { $0.hasPrefix("T ") } && got.count == wanted.count)
                if let symbol { #expect(got.allSatisfy { $0.contains(" \(symbol) ") }) }
            }
            try await channels(["T.AAPL"])
            try await take(0..<20, "AAPL")
            try order("subscribe T.*")
            try await channels(["T.*"])
            try await take(20..<40)
            try order("unsubscribe T.*")
            try await channels([])
            try order("subscribe T.MSFT")
            try await channels(["T.MSFT"])
            try await take(40..<60, "MSFT")
            // It connects again by itself, and asks for what it had.
            let connections = rig.service.state.connections
            proxy.set(.refuse)
            try await Waiting.until("the cut", within: .seconds(60)) { rig.service.state.readers.isEmpty }
            proxy.set(.pass)
            try await Waiting.until("the new connection", within: .seconds(60)) {
                rig.service.state.connections > connections
            }
            try await channels(["T.MSFT"])
            try await take(60..<80, "MSFT")
            #expect(rig.service.state.readers.first?.agent?.contains("websockets") == true)
            client.send(SIGKILL)
            try await client.exit()
        }
    }

    @Test func `is told that its key is wrong`() async throws {
        try await RelayRig.run(configured { $0.keys = [Secret(Self.key)] }) { rig in
            let refused = try client(rig.port, "T.*", 1, key: "another-key-altogether")
            #expect(try await refused.exit(within: .seconds(60)) != 0)
            #expect(refused.output.joined().contains("AuthError"))
        }
    }
}
