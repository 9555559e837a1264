import FeedSimulator
import Foundation
import LedgerSupport
import MarketData
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import Feed

/// Real sockets against the simulated feed.
@Suite(.timeLimit(.minutes(3))) struct ConnectionSetTests {
    /// - Parameter after: in how many seconds the events happen, by their own times. If two connections are confirmed
    ///   by then, each covers what the other misses from its first event on.
    private func ledger(
        _ symbols: [Symbol], _ count: Int, perSecond: Double = 10_000, after: Double = 0
    ) -> LedgerFeed {
        // Events happen when they are sent, as on a real feed.
        let plan = LedgerPlan(
            kinds: [.trade], symbols: symbols, start: Int64((Date().timeIntervalSince1970 + after) * 1000),
            step: Int64(Double(symbols.count) * 1000 / perSecond))
        return LedgerFeed(plan: plan, count: count, eventsPerFrame: 20, eventsPerSecond: perSecond)
    }

    @Test(arguments: [100, 1000])
    func `three connections stand at once and every event is there once`(perConnection: Int) async throws {
        let all = symbols(3 * perConnection)
        let count = 30_000
        try await SetRig.simulate(.ledger(ledger(all, count)), startingClients: 3) { simulator, rig in
            let members = try (0..<3).map {
                try rig.member($0 + 1, Array(all[($0 * perConnection)..<(($0 + 1) * perConnection)]))
            }
            try await rig.run(SetRig.patient, members) { set in
                try await Waiting.until("all confirmed") { set.snapshot.confirmed == all.count }
                #expect(set.snapshot.connected == 3)
                #expect(set.connections(of: all[perConnection + 1]) == ["connection_2"])
                #expect(set.connections(of: all[0]) == ["connection_1"])
                #expect(set.connections(of: Symbol("NONE")!) == [])
                #expect(set.symbols(of: "connection_3") == Array(all[(2 * perConnection)...]))
                try await Waiting.until("all events") { rig.sink.events >= count }
                let state = rig.sink.now
                #expect(state.faults(of: count) == (0, 0))
                #expect(Set(state.connections.keys) == ["primary", "secondary", "tertiary"])
                #expect(set.snapshot.duplicates == 0 && set.snapshot.unplaced.isEmpty && set.snapshot.moving == 0)
            }
            #expect(rig.sink.gaps.isEmpty)
        }
    }

    @Test func `a connection that cannot connect holds nobody up, and its symbols go to the others`() async throws {
        let all = symbols(30)
        try await SetRig.simulate(.ledger(ledger(all, 20_000)), startingClients: 2) { simulator, rig in
            let members = try [
                rig.member(1, Array(all[..<10])), rig.member(2, Array(all[10..<20])),
                // Nothing listens there.
                rig.member(3, Array(all[20...]), port: 1),
            ]
            var configuration = SetConfiguration()
            configuration.failover.grace = .seconds(2)
            configuration.failover.recovery = .seconds(1)
            try await rig.run(configuration, members) { set in
                try await Waiting.until("two up") { set.snapshot.connected == 2 }
                // All at once: one of the two may fail over too, and come back, if it took long to connect.
                try await Waiting.until("the third's symbols on the others") {
                    let snapshot = set.snapshot
                    let assigned = snapshot.members.map(\.feed.assigned.count)
                    let failed = snapshot.members.map(\.isFailedOver)
                    let isElsewhere = all[20...].allSatisfy {
                        set.connections(of: $0).first.map { $0 != "connection_3" } ?? false
                    }
                    return isElsewhere && failed == [false, false, true] && snapshot.connected == 2
                        && snapshot.moving == 0 && assigned[0] + assigned[1] == 30 && assigned[2] == 0
                }
            }
        }
    }

    @Test func `one of three is cut: the others miss nothing, its symbols move over and come back`() async throws {
        let all = symbols(30)
        try await SetRig.simulate(
            .ledger(ledger(all, 2_000_000, perSecond: 3000)), pace: .speed(1), startingClients: 3
        ) { simulator, rig in
            let proxy = try TCPProxy(to: rig.port)
            let members = try (0..<3).map {
                try rig.member($0 + 1, Array(all[($0 * 10)..<($0 * 10 + 10)]), port: $0 == 1 ? proxy.port : nil)
            }
            var configuration = SetConfiguration()
            configuration.strategy = .roundRobin
            configuration.failover.grace = .seconds(2)
            configuration.failover.recovery = .seconds(1)
            configuration.overlap = .milliseconds(200)
            try await rig.run(configuration, members) { set in
                try await Waiting.until("all at home") {
                    let snapshot = set.snapshot
                    return snapshot.confirmed == 30 && snapshot.moving == 0
                        && !snapshot.members.contains { $0.isFailedOver }
                }
                try await Waiting.until("events") { rig.sink.events > 1000 }
                let homes = Dictionary(uniqueKeysWithValues: all.map { ($0, set.connections(of: $0)) })
                let cut = all.filter { homes[$0] == ["connection_2"] }
                let others = all.filter { homes[$0] != ["connection_2"] }
                #expect(cut.count == 10)
                proxy.set(.refuse)
                try await Waiting.until("the cut is seen") { set.snapshot.connected == 2 }
                try await Waiting.until("its symbols on the survivors") {
                    let snapshot = set.snapshot
                    return cut.allSatisfy { !set.connections(of: $0).contains("connection_2") }
                        && snapshot.members[0].feed.confirmed.count + snapshot.members[2].feed.confirmed.count == 30
                }
                let seen = rig.sink.events
                try await Waiting.until("more events") { rig.sink.events > seen + 1000 }
                proxy.set(.pass)
                try await Waiting.until("back on their own connection") {
                    all.allSatisfy { set.connections(of: $0) == homes[$0] } && set.snapshot.moving == 0
                }
                let after = rig.sink.events
                try await Waiting.until("more events") { rig.sink.events > after + 2000 }
                let state = rig.sink.now
                #expect(state.trades.values.allSatisfy { $0 == 1 })
                #expect(others.allSatisfy { Self.isWhole(state, $0, of: all.count) })
                // Each of the cut connection's symbols has a hole, and a gap for it.
                #expect(!cut.contains { Self.isWhole(state, $0, of: all.count) })
                let gaps = rig.sink.gaps
                let known = gaps.filter { $0.cause == .disconnected }.flatMap(\.symbols)
                #expect(Set(known) == Set(cut), "\(gaps)")
                #expect(rig.sink.gaps.allSatisfy { Set($0.symbols).isSubset(of: cut) })
            }
        }
    }

    @Test func `symbols that move under flat-out load lose and double nothing`() async throws {
        let all = symbols(60)
        let count = 400_000
        try await SetRig.simulate(.ledger(ledger(all, count)), startingClients: 3) { simulator, rig in
            // Nearly everything is on the first connection; the others have one symbol each to begin with.
            let members = try [
                rig.member(1, Array(all[..<58])), rig.member(2, [all[58]]), rig.member(3, [all[59]]),
            ]
            var configuration = SetRig.patient
            configuration.overlap = .milliseconds(100)
            try await rig.run(configuration, members) { set in
                try await Waiting.until("all confirmed") { set.snapshot.confirmed == all.count }
                try await Waiting.until("some events") { rig.sink.events > 50_000 }
                let moves = set.rebalance()
                // The one symbol of a connection that lags counts for little, and may move as well.
                let others = moves.count { $0.from != "connection_1" }
                #expect(moves.count > 20 && others <= 2)
                try await Waiting.until("moved", within: .seconds(60)) { set.snapshot.moving == 0 }
                for move in moves { #expect(set.connections(of: move.symbol) == [move.to]) }
                try await Waiting.until("all events", within: .seconds(120)) { rig.sink.events >= count }
                let state = rig.sink.now
                #expect(state.faults(of: count) == (0, 0))
                // In the feed's order, too, except for moved symbols: the two connections' events may overlap.
                let moved = Set(moves.map(\.symbol))
                #expect(all.allSatisfy { moved.contains($0) || Self.isWhole(state, $0, of: all.count) })
            }
            #expect(rig.sink.gaps.isEmpty)
        }
    }

    @Test func `load that turns out uneven is evened out by itself, and nothing is lost or doubled`() async throws {
        let all = symbols(30)
        let count = 50_000
        let source = SimulatorConfiguration.Source.ledger(ledger(all, count))
        try await SetRig.simulate(source, pace: .speed(1), startingClients: 2) { simulator, rig in
            var configuration = SetRig.patient
            configuration.strategy = .loadBalanced
            configuration.overlap = .milliseconds(100)
            configuration.healthInterval = .milliseconds(300)
            // The first symbol is expected to bring as much as all others together, but brings no more than any.
            configuration.firstGuess = Dictionary(uniqueKeysWithValues: all.map { ($0, $0 == all[0] ? 29 : 1) })
            let members = try [rig.member(1, Array(all[..<15])), rig.member(2, Array(all[15...]))]
            // Looked at in a set that doesn't run, since the other may begin to even out at any time.
            let resting = try ConnectionSet(
                configuration: configuration, members: members, sink: rig.sink, logger: SetRig.quiet)
            #expect(resting.snapshot.members.map(\.feed.assigned.count).sorted() == [1, 29])
            try await rig.run(configuration, members) { set in
                @Sendable func shares() -> [Int] { set.snapshot.members.map(\.feed.assigned.count).sorted() }
                try await Waiting.until("evened out") { set.snapshot.moving == 0 && shares()[0] >= 10 }
                try await Waiting.until("all events", within: .seconds(60)) { rig.sink.events >= count }
                #expect(rig.sink.now.faults(of: count) == (0, 0))
            }
            #expect(rig.sink.gaps.isEmpty)
        }
    }

    @Test func `redundant symbols come once, also when one of their connections breaks`() async throws {
        let all = symbols(20)
        let count = 60_000
        try await SetRig.simulate(
            .ledger(ledger(all, count, after: 60)), pace: .speed(1),
            startingClients: 2
        ) { simulator, rig in
            let proxy = try TCPProxy(to: rig.port)
            let members = try [rig.member(1, all), rig.member(2, all, port: proxy.port)]
            var configuration = SetConfiguration()
            configuration.redundant = .all
            configuration.failover.grace = .milliseconds(200)
            configuration.failover.recovery = .milliseconds(200)
            try await rig.run(configuration, members) { set in
                try await Self.untilBothBring(all.count, set, more: 1000)
                #expect(set.connections(of: all[0]) == ["connection_1", "connection_2"])
                proxy.set(.refuse)
                try await Waiting.until("one down") { set.snapshot.connected == 1 }
                proxy.set(.pass)
                try await Waiting.until("both again") { set.snapshot.connected == 2 }
                try await Waiting.until("all events") { rig.sink.events >= count }
                let state = rig.sink.now
                #expect(state.faults(of: count) == (0, 0))
                #expect(set.snapshot.duplicates > 0)
            }
            #expect(rig.sink.gaps.isEmpty, "nothing was missed, so there is no gap")
        }
    }

    @Test func `a connection that lags by more than is remembered is opened again, and nothing is doubled`()
        async throws
    {
        let all = symbols(20)
        // So slow that neither connection falls this far behind by itself while the machine is busy.
        try await SetRig.simulate(
            .ledger(ledger(all, 2_000_000, perSecond: 500, after: 60)), pace: .speed(1),
            startingClients: 2
        ) { simulator, rig in
            let proxy = try TCPProxy(to: rig.port)
            let members = try [rig.member(1, all), rig.member(2, all, port: proxy.port)]
            var configuration = SetRig.patient
            configuration.redundant = .all
            configuration.memoryLimit = 1000
            try await rig.run(configuration, members) { set in
                try await Self.untilBothBring(all.count, set, more: 200)
                // Nothing is forgotten while both keep up. After the machine stood still, one may lag for a while.
                let mark = Mutex((duplicates: Int64(0), forgotten: Int64(-1)))
                try await Waiting.until("events of both, none of them forgotten") {
                    let (duplicates, forgotten) = (set.snapshot.duplicates, set.snapshot.forgotten)
                    return mark.withLock { mark in
                        if mark.forgotten != forgotten { mark = (duplicates, forgotten) }
                        return duplicates > mark.duplicates + 200
                    }
                }
                let before = set.snapshot
                proxy.set(.holdAnswers)
                try await Waiting.until("too many") { set.snapshot.forgotten > before.forgotten + 200 }
                proxy.set(.pass)
                try await Waiting.until("another connection") {
                    set.snapshot.members[1].feed.reconnects > before.members[1].feed.reconnects
                }
                #expect(set.snapshot.members[1].feed.lastError?.reason == .fellBehind)
                let duplicates = set.snapshot.duplicates
                try await Waiting.until("both again") { set.snapshot.duplicates > duplicates + 200 }
                let count = rig.sink.events
                try await Waiting.until("the first events, each of them") {
                    rig.sink.now.faults(of: count).missing == 0
                }
                #expect(rig.sink.now.faults(of: count).doubled == 0)
            }
            #expect(rig.sink.gaps.isEmpty, "the other connection brought everything")
        }
    }

    @Test func `a connection's only symbol is not handed around because the feed refuses it`() async throws {
        let all = symbols(11)
        try await SetRig.simulate(
            .ledger(ledger(all, 2_000_000, perSecond: 1000)), pace: .speed(1), faults: [.refuseSymbol(all[10])]
        ) { simulator, rig in
            let members = try [rig.member(1, Array(all[..<10])), rig.member(2, [])]
            var configuration = SetConfiguration()
            configuration.failover.grace = .seconds(1)
            configuration.failover.recovery = .seconds(1)
            try await rig.run(configuration, members) { set in
                try await Waiting.until("both up") {
                    set.snapshot.connected == 2 && !set.snapshot.members.contains { $0.isFailedOver }
                }
                try set.subscribe([all[10]], to: "connection_2")
                try await Waiting.until("refused") { set.snapshot.members[1].feed.status == .error }
                let seen = rig.sink.events
                try await Waiting.until("events of two seconds") { rig.sink.events > seen + 2000 }
                #expect(set.connections(of: all[10]) == ["connection_2"])
                #expect(set.snapshot.members[0].feed.errors == 0, "nobody asked for it there")
            }
        }
    }

    @Test func `symbols and connections come and go while events flow`() async throws {
        let all = symbols(12)
        try await SetRig.simulate(
            .ledger(ledger(all, 2_000_000, perSecond: 2000)), pace: .speed(1)
        ) { simulator, rig in
            try await rig.run(SetRig.patient, [try rig.member(1, Array(all[..<4]))]) { set in
                try await Waiting.until("up") { set.snapshot.confirmed == 4 }
                #expect(try set.subscribe([all[4], all[0]]) == ["connection_1": [all[4]]])
                try set.add(try rig.member(2, Array(all[5..<8])))
                #expect(throws: FeedError.self) { try set.add(try rig.member(2, [])) }
                try await Waiting.until("two up") { set.snapshot.confirmed == 8 }
                #expect(try set.subscribe([all[8]], to: "connection_2") == ["connection_2": [all[8]]])
                #expect(throws: FeedError.self) { try set.subscribe([all[8]], to: "connection_9") }
                try await Waiting.until("nine") { set.snapshot.confirmed == 9 }
                try await Waiting.until("their events") { all[..<9].allSatisfy { rig.sink.now.order[$0] != nil } }
                #expect(try set.unsubscribe([all[0], all[11]]) == ["connection_1": [all[0]]])
                try await Waiting.until("eight") { set.snapshot.confirmed == 8 }
                // The second one's symbols go to the first one before it ends.
                #expect(try set.remove("connection_2") == [])
                try await Waiting.until("one left") { set.snapshot.members.count == 1 && set.snapshot.confirmed == 8 }
                #expect(set.connections(of: all[8]) == ["connection_1"])
                let seen = rig.sink.events
                try await Waiting.until("more events") { rig.sink.events > seen + 1000 }
                try await Self.untilWhole(Array(all[5..<8]), of: all.count, in: rig.sink)
                #expect(rig.sink.now.trades.values.allSatisfy { $0 == 1 })
                try set.setInterests([.init(.symbols([all[10]]), of: "connection_1")])
                try await Waiting.until("the new one") { set.connections(of: all[10]) == ["connection_1"] }
            }
        }
    }

    @Test func `what a removed connection brought stays in the totals, and its id is free at once`() async throws {
        let all = symbols(8)
        try await SetRig.simulate(
            .ledger(ledger(all, 2_000_000, perSecond: 2000)), pace: .speed(1)
        ) { simulator, rig in
            var configuration = SetRig.patient
            configuration.limit = 2
            let second = try rig.member(2, Array(all[4...]))
            try await rig.run(configuration, [try rig.member(1, Array(all[..<4])), second]) { set in
                try await Waiting.until("events of both") {
                    set.snapshot.connected == 2 && set.snapshot.members.allSatisfy { $0.feed.eventCount > 100 }
                }
                for _ in 0..<2 {
                    let before = set.snapshot.total
                    #expect(try set.remove("connection_2") == [])
                    #expect(set.snapshot.members.map(\.id) == ["connection_1"])
                    #expect(set.snapshot.total >= before)
                    try set.add(second)
                    let highest = Mutex(before)
                    try await Waiting.until("the new one stands", within: .seconds(60)) {
                        let total = set.snapshot.total
                        highest.withLock { highest in
                            #expect(total >= highest, "a total never falls")
                            highest = max(highest, total)
                        }
                        return set.snapshot.connected == 2 && set.snapshot.moving == 0
                            && set.snapshot.members[1].feed.eventCount > 100
                    }
                }
                #expect(set.snapshot.former.events > 200)
                #expect(simulator.statistics.connections == 4)
                try await Self.untilWhole(all, of: all.count, in: rig.sink)
                #expect(rig.sink.now.trades.values.allSatisfy { $0 == 1 })
            }
            #expect(rig.sink.gaps.isEmpty)
        }
    }

    @Test(arguments: [1, 2]) func `only a connection with others is said to give them its symbols`(count: Int) throws {
        let log = CapturedLog()
        let all = symbols(2)
        var parts = try CoreParts(log: log)
        for number in 1...count { try parts.insert(number, [all[number - 1]]) }
        parts.advance(.seconds(60))
        parts.core.logFailures(before: [])
        #expect(parts.core.machine.failover.failed.count == count)
        #expect(parts.core.hasOthers == (count > 1))
        // When all are down, none takes any symbols.
        #expect(log.lines.count == (count == 1 ? 0 : 2), "\(log.lines)")
        #expect(
            log.lines.allSatisfy {
                $0.contains("no other connection can take its symbols") && $0.contains("moved=0")
            })
    }

    @Test func `at the limit a new connection waits for the end of one that leaves, and keeps no symbol from moving`()
        throws
    {
        let all = symbols(2)
        var parts = try CoreParts(log: CapturedLog())
        try parts.insert(1, [all[0]], limit: 2)
        let second = try parts.insert(2, [all[1]], limit: 2)
        #expect(parts.core.takeUnstarted().count == 2)
        parts.core.remove(1, now: .zero)
        try parts.insert(2, slot: 2, [all[1]], limit: 2)
        #expect(parts.core.takeUnstarted().isEmpty && parts.core.members.map(\.slot) == [0, 2])
        parts.advance(.zero)
        #expect(parts.core.machine.goals[all[1]] == [0], "its symbols go to one that can take them")
        // Meanwhile its symbols may change, and a waiting connection may be removed.
        parts.core.configure(2, .symbols(all))
        try parts.insert(3, slot: 3, [], limit: 2)
        parts.core.remove(3, now: .zero)
        #expect(parts.core.members.map(\.slot) == [0, 2])
        parts.core.finished(second)
        parts.core.seat(limit: 2, now: .zero)
        #expect(parts.core.takeUnstarted().count == 1)
        parts.advance(.zero)
        #expect(parts.core.machine.wishes[all[0]]?.seats.contains(2) == true)
    }

    @Test func `a connection that is removed before it ran never connects, and what was asked for by hand stays`()
        async throws
    {
        let all = symbols(4)
        try await SetRig.simulate(.ledger(ledger(all, 1000))) { simulator, rig in
            let connection = FeedConnection(
                configuration: try rig.member(1, []).configuration, interest: .symbols([all[0]]), sink: rig.sink,
                logger: SetRig.quiet)
            connection.stop()
            try await connection.run()
            #expect(simulator.statistics.connections == 0)
            try await rig.run(SetRig.patient, [try rig.member(1, [all[0]]), try rig.member(2, [all[1]])]) { set in
                try set.subscribe([all[2]], to: "connection_2")
                try set.setInterests([.init(.symbols([all[3]]), of: "connection_2")])
                try await Waiting.until("both") { set.symbols(of: "connection_2") == [all[2], all[3]] }
                // What was given up by hand stays so until it is asked for by hand again.
                try set.unsubscribe([all[3]], from: "connection_2")
                try set.setInterests([.init(.symbols([all[3], all[1]]), of: "connection_2")])
                try await Waiting.until("without it") { set.symbols(of: "connection_2") == [all[2], all[1]] }
                try set.subscribe([all[3]], to: "connection_2")
                try await Waiting.until("again") { set.symbols(of: "connection_2") == [all[2], all[1], all[3]] }
            }
        }
    }

    @Test(arguments: [[1, 2], [2, 1]])
    func `a symbol that goes to another connection's list comes without a break`(order: [Int]) async throws {
        let all = symbols(6)
        try await SetRig.simulate(
            .ledger(ledger(all, 2_000_000, perSecond: 5000)), pace: .speed(1)
        ) { simulator, rig in
            let members = try [rig.member(1, Array(all[..<4])), rig.member(2, Array(all[4...]))]
            try await rig.run(SetRig.patient, members) { set in
                try await Waiting.until("events of all") { all.allSatisfy { rig.sink.now.order[$0] != nil } }
                let lists = [1: Array(all[..<2]), 2: Array(all[2...])]
                try set.setInterests(order.map { .init(.symbols(lists[$0] ?? []), of: "connection_\($0)") })
                #expect(all[2..<4].allSatisfy { !set.connections(of: $0).isEmpty })
                try await Waiting.until("moved") {
                    set.snapshot.moving == 0 && set.snapshot.confirmed == 6
                }
                let seen = rig.sink.events
                try await Waiting.until("more events") { rig.sink.events > seen + 1000 }
                try await Self.untilWhole(Array(all[2..<4]), of: all.count, in: rig.sink)
                #expect(rig.sink.now.trades.values.allSatisfy { $0 == 1 })
                #expect(rig.sink.gaps == [])
            }
        }
    }

    @Test func `a symbol that found no room is not given up: it comes when there is some`() throws {
        let all = symbols(4)
        let rig = SetRig(port: 1)
        let set = try ConnectionSet(
            configuration: SetConfiguration(), members: [try rig.member(1, Array(all[..<3]), capacity: 2)],
            sink: rig.sink, logger: SetRig.quiet)
        #expect(set.symbols(of: "connection_1") == Array(all[..<2]))
        // The third is configured and waits for room, the fourth is wanted by hand alone.
        let asked = Array(all[2...])
        #expect(try set.subscribe(asked, to: "connection_1", waiting: false) == ["": asked])
        #expect(try set.subscribe(asked, waiting: false) == ["": asked])
        #expect(set.snapshot.wanted == 3 && set.snapshot.unplaced == [all[2]])
        #expect(rig.sink.gaps == [])
        try set.unsubscribe([all[0]])
        // No connection collected what had no room.
        #expect(rig.sink.gaps.map(\.symbols) == [[all[2]]])
        #expect(rig.sink.gaps.first?.cause == .unsubscribed)
        #expect(set.symbols(of: "connection_1") == Array(all[1..<3]))
        try set.setInterests([.init(.symbols(Array(all[2...])), of: "connection_1")])
        #expect(set.symbols(of: "connection_1") == Array(all[2...]))
        #expect(try set.subscribe([all[1]], waiting: false) == ["": [all[1]]])
        try set.unsubscribe([all[2]])
        #expect(try set.subscribe([all[1]], waiting: false) == ["connection_1": [all[1]]])
    }

    @Test func `a set goes on from what the previous one kept, and a symbol that was not in it is not collected yet`()
        throws
    {
        let all = symbols(2)
        let rig = SetRig(port: 1)
        let kept = Mutex<[CollectedTimes]>([])
        func set(_ symbols: [Symbol]) throws -> ConnectionSet {
            try ConnectionSet(
                configuration: SetConfiguration(), members: [try rig.member(1, symbols)], sink: rig.sink,
                previously: kept.withLock { $0.last }, keep: { times in kept.withLock { $0.append(times) } },
                logger: SetRig.quiet)
        }
        func last(_ symbol: Symbol) -> Int64? { kept.withLock { $0.last }.flatMap { $0[symbol] } }
        let first = try set([all[0]])
        #expect(first.collectedSince(all[0]) == Int64.min && last(all[0]) == Int64.min)
        let second = try set(all)
        #expect(second.collectedSince(all[0]) == Int64.min && second.collectedSince(all[1]) == nil)
        // An added wish changes nothing until the feed has answered.
        try first.subscribe([all[1]])
        #expect(last(all[0]) == Int64.min && last(all[1]) == nil)
        try first.unsubscribe([all[0]])
        #expect(last(all[0]) == nil)
    }

    @Test func `symbols that find no room, and no symbols, cost no new decision about all others`() async throws {
        let all = symbols(3)
        let rig = SetRig(port: 1)
        let log = CapturedLog()
        var configuration = SetConfiguration()
        configuration.failover.grace = .seconds(1)
        let set = try ConnectionSet(
            configuration: configuration,
            members: [try rig.member(1, [all[0]], capacity: 1), try rig.member(2, [all[1]], capacity: 1)],
            sink: rig.sink, logger: log.logger)
        let made = ContinuousClock.now
        // By then, whoever decides finds that both have failed.
        try await Waiting.until { ContinuousClock.now > made + .seconds(1) }
        #expect(try set.subscribe([all[2]], waiting: false) == ["": [all[2]]])
        #expect(try set.subscribe([], waiting: false) == [:])
        #expect(log.lines(with: "has been down").isEmpty)
        try set.setInterests([])
        #expect(log.lines(with: "has been down").count == 2)
    }

    @Test func `symbols that could not be named at the start are missed since the last collector`() async throws {
        let all = symbols(4)
        let end = Int64(Date().timeIntervalSince1970 * 1000) - 60_000
        try await SetRig.simulate(
            .ledger(ledger(all, 2_000_000, perSecond: 1000)), pace: .speed(1)
        ) { simulator, rig in
            let members = try [rig.member(1, [all[0]]), rig.member(2, [])].map { member in
                var member = member
                member.configuration.previousLife = PreviousLife(end: end, newest: [.trade: end])
                return member
            }
            try await rig.run(SetRig.patient, members) { set in
                try await Waiting.until("up") { set.snapshot.connected == 2 && set.snapshot.confirmed == 1 }
                // A person asks for one of them before the settings' key can be resolved.
                try set.subscribe([all[1]])
                try await Waiting.until("the person's") { set.collectedSince(all[1]) != nil }
                let asked = try #require(set.collectedSince(all[1]))
                try set.setInterests([.init(.symbols(Array(all[1..<3])), of: "connection_2", isOverdue: true)])
                try await Waiting.until("the key's") { set.snapshot.confirmed == 3 }
                // What the key gains later nobody wanted before.
                try set.setInterests([.init(.symbols(Array(all[1...])), of: "connection_2")])
                try await Waiting.until("all") { set.snapshot.confirmed == 4 }
                let gaps = rig.sink.gaps.filter { $0.cause == .down && $0.from == end - Gap.startMargin }
                #expect(gaps.flatMap(\.symbols).sorted() == Array(all[..<3]))
                #expect(gaps.first { $0.symbols == [all[1]] }?.to == asked)
            }
            #expect(!rig.sink.gaps.contains { $0.cause == .down && $0.symbols.contains(all[3]) })
        }
    }

    @Test func `a wildcard takes over, gives back and is removed, and nothing is lost or doubled`() async throws {
        let all = symbols(10)
        try await SetRig.simulate(
            .ledger(ledger(all, 2_000_000, perSecond: 5000)), pace: .speed(1)
        ) { simulator, rig in
            try await rig.run(SetRig.patient, [try rig.member(1, []), try rig.member(2, all)]) { set in
                try await Waiting.until("both up") { set.snapshot.connected == 2 && rig.sink.events > 1000 }
                try set.setInterests([.init(.all, of: "connection_1")])
                try await Waiting.until("the wildcard brings all") {
                    all.allSatisfy { set.connections(of: $0) == ["connection_1"] } && set.snapshot.moving == 0
                }
                try set.setInterests([.init(.symbols([all[0]]), of: "connection_1")])
                try await Waiting.until("the others are back") {
                    all[1...].allSatisfy { set.connections(of: $0) == ["connection_2"] } && set.snapshot.moving == 0
                        && !set.snapshot.members[0].feed.takesAll
                }
                let seen = rig.sink.events
                try await Waiting.until("more events") { rig.sink.events > seen + 1000 }
                try set.setInterests([.init(.all, of: "connection_1")])
                try await Waiting.until("the wildcard brings all again") {
                    all.allSatisfy { set.connections(of: $0) == ["connection_1"] } && set.snapshot.moving == 0
                }
                #expect(try set.remove("connection_1") == [])
                try await Waiting.until("one left") { set.snapshot.members.count == 1 && set.snapshot.confirmed == 10 }
                let after = rig.sink.events
                try await Waiting.until("more events") { rig.sink.events > after + 1000 }
                try await Self.untilWhole(all, of: all.count, in: rig.sink)
                #expect(rig.sink.now.trades.values.allSatisfy { $0 == 1 })
            }
            #expect(rig.sink.gaps.isEmpty)
        }
    }

    @Test func `two collectors on one key give way instead of storming`() async throws {
        let all = symbols(6)
        try await SetRig.simulate(
            .ledger(ledger(all, 10_000_000, perSecond: 1000)), pace: .speed(1), limit: 3
        ) { simulator, rig in
            @Sendable func members() throws -> [SetMember] {
                try (0..<3).map { number in
                    var member = try rig.member(number + 1, Array(all[(number * 2)..<(number * 2 + 2)]))
                    member.configuration.reconnect.connectionLimitDelay = .seconds(2) ... .seconds(4)
                    return member
                }
            }
            let other = SetRig(port: rig.port)
            let start = ContinuousClock.now
            try await rig.run(SetConfiguration(), try members()) { first in
                try await Waiting.until("the first stands") { first.snapshot.connected == 3 }
                try await other.run(SetConfiguration(), try members()) { second in
                    try await Waiting.until("the first was pushed out") {
                        first.snapshot.members.contains { $0.feed.lastError?.reason == .connectionLimit }
                    }
                    try await Waiting.until("so was the second") {
                        second.snapshot.members.contains { $0.feed.lastError?.reason == .connectionLimit }
                    }
                    try await Waiting.until("the first says why") {
                        first.snapshot.members.contains {
                            $0.feed.lastError?.message.contains("another client uses the key") == true
                        }
                    }
                    // Six connections want three places: each tries again after 2 to 4 s, never sooner.
                    let tries = simulator.statistics.connections
                    let seconds = Double((ContinuousClock.now - start) / .seconds(1))
                    #expect(Double(tries) <= 6 * (seconds / 2 + 2))
                    // One that was pushed out may not have heard of it yet.
                    try await Waiting.until("three stand at most") {
                        first.snapshot.connected + second.snapshot.connected <= 3
                    }
                }
            }
        }
    }

    /// Waits until both connections bring redundant symbols and the set has taken note: it leaves out of a gap what
    /// the other connection brought, but only from then on.
    private static func untilBothBring(_ symbols: Int, _ set: ConnectionSet, more events: Int64) async throws {
        try await Waiting.until("both confirmed") { set.snapshot.confirmed == 2 * symbols }
        // Any change makes the set look at its connections at once.
        try set.subscribe([])
        let before = set.snapshot.members.map(\.feed.eventCount)
        try await Waiting.until("events of both") {
            zip(set.snapshot.members, before).allSatisfy { $0.feed.eventCount > $1 + events }
        }
    }

    /// Waits until nothing is missing between those events of the symbols that came. Where a symbol changes its
    /// connection, the new one's first events may come before the old one's last.
    private static func untilWhole(_ symbols: [Symbol], of count: Int, in sink: CountingSink) async throws {
        do {
            try await Waiting.until("what is missing in between") {
                let state = sink.now
                return symbols.allSatisfy { Self.missing(state, $0, of: count) == [] }
            }
        } catch is Waiting.TimedOut {
            // Judged below: a loss is no wait that ran out.
        }
        let state = sink.now
        for symbol in symbols { #expect(Self.missing(state, symbol, of: count) == [], "\(symbol)") }
    }

    /// Whether the numbers of one symbol came in order and without a hole.
    static func isWhole(_ state: CountingSink.State, _ symbol: Symbol, of symbols: Int) -> Bool {
        let numbers = state.order[symbol] ?? []
        return zip(numbers, numbers.dropFirst()).allSatisfy { $1 - $0 == Int64(symbols) }
    }

    /// The numbers of one symbol that are missing between those that came.
    static func missing(_ state: CountingSink.State, _ symbol: Symbol, of symbols: Int) -> [Int64] {
        let numbers = (state.order[symbol] ?? []).sorted()
        return zip(numbers, numbers.dropFirst()).flatMap { Array(stride(from: $0, to: $1, by: symbols)).dropFirst() }
    }
}

/// A set's core without a set: nothing runs, and the tests set the time.
private struct CoreParts {
    var core: SetCore
    private let rig = SetRig(port: 1)
    private let confluence: Confluence
    private let cover = GapCover()

    init(log: CapturedLog) throws {
        core = SetCore(machine: SetMachine(SetConfiguration()), logger: log.logger)
        confluence = Confluence(sink: rig.sink, memory: .seconds(120), limit: 1 << 17)
    }

    @discardableResult
    mutating func insert(
        _ number: Int, slot: Int? = nil, _ symbols: [Symbol], limit: Int? = nil
    ) throws -> FeedConnection {
        let slot = slot ?? number - 1
        let member = try rig.member(number, symbols)
        let inlet = Inlet(confluence, slot: slot, cover: cover, isTallying: false)
        let connection = FeedConnection(
            configuration: member.configuration, interest: .symbols([]), sink: inlet, logger: SetRig.quiet)
        core.insert(
            SetCore.Entry(member: member, connection: connection, inlet: inlet), slot: slot, limit: limit, now: .zero)
        return connection
    }

    mutating func advance(_ now: Duration) {
        core.advance(now: FeedMoment(monotonic: now, wall: 0), confluence: confluence, cover: cover)
    }
}
