import LedgerSupport
import MarketData
import TestSupport
import Testing

@testable import FeedSimulator

@Suite(.timeLimit(.minutes(1)))
struct `The official Python client` {
    private static let script = """
        import sys
        from massive import WebSocketClient
        def show(messages):
            for m in messages:
                if m.event_type in ("AM", "A"):
                    print(m.event_type, m.symbol, m.start_timestamp, m.open, m.close, m.volume, sep="|")
                elif m.event_type == "T":
                    print("T", m.symbol, m.timestamp, m.price, m.id, sep="|")
                else:
                    print("Q", m.symbol, m.timestamp, m.bid_price, m.ask_price, sep="|")
        WebSocketClient(api_key="k", feed=sys.argv[1], secure=False, subscriptions=sys.argv[2].split(",")).run(show)
        """

    @Test(
        .enabled(
            if: PythonClient.interpreter != nil, "no python3 with the package massive; name one in EDGETICK_TEST_PYTHON"
        ),
        arguments: [([String](), "AM.*,A.*,T.*,Q.*"), (["drop-every=150"], "T.AAPL,Q.*")])
    func `receives every event, unchanged`(faults: [String], channels: String) async throws {
        let count = 2000
        let plan = LedgerPlan(kinds: usualKinds, symbols: ["AAPL", "BRK.B"].compactMap { Symbol($0) })
        var setting = try configuration(.ledger(LedgerFeed(plan: plan, count: count)), faults)
        setting.exitsWhenDone = true
        let simulator = FeedSimulator(configuration: setting, logger: quiet)
        let port = try await simulator.bind()
        async let running: Void = simulator.run()
        let result = try await program(
            try #require(PythonClient.interpreter), ["-c", Self.script, "127.0.0.1:\(port)", channels])
        try await running
        #expect(result.status == 0)
        let wanted = Set(channels.split(separator: ",").map(String.init))
        let expected = (0..<UInt64(count)).map { plan.event($0) }.filter { event in
            wanted.contains("\(event.kind.rawValue).*") || wanted.contains("\(event.kind.rawValue).\(event.symbol)")
        }
        let lines = result.output.split(separator: "\n").map(String.init)
        #expect(
            lines.map { $0.split(separator: "|").prefix(3).joined(separator: "|") }
                == expected.map { "\($0.kind.rawValue)|\($0.symbol)|\($0.time)" })
        #expect(faults.isEmpty || simulator.statistics.faults["drop-every"] == 1)
    }
}
