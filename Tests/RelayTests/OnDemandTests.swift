import Collector
import Feed
import FeedServerSupport
import FeedSimulator
import Foundation
import LedgerSupport
import Logging
import MarketData
import Store
import Synchronization
import TestSupport
import Testing
import Universe

@testable import Relay

@Suite(.timeLimit(.minutes(2))) struct `Symbols on demand` {
    /// A feed of trades and quotes, a connection that collects MSFT, and the owner of what else it collects.
    private final class Market: Sendable {
        private let simulator: FeedSimulator
        private let url: String
        private let serving: Task<Void, any Error>
        private let workspace: Workspace
        private let opened = Mutex<(owner: Symbols, set: ConnectionSet)?>(nil)

        init(_ faults: [Fault] = []) async throws {
            let plan = LedgerPlan(
                kinds: [.trade, .quote], symbols: ["AAPL", "MSFT", "IBM"].compactMap { Symbol($0) },
                start: WallClock.milliseconds(), step: 1)
            var feed = SimulatorConfiguration(
                source: .ledger(LedgerFeed(plan: plan, count: 1_000_000, eventsPerSecond: 500)))
            feed.pace = .speed(1)
            feed.faults = faults
            let simulator = FeedSimulator(configuration: feed, logger: RelayRig.quiet)
            self.simulator = simulator
            url = "ws://127.0.0.1:\(try await simulator.bind())/stocks"
            serving = Task { try await simulator.run() }
            workspace = try Workspace()
        }

        deinit { serving.cancel() }

        var owner: Symbols? { opened.withLock { $0?.owner } }

        func symbols(before tap: RelayTap, maximum: Int, patience: Duration) throws -> Symbols {
            var plan = SymbolPlan()
            try plan.add(
                SymbolWish(
                    connection: "connection_1", name: "primary", universeKey: nil, list: "MSFT", fallback: .refusal),
                [:])
            let url = url
            var rules = Symbols.Rules(
                maximum: 1, strategy: .manual, maximumOnDemand: maximum
            ) { name throws(FeedError) in
                FeedConfiguration(
                    name: name, endpoint: try FeedEndpoint(url: url, allowsPlaintext: false), apiKey: Secret("a-key"),
                    events: [.trade, .quote])
            }
            rules.demandPatience = patience
            let set = try ConnectionSet(
                configuration: SetConfiguration(),
                members: [
                    SetMember(
                        id: "connection_1", configuration: try rules.configuration("primary"),
                        interest: plan.inForce[0].interest)
                ], sink: tap, logger: RelayRig.quiet)
            let owner = Symbols(
                plan: plan,
                cache: RelationshipCache(
                    mirror: try UniverseMirror.open(directory: workspace.path, access: .readWrite),
                    environment: "DEFAULT"),
                connections: set, rules: rules, logger: RelayRig.quiet)
            opened.withLock { $0 = (owner, set) }
            return owner
        }

        func collecting(_ body: () async throws -> Void) async throws {
            let set = try #require(opened.withLock { $0?.set })
            let running = Task { try await set.run() }
            defer { running.cancel() }
            try await body()
            running.cancel()
            _ = await running.result
        }
    }

    private static func configuration(_ maximum: Int) -> RelayConfiguration {
        configured {
            $0.kinds = [.trade, .quote]
            $0.maximumOnDemand = maximum
        }
    }

    private func isCollected(_ symbol: String, _ market: Market) -> Bool {
        Symbol(symbol).flatMap { market.owner?.placement(of: $0) } != nil
    }

    @Test func `are collected for the first reader, within the cap, and given up after the last one`() async throws {
        let market = try await Market()
        try await RelayRig.run(
            Self.configuration(1), symbols: { try market.symbols(before: $0, maximum: 1, patience: .seconds(2)) }
        ) { rig in
            try await market.collecting {
                let first = try await rig.client(subscribingTo: "T.MSFT,T.AAPL")
                try await first.wait { $0.objects.contains { $0.hasPrefix(#"{"ev":"T","sym":"AAPL""#) } }
                // Another kind of the same symbol is collected as well, and counts once.
                let second = try await rig.client(subscribingTo: "Q.AAPL")
                try await second.wait { $0.eventCount > 0 }
                try await second.send(#"{"action":"subscribe","params":"T.IBM,AM.IBM"}"#)
                try await second.wait { $0.messages("error").count >= 2 }
                let refusals = second.snapshot.messages("error")
                #expect(refusals.contains { $0.hasPrefix("T.IBM is not collected: 1 symbol is collected on demand") })
                #expect(refusals.contains("AM.IBM is not collected: FEED_EVENTS does not include AM"))
                try await Waiting.until { rig.service.state.onDemand.symbols.map(\.description) == ["AAPL"] }
                #expect(rig.service.state.channelsRefused == 2)

                // One reader is enough.
                try await first.close()
                let count = second.snapshot.eventCount
                try await second.wait { $0.eventCount > count + 100 }
                // A reader that comes back in time finds its symbol collected all along.
                let third = try await rig.client()
                let other = try await rig.client(subscribingTo: "T.MSFT")
                let left = ContinuousClock.now
                try await second.close()
                // For more than one look at who reads what.
                try await other.wait { $0.eventCount > 0 && ContinuousClock.now - left > .seconds(1) }
                let isStillCollected = isCollected("AAPL", market)
                // Unless the machine stood still: then it was given up in time.
                #expect(isStillCollected || ContinuousClock.now - left > .seconds(2))
                try await third.subscribe("Q.AAPL")
                let asked = ContinuousClock.now
                // Longer than the symbol is kept without a reader.
                try await third.wait { $0.eventCount > 100 && ContinuousClock.now - asked > .seconds(4) }
                #expect(isCollected("AAPL", market))
                try await third.send(#"{"action":"unsubscribe","params":"Q.AAPL"}"#)
                try await Waiting.until("the end of AAPL") { !self.isCollected("AAPL", market) }
                #expect(isCollected("MSFT", market))
                // Its place is free for another.
                try await third.subscribe("T.IBM")
                try await third.wait { $0.objects.contains { $0.hasPrefix(#"{"ev":"T","sym":"IBM""#) } }
            }
        }
    }

    @Test func `are collected since they were last taken up, those of the settings since the start`() async throws {
        let market = try await Market()
        try await RelayRig.run(
            Self.configuration(1), symbols: { try market.symbols(before: $0, maximum: 1, patience: .seconds(1)) }
        ) { rig in
            try await market.collecting {
                let owner = try #require(market.owner)
                let (demanded, listed) = (try #require(Symbol("AAPL")), try #require(Symbol("MSFT")))
                #expect(owner.collectedSince(.trade, of: listed) == Int64.min)
                #expect(owner.collectedSince(.trade, of: demanded) == nil)
                let begun = WallClock.milliseconds()
                let client = try await rig.client(subscribingTo: "T.AAPL")
                try await Waiting.until("AAPL") { owner.collectedSince(.trade, of: demanded) != nil }
                let first = try #require(owner.collectedSince(.trade, of: demanded))
                #expect(first >= begun)
                try await client.send(#"{"action":"unsubscribe","params":"T.AAPL"}"#)
                try await Waiting.until("the end of AAPL") { owner.collectedSince(.trade, of: demanded) == nil }
                try await client.send(#"{"action":"subscribe","params":"T.AAPL"}"#)
                try await Waiting.until("AAPL again") { owner.collectedSince(.trade, of: demanded) ?? 0 > first }
                #expect(owner.collectedSince(.trade, of: listed) == Int64.min)
            }
        }
    }

    @Test func `that the account's plan does not cover are refused, with the reason`() async throws {
        let market = try await Market([.refuseSymbol(try #require(Symbol("AAPL")))])
        try await RelayRig.run(
            Self.configuration(5), symbols: { try market.symbols(before: $0, maximum: 5, patience: .seconds(60)) }
        ) { rig in
            try await market.collecting {
                let reason = "T.AAPL is not collected: the account's plan does not cover it"
                let client = try await rig.client()
                // The feed has not said so yet.
                try await client.subscribe("T.AAPL,T.MSFT")
                try await client.wait { $0.messages("error") == [reason] }
                #expect(rig.service.state.onDemand.refused.contains(try #require(FeedChannel("T.AAPL"))))
                let other = try await rig.client()
                try await other.send(#"{"action":"subscribe","params":"T.AAPL"}"#)
                try await other.wait { $0.messages("error") == [reason] }
            }
        }
    }

    @Test func `do without demand: readers get one notice of the symbols that end, and one when a symbol is back`()
        async throws
    {
        @Sendable func lapses(_ received: TestClient.Received) -> [String] {
            received.messages("gap").filter { $0.contains("unsubscribed") }
        }
        let market = try await Market()
        try await RelayRig.run(
            Self.configuration(5), symbols: { try market.symbols(before: $0, maximum: 5, patience: .seconds(60)) }
        ) { rig in
            try await market.collecting {
                let client = try await rig.client(subscribingTo: "T.MSFT,T.AAPL,T.IBM")
                try await client.wait { received in
                    ["AAPL", "MSFT", "IBM"].allSatisfy { name in
                        received.objects.contains { $0.hasPrefix(#"{"ev":"T","sym":"\#(name)""#) }
                    }
                }
                let owner = try #require(market.owner)
                let (listed, demanded) = (try #require(Symbol("MSFT")), try #require(Symbol("AAPL")))
                let begun = WallClock.milliseconds()
                _ = try owner.unsubscribe([listed, demanded], from: nil)
                let told = lapses(try await client.wait { !lapses($0).isEmpty })
                let lapse = try #require(told.first?.wholeMatch(of: /from (\d+), unsubscribed: T.AAPL,T.MSFT/))
                let from = try #require(Int64(lapse.1))
                #expect(from <= begun && told.count == 1)
                _ = try owner.subscribe([listed], to: nil)
                let again = lapses(try await client.wait { lapses($0).count == 2 })
                let over = try #require(again.last?.wholeMatch(of: /from (\d+) to (\d+), unsubscribed: T.MSFT/))
                #expect(Int64(over.1) == from && Int64(over.2).map { $0 >= begun } == true)
            }
        }
    }

    @Test func `that somebody gives up over the API end, and their readers are told`() async throws {
        let market = try await Market()
        try await RelayRig.run(
            Self.configuration(5), symbols: { try market.symbols(before: $0, maximum: 5, patience: .seconds(60)) }
        ) { rig in
            try await market.collecting {
                let client = try await rig.client(subscribingTo: "T.AAPL")
                try await Waiting.until { !rig.service.state.onDemand.symbols.isEmpty }
                let symbol = try #require(Symbol("AAPL"))
                _ = try #require(market.owner).unsubscribe([symbol], from: nil)
                try await client.wait {
                    $0.messages("error") == ["T.AAPL is no longer collected: the symbol was unsubscribed"]
                }
            }
        }
    }
}
