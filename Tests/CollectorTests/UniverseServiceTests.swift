import Feed
import FeedSimulator
import Foundation
import MarketData
import Store
import Synchronization
import TestSupport
import Testing
import Universe
import Upstream

@testable import Collector

/// The service that keeps the connections' subscriptions in step with the mirror.
@Suite(.blocking, .timeLimit(.minutes(5))) struct UniverseServiceTests {
    @Test func `another process's import reaches just the connections that it concerns`() async throws {
        let rig = try SymbolsRig([wish("one", "a:b"), wish("two", "c")])
        try rig.add("a", "A")
        try rig.add("b", "B")
        try rig.add("c", "C")
        let (owner, service, _) = try await rig.open()
        try await service.running {
            try rig.add("b", "B", "X")
            try await Waiting.until {
                owner.interest("one") == .symbols(symbols("A", "B", "X"))
            }
            try rig.add("c", "D")
            try await Waiting.until { owner.interest("two") == .symbols(symbols("D")) }
            @Sendable func told() -> [String] { rig.log.filter { $0.contains("the universes have changed") } }
            // The line is logged after the change.
            try await Waiting.until { told().contains { $0.contains("connection=two") } }
            #expect(told().count { $0.contains("connection=one") } == 1 && told().count == 2, "\(told())")
        }
    }

    @Test func `a mirror that is removed is told, and the file that comes in its place is followed`() async throws {
        let rig = try SymbolsRig([wish("one", "a")])
        try rig.add("a", "A")
        let (owner, service, _) = try await rig.open()
        try await service.running {
            for end in ["", "-wal", "-shm"] {
                try? FileManager.default.removeItem(atPath: rig.workspace.file(LocalFile.universe.name + end))
            }
            try await Waiting.until { service.status.unreadable != nil }
            #expect(owner.interest("one") == .symbols(symbols("A")))
            try rig.add("a", "A", "B")
            try await Waiting.until { owner.interest("one") == .symbols(symbols("A", "B")) }
            #expect(service.status.unreadable == nil)
            #expect(rig.log.contains { $0.contains("can't be read") } && rig.log.contains { $0.contains("read again") })
        }
    }

    @Test func `a key that is gone leaves a connection the symbols that it has, and says so once`() async throws {
        let rig = try SymbolsRig([wish("one", "a"), wish("two", "b")])
        try rig.add("a", "A")
        try rig.add("b", "B")
        let (owner, service, _) = try await rig.open()
        try await service.running {
            try rig.mirror.removeGroups([.init(name: "a", type: "UNIVERSE", environment: "DEFAULT")])
            for name in ["C", "D"] {
                try rig.add("b", "B", name)
                try await Waiting.until { owner.interest("two") == .symbols(symbols("B", name)) }
            }
            #expect(owner.interest("one") == .symbols(symbols("A")))
            #expect(owner.assignments[0].source == .universeKey("a"))
            #expect(owner.assignments[0].problem?.contains("names no universe or ETF") == true)
            #expect(rig.log.count { $0.contains("keeps the symbols that it has") } == 1, "\(rig.log)")
        }
    }

    @Test func `a change that can't be read just then is followed as soon as it can be read`() async throws {
        // The counter is that of another file than the keys', which can so fail and recover without moving it.
        let groups = try SymbolsRig([])
        try groups.add("a", "A")
        let rig = try SymbolsRig([wish("one", "a")])
        let (owner, service, _) = try await rig.open(resolvingFrom: groups.mirror)
        try await service.running {
            try groups.add("a", "A", "B")
            try groups.sql("ALTER TABLE group_memberships RENAME TO away")
            try rig.add("a", "A", "B")
            try await Waiting.until("the failure") {
                owner.assignments[0].problem?.contains("the mirror cannot be read") == true
            }
            #expect(owner.interest("one") == .symbols(symbols("A")))
            try groups.sql("ALTER TABLE away RENAME TO group_memberships")
            try await Waiting.until("the change") {
                owner.interest("one") == .symbols(symbols("A", "B"))
            }
            #expect(owner.assignments[0].problem == nil)
            #expect(rig.log.count { $0.contains("keeps the symbols that it has") } == 1, "\(rig.log)")
        }
    }

    @Test func `a key that can't be read at the start is followed as soon as it can be read`() async throws {
        let groups = try SymbolsRig([])
        try groups.add("a", "A")
        try groups.sql("ALTER TABLE group_memberships RENAME TO away")
        let rig = try SymbolsRig([wish("one", "a", list: "Z")])
        let (owner, service, _) = try await rig.open(resolvingFrom: groups.mirror)
        #expect(owner.interest("one") == .symbols(symbols("Z")))
        try await service.running {
            try groups.sql("ALTER TABLE away RENAME TO group_memberships")
            try await Waiting.until { owner.interest("one") == .symbols(symbols("A")) }
        }
    }

    @Test func `settings read again change keys, lists and the environment`() async throws {
        let rig = try SymbolsRig([wish("one", "a:b")])
        try rig.add("a", "A")
        try rig.add("b", "B")
        try rig.add("a", "P", environment: "PROD")
        let (owner, service, _) = try await rig.open()
        #expect(owner.interest("one") == .symbols(symbols("A", "B")))
        try await service.running {
            rig.change { $0.environment = "PROD" }
            service.rereadNow()
            try await Waiting.until { owner.interest("one") == .symbols(symbols("P")) }
            rig.change { $0.wishes = [wish("one", nil, list: "Z, Y")] }
            service.rereadNow()
            try await Waiting.until { owner.interest("one") == .symbols(symbols("Z", "Y")) }
            #expect(owner.assignments.map(\.wish.universeKey) == [nil])
            rig.change { $0.wishes = [wish("one", nil, list: "*"), wish("new", nil, list: "N")] }
            service.rereadNow()
            try await Waiting.until { owner.interest("one") == .all }
            #expect(owner.interest("new") == nil)
        }
    }

    @Test func `a pull changes what is collected, and one that fails leaves the mirror in use`() async throws {
        let cluster = try PostgresCluster.shared()
        let (database, configuration) = try await cluster.makeMigratedDatabase(for: "test")
        try cluster.psql(
            """
            INSERT INTO definition_groups (name, type) VALUES ('a', 'UNIVERSE');
            INSERT INTO group_memberships (group_id, symbol) VALUES (1, 'A'), (1, 'B');
            """, database: database)
        let rig = try SymbolsRig([wish("one", "a", list: "Z")])
        rig.change { $0.pullInterval = .milliseconds(300) }
        let (owner, service, _) = try await rig.open(source: UniverseSource(configuration: configuration))
        #expect(owner.interest("one") == .symbols(symbols("Z")))
        try await service.running {
            try await Waiting.until { owner.interest("one") == .symbols(symbols("A", "B")) }
            // The change may be noticed before the pull that made it is counted.
            try await Waiting.until { service.status.pulls > 0 && service.status.failure == nil }
            try cluster.psql("INSERT INTO group_memberships (group_id, symbol) VALUES (1, 'C')", database: database)
            try await Waiting.until {
                owner.interest("one") == .symbols(symbols("A", "B", "C"))
            }
            try cluster.psql("DELETE FROM group_memberships", database: database)
            try await Waiting.until { service.status.failure?.description.contains("--force") == true }
            try cluster.psql("ALTER TABLE group_memberships RENAME TO away", database: database)
            try await Waiting.until {
                service.status.failure?.description.contains("group_memberships") == true
                    && service.status.failure?.description.contains("missing") == true
            }
            #expect(service.status.mirrorPulledAt != nil)
            #expect(owner.interest("one") == .symbols(symbols("A", "B", "C")))
            #expect(try await owner.cache.resolution(of: "a").symbols.count == 3)
        }
    }

    @Test func `a pull's remarks are logged when they change, and a few of them`() async throws {
        let cluster = try PostgresCluster.shared()
        let (database, configuration) = try await cluster.makeMigratedDatabase(for: "test")
        try cluster.psql(
            """
            INSERT INTO definition_groups (name, type) VALUES ('a', 'UNIVERSE'), ('', 'UNIVERSE'), ('', 'ETF'),
                ('', 'THEME'), ('', 'SECTOR'), ('', 'SEGMENT');
            INSERT INTO group_memberships (group_id, symbol) VALUES (1, 'A');
            """, database: database)
        let rig = try SymbolsRig([wish("one", "a", list: "Z")])
        rig.change { $0.pullInterval = .milliseconds(50) }
        let (_, service, _) = try await rig.open(source: UniverseSource(configuration: configuration))
        @Sendable func told() -> [String] { rig.log.filter { $0.contains("universe pull: ") } }
        try await service.running {
            try await Waiting.until("some pulls") { service.status.pulls > 2 }
            #expect(told().count == 4 && told().last?.contains("more=2") == true, "\(told())")
            try cluster.psql("DELETE FROM definition_groups WHERE type = 'SEGMENT'", database: database)
            try await Waiting.until("others") { told().count == 8 }
            #expect(told().last?.contains("more=1") == true)
        }
    }

    @Test func `settings that are read again put no pull off, and a shorter interval counts at once`() async throws {
        let cluster = try PostgresCluster.shared()
        let (database, configuration) = try await cluster.makeMigratedDatabase(for: "test")
        try cluster.psql(
            """
            INSERT INTO definition_groups (name, type) VALUES ('a', 'UNIVERSE');
            INSERT INTO group_memberships (group_id, symbol) VALUES (1, 'A');
            """, database: database)
        let rig = try SymbolsRig([wish("one", "a", list: "Z")])
        rig.change { $0.pullInterval = .seconds(2) }
        let (_, service, _) = try await rig.open(source: UniverseSource(configuration: configuration))
        try await service.running {
            try await Waiting.until("the first pull") { service.status.pulls > 0 }
            for interval in [Duration.seconds(2), .seconds(3600), .milliseconds(100)] {
                let before = service.status.pulls
                rig.change { $0.pullInterval = interval }
                try await Waiting.until("a pull after \(interval)") {
                    service.rereadNow()
                    return service.status.pulls > before
                }
            }
        }
    }

    @Test func `the pull before the start spells members as every later pull does`() async throws {
        let cluster = try PostgresCluster.shared()
        let (database, configuration) = try await cluster.makeMigratedDatabase(for: "test")
        try cluster.psql(
            """
            INSERT INTO definition_groups (name, type) VALUES ('a', 'UNIVERSE');
            INSERT INTO group_memberships (group_id, symbol) VALUES (1, 'BRK-B'), (1, 'A');
            """, database: database)
        let rig = try SymbolsRig([])
        let source = UniverseSource(configuration: configuration)
        #expect(await rig.mirror.firstPull(from: source, logger: quiet)?.description == nil)
        #expect(try rig.mirror.contents().groups.flatMap(\.record.members).map(\.symbol) == ["A", "BRK.B"])
    }

    @Test func `a group that is handed over while a pull reads the database stays`() async throws {
        let cluster = try PostgresCluster.shared()
        let (database, configuration) = try await cluster.makeMigratedDatabase(for: "test")
        try cluster.psql(
            """
            INSERT INTO definition_groups (name, type) VALUES ('a', 'UNIVERSE');
            INSERT INTO group_memberships (group_id, symbol) VALUES (1, 'A');
            """, database: database)
        let rig = try SymbolsRig([])
        let source = UniverseSource(configuration: configuration)
        let reads = Atomic(0)
        let pulled = try await rig.mirror.pull {
            let snapshot = try await source.pull()
            guard reads.add(1, ordering: .relaxed).newValue == 1 else { return snapshot }
            // As `universe push --hand-over` does.
            try rig.add("mine", "M")
            try cluster.psql(
                """
                INSERT INTO definition_groups (name, type) VALUES ('mine', 'UNIVERSE');
                INSERT INTO group_memberships (group_id, symbol) VALUES (2, 'M');
                """, database: database)
            _ = try rig.mirror.handOver(rig.mirror.contents().groups.map(\.record))
            return snapshot
        }
        #expect(reads.load(ordering: .relaxed) == 2)
        #expect(pulled.snapshot.records.groups.count == 2)
        let groups = try rig.mirror.contents().groups
        #expect(groups.map(\.record.identity.name) == ["a", "mine"])
        #expect(groups.allSatisfy { $0.origin == .pulled })
    }

    @Test func `a failed pull is over once another process has pulled, or nobody pulls by itself any more`()
        async throws
    {
        let cluster = try PostgresCluster.shared()
        // It has no tables, which a person must fix: the next try is in ten minutes.
        let configuration = try UpstreamConfiguration(
            uri: cluster.uri(try cluster.makeDatabase()), collector: "test", connectTimeout: .seconds(60),
            barTimestamp: .start)
        let rig = try SymbolsRig([])
        let records = UniverseRecords(groups: [
            GroupRecord(identity: .init(name: "a", type: "UNIVERSE", environment: "DEFAULT"))
        ])
        _ = try rig.mirror.replacePulled(with: records, source: "db")
        rig.change { $0.pullInterval = .seconds(3600) }
        let (_, service, _) = try await rig.open(source: UniverseSource(configuration: configuration))
        try await service.running {
            try await Waiting.until("the failure", within: .seconds(60)) { service.status.failure != nil }
            #expect(try rig.mirror.replacePulled(with: records, source: "db") == .unchanged)
            try await Waiting.until("the other process's pull", within: .seconds(60)) {
                service.status.failure == nil
            }
            rig.change { $0.pullInterval = .milliseconds(100) }
            service.rereadNow()
            try await Waiting.until("the failure again", within: .seconds(60)) { service.status.failure != nil }
            rig.change { $0.pullInterval = nil }
            service.rereadNow()
            try await Waiting.until("pulls by hand alone", within: .seconds(60)) { service.status.failure == nil }
        }
    }

    @Test func `a database that hangs delays no change`() async throws {
        let cluster = try PostgresCluster.shared()
        let proxy = try TCPProxy(to: cluster.port)
        proxy.set(.blackhole)
        let configuration = try UpstreamConfiguration(
            uri: cluster.uri("postgres", port: proxy.port), collector: "test", connectTimeout: .seconds(600))
        let rig = try SymbolsRig([wish("one", "a")])
        try rig.add("a", "A")
        rig.change { $0.pullInterval = .seconds(3600) }
        let (owner, service, _) = try await rig.open(source: UniverseSource(configuration: configuration))
        try await service.running {
            try rig.add("a", "A", "B")
            try await Waiting.until(within: .seconds(60)) { owner.interest("one") == .symbols(symbols("A", "B")) }
            rig.change { $0.wishes = [wish("one", nil, list: "Z")] }
            service.rereadNow()
            try await Waiting.until(within: .seconds(60)) { owner.interest("one") == .symbols(symbols("Z")) }
            #expect(service.status.pulls == 0 && service.status.failure == nil)
        }
    }

    @Test func `a key that is resolved only after the start leaves a gap, and what it gains later leaves none`()
        async throws
    {
        var configuration = SimulatorConfiguration(source: .synthetic(SyntheticFeed(symbols: symbols("A"))))
        configuration.pace = .speed(1)
        let simulator = FeedSimulator(configuration: configuration, logger: quiet)
        let rig = try SymbolsRig([wish("one", "a", list: "Z")], port: try await simulator.bind())
        let end = WallClock.milliseconds() - 60_000
        let (_, service, connections) = try await rig.open(
            previousLife: PreviousLife(end: end, newest: [.minuteBar: end]))
        let tasks = [
            Task { try? await simulator.run() }, Task { try? await connections.run() },
            Task { try? await service.run() },
        ]
        defer { for task in tasks { task.cancel() } }
        @Sendable func confirmed() -> Set<Symbol> { Set(connections.snapshot.members[0].feed.confirmed) }
        try await Waiting.until("the list") { confirmed() == Set(symbols("Z")) }
        try rig.add("a", "A", "B")
        try await Waiting.until("the key") { confirmed() == Set(symbols("A", "B")) }
        try rig.add("a", "A", "B", "C")
        try await Waiting.until("its gain") { confirmed() == Set(symbols("A", "B", "C")) }
        let gaps = rig.gaps.filter { $0.cause == .down && $0.from == end - Gap.startMargin }
        #expect(gaps.flatMap(\.symbols).sorted() == symbols("A", "B", "Z"))
        #expect(!rig.gaps.contains { $0.cause == .down && $0.symbols.contains(symbols("C")[0]) })
    }

    @Test func `a live change subscribes and unsubscribes the difference on the connection that stands`() async throws {
        var configuration = SimulatorConfiguration(source: .synthetic(SyntheticFeed(symbols: symbols("A"))))
        configuration.pace = .speed(1)
        let simulator = FeedSimulator(configuration: configuration, logger: quiet)
        let rig = try SymbolsRig([wish("one", "a")], port: try await simulator.bind())
        try rig.add("a", "A", "B", "C")
        let (_, service, connections) = try await rig.open()
        let tasks = [
            Task { try? await simulator.run() }, Task { try? await connections.run() },
            Task { try? await service.run() },
        ]
        defer { for task in tasks { task.cancel() } }
        try await Waiting.until { simulator.statistics.subscriptions == 3 }
        try rig.add("a", "B", "C", "D", "E", "F")
        try await Waiting.until {
            connections.snapshot.members[0].feed.confirmed.map(\.description).sorted() == ["B", "C", "D", "E", "F"]
                && simulator.statistics.subscriptions == 5
        }
        let statistics = simulator.statistics
        #expect(statistics.connections == 1 && connections.snapshot.members[0].feed.reconnects == 0)
    }
}
