import MarketData
import Testing

@testable import Collector
@testable import Upstream

/// Boxes that share symbols according to the group's rows, on a clock of the test's own.
@Suite(.timeLimit(.minutes(1))) struct ShardKeeperTests {
    private static let symbols = (0..<200).compactMap { Symbol("S\($0)") }

    /// A group of boxes and its table, in which time passes only when the test says so.
    private struct Group {
        var keepers: [String: ShardKeeper] = [:]
        /// When each box was last seen, and what it said.
        var table: [String: (seen: Double, sharesWith: [String]?, isStopped: Bool)] = [:]
        var time = 1_000_000.0
        let start = ContinuousClock.now
        var replicas = 1

        var now: ContinuousClock.Instant { start + .seconds(time - 1_000_000) }
        var milliseconds: Int64 { Int64(time * 1000) }

        var rows: [FleetRow] {
            table.sorted { $0.key < $1.key }.map { id, row in
                var report = FleetReport(id: id, group: "g", host: id, version: "1", fileID: id)
                report.sharesWith = row.sharesWith
                report.state = row.isStopped ? .stopped : .ok
                return FleetRow(report: report, seen: Int64(row.seen * 1000), age: time - row.seen)
            }
        }

        mutating func open(_ id: String, kept: [String]? = nil, hasDatabase: Bool = true) {
            open(id, record: kept.map { ShardRecord(members: $0) }, hasDatabase: hasDatabase)
        }

        /// A box is killed, and starts again with what it stored.
        mutating func restart(_ id: String) {
            let record = keepers[id]?.kept
            kill(id)
            open(id, record: record, hasDatabase: true)
        }

        private mutating func open(_ id: String, record kept: ShardRecord?, hasDatabase: Bool) {
            if hasDatabase { table[id] = (time, [], false) }
            keepers[id] = ShardKeeper(
                member: id, replicas: replicas, kept: kept, rows: hasDatabase ? rows : nil, now: now,
                time: milliseconds, offset: 0)
        }

        mutating func kill(_ id: String) { keepers[id] = nil }

        /// Every live box writes its row and reads the others'; the `slow` ones get no symbols confirmed.
        mutating func round(slow: Set<String> = []) {
            for id in keepers.keys.sorted() {
                if !slow.contains(id) { keepers[id]?.taken() }
                table[id] = (time, keepers[id]?.sharesWith, false)
                let (rows, now, milliseconds) = (rows, now, milliseconds)
                _ = keepers[id]?.heard(rows, now: now, time: milliseconds, offset: 0)
                if !slow.contains(id) { keepers[id]?.taken() }
            }
        }

        mutating func pass(_ seconds: Double, slow: Set<String> = []) {
            for _ in 0..<Int(seconds / 10) {
                time += 10
                round(slow: slow)
            }
        }

        func takers(of symbol: Symbol) -> [String] {
            keepers.filter { $0.value.share.takes(symbol) }.keys.sorted()
        }
    }

    private func settled(_ ids: String..., replicas: Int = 1) -> Group {
        var group = Group()
        group.replicas = replicas
        for id in ids { group.open(id) }
        group.pass(60)
        return group
    }

    @Test func `a box that takes fewer symbols than its share is named, unless its row can't say that yet`() throws {
        let group = settled("a", "b", "c")
        let named = Set(Self.symbols)
        let a = try #require(group.keepers["a"])
        func rows(lacking: Int = 1, change: (inout FleetReport) -> Void = { _ in }) -> [FleetRow] {
            group.rows.map { row in
                var row = row
                row.report.symbols = named.count { a.map.gives($0, to: row.report.id) }
                guard row.report.id == "b" else { return row }
                row.report.symbols -= lacking
                change(&row.report)
                return row
            }
        }
        #expect(a.shortfall(rows(lacking: 0), of: named) == nil)
        let told = a.shortfall(rows(), of: named)
        #expect(told?.hasPrefix("b takes fewer symbols than its share") == true, "\(told ?? "nothing")")
        // Those that it was asked for besides, over its API, are no sign of anything.
        #expect(a.shortfall(rows(lacking: -1), of: named) == nil)
        #expect(a.shortfall(rows { $0.sharesWith = [] }, of: named) == nil)
        #expect(a.shortfall(rows { $0.state = .failing }, of: named) == nil)
    }

    @Test(arguments: [1, 2]) func `each symbol is taken by as many boxes as are asked for`(replicas: Int) {
        let group = settled("a", "b", "c", replicas: replicas)
        for symbol in Self.symbols { #expect(group.takers(of: symbol).count == replicas) }
    }

    @Test func `a box that comes takes its symbols before the others give them up`() {
        var group = settled("a", "b")
        group.open("c")
        let taken = Self.symbols.filter { group.keepers["c"]?.share.takes($0) == true }
        #expect(!taken.isEmpty)
        // Its symbols are not confirmed yet, so the others keep theirs.
        group.pass(40, slow: ["c"])
        for symbol in taken { #expect(group.takers(of: symbol).count == 2) }
        group.pass(20)
        for symbol in Self.symbols { #expect(group.takers(of: symbol).count == 1) }
        for symbol in taken { #expect(group.takers(of: symbol) == ["c"]) }
    }

    @Test func `a box that never says it has its symbols holds the others up for a minute and no longer`() {
        var group = settled("a", "b")
        group.open("c")
        group.pass(50, slow: ["c"])
        #expect(Self.symbols.contains { group.takers(of: $0).count == 2 })
        group.pass(30, slow: ["c"])
        for symbol in Self.symbols { #expect(group.takers(of: symbol).count == 1) }
        // The late box knows when the others gave them up.
        let late = Self.symbols.filter { group.keepers["c"]?.share.takes($0) == true }
        let began = Int64(1_000_060_000 + 60_000)
        for symbol in late { #expect(group.keepers["c"]?.lossStart(of: symbol) == began) }
    }

    @Test func `a box that is not seen for a minute loses its symbols, and the gap begins when it was last seen`() {
        var group = settled("a", "b", "c")
        let had = Self.symbols.filter { group.takers(of: $0) == ["c"] }
        let others = Dictionary(uniqueKeysWithValues: Self.symbols.map { ($0, group.takers(of: $0)) })
        let seen = group.milliseconds
        group.kill("c")
        group.pass(60)
        for symbol in had { #expect(group.takers(of: symbol).isEmpty) }
        group.pass(20)
        for symbol in had {
            #expect(group.takers(of: symbol).count == 1)
            let taker = group.takers(of: symbol)[0]
            #expect(group.keepers[taker]?.lossStart(of: symbol) == seen)
        }
        // Symbols that the dead box did not have stay where they are.
        for symbol in Self.symbols where !had.contains(symbol) { #expect(group.takers(of: symbol) == others[symbol]) }
    }

    @Test(arguments: [false, true])
    func `the gap of symbols whose new owner dies before it has them begins when the first was last seen`(
        returns: Bool
    ) {
        var group = settled("a", "b", "c")
        let had = Self.symbols.filter { group.takers(of: $0) == ["c"] }
        let seen = group.milliseconds
        group.kill("c")
        group.pass(20)
        group.kill("b")
        // The last box has said that it shares with the second alone, which doesn't count as gone yet.
        group.pass(60)
        #expect(group.table["a"]?.sharesWith == ["a", "b"])
        var taker = "a"
        var taken = had.filter { group.keepers["a"]?.share.takes($0) == false }
        if returns {
            taker = "b"
            group.open("b", kept: ["a", "b", "c"])
        } else {
            group.pass(30)
            #expect(group.keepers["a"]?.map.members == ["a"])
        }
        taken = taken.filter { group.keepers[taker]?.share.takes($0) == true }
        #expect(!taken.isEmpty)
        for symbol in taken { #expect(group.keepers[taker]?.lossStart(of: symbol) == seen) }
    }

    @Test(arguments: [false, true])
    func `the gap of a box that never had its symbols begins when the others gave them up`(previousDies: Bool) {
        var group = settled("a", "b")
        group.open("c")
        let given = Self.symbols.filter { group.keepers["c"]?.share.takes($0) == true }
        #expect(!given.isEmpty)
        // The others see it at their next round, and wait for a minute.
        let gaveUp = group.milliseconds + 70_000
        group.pass(60, slow: ["c"])
        for symbol in given { #expect(group.takers(of: symbol).count == 2) }
        group.pass(10, slow: ["c"])
        for symbol in given { #expect(group.takers(of: symbol) == ["c"]) }
        if previousDies { group.kill("b") }
        group.pass(470, slow: ["c"])
        group.kill("c")
        group.pass(80)
        for symbol in given {
            #expect(group.takers(of: symbol).count == 1)
            guard let taker = group.takers(of: symbol).first else { continue }
            #expect(group.keepers[taker]?.lossStart(of: symbol) == gaveUp)
        }
    }

    @Test func `boxes that start again still know since when nobody has what another box never took`() {
        var group = settled("a", "b")
        group.open("c")
        let given = Self.symbols.filter { group.keepers["c"]?.share.takes($0) == true }
        #expect(!given.isEmpty)
        let gaveUp = group.milliseconds + 70_000
        group.pass(200, slow: ["c"])
        #expect(group.keepers["a"]?.kept == ShardRecord(members: ["a", "b", "c"], lapsed: ["c": gaveUp]))
        for id in ["a", "b"] { group.restart(id) }
        group.pass(200, slow: ["c"])
        group.kill("c")
        group.pass(80)
        for symbol in given {
            #expect(group.takers(of: symbol).count == 1)
            guard let taker = group.takers(of: symbol).first else { continue }
            #expect(group.keepers[taker]?.lossStart(of: symbol) == gaveUp)
        }
    }

    @Test func `what a box has taken after all is no longer stored as lapsed, also across a start`() {
        var group = settled("a", "b")
        group.open("c")
        group.pass(200, slow: ["c"])
        group.restart("a")
        group.pass(20)
        #expect(group.keepers["a"]?.kept == ShardRecord(members: ["a", "b", "c"]))
        #expect(group.keepers["b"]?.kept == ShardRecord(members: ["a", "b", "c"]))
    }

    @Test(arguments: [false, true])
    func `what a box said before it left is not what it has when it comes back`(isForgotten: Bool) {
        var group = settled("a", "c", "d")
        let had = Self.symbols.filter { group.takers(of: $0) == ["d"] }
        group.kill("c")
        group.kill("d")
        group.pass(600)
        if isForgotten { group.table["d"] = nil }
        group.open("c", kept: ["a", "c", "d"])
        let given = Self.symbols.filter { group.keepers["c"]?.share.takes($0) == true }
        #expect(given.contains(where: had.contains) && !given.allSatisfy(had.contains))
        let gaveUp = group.milliseconds + 70_000
        group.pass(200, slow: ["c"])
        group.kill("c")
        group.pass(80)
        for symbol in given {
            #expect(group.takers(of: symbol) == ["a"])
            #expect(group.keepers["a"]?.lossStart(of: symbol) == gaveUp)
        }
    }

    @Test func `what a box never took over from one that died is missing since that one was last seen`() {
        var group = settled("a", "b", "c")
        let had = Self.symbols.filter { group.takers(of: $0) == ["c"] }
        let seen = group.milliseconds
        group.kill("c")
        group.pass(200, slow: ["b"])
        let given = had.filter { group.takers(of: $0) == ["b"] }
        #expect(!given.isEmpty)
        group.kill("b")
        group.pass(80)
        for symbol in given { #expect(group.keepers["a"]?.lossStart(of: symbol) == seen) }
    }

    @Test func `a live box that never had its symbols does not stand in for a replica that died`() {
        var group = settled("a", "b", "d", replicas: 2)
        group.open("c")
        group.pass(100, slow: ["c"])
        let had = Self.symbols.filter { group.takers(of: $0) == ["c", "d"] }
        #expect(!had.isEmpty)
        let seen = group.milliseconds
        group.kill("d")
        group.pass(80, slow: ["c"])
        for symbol in had {
            let taker = group.takers(of: symbol).first { $0 != "c" } ?? ""
            #expect(group.keepers[taker]?.lossStart(of: symbol) == seen)
        }
    }

    @Test func `a box that is first seen after its stop had its symbols`() {
        var group = Group()
        group.table["b"] = (group.time - 100, [], true)
        group.table["d"] = (group.time - 86_400, ["a", "d"], false)
        group.open("a", kept: ["a", "b"])
        let map = ShardMap(["a", "b"], replicas: 1)
        // It may have stopped half a minute before its last word.
        let stopped = group.milliseconds - 130_000
        for symbol in Self.symbols where map.gives(symbol, to: "b") {
            #expect(group.keepers["a"]?.lossStart(of: symbol) == stopped)
        }
    }

    @Test func `a database that was away takes nobody's symbols, but of those who do not come again within a minute`() {
        var group = settled("a", "b", "c")
        let before = Dictionary(uniqueKeysWithValues: Self.symbols.map { ($0, group.takers(of: $0)) })
        let seen = group.milliseconds
        group.kill("c")
        // Nobody is seen for an hour, as the first box that asks then finds.
        group.time += 3600
        for _ in 0..<6 {
            group.round()
            for symbol in Self.symbols where before[symbol] != ["c"] {
                #expect(group.takers(of: symbol) == before[symbol])
            }
            group.time += 10
        }
        group.pass(30)
        for symbol in Self.symbols {
            #expect(group.takers(of: symbol).count == 1)
            guard before[symbol] == ["c"], let taker = group.takers(of: symbol).first else { continue }
            #expect(group.keepers[taker]?.lossStart(of: symbol) == seen)
        }
    }

    @Test func `a box that starts gives those who shared last a minute to be seen`() {
        var group = settled("a", "b")
        group.kill("a")
        group.kill("b")
        let seen = group.milliseconds
        group.time += 3600
        group.open("a", kept: ["a", "b"])
        #expect(group.keepers["a"]?.map.members == ["a", "b"])
        group.pass(80)
        #expect(group.keepers["a"]?.map.members == ["a"])
        let taken = Self.symbols.filter { group.keepers["a"]?.lossStart(of: $0) == seen }
        #expect(!taken.isEmpty)
    }

    @Test func `a box that says it stops loses its symbols at once`() {
        var group = settled("a", "b")
        group.kill("b")
        group.table["b"] = (group.time, [], true)
        group.pass(10)
        for symbol in Self.symbols { #expect(group.takers(of: symbol) == ["a"]) }
    }

    @Test func `the gap of a box that stops begins when it was last seen at work, not with its last word`() {
        var group = settled("a", "b")
        let own = Self.symbols.filter { group.takers(of: $0) == ["b"] }
        // The first reads before the other writes, so it knows the row of the round before.
        let seen = group.milliseconds - 10_000
        group.kill("b")
        group.time += 4
        let stopped = group.milliseconds
        group.table["b"] = (group.time, [], true)
        group.pass(10)
        for symbol in own { #expect(group.keepers["a"]?.lossStart(of: symbol) == seen) }
        // A box that has not heard of it before leaves it time to stop.
        group.open("a", kept: ["a", "b"])
        #expect(Self.symbols.contains { group.keepers["a"]?.lossStart(of: $0) == stopped - 30_000 })
    }

    @Test func `with two replicas a box that dies leaves no gap`() {
        var group = settled("a", "b", "c", replicas: 2)
        let before = Dictionary(uniqueKeysWithValues: Self.symbols.map { ($0, group.takers(of: $0)) })
        group.kill("c")
        group.pass(80)
        let time = group.milliseconds
        for symbol in Self.symbols {
            #expect(group.takers(of: symbol).count == 2)
            for taker in group.takers(of: symbol) where before[symbol]?.contains(taker) == false {
                #expect((group.keepers[taker]?.lossStart(of: symbol)).map { $0 > time - 30_000 } == true)
            }
        }
    }

    @Test func `a start without the database goes on with the last assignment, or with everything`() {
        var group = Group()
        group.open("a", kept: ["a", "b"], hasDatabase: false)
        #expect(group.keepers["a"]?.map.members == ["a", "b"])
        group.open("b", hasDatabase: false)
        for symbol in Self.symbols { #expect(group.keepers["b"]?.share.takes(symbol) == true) }
        // An assignment without this box must be another box's.
        group.open("c", kept: ["a", "b"], hasDatabase: false)
        #expect(group.keepers["c"]?.map.members == ["c"])
    }

    @Test func `a box that starts again while the others have its symbols records no gap for them`() {
        var group = settled("a", "b")
        let own = Self.symbols.filter { group.takers(of: $0) == ["b"] }
        group.kill("b")
        group.pass(80)
        group.open("b", kept: ["a", "b"])
        let limit = group.milliseconds + 60_000
        for symbol in own { #expect(group.keepers["b"]?.lossStart(of: symbol) == limit) }
    }

    @Test func `the loss of a box whose row was removed begins where it was last seen`() {
        var group = settled("a", "b")
        let own = Self.symbols.filter { group.takers(of: $0) == ["b"] }
        let seen = group.milliseconds
        group.kill("b")
        group.pass(10)
        // As `fleet --forget b` does.
        group.table["b"] = nil
        group.pass(10)
        #expect(group.keepers["a"]?.map.members == ["a"])
        for symbol in own { #expect(group.keepers["a"]?.lossStart(of: symbol) == seen) }
    }

    @Test func `who takes no part in the sharing is no member`() {
        var group = settled("a", "b")
        group.table["monitor"] = (group.time, nil, false)
        group.pass(10)
        #expect(group.keepers["a"]?.map.members == ["a", "b"])
    }
}
