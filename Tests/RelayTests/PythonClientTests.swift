import Collector
import FeedServerSupport
import FeedSimulator
import Foundation
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

    @Test(arguments: ["AM.*,A.*,T.*,Q.*", "T.AAPL,Q.*"])
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

    @Test func `is told that its key is wrong`() async throws {
        try await RelayRig.run(configured { $0.keys = [Secret(Self.key)] }) { rig in
            let refused = try client(rig.port, "T.*", 1, key: "another-key-altogether")
            #expect(try await refused.exit(within: .seconds(60)) != 0)
            #expect(refused.output.joined().contains("AuthError"))
        }
    }
}
