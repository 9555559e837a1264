import Feed
import Logging
import MarketData
import Testing

@testable import Collector

/// Symbols that are collected while readers of the relay ask for them.
@Suite(.timeLimit(.minutes(2))) struct SymbolDemandTests {
    private let a = symbols("A")[0]
    private let b = symbols("B")[0]

    private func channel(_ symbol: Symbol) -> FeedChannel { FeedChannel(kind: .minuteBar, symbol: symbol) }

    @Test func `a symbol is given up a minute after it was read last, not before`() {
        let start = ContinuousClock.now
        var demand = SymbolDemand(patience: .seconds(60))
        demand.ask(for: a, now: start)
        #expect(demand.look(now: start + .seconds(59)) { _ in false } == [])
        #expect(demand.look(now: start + .seconds(300)) { _ in true } == [])
        #expect(demand.look(now: start + .seconds(359)) { _ in false } == [])
        #expect(demand.symbols == [a])
        #expect(demand.look(now: start + .seconds(360)) { _ in false } == [a])
        #expect(demand.count == 0 && !demand.contains(a))
    }

    @Test func `asking again within the minute counts as reading`() {
        let start = ContinuousClock.now
        var demand = SymbolDemand(patience: .seconds(60))
        demand.ask(for: a, now: start)
        demand.ask(for: a, now: start + .seconds(50))
        #expect(demand.look(now: start + .seconds(100)) { _ in false } == [])
    }

    @Test func `nothing is collected on demand unless the settings say so`() async throws {
        let (owner, _, connections) = try await SymbolsRig([wish("one", nil, list: "Z")]).open()
        #expect(owner.admit(channel(a))?.contains("RELAY_ON_DEMAND=true") == true)
        #expect(owner.admit(channel(symbols("Z")[0])) == nil)
        #expect(connections.wanting(a) == nil)
    }

    @Test func `symbols are wanted within the cap, shown with their origin, and end with their readers`() async throws {
        let rig = try SymbolsRig([wish("one", nil, list: "Z")])
        let (owner, _, connections) = try await rig.open(maximumOnDemand: 1, demandPatience: .zero)
        #expect(owner.admit(channel(a)) == nil && owner.admit(channel(a)) == nil)
        #expect(owner.admit(channel(b))?.contains("as many as RELAY_ON_DEMAND_MAX allows") == true)
        #expect(connections.symbols(of: "connection_one") == symbols("Z", "A"))
        #expect(owner.placement(of: a)?.reasons == [.single(origin: .relay, connection: nil)])
        #expect(owner.reviewDemand { $0 == a } == DemandReview(symbols: [a]))
        #expect(owner.reviewDemand { _ in false } == DemandReview())
        #expect(connections.symbols(of: "connection_one") == symbols("Z") && owner.placement(of: a) == nil)
        #expect(owner.admit(channel(b)) == nil)
    }

    @Test func `many symbols are wanted in one step, as far as the cap goes`() async throws {
        let rig = try SymbolsRig([wish("one", nil, list: "Z")])
        let (owner, _, connections) = try await rig.open(maximumOnDemand: 2000, demandPatience: .zero)
        let many = (0..<3000).map { "S\($0)" }.compactMap { Symbol($0) }
        let channels = many.flatMap { [channel($0), FeedChannel(kind: .trade, symbol: $0)] }
        let refused = owner.admit(channels)
        let taken = many.filter { connections.wanting($0) != nil }
        #expect(taken.count == 2000 && refused.count == 2000)
        #expect(Set(refused.keys.map(\.symbol)).isDisjoint(with: taken))
        #expect(refused.values.allSatisfy { $0.contains("as many as RELAY_ON_DEMAND_MAX allows") })
    }

    @Test func `what the settings name meanwhile stays without readers, and the readers' stays without the settings`()
        async throws
    {
        let rig = try SymbolsRig([wish("one", nil, list: "Z")])
        let (owner, service, connections) = try await rig.open(maximumOnDemand: 9, demandPatience: .zero)
        func settings(_ list: String) async throws {
            owner.adopt([wish("one", nil, list: list)])
            await owner.follow(because: "test")
        }
        #expect(owner.admit(channel(a)) == nil)
        try await settings("Z,A")
        #expect(owner.reviewDemand { _ in false } == DemandReview())
        #expect(connections.symbols(of: "connection_one") == symbols("Z", "A"))
        try await settings("Z")
        #expect(connections.wanting(a) == nil, "nobody asks for it any more")

        #expect(owner.admit(channel(b)) == nil)
        try await settings("Z,B")
        try await settings("Z")
        #expect(connections.symbols(of: "connection_one") == symbols("Z", "B"))
        #expect(owner.reviewDemand { $0 == b } == DemandReview(symbols: [b]))
        // A symbol that was on demand before can be configured later.
        #expect(owner.reviewDemand { _ in false } == DemandReview())
        try await settings("Z,B")
        #expect(connections.symbols(of: "connection_one") == symbols("Z", "B"))
        _ = service
    }

    @Test func `a subscription over the API outlives the readers, and giving up over the API ends the demand`()
        async throws
    {
        let rig = try SymbolsRig([wish("one", nil, list: "Z")])
        let (owner, _, connections) = try await rig.open(maximumOnDemand: 9, demandPatience: .zero)
        #expect(owner.admit(channel(a)) == nil && owner.admit(channel(b)) == nil)
        #expect(try owner.subscribe([a], to: nil).unchanged == [a])
        #expect(owner.reviewDemand { $0 == b } == DemandReview(symbols: [b]))
        #expect(connections.symbols(of: "connection_one") == symbols("Z", "A", "B"))
        _ = try owner.unsubscribe([a, b], from: nil)
        #expect(owner.reviewDemand { _ in true } == DemandReview())
        #expect(connections.symbols(of: "connection_one") == symbols("Z"))
    }

    @Test func `no symbol is wanted that no connection has room for`() async throws {
        let rig = try SymbolsRig([wish("one", nil, list: "Z")])
        let (owner, _, connections) = try await rig.open(maximumOnDemand: 9, capacity: 2)
        #expect(owner.admit(channel(a)) == nil)
        #expect(owner.admit(channel(b)) == "no connection has room for B")
        #expect(connections.wanting(b) == nil)
    }
}

extension Symbols {
    /// Why a channel that a reader asks for can't be had; `nil` if it can.
    fileprivate func admit(_ channel: FeedChannel) -> String? { admit([channel])[channel] }
}
