import MarketData
import Testing

@testable import Collector
@testable import Feed
@testable import Upstream

/// How the rows of the fleet's table are judged.
@Suite(.timeLimit(.minutes(1))) struct FleetTests {
    private func row(
        _ id: String, group: String? = nil, _ state: FleetReport.State = .ok, age: Double = 3,
        isConnected: Bool? = nil, change: (inout FleetReport) -> Void = { _ in }
    ) -> FleetRow {
        var report = FleetReport(id: id, group: group, host: id, version: "1", fileID: "f-\(id)")
        report.state = state
        change(&report)
        return FleetRow(report: report, seen: 1_000_000, age: age, isConnected: isConnected)
    }

    private func box(_ row: FleetRow) -> Fleet.Box { Fleet.Box(row) }

    @Test func `the server's clock alone says who is stale`() {
        #expect(box(row("a", age: 60)).standing == .live)
        let stale = box(row("a", age: 61, change: { $0.reason = "the disk is full" }))
        #expect(stale.standing == .stale && stale.level == .failing)
        #expect(stale.detail?.contains("the disk is full") == true)
    }

    @Test func `a box whose connection has ended is gone, unless it may be coming again or can't be known`() {
        #expect(box(row("a", age: 5, isConnected: false)).standing == .gone)
        #expect(box(row("a", age: 5, isConnected: false)).level == .failing)
        #expect(box(row("a", age: 1, isConnected: false)).standing == .live)
        #expect(box(row("a", age: 5, isConnected: true)).standing == .live)
        #expect(box(row("a", age: 50, isConnected: nil)).standing == .live)
    }

    @Test func `a clock that is as wrong as a number can be is told like others`() {
        for offset in [Int64.min, Int64.max] {
            let box = box(row("a", change: { $0.clockOffset = offset }))
            #expect(box.level == .degraded && box.detail?.contains("\(offset.magnitude) ms") == true)
        }
    }

    @Test func `a box that stopped is said to be, however long ago, and how it is taken off the list`() {
        let stopped = box(row("a", .stopped, age: 10_000, isConnected: false))
        #expect(stopped.standing == .stopped && stopped.level == .degraded)
        #expect(stopped.detail?.contains("--forget a") == true)
    }

    @Test func `a clock that is two seconds off degrades a box that is well otherwise`() {
        #expect(box(row("a", change: { $0.clockOffset = 1999 })).level == .ok)
        let ahead = box(row("a", change: { $0.clockOffset = 3_600_000 }))
        #expect(ahead.level == .degraded && ahead.detail?.contains("3600000 ms ahead") == true)
        #expect(box(row("a", change: { $0.clockOffset = -2000 })).detail?.contains("behind") == true)
    }

    @Test func `the box's own health says of its clock what the fleet says`() {
        for (offset, level) in [(1999, Health.Level.ok), (2000, .degraded), (-2000, .degraded)]
            as [(Int64, Health.Level)]
        {
            var snapshot = CollectorSnapshot(collector: "a", version: "1")
            snapshot.fleet = FleetBoard.Status(clockOffset: offset)
            let own = Health.Check.fleet(snapshot)
            let box = box(row("a", change: { $0.clockOffset = offset }))
            #expect(own.level == level && box.level == level, "\(offset)")
            if level > .ok { #expect(own.detail == box.detail) }
        }
    }

    @Test func `an offset that was measured before the database went away says nothing of the clock now`() {
        var snapshot = CollectorSnapshot(collector: "a", version: "1")
        snapshot.fleet = FleetBoard.Status(clockOffset: 5000)
        #expect(Health.Check.fleet(snapshot).level == .degraded)
        snapshot.fleet?.problem = "no route to host"
        #expect(Health.Check.fleet(snapshot).level == .ok)
    }

    @Test func `a box counts each of its symbols once, and tells all of the market from none`() {
        func report(_ connections: [[String]], all: Bool = false) -> FleetReport {
            var snapshot = CollectorSnapshot(collector: "a", version: "1")
            snapshot.connections = connections.enumerated().map { place, names in
                var state = ConnectionState(id: "connection_\(place)", name: "\(place)")
                state.feed.assigned = names.compactMap { Symbol($0) }
                state.feed.takesAll = all && place == 0
                return state
            }
            var report = FleetReport(id: "a", group: nil, host: "a", version: "1", fileID: "f")
            report.take(
                StatusBoard.Sample(
                    snapshot: snapshot, time: 0, instant: .now, usage: ProcessUsage.now(), uptime: 100),
                gapsOpen: 0)
            return report
        }
        let two = report([["AAPL", "MSFT"], ["MSFT", "IBM"]])
        #expect(two.symbols == 3 && !two.takesAll)
        let all = report([[], ["IBM"]], all: true)
        #expect(all.symbols == 0 && all.takesAll)
        let none = report([[]])
        #expect(none.symbols == 0 && !none.takesAll)
    }

    @Test func `the worst box comes first, and the headline names it`() {
        let fleet = Fleet([
            row("a"), row("b", .degraded, change: { $0.reason = "rows wait" }), row("c", age: 100), row("d"),
        ])
        #expect(fleet.boxes.map(\.row.report.id) == ["c", "b", "a", "d"])
        #expect(fleet.level == .failing)
        #expect(
            fleet.headline?.hasPrefix("c (and 1 more box): not seen for 100 s") == true, "\(fleet.headline ?? "")")
        #expect(Fleet([row("a")]).headline == nil && Fleet([]).level == .ok)
    }

    @Test func `two boxes of one group that push each other out are named together, and no other`() {
        func pushed(_ id: String, _ group: String?) -> FleetRow {
            row(id, group: group, change: { $0.isPushedOut = true })
        }
        let fleet = Fleet([pushed("b", "nyc"), pushed("a", "nyc"), row("c", group: "nyc"), pushed("x", "lon")])
        #expect(fleet.remarks.count == 1)
        #expect(fleet.remarks.first?.hasPrefix("a and b of the group nyc push each other off the feed") == true)
        #expect(fleet.level == .degraded)
    }

    @Test func `a box that writes its row but can't ask who shares the symbols is degraded after a minute`() {
        let board = FleetBoard(isSharing: true)
        let start = ContinuousClock.now
        func check(after seconds: Int) -> Health.Check { board.check(at: start + .seconds(seconds)) }
        for seconds in [0, 20, 40, 60] {
            board.wrote(FleetTable.Written(clockOffset: 0, fileBefore: nil), hasNamesake: false)
            board.couldNotRead("permission denied", at: start + .seconds(seconds))
        }
        #expect(check(after: 60).level == .ok)
        let late = check(after: 61)
        #expect(late.level == .degraded)
        #expect(late.detail.contains("can't be asked which boxes share the symbols") && late.detail.contains("denied"))
        // The row is written all the while.
        #expect(board.status.problem == nil)
        board.asked()
        #expect(check(after: 100).level == .ok)
        // A database that is away can be neither written nor asked.
        board.couldNotWrite("refused", at: start + .seconds(100))
        #expect(board.status.problem == "refused")
        #expect(check(after: 161).level == .degraded)
    }

    @Test func `another box that takes fewer symbols than its share makes the fleet degraded after two minutes`() {
        let board = FleetBoard(isSharing: true)
        let start = ContinuousClock.now
        func check(after seconds: Int) -> Health.Check { board.check(at: start + .seconds(seconds)) }
        for seconds in [0, 60, 120] { board.asked(shortfall: "b takes fewer", at: start + .seconds(seconds)) }
        #expect(check(after: 120).level == .ok)
        let late = check(after: 121)
        #expect(late.level == .degraded && late.detail.contains("b takes fewer"), "\(late.detail)")
        board.couldNotRead("permission denied", at: start + .seconds(121))
        #expect(check(after: 122).level == .ok)
        board.asked()
        #expect(check(after: 300).level == .ok)
    }

    @Test func `a group that can't exchange which gaps it covers is degraded after six minutes`() {
        let board = FleetBoard(isSharing: false)
        let start = ContinuousClock.now
        func check(after seconds: Int) -> Health.Check { board.check(at: start + .seconds(seconds)) }
        for seconds in [0, 150, 300] { board.exchanged(problem: "permission denied", at: start + .seconds(seconds)) }
        // Older gaps are checked every five minutes: one check that failed is no lasting failure.
        #expect(check(after: 360).level == .ok)
        let late = check(after: 361)
        #expect(late.level == .degraded && late.detail.contains("permission denied"), "\(late.detail)")
        board.exchanged(problem: nil, at: start + .seconds(370))
        #expect(check(after: 700).level == .ok)
        board.exchanged(problem: "permission denied", at: start + .seconds(700))
        #expect(check(after: 900).level == .ok)
    }

    @Test func `a group that was set on one box alone is remarked on, beside boxes that collect as much without one`() {
        func box(_ id: String, _ group: String?, symbols: Int = 500, age: Double = 3) -> FleetRow {
            row(id, group: group, age: age, change: { $0.symbols = symbols })
        }
        let fleet = Fleet([box("a", "nyc"), box("b", nil), box("c", nil)])
        #expect(fleet.remarks.count == 1 && fleet.level == .degraded)
        #expect(fleet.groupProblem(of: "a")?.contains("alone in the group nyc, and b and 1 more") == true)
        #expect(fleet.groupProblem(of: "b") == nil && fleet.groupProblem(of: "x") == nil)
        // Boxes with other symbols don't count, nor those that are off, and a group of two is fine.
        #expect(Fleet([box("a", "nyc"), box("b", nil, symbols: 30), box("c", nil, age: 900)]).remarks.isEmpty)
        #expect(Fleet([box("a", "nyc"), box("z", "nyc", age: 900), box("b", nil)]).remarks.isEmpty)
        #expect(Fleet([box("b", nil), box("c", nil)]).remarks.isEmpty)
        // Boxes that collect all are alike, but not those that collect nothing, nor one of each.
        func all(_ id: String, _ group: String?) -> FleetRow { row(id, group: group, change: { $0.takesAll = true }) }
        #expect(Fleet([all("a", "nyc"), all("b", nil)]).remarks.count == 1)
        #expect(Fleet([box("a", "nyc", symbols: 0), box("b", nil, symbols: 0)]).remarks.isEmpty)
        #expect(Fleet([all("a", "nyc"), box("b", nil, symbols: 0)]).remarks.isEmpty)
    }
}

extension FleetBoard {
    /// What health shows of the fleet at a moment.
    fileprivate func check(at instant: ContinuousClock.Instant) -> Health.Check {
        var snapshot = CollectorSnapshot(collector: "a", version: "1")
        snapshot.instant = instant
        snapshot.fleet = status
        return .fleet(snapshot)
    }
}
