import MarketData
import Testing

@testable import Feed

/// Gaps are in the events' own time, whatever was read when and whatever the clock did. Times in milliseconds after the
/// start; the clock steps by hand.
@Suite(.timeLimit(.minutes(3))) struct GapTimeTests {
    private func lost(_ feed: inout MachineDriver, at seconds: Double) {
        _ = feed.closed(at: seconds)
        _ = feed.tick(at: seconds + 5)
        feed.subscribe(from: seconds + 5)
    }

    @Test func `a gap begins where the events had come to, not when bytes were last read`() throws {
        // Second bars that wait for a minute in a queue, which is then thrown away.
        var feed = try MachineDriver(["A", "B"], events: [.secondBar])
        feed.subscribe()
        _ = feed.confirm("A.A", "A.B", at: 1)
        for second in 70..<150 { _ = feed.bar("A", at: Double(second), late: 60) }
        _ = feed.status("slow_consumer", at: 150)
        lost(&feed, at: 150)
        #expect(feed.confirm("A.A", "A.B", at: 156).first == "gap A,B A 89000-156000 disconnected")
    }

    @Test func `each kind has its own start`() throws {
        var feed = try MachineDriver(["A"], events: [.trade, .secondBar])
        feed.subscribe()
        _ = feed.confirm("A.A", "T.A", at: 1)
        _ = feed.bar("A", at: 50, late: 2)
        _ = feed.trade("A", at: 58)
        lost(&feed, at: 60)
        #expect(
            feed.confirm("A.A", "T.A", at: 66).dropLast() == [
                "gap A A 48000-66000 disconnected", "gap A T 58000-66000 disconnected",
            ])
    }

    @Test func `an event from the future makes a gap begin no later than it was read`() throws {
        var feed = try MachineDriver(["A"])
        feed.subscribe()
        _ = feed.confirm("T.A", at: 1)
        _ = feed.trade("A", at: 50, late: -3600)
        lost(&feed, at: 60)
        #expect(feed.confirm("T.A", at: 66).first?.hasPrefix("gap A T 50000-") == true)
    }

    @Test func `a channel of which no event was seen yet is missing since it was asked for`() throws {
        // Frozen between asking and reading the answer: the feed counts from its answer, and threw the queue away.
        var feed = try MachineDriver(["A"], events: [.trade])
        feed.subscribe(from: 2)
        _ = feed.confirm("T.A", at: 40)
        _ = feed.status("slow_consumer", at: 41)
        lost(&feed, at: 41)
        #expect(feed.confirm("T.A", at: 47).first == "gap A T 2000-47000 disconnected")
    }

    @Test func `a loss is recorded when it begins, and its row gives way when it ends`() throws {
        var feed = try MachineDriver(["A", "B"])
        feed.subscribe()
        _ = feed.confirm("T.A", "T.B", at: 1)
        _ = feed.trade("A", at: 5)
        _ = feed.closed(at: 10)
        #expect(feed.open == ["gap A,B T 5000- disconnected"])
        _ = feed.tick(at: 15)
        feed.subscribe(from: 15)
        _ = feed.confirm("T.A", at: 16)
        _ = feed.status("error", "not authorized: T.B", at: 16)
        #expect(feed.open == ["gap B T 5000- disconnected"])
        // The refused one has the one gap, through another outage too.
        _ = feed.closed(at: 20)
        _ = feed.tick(at: 40)
        feed.subscribe(from: 40)
        _ = feed.confirm("T.A", at: 41)
        _ = feed.status("error", "not authorized: T.B", at: 41)
        #expect(feed.open == ["gap B T 5000- disconnected"])
        #expect(feed.confirm("T.B", at: 90) == ["gap B T 5000-90000 disconnected"])
        #expect(feed.open == [])
    }

    @Test
    func `what was missed while no collector ran begins at the newest event of each kind, where no gap tells of it`()
        throws
    {
        let start: Int64 = 1_000_000_000
        let told = Gap(
            connection: "primary", symbols: [Symbol("B")!], events: [.trade], from: start - 90_000, to: start - 20_000,
            cause: .disconnected)
        var feed = try MachineDriver(["A", "B"], events: [.trade, .secondBar]) { configuration in
            configuration.previousLife = PreviousLife(
                end: start - 20_000, newest: [.trade: start - 80_000, .secondBar: start - 30_000], told: [told])
        }
        feed.subscribe()
        #expect(
            feed.open == ["gap A T -80000- down", "gap A,B A -30000- down", "gap B T -20000- down"])
        let gaps = feed.confirm("T.A", "T.B", "A.A", "A.B", at: 1)
        #expect(
            gaps.dropLast() == ["gap A T -80000-1000 down", "gap A,B A -30000-1000 down", "gap B T -20000-1000 down"])
        #expect(feed.open == [])
    }

    @Test func `a clock that is set back in an outage leaves the gap its length, and it says that it is unsure`() throws
    {
        var feed = try MachineDriver(["A"])
        feed.subscribe()
        _ = feed.confirm("T.A", at: 1)
        _ = feed.trade("A", at: 50)
        _ = feed.closed(at: 60)
        feed.clockStep = -3600
        _ = feed.tick(at: 120)
        feed.subscribe(from: 120)
        #expect(feed.confirm("T.A", at: 121).first == "gap A T 50000-121000 disconnected uncertain")
    }

    @Test(arguments: [-400.0, 400])
    func `a clock that is 400 days off makes no gap of 400 days`(days: Double) throws {
        var feed = try MachineDriver(["A"])
        feed.subscribe()
        _ = feed.confirm("T.A", at: 1)
        _ = feed.trade("A", at: 40)
        feed.clockStep = days * 86_400
        _ = feed.trade("A", at: 50)
        lost(&feed, at: 60)
        let gaps = feed.confirm("T.A", at: 66) + feed.trade("A", at: 70)
        let gap = try #require(gaps.first { $0.hasPrefix("gap") })
        let match = try #require(gap.firstMatch(of: /gap A T (-?[0-9]+)-(-?[0-9]+) disconnected uncertain/), "\(gap)")
        let (from, to) = (try #require(Int64(match.1)), try #require(Int64(match.2)))
        #expect(from <= 50_000 && to >= 66_000)
        #expect(to - from <= 2 * 86_400_000)
    }

    @Test func `a start with a clock that is behind the file waits for an event to know when the gap ends`() throws {
        let start: Int64 = 1_000_000_000
        var feed = try MachineDriver(["A"]) { configuration in
            configuration.previousLife = PreviousLife(
                end: start + 500_000, newest: [.trade: start + 500_000], isUncertain: true)
        }
        feed.subscribe()
        #expect(feed.confirm("T.A", at: 1) == ["note connected(confirmed: 1, wanted: 1)"])
        #expect(feed.open == ["gap A T 500000- down uncertain"])
        // The clock shows 2 s, and the feed's is at 800 s.
        #expect(feed.trade("A", at: 2, late: -798) == ["gap A T 500000-800000 down uncertain"])
        #expect(feed.open == [])
    }

    /// A start a second after the last one's end by the clock, and ten hours after it by the feed.
    private func behind(by seconds: Double) throws -> MachineDriver {
        let end = 1_000_000_000 - Int64(seconds * 1000) - 1000
        var feed = try MachineDriver(["A"]) { $0.previousLife = PreviousLife(end: end, newest: [.trade: end]) }
        feed.clockStep = -seconds
        feed.subscribe()
        #expect(feed.confirm("T.A", at: 1).first == "gap A T -36001000--35999000 down")
        #expect(feed.open == [])
        return feed
    }

    @Test
    func `a clock that stood still with the machine does not shorten the downtime: the first event tells the rest`()
        throws
    {
        var feed = try behind(by: 36_000)
        // One that comes late says nothing yet.
        #expect(feed.trade("A", at: 2, late: 40_000) == [])
        #expect(feed.trade("A", at: 3) == ["gap A T -35999000-3000 down uncertain"])
        #expect(feed.trade("A", at: 5) == [])
    }

    @Test func `nor when the clock is set right before the first event`() throws {
        var feed = try behind(by: 36_000)
        feed.clockStep = 0
        #expect(feed.trade("A", at: 4) == ["gap A T -35999000-4000 down uncertain"])
    }

    @Test func `an event that agrees with the clock proves the end of the downtime`() throws {
        var feed = try MachineDriver(["A"]) {
            $0.previousLife = PreviousLife(end: 999_970_000, newest: [.trade: 999_970_000])
        }
        feed.subscribe()
        #expect(feed.confirm("T.A", at: 1).first == "gap A T -30000-1000 down")
        #expect(feed.trade("A", at: 4, late: 1) == [])
        #expect(feed.trade("A", at: 5, late: -3600) == [])
    }

    @Test func `a delayed feed's gaps are in its events' time`() throws {
        var feed = try MachineDriver(["A"]) { $0.feedDelay = 900_000 }
        feed.subscribe(from: 1000)
        _ = feed.confirm("T.A", at: 1001)
        _ = feed.trade("A", at: 1050, late: 900)
        lost(&feed, at: 1060)
        #expect(feed.confirm("T.A", at: 1066).first == "gap A T 150000-166000 disconnected")
    }
}

