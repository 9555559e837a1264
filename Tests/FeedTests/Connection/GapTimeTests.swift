import MarketData
import Testing

@testable import Feed

/// Gaps are in the events' own time, no matter when bytes were read or what the clock did. Times are in milliseconds
/// after the start; the tests set the clock.
@Suite(.timeLimit(.minutes(3))) struct GapTimeTests {
    private func lost(_ feed: inout MachineDriver, at seconds: Double) {
        _ = feed.closed(at: seconds)
        _ = feed.tick(at: seconds + 5)
        feed.subscribe(from: seconds + 5)
    }

    @Test func `a gap begins where the events had come to, not when bytes were last read`() throws {
        // Second bars wait for a minute in a queue that is then discarded.
        var feed = try MachineDriver(["A", "B"], events: [.secondBar]).subscribed(to: "A.A", "A.B", at: 1)
        for second in 70..<150 { _ = feed.bar("A", at: Double(second), late: 60) }
        _ = feed.status("slow_consumer", at: 150)
        lost(&feed, at: 150)
        #expect(feed.confirm("A.A", "A.B", at: 156).first == "gap A,B A 89000-156000 disconnected")
    }

    @Test func `it begins a little before the newest event, and ends a little after the clock's time`() throws {
        var feed = try MachineDriver(["A"]).subscribed(to: "T.A", at: 1)
        _ = feed.trade("A", at: 50)
        let channel = try #require(FeedChannel("T.A"))
        let start = feed.machine.losses.start(of: channel, of: feed.machine.subscription)
        #expect(start == 1_000_050_000 - Gap.startMargin)
        let end = EventTimes(delay: 1000).end(of: .init(from: 0, cause: .down), noted: feed.now, stood: 9000, feed.now)
        #expect(end.time == 8000 + Gap.endMargin && !end.isUncertain)
    }

    @Test func `what was on its way of a channel that was given up is lost with the connection`() throws {
        for isClosing in [false, true] {
            var feed = try MachineDriver(["A", "B"]).subscribed(to: "T.A", "T.B", at: 1)
            _ = feed.trade("B", at: 50)
            if isClosing { _ = feed.status("slow_consumer", at: 60) }
            _ = feed.at(60) { $0.want(.symbols([Symbol("B")!]), $1) }
            #expect(feed.closed(at: 61).first == "gap A T 50000-60000 disconnected")
            #expect(feed.open == ["gap B T 50000- disconnected"])
        }
        // Once the feed has confirmed the end, no more of its events come.
        var feed = try MachineDriver(["A", "B"]).subscribed(to: "T.A", "T.B", at: 1)
        _ = feed.at(60) { $0.want(.symbols([Symbol("B")!]), $1) }
        _ = feed.status("success", "unsubscribed to: T.A", at: 61)
        #expect(feed.closed(at: 62).allSatisfy { !$0.hasPrefix("gap") })
    }

    @Test func `each kind has its own start`() throws {
        var feed = try MachineDriver(["A"], events: [.trade, .secondBar]).subscribed(to: "A.A", "T.A", at: 1)
        _ = feed.bar("A", at: 50, late: 2)
        _ = feed.trade("A", at: 58)
        lost(&feed, at: 60)
        #expect(
            feed.confirm("A.A", "T.A", at: 66).dropLast() == [
                "gap A A 48000-66000 disconnected", "gap A T 58000-66000 disconnected",
            ])
    }

    @Test func `an event from the future makes a gap begin no later than it was read`() throws {
        var feed = try MachineDriver(["A"]).subscribed(to: "T.A", at: 1)
        _ = feed.trade("A", at: 50, late: -3600)
        lost(&feed, at: 60)
        #expect(feed.confirm("T.A", at: 66).first?.hasPrefix("gap A T 50000-") == true)
    }

    @Test func `a channel of which no event was seen yet is missing since shortly before it was asked for`() throws {
        // Frozen between the request and the answer: the feed sends from its answer on, and discards the queue.
        var feed = try MachineDriver(["A"], events: [.trade])
        feed.subscribe(from: 2)
        _ = feed.confirm("T.A", at: 40)
        _ = feed.status("slow_consumer", at: 41)
        lost(&feed, at: 41)
        #expect(feed.confirm("T.A", at: 47).first == "gap A T -2000-47000 disconnected")

        // The same if the answer was never read.
        feed = try MachineDriver(["A"], events: [.trade])
        feed.subscribe(from: 2)
        _ = feed.closed(at: 3)
        _ = feed.tick(at: 8)
        feed.subscribe(from: 9)
        #expect(feed.confirm("T.A", at: 10).first == "gap A T -2000-10000 disconnected")
    }

    @Test func `a loss is recorded when it begins, and its row gives way when it ends`() throws {
        var feed = try MachineDriver(["A", "B"]).subscribed(to: "T.A", "T.B", at: 1)
        _ = feed.trade("A", at: 5)
        _ = feed.closed(at: 10)
        #expect(feed.open == ["gap A,B T 5000- disconnected"])
        _ = feed.tick(at: 15)
        feed.subscribe(from: 15)
        _ = feed.confirm("T.A", at: 16)
        _ = feed.status("error", "not authorized: T.B", at: 16)
        #expect(feed.open == ["gap B T 5000- disconnected"])
        // The refused one keeps its one gap through another outage.
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
            feed.open == ["gap A T -80000- down", "gap A,B A -30000- down", "gap B T -19000- down"])
        let gaps = feed.confirm("T.A", "T.B", "A.A", "A.B", at: 1)
        #expect(
            gaps.dropLast() == ["gap A T -80000-1000 down", "gap A,B A -30000-1000 down", "gap B T -19000-1000 down"])
        #expect(feed.open == [])
    }

    @Test func `a symbol that could not be named at the start is missed since the last collector, a new one is not`()
        throws
    {
        let life = PreviousLife(end: 999_970_000, newest: [.trade: 999_970_000])
        func want(_ names: [String], missed name: String, _ feed: inout MachineDriver) throws {
            let symbol = try #require(Symbol(name))
            let missed = MissedSymbols(symbols: [symbol], life: life)
            let interest = Interest.symbols(names.compactMap { Symbol($0) })
            _ = feed.at(feed.seconds) { $0.want(interest, missed: missed, $1) }
        }
        var feed = try MachineDriver(["A"]).subscribed(to: "T.A", at: 1)
        feed.idle(until: 10)
        try want(["A", "B", "C"], missed: "B", &feed)
        #expect(feed.open == ["gap B T -30000- down"])
        #expect(feed.confirm("T.B", "T.C", at: 11) == ["gap B T -30000-11000 down"])
        #expect(feed.open == [])
        // What is wanted already is not missed.
        try want(["A", "B"], missed: "A", &feed)
        #expect(feed.open == [])
        // Between tries, too.
        _ = feed.closed(at: 12)
        try want(["A", "B", "D"], missed: "D", &feed)
        #expect(feed.open.contains("gap D T -30000- down"))
        _ = feed.tick(at: 17)
        feed.subscribe(from: 17)
        #expect(feed.confirm("T.A", "T.B", "T.D", at: 18).contains("gap D T -30000-18000 down"))
    }

    @Test func `a clock that is set back in an outage leaves the gap its length, and it says that it is unsure`() throws
    {
        var feed = try MachineDriver(["A"]).subscribed(to: "T.A", at: 1)
        _ = feed.trade("A", at: 50)
        _ = feed.closed(at: 60)
        feed.clockStep = -3600
        _ = feed.tick(at: 120)
        feed.subscribe(from: 120)
        #expect(feed.confirm("T.A", at: 121).first == "gap A T 50000-121000 disconnected uncertain")
    }

    @Test(arguments: [-400.0, 400])
    func `a clock that is 400 days off makes no gap of 400 days`(days: Double) throws {
        var feed = try MachineDriver(["A"]).subscribed(to: "T.A", at: 1)
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
        // The clock shows 2 s while the feed is at 800 s.
        #expect(feed.trade("A", at: 2, late: -798) == ["gap A T 500000-800000 down uncertain"])
        #expect(feed.open == [])
    }

    /// A start one second after the previous end by the clock, but hours after it by the feed.
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
        // A late event proves nothing yet.
        #expect(feed.trade("A", at: 2, late: 40_000) == [])
        #expect(feed.trade("A", at: 3) == ["gap A T -35996000-3000 down uncertain"])
        #expect(feed.trade("A", at: 5) == [])
    }

    @Test func `nor when the clock is set right before the first event`() throws {
        var feed = try behind(by: 36_000)
        feed.clockStep = 0
        #expect(feed.trade("A", at: 4) == ["gap A T -35996000-4000 down uncertain"])
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

    @Test func `a clock that is a little behind leaves no hole between the downtime and the first event`() throws {
        var feed = try MachineDriver(["A"]) {
            $0.previousLife = PreviousLife(end: 999_970_000, newest: [.trade: 999_970_000])
        }
        feed.clockStep = -4
        feed.subscribe()
        #expect(feed.confirm("T.A", at: 1).first == "gap A T -30000--3000 down")
        let rest = try #require(feed.trade("A", at: 2).first)
        #expect(rest == "gap A T 0-2000 down uncertain")
    }

    @Test func `a first event that comes long after the start proves the end of the downtime too`() throws {
        var feed = try MachineDriver(["A"]) {
            $0.previousLife = PreviousLife(end: 999_970_000, newest: [.trade: 999_970_000])
        }
        feed.subscribe()
        #expect(feed.confirm("T.A", at: 1).first == "gap A T -30000-1000 down")
        for second in stride(from: 4.0, through: 96, by: 4) { _ = feed.at(second) { $0.alive($1) } }
        #expect(feed.trade("A", at: 100) == [])
    }

    @Test func `no time was missed between a clock that is behind and the first event, but by a downtime`() throws {
        var feed = try MachineDriver(["A"])
        feed.clockStep = -36_000
        _ = feed.at(0) { $0.start($1) }
        _ = feed.closed(at: 1)
        for second in [4.0, 8] { _ = feed.at(second) { $0.alive($1) } }
        _ = feed.tick(at: 10)
        feed.subscribe(from: 10)
        #expect(feed.confirm("T.A", at: 11).first == "gap A T -36004000--35989000 disconnected")
        #expect(feed.trade("A", at: 12, late: 0) == [])
    }

    @Test func `a clock that is set back before the first event leaves the downtime its length`() throws {
        var feed = try MachineDriver(["A"]) {
            $0.previousLife = PreviousLife(end: 999_970_000, newest: [.trade: 999_970_000])
        }
        _ = feed.at(0) { $0.start($1) }
        _ = feed.closed(at: 1)
        feed.clockStep = -3600
        _ = feed.tick(at: 60)
        feed.subscribe(from: 60)
        #expect(feed.confirm("T.A", at: 61).first == "gap A T -30000-61000 down uncertain")
    }

    @Test func `a downtime of weeks, as the clock says, is believed when an event says so too`() throws {
        let end: Int64 = 1_000_000_000 - 8 * 86_400_000
        var feed = try MachineDriver(["A"]) { $0.previousLife = PreviousLife(end: end, newest: [.trade: end]) }
        feed.subscribe()
        #expect(feed.confirm("T.A", at: 1) == ["note connected(confirmed: 1, wanted: 1)"])
        #expect(feed.trade("A", at: 2) == ["gap A T -691200000-2000 down"])
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

/// How far the events have come, judged with a clock that may be wrong. Times are in milliseconds.
@Suite(.timeLimit(.minutes(3))) struct EventTimesTests {
    private func times(_ event: Int64, at wall: Int64, delay: Int64 = 0) -> EventTimes {
        var batch = EventBatch(connection: "primary", receivedMicroseconds: 0)
        batch.trades = [Trade(symbol: Symbol("A")!, time: event, price: 1, size: 1)]
        var times = EventTimes(delay: delay)
        times.took(batch, FeedMoment(monotonic: .zero, wall: wall))
        return times
    }

    @Test func `an event that is ahead of the clock counts as read just then, unless the clock is a day behind`() {
        #expect(times(1_003_600_000, at: 1_000_000_000)[.trade]?.reached == 1_000_000_000)
        #expect(times(1_090_000_000, at: 1_000_000_000)[.trade]?.reached == 1_090_000_000)
    }

    private func take(_ event: Int64, _ times: inout EventTimes, at seconds: Int64) {
        var batch = EventBatch(connection: "primary", receivedMicroseconds: 0)
        batch.trades = [Trade(symbol: Symbol("A")!, time: event, price: 1, size: 1)]
        times.took(batch, FeedMoment(monotonic: .seconds(seconds), wall: 1_000_000 + seconds * 1000))
    }

    @Test func `one event from the future doesn't count for the later ones, but two show a clock that is behind`() {
        var times = EventTimes(delay: 0)
        // The feed is a second late.
        take(999_000, &times, at: 0)
        take(37_000_000, &times, at: 10)
        #expect(times[.trade]?.event == 1_009_000)
        take(1_029_000, &times, at: 30)
        #expect(times[.trade]?.event == 1_029_000 && times[.trade]?.reached == 1_029_000)
        take(4_640_000, &times, at: 40)
        take(4_650_000, &times, at: 50)
        #expect(times[.trade]?.event == 4_650_000)
    }

    @Test func `what the feed's time is follows from the last event, as late as that one was, by ten minutes at most`()
    {
        let later = FeedMoment(monotonic: .seconds(7), wall: 0)
        #expect(times(995_000, at: 1_000_000).presentTime(later) == 1_007_000)
        #expect(times(95_000, at: 1_000_000, delay: 900_000).presentTime(later) == 107_000)
        #expect(times(95_000, at: 1_000_000).presentTime(later) == 702_000)
        #expect(EventTimes(delay: 0).presentTime(later) == nil)
    }
}

/// A process, a machine or a line that is suspended.
@Suite(.timeLimit(.minutes(3))) struct PauseTests {
    @Test func `a timer that is five seconds late shows a pause, a little late it shows none`() {
        var watch = PauseWatch(now: .seconds(10))
        #expect(watch.seen(.seconds(11)) == nil && watch.seen(.seconds(16)) == nil)
        #expect(watch.seen(.seconds(22)) == nil)
        #expect(watch.seen(.seconds(28.5)) == .seconds(6.5))
        #expect(watch.seen(.seconds(29)) == nil)
    }

    @Test func `a pause is told, and where the feed threw its queue away there is a gap`() throws {
        var feed = try MachineDriver(["A", "B"], events: [.trade]).subscribed(to: "T.A", "T.B", at: 0)
        for second in 1...50 {
            #expect(feed.at(Double(second)) { $0.alive($1) } == [])
            #expect(feed.trade("A", at: Double(second)) == [])
        }
        // Suspended for 150 s. First come the contents of the socket buffers, then what is sent now.
        #expect(
            feed.at(200) { $0.alive($1) } == ["note suspended(150.0 seconds)", "incident suspended"])
        #expect(feed.trade("A", at: 200, late: 148) == [])
        #expect(feed.trade("A", at: 200.1, late: 146) == [])
        #expect(feed.trade("B", at: 200.2) == ["gap A,B T 54100-200200 paused"])
        // After that, a quiet market makes no gap.
        _ = feed.trade("A", at: 201)
        #expect(feed.trade("A", at: 205) == [])
        for second in 205...240 { _ = feed.at(Double(second)) { $0.alive($1) } }
        #expect(feed.trade("A", at: 240) == [])
    }

    @Test func `a pause after which everything comes leaves no gap`() throws {
        var feed = try MachineDriver(["A"], events: [.secondBar]).subscribed(to: "A.A", at: 0)
        for second in 1...20 { _ = feed.bar("A", at: Double(second)) }
        for second in 21...100 {
            #expect(feed.bar("A", at: 100, late: Double(100 - second)).allSatisfy { !$0.hasPrefix("gap") })
        }
        #expect(feed.bar("A", at: 101) == [] && feed.machine.losses.jumps.isOver)
    }

    @Test func `a pause before the first event is one too, from when events may have come`() throws {
        var feed = try MachineDriver(["A"]).subscribed(to: "T.A", at: 1)
        for second in 2...5 { _ = feed.at(Double(second)) { $0.alive($1) } }
        _ = feed.at(60) { $0.alive($1) }
        #expect(feed.trade("A", at: 61) == ["gap A T -5000-61000 paused"])
    }

    @Test func `what a pause cost a symbol that is given up before the feed goes on is told then`() throws {
        var feed = try MachineDriver(["A", "B"])
        feed.subscribe()
        for symbol in ["A", "B"] { _ = feed.confirm("T.\(symbol)", at: 0) }
        _ = feed.trade("A", at: 10)
        _ = feed.at(10) { $0.alive($1) }
        _ = feed.at(60) { $0.alive($1) }
        let given = feed.at(61) { $0.want(.symbols([Symbol("B")!]), $1) }
        #expect(given.filter { $0.hasPrefix("gap") } == ["gap A T 10000-60000 paused uncertain"])
        #expect(feed.trade("B", at: 62) == ["gap B T 10000-62000 paused"])
    }

    /// Silent from 20 s to 62 s; two pings are not answered.
    private func silent() throws -> MachineDriver {
        var feed = try MachineDriver(["A"]).subscribed(to: "T.A", at: 0)
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
        #expect(feed.machine.losses.jumps.isOver)
    }

    /// Minutes end at 20 s, 80 s, and so on; their bars come 3 s later.
    @Test(arguments: [(pause: 82..<90, gap: "20000-80000"), (84..<92, "80000-140000"), (100..<108, "")])
    func `where a minute's bars came in a pause a part may be missing, though the next ones come as they should`(
        pause: Range<Int>, gap: String
    ) throws {
        var feed = try MachineDriver(["A", "B"], events: [.minuteBar]).subscribed(to: "AM.A", "AM.B", at: 0)
        var found: [String] = []
        for second in (1...210).filter({ !pause.contains($0) }) {
            found += feed.at(Double(second)) { $0.alive($1) }
            for end in [20, 80, 140, 200] {
                let comes = pause.contains(end + 3) ? pause.upperBound : end + 3
                if comes == second { found += feed.bar("A", .minute, at: Double(second), late: Double(second - end)) }
            }
        }
        #expect(found.filter { $0.hasPrefix("gap") } == (gap.isEmpty ? [] : ["gap A,B AM \(gap) paused"]))
        #expect(feed.machine.losses.jumps.isOver)
    }

    @Test func `reading that this side stopped for long is a pause too`() throws {
        var feed = try MachineDriver(["A"]).subscribed(to: "T.A", at: 0)
        _ = feed.trade("A", at: 10)
        feed.machine.paused(feed.now)
        for second in 11...70 { #expect(feed.at(Double(second)) { $0.alive($1) } == []) }
        feed.machine.resumed(feed.now)
        #expect(feed.trade("A", at: 71) == ["gap A T 10000-71000 paused"])
    }
}

/// The feed resumes later than where it stopped. Times are in milliseconds; pauses are in the events' own time.
@Suite(.timeLimit(.minutes(3))) struct JumpTests {
    private let symbol = Symbol("A")!

    private func trades(_ time: Int64, isGuess: Bool = false) -> [EventKind: JumpWatch.Start] {
        [.trade: JumpWatch.Start(time: time, isGuess: isGuess)]
    }

    private func batch(_ times: [Int64]) -> EventBatch {
        var batch = EventBatch(connection: "primary", receivedMicroseconds: 0)
        batch.trades = times.map { Trade(symbol: symbol, time: $0, price: 1, size: 1) }
        return batch
    }

    private func jumps(_ watch: inout JumpWatch, _ times: Int64...) -> [ClosedRange<Int64>] {
        watch.took(batch(times)).map { $0.from...$0.to }
    }

    @Test func `an event that comes late is no way back from which the next one jumps`() {
        var watch = JumpWatch()
        watch.watch(trades(10_000), over: 11_000...60_000, because: .paused, now: 0)
        #expect(jumps(&watch, 14_000, 10_500, 18_000) == [])
        #expect(jumps(&watch, 24_000) == [18_000...24_000])
    }

    @Test func `jumps that follow on one another in a batch are one`() {
        var watch = JumpWatch()
        watch.watch(trades(10_000), over: 11_000...60_000, because: .paused, now: 0)
        #expect(jumps(&watch, 20_000, 30_000, 31_000, 40_000) == [10_000...30_000, 31_000...40_000])
    }

    @Test func `where no event came before, and the clock is far off, the first event says where it ends`() {
        for clock: Int64 in [0, 400 * 86_400_000, -400 * 86_400_000] {
            let start = clock + 10_000
            var watch = JumpWatch()
            watch.watch(trades(start, isGuess: true), over: start...start + 20_000, because: .paused, now: 0)
            #expect(jumps(&watch, 31_000) == [(clock == 0 ? 10_000 : 11_000)...31_000])
            #expect(watch.isOver)
        }
    }

    @Test func `a second pause is watched to its own end`() {
        var watch = JumpWatch()
        watch.watch(trades(10_000), over: 11_000...20_000, because: .paused, now: 0)
        watch.watch(trades(10_000), over: 25_000...60_000, because: .paused, now: 0)
        #expect(jumps(&watch, 14_000, 18_000, 22_000) == [] && !watch.isOver)
        #expect(jumps(&watch, 61_000) == [22_000...61_000] && watch.isOver)
    }
}

/// Events that can't be decoded are lost, whatever else arrives.
@Suite(.timeLimit(.minutes(3))) struct UnreadableTests {
    private func feed(
        _ symbols: [String] = ["A", "B"], events: Set<EventKind> = [.trade, .secondBar]
    ) throws -> MachineDriver {
        var feed = try MachineDriver(symbols, events: events)
        feed.subscribe()
        for symbol in symbols { for kind in events { _ = feed.confirm("\(kind.rawValue).\(symbol)", at: 0) } }
        return feed
    }

    /// Trades come once a second.
    private func trades(_ feed: inout MachineDriver, _ seconds: ClosedRange<Int>) -> [String] {
        seconds.flatMap { feed.trade("A", at: Double($0)) }
    }

    @Test func `one among good ones leaves a gap of its symbol and kind, from when it begins`() throws {
        var feed = try feed()
        _ = trades(&feed, 1...10)
        #expect(feed.lose([(.trade, "B")], at: 11) == [])
        #expect(feed.open == ["gap B T 10000- damaged"])
        #expect(trades(&feed, 11...100) == [])
        #expect(trades(&feed, 101...102) == ["gap B T 10000-11000 damaged"])
        #expect(feed.open == [])
    }

    @Test func `those that come shortly after one another share a gap, each kind its own`() throws {
        var feed = try feed()
        _ = trades(&feed, 1...10)
        _ = feed.bar("A", at: 10)
        for second in 11...60 {
            _ = feed.lose([(.trade, "B"), (.secondBar, "A")], at: Double(second))
            #expect(trades(&feed, second...second) == [])
        }
        _ = feed.lose([(.trade, "A")], at: 61)
        #expect(trades(&feed, 61...140) == [])
        #expect(feed.open == ["gap B T 10000- damaged", "gap A AT 10000- damaged"])
        #expect(trades(&feed, 141...160) == ["gap A A 10000-60000 damaged", "gap A,B T 10000-61000 damaged"])
    }

    @Test func `one that is bad every minute has its gap closed after a quarter of an hour`() throws {
        var feed = try feed()
        var found: [String] = []
        for second in 1...2000 {
            if second % 60 == 0 { found += feed.lose([(.trade, "B")], at: Double(second)) }
            found += trades(&feed, second...second)
        }
        #expect(found == ["gap B T 59000-960000 damaged", "gap B T 1019000-1920000 damaged"])
        #expect(feed.open == ["gap B T 1979000- damaged"])
    }

    @Test func `a kind of which nothing can be decoded makes gaps that follow on one another`() throws {
        var feed = try feed(["A"], events: [.trade])
        _ = trades(&feed, 1...10)
        var found: [String] = []
        for second in 11...2000 {
            found += feed.at(Double(second)) { $0.alive($1) } + feed.lose([(.trade, "A")], at: Double(second))
        }
        #expect(found.count == 2 && found.first?.hasPrefix("gap A T 10000-9") == true)
        let ends = found.compactMap { $0.firstMatch(of: /T ([0-9]+)-([0-9]+)/) }
        #expect(ends.count == 2)
        // One ends where the other begins; the texts leave out the margins.
        let margins = Gap.startMargin + Gap.endMargin
        #expect(Int64(ends[0].2).map { $0 + margins } == Int64(ends[1].1))
    }

    @Test func `where the symbol, or the kind, can't be told it may be any that is subscribed`() throws {
        var feed = try feed()
        _ = trades(&feed, 1...10)
        _ = feed.lose([(.trade, nil)], at: 11)
        #expect(feed.open == ["gap A,B T 10000- damaged"])
        _ = feed.bar("A", at: 12)
        _ = feed.lose(nil, at: 13)
        #expect(feed.open == ["gap A,B T 10000- damaged", "gap A,B A 12000- damaged"])
    }

    @Test func `what is not subscribed is not missed, and beside a wildcard a symbol is named`() throws {
        var feed = try feed(events: [.trade])
        _ = trades(&feed, 1...10)
        _ = feed.lose([(.trade, "C"), (.quote, "A")], at: 11)
        #expect(feed.open == [])
        var all = try MachineDriver(events: [.trade])
        _ = all.at(0) { $0.want(.all, $1) }
        all.subscribe()
        _ = all.confirm("T.*", at: 0)
        _ = trades(&all, 1...10)
        _ = all.lose([(.trade, "C")], at: 11)
        #expect(all.open == ["gap C T 10000- damaged"])
        _ = all.lose([(.trade, nil)], at: 12)
        #expect(all.open == ["gap C T 10000- damaged", "gap  T 10000- damaged"])
    }

    @Test func `a channel that is lost already has the one gap, which ends when it stands`() throws {
        var feed = try feed(events: [.trade])
        _ = trades(&feed, 1...10)
        _ = feed.closed(at: 11)
        _ = feed.tick(at: 17)
        feed.subscribe(from: 17)
        _ = feed.lose([(.trade, "B")], at: 18)
        #expect(feed.open == ["gap A,B T 10000- disconnected"])
        let ended = feed.confirm("T.A", at: 19) + feed.confirm("T.B", at: 19)
        #expect(ended.contains { $0.hasPrefix("gap ") && $0.hasSuffix("T 10000-19000 disconnected") }, "\(ended)")
    }

    @Test func `the connection's end ends their gap`() throws {
        var feed = try feed(events: [.trade])
        _ = trades(&feed, 1...10)
        _ = feed.lose([(.trade, "B")], at: 11)
        _ = feed.trade("A", at: 12)
        #expect(feed.closed(at: 13).first == "gap B T 10000-13000 damaged")
        #expect(feed.open == ["gap A,B T 12000- disconnected"])
    }
}
