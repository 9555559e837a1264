import MarketData
import Testing

@testable import Store

/// The decisions that read no clock and touch no file.
@Suite(.timeLimit(.minutes(5))) struct PolicyTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000)

    @Test func `the log is moved in small steps, sooner when nothing waits`() {
        let policy = CheckpointPolicy(maximumBytes: 256 << 20)
        func step(_ unmoved: Int64, quiet: Bool = false, tight: Bool = false, length: Int64? = nil)
            -> CheckpointPolicy.Step
        {
            policy.next(unmoved: unmoved, length: length ?? unmoved, isQuiet: quiet, diskIsTight: tight, now: start)
        }
        #expect(step(0, quiet: true) == .none)
        #expect(step(1000, quiet: true) == .none)
        #expect(step(2 << 20, quiet: true) == .passive)
        #expect(step(2 << 20) == .none)
        #expect(step(9 << 20) == .passive)
        #expect(step(4120, tight: true) == .passive)
        #expect(step(70 << 20) == .truncate)
        #expect(step(0, quiet: true, length: 70 << 20) == .truncate)
    }

    @Test func `a step that a reader held up is tried again after a pause`() {
        var policy = CheckpointPolicy(maximumBytes: 256 << 20)
        policy.finished(isPinned: true, now: start)
        func step(after pause: Duration) -> CheckpointPolicy.Step {
            policy.next(
                unmoved: 70 << 20, length: 70 << 20, isQuiet: true, diskIsTight: false, now: start.advanced(by: pause))
        }
        #expect(step(after: .milliseconds(100)) == .none)
        #expect(step(after: .milliseconds(200)) == .truncate)
        policy.finished(isPinned: false, now: start)
        #expect(step(after: .zero) == .truncate)
    }

    @Test func `a failed write waits longer each time, five seconds at most`() {
        var backoff = WriteBackoff()
        let pauses = (0..<10).map { _ in backoff.failed() }
        #expect(pauses.prefix(4) == [.milliseconds(50), .milliseconds(100), .milliseconds(200), .milliseconds(400)])
        #expect(pauses.last == .seconds(5))
        backoff.succeeded()
        #expect(backoff.failed() == .milliseconds(50))
    }

    @Test func `a full disk that refused is tried again after a pause, and is forgotten once events are written`() {
        var room = RoomState()
        #expect(room.state == .writing && !room.isRefused)
        room.diskIsFull()
        room.refused(now: start)
        #expect(room.state == .diskFull)
        #expect(room.isRefused(now: start) && !room.isRefused(now: start.advanced(by: RoomState.refusalPause)))
        #expect(room.isRefused)
        room.wroteEvents()
        #expect(!room.isRefused)
        room.madeRoom(isFull: true)
        #expect(room.state == .full)
        room.hasRoom()
        #expect(room.state == .writing)
    }

    @Test func `a disk that gets low is news once, and so is its having room again`() {
        var room = RoomState()
        let news = [(1 << 30, false), (1 << 25, true), (1 << 24, true), (1 << 30, false)].map { free, isLow in
            room.look(free: free, isLow: isLow)
        }
        #expect(news == [false, true, false, true])
        #expect(!room.isDiskTight)
        _ = room.look(free: RoomState.tight - 1, isLow: false)
        #expect(room.isDiskTight)
    }

    @Test func `drops that follow one another share an episode, later ones begin another`() {
        var carried = CarriedLosses()
        let first = carried.episode(now: start, wall: 1)
        let second = carried.episode(now: start.advanced(by: .seconds(599)), wall: 2)
        let third = carried.episode(now: start.advanced(by: .seconds(1100)), wall: 3)
        let last = carried.episode(now: start.advanced(by: .seconds(1700)), wall: 4)
        #expect([first, second, third, last] == [1, 1, 1, 4])
    }

    @Test func `drops may be stored without the incidents, which then wait on`() {
        var carried = CarriedLosses()
        carried.drops.addUnknown(.bars, .vanished, sequences: 1...3)
        carried.incidents.append(Incident("set aside", detail: "x"))
        carried.drops = DropTally()
        #expect(carried.drops.isEmpty && carried.incidents.count == 1 && !carried.isEmpty)
        carried.areStored()
        #expect(carried.isEmpty)
    }

    @Test func `after upkeep that failed everything is due with the next try`() {
        var schedule = UpkeepSchedule(now: start)
        #expect(schedule.next == start && schedule.signOfLife == start.advanced(by: .seconds(30)))
        schedule.watched(now: start)
        schedule.expired(now: start, kept: .seconds(1))
        #expect(schedule.next == start.advanced(by: .milliseconds(100)))
        schedule.expired(now: start, kept: .seconds(86_400))
        #expect(schedule.next == start.advanced(by: .seconds(1)))
        let next = start.advanced(by: .seconds(5))
        schedule.failed(until: next)
        #expect(schedule.next == next && schedule.signOfLife == next)
    }

    @Test func `a tally keeps symbols apart, widens their spans and stays bounded`() {
        var tally = DropTally()
        let apple = Symbol("AAPL")
        tally.add(.bars, apple, .newRejected, time: 50)
        tally.add(.bars, apple, .newRejected, time: 20, sequence: 9)
        tally.add(.trades, apple, .newRejected, time: 1)
        #expect(tally.entries.count == 2)
        let entry = tally.entries[.init(stream: .bars, symbol: apple, reason: .newRejected)]
        #expect(entry == .init(count: 2, from: 20, to: 50, firstSequence: 9, lastSequence: 9))
        for number in 0..<(DropTally.maximumEntries + 100) {
            tally.add(.quotes, Symbol("Q\(number)"), .queueFull, time: 1)
        }
        #expect(tally.entries.count <= DropTally.maximumEntries + 1)
        #expect(tally.total == Int64(DropTally.maximumEntries) + 103)
    }

    @Test func `gaps beyond the bound are merged and lose nothing of their span`() {
        func gap(_ symbols: [String], _ from: Int64, _ to: Int64, _ cause: Gap.Cause = .disconnected) -> Gap {
            Gap(
                connection: "primary", symbols: symbols.compactMap { Symbol($0) }, events: [.trade], from: from, to: to,
                cause: cause)
        }
        var gaps = [gap(["A"], 10, 20), gap(["A"], 30, 40, .stalled)]
        gaps.merge(gap(["B"], 5, 15))
        #expect(gaps == [gap(["A", "B"], 5, 20), gap(["A"], 30, 40, .stalled)])
        gaps.merge(gap([], 50, 60))
        #expect(gaps[0] == gap([], 5, 60))
        gaps.merge(gap(["C"], 1, 2, .down))
        #expect(gaps.count == 3)
    }

    @Test func `errors say what to do and whether to try again`() {
        let error = StoreError(
            code: 13, message: "database or disk is full", operation: "append to", path: "/d/ticks.sqlite")
        #expect(error.reason == .diskFull)
        #expect(error.isRetryable)
        #expect(error.description.hasPrefix("cannot append to /d/ticks.sqlite: the disk is full"))
        #expect(!error.description.contains("\n"))
        // The outcome of a failed sync is unknown, even if the disk was full.
        #expect(StoreError(code: 1034, message: nil, systemError: 28, operation: "x", path: nil).reason == .inputOutput)
        #expect(StoreError(code: 778, message: nil, systemError: 28, operation: "x", path: nil).reason == .diskFull)
        #expect(StoreError(code: 26, message: nil, operation: "x", path: nil).reason == .damaged)
    }
}
