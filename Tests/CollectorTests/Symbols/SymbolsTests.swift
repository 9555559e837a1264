import Feed
import Logging
import MarketData
import TestSupport
import Testing
import Universe

@testable import Collector

/// What each connection should collect, with a real mirror and a real set of connections.
@Suite(.timeLimit(.minutes(2))) struct SymbolsTests {
    @Test func `a connection added over the API follows its universe key`() async throws {
        let rig = try SymbolsRig([wish("one", nil, list: "Z")])
        try rig.add("a", "A")
        let (owner, service, connections) = try await rig.open()
        try await service.running {
            try await owner.add("connection_2", ConnectionRequest(name: "two", universeKey: "a"))
            #expect(connections.symbols(of: "connection_2") == symbols("A"))
            try rig.add("a", "A", "B")
            try await Waiting.until {
                connections.symbols(of: "connection_2") == symbols("A", "B")
            }
            #expect(owner.assignments.map(\.wish.origin) == [.settings, .api])
        }
    }

    @Test func `after SIGHUP with another environment a key of the API resolves in the new one`() async throws {
        let rig = try SymbolsRig([wish("one", nil, list: "Z")])
        try rig.add("a", "A")
        try rig.add("a", "P", environment: "PROD")
        try rig.add("b", "Q", environment: "PROD")
        let (owner, service, connections) = try await rig.open()
        try await service.running {
            try await owner.add("connection_2", ConnectionRequest(name: "two", universeKey: "a"))
            rig.change { $0.environment = "PROD" }
            service.rereadNow()
            try await Waiting.until { connections.symbols(of: "connection_2") == symbols("P") }
            try await owner.add("connection_3", ConnectionRequest(name: "three", universeKey: "b"))
            #expect(connections.symbols(of: "connection_3") == symbols("Q"))
        }
    }

    @Test func `a removed connection's universe is followed no more`() async throws {
        let rig = try SymbolsRig([wish("one", "a"), wish("two", "b")])
        try rig.add("a", "A")
        try rig.add("b", "B")
        let (owner, service, connections) = try await rig.open()
        try await service.running {
            _ = try owner.remove("connection_two")
            try rig.add("b", "B", "X")
            try rig.add("a", "A", "Y")
            try await Waiting.until { owner.interest("one") == .symbols(symbols("A", "Y")) }
            #expect(!rig.log.contains { $0.contains("connection=two added=") }, "\(rig.log)")
            #expect(connections.wanting(symbols("X")[0]) == nil)
            #expect(owner.assignments.map(\.wish.name) == ["one"])
        }
    }

    @Test func `a connection that comes while the groups change gets what they say now`() async throws {
        let rig = try SymbolsRig([wish("one", nil, list: "Z")])
        try rig.add("a", "A")
        let (owner, _, connections) = try await rig.open()
        _ = try await owner.cache.resolution(of: "a")
        try rig.add("a", "B")
        owner.cache.invalidate(.all)
        async let added: Void = owner.add("connection_2", ConnectionRequest(universeKey: "a"))
        await owner.follow(because: "test")
        try await added
        await owner.follow(because: "test")
        #expect(connections.symbols(of: "connection_2") == symbols("B"))
    }

    @Test func `an unresolved key of the API is refused, or shown as unresolved with its list in force`() async throws {
        let rig = try SymbolsRig([wish("one", nil, list: "Z")])
        try rig.add("tech", "A")
        let (owner, _, connections) = try await rig.open()
        let refused = await #expect(throws: CollectorProblem.self) {
            try await owner.add("connection_2", ConnectionRequest(universeKey: "tehc"))
        }
        #expect(refused?.kind == .notFound && refused?.nearest == ["tech"])
        #expect(connections.snapshot.members.count == 1 && owner.assignments.count == 1)
        let empty = await #expect(throws: CollectorProblem.self) {
            try await owner.add("connection_2", ConnectionRequest(universeKey: " : "))
        }
        #expect(empty?.kind == .invalid)
        try await owner.add("connection_2", ConnectionRequest(universeKey: "tehc", symbols: symbols("X")))
        #expect(owner.assignments[1].source == .list && owner.assignments[1].problem?.contains("tehc") == true)
    }

    @Test func `a symbol's connection is told with why it is collected`() async throws {
        let rig = try SymbolsRig([wish("one", "a"), wish("two", nil, list: "C,D")])
        try rig.add("a", "A", "B")
        let (owner, _, _) = try await rig.open()
        let found = try #require(owner.placement(of: symbols("A")[0]))
        #expect(found.places.map(\.connection) == ["connection_one"] && found.places[0].isConfirmed == false)
        #expect(found.reasons == [.assignment(owner.assignments[0])])
        #expect(owner.placement(of: symbols("NONE")[0]) == nil)
        #expect(owner.symbols(near: symbols("AA")[0]).first == "A")

        _ = try owner.subscribe(symbols("X", "A"), to: "connection_two")
        let single = try #require(owner.placement(of: symbols("X")[0]))
        #expect(single.reasons == [.single(origin: .api, connection: "connection_two")])
        _ = try owner.unsubscribe(symbols("X", "B"), from: nil)
        #expect(owner.placement(of: symbols("X")[0]) == nil && owner.placement(of: symbols("B")[0]) == nil)

        _ = try owner.remove("connection_two")
        #expect(owner.placement(of: symbols("C")[0])?.reasons == [.left(by: "two", origin: .settings)])
    }

    @Test func `a symbol that the settings name stays when a subscription by hand on another connection ends`()
        async throws
    {
        let rig = try SymbolsRig([wish("one", "a"), wish("two", nil, list: "C")])
        try rig.add("a", "A", "B")
        let (owner, _, connections) = try await rig.open()
        let a = symbols("A")[0]
        _ = try owner.subscribe([a], to: "connection_two")
        #expect(
            owner.placement(of: a)?.reasons == [
                .assignment(owner.assignments[0]), .single(origin: .api, connection: "connection_two"),
            ])
        let change = try owner.unsubscribe([a], from: "connection_two")
        #expect(change.changed == ["connection_two": [a]])
        #expect(connections.wanting(a) == ["connection_one"])
        owner.adopt([wish("one", "a"), wish("two", nil, list: "C,D")])
        await owner.follow(because: "test")
        #expect(connections.wanting(a) == ["connection_one"])
        #expect(owner.placement(of: a)?.reasons == [.assignment(owner.assignments[0])])
    }

    @Test func `a connection that is new in the settings is named until it is used or they no longer name it`()
        async throws
    {
        let rig = try SymbolsRig([wish("one", nil, list: "A")])
        let (owner, _, _) = try await rig.open()
        owner.adopt([wish("one", nil, list: "A"), wish("two", nil, list: "B")])
        #expect(owner.unusedConnections == ["two"])
        owner.adopt([wish("one", nil, list: "A")])
        #expect(owner.unusedConnections.isEmpty)
        owner.adopt([wish("one", nil, list: "A"), wish("two", nil, list: "B")])
        try await owner.add("connection_two", ConnectionRequest(name: "two", symbols: symbols("B")))
        #expect(owner.unusedConnections.isEmpty)
    }

    @Test func `a symbol that was asked for wherever the strategy puts it stays when another connection gives it up`()
        async throws
    {
        let rig = try SymbolsRig([wish("one", nil, list: "A"), wish("two", nil, list: "B")])
        let (owner, _, connections) = try await rig.open()
        let (x, y) = (symbols("X")[0], symbols("Y")[0])
        _ = try owner.subscribe([x], to: nil)
        let other = try #require(
            ["connection_one", "connection_two"].first { !connections.connections(of: x).contains($0) })
        #expect(try owner.unsubscribe([x], from: other).unchanged == [x])
        #expect(owner.placement(of: x)?.reasons == [.single(origin: .api, connection: nil)])
        _ = try owner.unsubscribe([x], from: nil)
        #expect(owner.placement(of: x) == nil)

        for connection in ["connection_one", "connection_two"] { _ = try owner.subscribe([y], to: connection) }
        _ = try owner.unsubscribe([y], from: "connection_two")
        #expect(connections.wanting(y) == ["connection_one"])
        #expect(owner.placement(of: y)?.reasons == [.single(origin: .api, connection: "connection_one")])
    }

    @Test func `a subscription that has room for only some symbols names the others, in the result and in the log`()
        async throws
    {
        let rig = try SymbolsRig([wish("one", nil, list: "Z")])
        let (owner, _, connections) = try await rig.open(capacity: 2)
        let change = try owner.subscribe(symbols("A", "B", "Z"), to: nil)
        #expect(change.changed == ["connection_one": symbols("A")] && change.unchanged == symbols("Z"))
        #expect(change.withoutRoom == symbols("B") && connections.wanting(symbols("B")[0]) == nil)
        #expect(
            rig.log.contains { $0.hasPrefix("warning no connection has room") && $0.hasSuffix("symbols=B") },
            "\(rig.log)")
    }

    @Test func `a cache that is told to forget has the connections follow what the file says`() async throws {
        let rig = try SymbolsRig([wish("one", "a")])
        try rig.add("a", "A")
        let (owner, service, _) = try await rig.open()
        try await service.running {
            let misses = owner.cache.statistics.misses
            service.invalidate(.key(.universe, "a"))
            try await Waiting.until { owner.cache.statistics.misses > misses }
            #expect(owner.interest("one") == .symbols(symbols("A")))
        }
    }
}
