import Feed
import MarketData
import Store
import Testing
import Universe
import Upstream

@testable import Collector

@Suite(.timeLimit(.minutes(2))) struct HealthTests {
    private static func symbols(_ count: Int) -> [Symbol] { (0..<count).compactMap { Symbol("S\($0)") } }

    private func snapshot(_ change: (inout CollectorSnapshot) -> Void = { _ in }) -> CollectorSnapshot {
        var snapshot = CollectorSnapshot(collector: "box", version: "1")
        for number in 1...2 {
            var connection = ConnectionState(id: "connection_\(number)", name: "n\(number)", status: .connected)
            connection.feed.assigned = Self.symbols(10)
            connection.feed.confirmed = Self.symbols(10)
            snapshot.connections.append(connection)
        }
        snapshot.maximumBytes = 1000
        snapshot.uploads = [UploadState()]
        snapshot.loops = [LoopProgress(name: "writer", age: 1, limit: 10)]
        change(&snapshot)
        return snapshot
    }

    private func level(_ name: String, age: Double = 0.5, _ change: (inout CollectorSnapshot) -> Void) -> Health.Level?
    {
        Health(snapshot(change), age: age).checks.first { $0.name == name }?.level
    }

    @Test func `a collector that collects is ready and live`() {
        let health = Health(snapshot(), age: 0.5)
        #expect(health.isLive && health.isReady)
        #expect(health.level == .ok)
        #expect(health.checks.map(\.name) == Health.names.filter { $0 != "sync_ticks" })
        let both = snapshot { $0.uploads.append(UploadState(role: .ticks)) }
        #expect(Health(both, age: 0.5).checks.map(\.name) == Health.names)
    }

    @Test func `universes that can't be pulled are degraded, with their age, and stop nothing`() {
        let health = Health(
            snapshot {
                $0.mirror = UniverseStatus()
                $0.mirror?.mirrorPulledAt = $0.time - 7_200_000
                $0.mirror?.failure = .init(description: "refused", since: .now)
            }, age: 0.5)
        #expect(health.isReady && health.level == .degraded)
        let check = health.checks.first { $0.name == "universes" }
        #expect(check?.detail.contains("2 h ago") == true && check?.detail.contains("refused") == true)
        #expect(level("universes") { $0.mirror = UniverseStatus() } == .ok)
        // A file that is being replaced is missing for a moment.
        for (age, expected) in [(5, Health.Level.ok), (11, .degraded)] {
            let level = level("universes") {
                $0.unreadableMirror = .init(description: "gone", since: $0.instant - .seconds(age))
            }
            #expect(level == expected)
        }
    }

    @Test func `a relay that fell behind is degraded for ten minutes`() {
        var relay = RelayState(host: "127.0.0.1", port: 8765, isEncrypted: false, maximumReaders: 64)
        #expect(level("relay") { $0.relay = nil } == .ok)
        #expect(level("relay") { $0.relay = relay } == .ok)
        relay.secondsSinceOverflow = 599
        #expect(level("relay") { $0.relay = relay } == .degraded)
        relay.secondsSinceOverflow = 600
        #expect(level("relay") { $0.relay = relay } == .ok)
    }

    @Test func `gaps that stay open for half an hour of failures, or for want of a setting, are degraded`() {
        func state(_ state: BackfillState, open: Int64) -> Health.Check? {
            Health(
                snapshot {
                    $0.backfill = state
                    $0.buffer.openGaps = open
                }, age: 0.5
            ).checks.first { $0.name == "backfill" }
        }
        func failing(for seconds: Int64) -> BackfillState {
            .filling(.init(description: "the key is refused", since: ContinuousClock.now - .seconds(seconds)))
        }
        #expect(state(.filling(nil), open: 1)?.level == .ok)
        #expect(
            state(.filling(nil), open: 2)?.detail
                == "2 gaps are open; those older than BACKFILL_REACH are left to edgetick backfill")
        #expect(state(failing(for: 1700), open: 1)?.level == .ok)
        #expect(state(failing(for: 1900), open: 1)?.level == .degraded)
        #expect(
            state(failing(for: 1900), open: 2)?.detail
                == "a gap has not been filled for 31 minutes: the key is refused")
        #expect(state(.off("BACKFILL_ENABLED is false"), open: 1)?.level == .ok)
        #expect(state(.lacking("set MASSIVE_REST_URL"), open: 0)?.level == .ok)
        let lacking = state(.lacking("set MASSIVE_REST_URL"), open: 2)
        #expect(lacking?.level == .degraded && lacking?.detail == "2 gaps are not filled: set MASSIVE_REST_URL")
    }

    @Test func `a gap that was given up, or a part of one, is degraded for a day`() {
        func level(_ state: BackfillState, since age: Int64) -> Health.Level? {
            self.level("backfill") {
                $0.backfill = state
                $0.buffer.lastGivenUpGap = $0.time - age
            }
        }
        #expect(level(.filling(nil), since: 86_399_000) == .degraded)
        #expect(level(.filling(nil), since: 86_400_000) == .ok)
        #expect(level(.off("BACKFILL_ENABLED is false"), since: 1000) == .ok)
    }

    @Test func `a daily comparison that is set and has no effect is degraded, with the reason`() {
        let health = Health(snapshot { $0.reconcileProblem = "add AM to FEED_EVENTS" }, age: 0.5)
        #expect(health.isReady && health.level == .degraded)
        #expect(health.headline == "reconcile degraded: RECONCILE_AT has no effect: add AM to FEED_EVENTS")
    }

    @Test func `a clock by which days would be compared too early is degraded, with how far it is ahead`() {
        var state = ReconcileState(minute: 21 * 60)
        state.clockLead = 59_999
        #expect(level("reconcile") { $0.reconcile = state } == .ok)
        state.clockLead = 3_600_000
        let health = Health(snapshot { $0.reconcile = state }, age: 0.5)
        #expect(health.headline?.contains("clock is 3600 s ahead of the REST server's") == true)
    }

    @Test func `a day that stayed open is degraded until it is complete, with what is missing and why`() {
        #expect(level("reconcile") { $0.reconcile = nil } == .ok)
        var state = ReconcileState(minute: 21 * 60)
        #expect(level("reconcile") { $0.reconcile = state } == .ok)
        let symbol = Symbol("AAPL")!
        var day = ReconciledDay(symbol: symbol, day: TradingDay("2026-11-24")!, at: 1)
        (day.tape, day.missing) = (390, 2)
        var outcome = ReconcileState.Outcome(day: day.day, at: 1)
        outcome.totals = DayTotals([day])
        state.note(outcome, atMost: 7)
        var next = ReconcileState.Outcome(day: TradingDay("2026-11-25")!, at: 2)
        state.note(next, atMost: 7)
        #expect(state.open.map(\.day.description) == ["2026-11-25", "2026-11-24"], "nothing of it was compared")
        next.totals = DayTotals([ReconciledDay(symbol: symbol, day: next.day, at: 2)])
        state.note(next, atMost: 7)
        let health = Health(snapshot { $0.reconcile = state }, age: 0.5)
        let detail = health.checks.first { $0.name == "reconcile" }?.detail ?? ""
        #expect(health.level == .degraded && health.isReady)
        #expect(detail.contains("2026-11-24 is not complete, 388 of 390") && detail.contains("missing or different: 2"))
        outcome.totals = DayTotals([])
        (outcome.failures, outcome.problem) = (3, "the plan does not cover them")
        state.note(outcome, atMost: 7)
        #expect(level("reconcile") { $0.reconcile = state } == .degraded)
        (outcome.totals, outcome.failures, outcome.problem) = (next.totals, 0, nil)
        state.note(outcome, atMost: 7)
        #expect(level("reconcile") { $0.reconcile = state } == .ok)
        #expect(state.days.map(\.day.description) == ["2026-11-25", "2026-11-24"])
    }

    @Test func `with one of two connections down the collector is up, degraded, and names it`() throws {
        let health = Health(
            snapshot {
                $0.connections[1].feed.status = .disconnected
                $0.connections[1].feed.lastError = FeedError(.closed, operation: "read", message: "refused")
            }, age: 0.5)
        #expect(health.isReady && health.level == .degraded)
        #expect(health.isLive)
        let detail = try #require(health.checks.first).detail
        #expect(detail.contains("1 of 2") && detail.contains("n2 is disconnected: read: refused"))
    }

    @Test func `a damaged file that was repaired is degraded until it is moved away, after those that were not`() {
        let files = ["/data/ticks-bad-1.sqlite", "/data/ticks-bad-2.sqlite"]
        func detail(_ repaired: [String: RepairedFile]) -> String {
            let health = Health(
                snapshot {
                    $0.buffer.setAside = files
                    $0.buffer.repairedFiles = repaired
                }, age: 0.5)
            #expect(health.level == .degraded)
            return health.checks.first { $0.name == "buffer" }?.detail ?? ""
        }
        let copy = RepairedFile(path: "/data/repaired-1/ticks.sqlite", isInUse: false)
        let inUse = RepairedFile(path: "/data/ticks.sqlite", isInUse: true)
        #expect(detail([files[1]: copy]).contains("\(files[0]) (and 1 more): rows that waited in it are not upstream"))
        let all = detail([files[0]: inUse, files[1]: copy])
        #expect(all.contains("\(files[1]) (and 1 more) and repaired as /data/repaired-1/ticks.sqlite"), "\(all)")
        #expect(all.contains("EDGETICK_DATA_DIR=/data/repaired-1 edgetick sync") && !all.contains("not upstream"))
    }

    @Test func `a damaged file set aside is degraded, with its name and what to do`() {
        let health = Health(
            snapshot { $0.buffer.setAside = ["/data/ticks-bad-1.sqlite", "/data/ticks-bad-2.sqlite"] }, age: 0.5)
        #expect(health.isReady && health.level == .degraded)
        let detail = health.checks.first { $0.name == "buffer" }?.detail ?? ""
        #expect(detail.contains("/data/ticks-bad-2.sqlite (and 1 more)") && detail.contains("edgetick repair"))
        #expect(
            level("buffer") {
                $0.buffer.setAside = ["/data/ticks-bad-1.sqlite"]
                $0.buffer.state = .full
            } == .failing)
    }

    @Test(arguments: [FeedConnectionStatus.disconnected, .connecting, .error])
    func `no state but connected counts as collecting`(status: FeedConnectionStatus) {
        #expect(level("feed") { $0.connections[0].feed.status = status } == .degraded)
        let none = level("feed") { for index in $0.connections.indices { $0.connections[index].feed.status = status } }
        #expect(none == .failing)
    }

    @Test func `connected without a confirmed symbol is not collecting`() {
        #expect(level("feed") { $0.connections[0].feed.confirmed = [] } == .degraded)
        func all(confirmed: Int) -> Health.Level? {
            level("feed") {
                $0.connections[0].feed.takesAll = true
                $0.connections[0].feed.assigned = []
                $0.connections[0].feed.confirmed = []
                $0.connections[0].feed.channels = 1
                $0.connections[0].feed.confirmedChannels = confirmed
            }
        }
        #expect(all(confirmed: 1) == .ok)
        #expect(all(confirmed: 0) == .degraded)
    }

    @Test func `a kind of events that is refused for every symbol is degraded and named, and the others are collected`()
    {
        func refuse(_ snapshot: inout CollectorSnapshot, _ status: FeedConnectionStatus = .connected) {
            for index in snapshot.connections.indices {
                snapshot.connections[index].feed.status = status
                snapshot.connections[index].feed.confirmed = []
                snapshot.connections[index].feed.refused = Self.symbols(10)
                snapshot.connections[index].feed.refusedChannels = Self.symbols(10).map { "Q.\($0)" }
                snapshot.connections[index].feed.channels = 30
                snapshot.connections[index].feed.confirmedChannels = 20
            }
        }
        let health = Health(snapshot { refuse(&$0) }, age: 0.5)
        #expect(health.isReady && health.level == .degraded)
        let detail = health.checks.first { $0.name == "feed" }?.detail ?? ""
        #expect(
            detail.contains("20 symbols are not confirmed for every kind of event, 20 of them refused"), "\(detail)")
        #expect(detail.hasSuffix("plan: quotes"), "\(detail)")
        #expect(level("feed") { refuse(&$0, .disconnected) } == .failing)
        let none = level("feed") {
            refuse(&$0)
            for index in $0.connections.indices { $0.connections[index].feed.confirmedChannels = 0 }
        }
        #expect(none == .failing)
    }

    @Test func `of all symbols, a kind of events that is refused or not confirmed is degraded, and named`() {
        let health = Health(
            snapshot {
                $0.connections[0].feed.takesAll = true
                $0.connections[0].feed.assigned = []
                $0.connections[0].feed.channels = 2
                $0.connections[0].feed.confirmedChannels = 1
                $0.connections[0].feed.refusedChannels = ["T.*"]
            }, age: 0.5)
        #expect(health.isReady && health.level == .degraded)
        #expect(health.checks.first { $0.name == "feed" }?.detail.contains("1 of 2 kinds") == true)
        #expect(health.checks.first { $0.name == "feed" }?.detail.contains("T.*") == true)
    }

    @Test func `kinds of which nothing arrives although there must be some are degraded, with their names`() {
        let health = Health(snapshot { $0.connections[0].silentKinds = [.minuteBar, .secondBar] }, age: 0.5)
        #expect(health.isReady && health.level == .degraded)
        let detail = health.checks.first { $0.name == "feed" }?.detail ?? ""
        #expect(detail.hasPrefix("n1: no minute bars and no second bars arrive"), "\(detail)")
    }

    @Test func `nothing to collect is not ready`() {
        let off = Health(snapshot { $0.connections = [] }, age: 0.5).checks.first { $0.name == "feed" }
        #expect(off?.level == .failing && off?.detail.contains("USE_MASSIVE_API") == true)
        let idle = level("feed") {
            for index in $0.connections.indices { $0.connections[index].feed.assigned = [] }
        }
        #expect(idle == .failing)
    }

    @Test func `a connection counts whether it has symbols now or not`() throws {
        let health = Health(
            snapshot {
                $0.connections[1].feed.assigned = []
                $0.connections[1].feed.confirmed = []
                $0.connections[1].feed.status = .error
            }, age: 0.5)
        let feed = try #require(health.checks.first)
        #expect(feed.level == .degraded, "its symbols are with the other, and it is not as the settings say")
        #expect(feed.detail.contains("1 of 2 connections do not collect: n2 is idle and has an error"))
        let standby = Health(
            snapshot {
                $0.connections[1].feed.assigned = []
                $0.connections[1].feed.confirmed = []
            }, age: 0.5)
        #expect(standby.checks.first?.level == .ok)
        #expect(standby.checks.first?.detail == "1 of 2 connections collect, 1 stand by")
    }

    @Test func `a key that gives nothing is a problem for as long as something else is collected`() {
        let wish = SymbolWish(
            connection: "connection_1", name: "n1", universeKey: "nasdq100", list: nil, fallback: .defaultList)
        let symbols = ["AAPL", "MSFT"].compactMap { Symbol($0) }
        var assignment = SymbolAssignment(
            wish: wish, interest: .symbols(symbols), source: .defaultList, problem: "no group is named nasdq100")
        let health = Health(snapshot { $0.connections[0].assignment = assignment }, age: 0.5)
        #expect(health.isReady && health.level == .degraded)
        #expect(
            health.headline
                == "symbols degraded: n1: no group is named nasdq100; 2 symbols are collected of the default list instead"
        )
        assignment.problem = nil
        #expect(level("symbols") { $0.connections[0].assignment = assignment } == .ok)
        assignment.leftOut = "left out 1 member that the feed has no symbol for"
        let named = Health(snapshot { $0.connections[0].assignment = assignment }, age: 0.5)
        #expect(
            named.checks.first { $0.name == "symbols" }?.detail
                == "the symbols of the settings are collected; n1: left out 1 member that the feed has no symbol for")
    }

    @Test func `symbols without room are a problem, with their names`() {
        let symbols = ["AAPL", "IBM"].compactMap { Symbol($0) }
        let health = Health(
            snapshot {
                $0.placement.wanted = 4
                $0.placement.unplaced = symbols
            }, age: 0.5)
        #expect(health.isReady && health.level == .degraded)
        #expect(health.headline?.hasPrefix("symbols degraded: 2 of 4 symbols have no room") == true)
        #expect(health.headline?.contains("AAPL, IBM") == true)
    }

    @Test func `a connection that waits for a restart is a problem`() {
        #expect(level("symbols") { $0.unusedConnections = ["secondary"] } == .degraded)
    }

    @Test func `refused symbols and paused reading are a problem, not a failure`() {
        #expect(level("feed") { $0.connections[0].feed.confirmed = Self.symbols(9) } == .degraded)
        #expect(level("feed") { $0.connections[0].feed.isPaused = true } == .degraded)
    }

    @Test func `a connection that answers pings and brings nothing while New York trades is a problem`() {
        #expect(level("feed") { $0.connections[0].quietFor = 901 } == .degraded)
        #expect(level("feed") { $0.connections[0].quietFor = 899 } == .ok)
        let idle = level("feed") {
            $0.connections[1].feed.assigned = []
            $0.connections[1].quietFor = 5000
        }
        #expect(idle == .ok)
    }

    @Test func `shutting down is not ready`() {
        #expect(level("feed") { $0.isStopping = true } == .failing)
    }

    @Test func `a buffer that does not take events is not ready`() {
        #expect(level("buffer") { $0.buffer.state = .full } == .failing)
        #expect(level("buffer") { $0.buffer.state = .failing(message: "disk gone") } == .failing)
        #expect(level("buffer") { $0.buffer.usedBytes = 800 } == .degraded)
        #expect(level("buffer") { $0.buffer.usedBytes = 799 } == .ok)
        #expect(level("buffer") { $0.buffer.pinnedLog = "a reader is in the way" } == .degraded)
    }

    @Test func `rows that are dated ahead of the clock are degraded, with the time until when`() {
        let ahead = Health(
            snapshot {
                $0.time = 1_795_630_000_000
                $0.buffer.latestReceipt = $0.time + 86_400_000
            }, age: 0.5)
        #expect(ahead.isReady && ahead.level == .degraded)
        let detail = ahead.checks.first { $0.name == "buffer" }?.detail ?? ""
        #expect(detail.contains("dated 2026-11-26T18:06:40Z until the clock gets there"), "\(detail)")
        for (lead, expected) in [(5000, Health.Level.ok), (5001, .degraded)] as [(Int64, Health.Level)] {
            #expect(level("buffer") { $0.buffer.latestReceipt = $0.time + lead } == expected)
        }
    }

    @Test func `upstream away is a problem, and the collector stays ready`() {
        let health = Health(
            snapshot {
                $0.uploads[0].status.failed(nil, "password rotated", needsPerson: true, at: .now)
            }, age: 0.5)
        #expect(health.isReady)
        #expect(health.level == .degraded)
        #expect(health.checks.contains { $0.detail.contains("a person must fix this: password rotated") })
        #expect(level("sync") { $0.buffer[.bars].oldestPendingMilliseconds = $0.time - 901_000 } == .degraded)
        #expect(level("sync") { $0.uploads = [] } == .ok)
        // With uploads an hour apart, rows may wait for an hour.
        for (seconds, expected) in [(3590.0, Health.Level.ok), (4600, .degraded)] {
            let level = level("sync") {
                $0.uploads = [UploadState(interval: 3600)]
                $0.uploads[0].stalledFor = seconds
                $0.buffer[.bars].oldestPendingMilliseconds = $0.time - Int64(seconds * 1000)
            }
            #expect(level == expected, "\(seconds)")
        }
        #expect(level("sync") { $0.buffer[.bars].deadLetters = 1 } == .degraded)
    }

    @Test func `rows that a database refused degrade its own check, also while the upload fails`() {
        func details(_ change: (inout CollectorSnapshot) -> Void) -> [String] {
            let health = Health(
                snapshot {
                    $0.uploads = [
                        UploadState(streams: [.bars]), UploadState(role: .ticks, streams: [.trades, .quotes]),
                    ]
                    change(&$0)
                }, age: 0.5)
            return ["sync", "sync_ticks"].compactMap { name in health.checks.first { $0.name == name }?.detail }
        }
        let apart = details { $0.buffer[.trades].deadLetters = 2 }
        #expect(apart.count == 2 && apart[0] == "upstream keeps up")
        #expect(apart.last?.hasPrefix("2 rows were refused") == true, "\(apart)")
        let both = details {
            $0.buffer[.bars].deadLetters = 1
            $0.uploads[0].status.failed(nil, "no route to host", needsPerson: false, at: .now)
        }
        #expect(both[0].contains("no route to host") && both[0].contains("1 row was refused"), "\(both)")
        #expect(both.last == "upstream keeps up")
    }

    @Test func `rows that a trigger keeps out of their table degrade the upload, unless that is intended`() {
        var totals = UploadTotals()
        totals[.trades].uploaded = 10
        totals[.trades].keptOut = 3
        let checks = [false, true].map { isIntended in
            Health(
                snapshot {
                    $0.uploads[0].keepsOutOnPurpose = isIntended
                    $0.uploads[0].status.progressed(totals)
                }, age: 0.5
            ).checks.first { $0.name == "sync" }
        }
        #expect(checks[0]?.level == .degraded && checks[0]?.detail.hasPrefix("3 rows of trades went up ") == true)
        #expect(checks[1]?.level == .ok && checks[1]?.detail.contains("kept 3 rows out of the table") == true)
    }

    @Test func `of two databases the next pass is the earlier one, and there is none while one is under way`() {
        let now = ContinuousClock.now
        var both = snapshot {
            $0.uploads = [UploadState(streams: [.bars]), UploadState(role: .ticks, streams: [.trades])]
        }
        both.uploads[0].status.nextPass = now + .seconds(9)
        both.uploads[1].status.nextPass = now + .seconds(2)
        #expect(both.sync?.nextPass == now + .seconds(2))
        both.uploads[1].status.nextPass = nil
        #expect(both.sync?.nextPass == nil)
    }

    @Test func `a full disk is told as that, not as the cap, and a disk that fills up is degraded before`() {
        let full = Health(snapshot { $0.buffer.state = .diskFull }, age: 0.5).checks.first { $0.name == "buffer" }
        #expect(full?.level == .failing)
        #expect(full?.detail.contains("the disk is full") == true && full?.detail.contains("BUFFER_MAX_BYTES") == false)
        #expect(
            level("disk") {
                $0.buffer.diskFreeBytes = 1100 << 20
                $0.buffer.diskSizeBytes = 100 << 30
            } == .ok)
        #expect(
            level("disk") {
                $0.buffer.diskFreeBytes = 900 << 20
                $0.buffer.diskSizeBytes = 100 << 30
            } == .degraded)
    }

    @Test func `the headline is the worst problem, and how many more there are`() {
        #expect(Health(snapshot(), age: 0.5).headline == nil)
        let one = Health(snapshot { $0.connections[0].feed.isPaused = true }, age: 0.5)
        #expect(one.headline?.hasPrefix("feed degraded: reading is paused") == true)
        #expect(one.headline?.contains("more") == false)
        let health = Health(
            snapshot {
                $0.connections[0].feed.isPaused = true
                $0.buffer.state = .failing(message: "disk gone")
                $0.buffer.setAside = ["/data/ticks-bad-1.sqlite"]
            }, age: 0.5)
        #expect(health.headline == "buffer failing: disk gone (and 2 more problems)")
        #expect(health.verdict.text == "not collecting; buffer failing: disk gone (and 2 more problems)")
    }

    @Test func `a stuck loop is neither live nor ready`() {
        for health in [
            Health(snapshot { $0.loops[0].age = 11 }, age: 0.5),
            Health(snapshot(), age: Health.Check.sampleLimit + 0.1),
        ] {
            #expect(!health.isLive)
            #expect(!health.isReady)
        }
    }
}