/// A process, a machine or a line that is suspended, and events that can't be read.
@Suite(.timeLimit(.minutes(3))) struct PauseTests {
    @Test func `a timer that is five seconds late shows a pause, a little late it shows none`() {
        var watch = PauseWatch(now: .seconds(10))
        #expect(watch.seen(.seconds(11)) == nil && watch.seen(.seconds(16)) == nil)
        #expect(watch.seen(.seconds(22)) == nil)
        #expect(watch.seen(.seconds(28.5)) == .seconds(6.5))
        #expect(watch.seen(.seconds(29)) == nil)
    }

    @Test func `a pause is told, and where the feed threw its queue away there is a gap`() throws {
        var feed = try MachineDriver(["A", "B"], events: [.trade])
        feed.subscribe()
        _ = feed.confirm("T.A", "T.B", at: 0)
        for second in 1...50 {
            #expect(feed.at(Double(second)) { $0.alive($1) } == [])
            #expect(feed.trade("A", at: Double(second)) == [])
        }
        // Still for 150 s. What lay in the sockets' buffers comes first, then what is sent now.
        #expect(
            feed.at(200) { $0.alive($1) } == ["note suspended(150.0 seconds)", "incident suspended"])
        #expect(feed.trade("A", at: 200, late: 148) == [])
        #expect(feed.trade("A", at: 200.1, late: 146) == [])
        #expect(feed.trade("B", at: 200.2) == ["gap A,B T 54100-200200 paused"])
        // Afterwards a quiet market is nothing special.
        _ = feed.trade("A", at: 201)
        #expect(feed.trade("A", at: 205) == [])
        for second in 205...240 { _ = feed.at(Double(second)) { $0.alive($1) } }
        #expect(feed.trade("A", at: 240) == [])
    }

    @Test func `a pause after which everything comes leaves no gap`() throws {
        var feed = try MachineDriver(["A"], events: [.secondBar])
        feed.subscribe()
        _ = feed.confirm("A.A", at: 0)
        for second in 1...20 { _ = feed.bar("A", at: Double(second)) }
        for second in 21...100 {
            #expect(feed.bar("A", at: 100, late: Double(100 - second)).allSatisfy { !$0.hasPrefix("gap") })
        }
        #expect(feed.bar("A", at: 101) == [] && feed.machine.jumps.isOver)
    }

    /// Silent from 20 s to 62 s; two pings are not answered.
    private func silent() throws -> MachineDriver {
        var feed = try MachineDriver(["A"])
        feed.subscribe()
        _ = feed.confirm("T.A", at: 0)
        for second in 1...20 { _ = feed.trade("A", at: Double(second)) }
        for second in 21...61 {
            _ = feed.at(Double(second)) { $0.alive($1) }
            #expect(feed.tick(at: Double(second)) == ([35, 50].contains(second) ? ["ping"] : []))
        }
        return feed
    }

    @Test func `a line that hung over pings, and lost what waited in it, leaves a gap`() throws {
        var feed = try silent()
        #expect(feed.trade("A", at: 62) == ["gap A T 20000-62000 stalled"])
        #expect(feed.trade("A", at: 63) == [])
    }

    @Test func `one that lost nothing leaves none`() throws {
        var feed = try silent()
        for second in 21...62 { #expect(feed.trade("A", at: 62, late: Double(62 - second)) == []) }
        #expect(feed.machine.jumps.isOver)
    }

    @Test func `events that can't be decoded leave a gap where none could for long, each kind its own`() throws {
        var feed = try MachineDriver(["A"], events: [.trade, .secondBar])
        feed.subscribe()
        _ = feed.confirm("T.A", "A.A", at: 0)
        func reject(_ kinds: [EventKind], at seconds: Double) {
            _ = feed.at(seconds) { machine, now in
                let actions = machine.alive(now)
                machine.rejected(kinds, now)
                return actions
            }
        }
        for second in 1...10 {
            reject([.trade], at: Double(second))
            #expect(feed.trade("A", at: Double(second)) == [])
        }
        _ = feed.bar("A", at: 10)
        for second in 11...21 { reject([.trade], at: Double(second)) }
        for second in 22...24 { reject([.trade, .secondBar], at: Double(second)) }
        #expect(feed.trade("A", at: 24) == ["gap A T 10000-24000 damaged"])
        #expect(feed.bar("A", at: 24) == ["gap A A 10000-24000 damaged"])
        #expect(feed.machine.jumps.isOver)
    }

    @Test func `reading that this side stopped for long is a pause too`() throws {
        var feed = try MachineDriver(["A"])
        feed.subscribe()
        _ = feed.confirm("T.A", at: 0)
        _ = feed.trade("A", at: 10)
        feed.machine.paused(feed.now)
        for second in 11...70 { #expect(feed.at(Double(second)) { $0.alive($1) } == []) }
        feed.machine.resumed(feed.now)
        #expect(feed.trade("A", at: 71) == ["gap A T 10000-71000 paused"])
    }
}
