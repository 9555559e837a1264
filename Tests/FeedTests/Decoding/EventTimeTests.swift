import MarketData
import Testing

@testable import Feed

@Suite(.timeLimit(.minutes(3))) struct EventTimeTests {
    private static let now: Int64 = 1_795_630_000_000
    private static let day: Int64 = 86_400_000

    private func decode(_ event: String) -> (batch: EventBatch, rejects: DecodeRejects) {
        var decoder = FrameDecoder()
        decoder.times = FrameDecoder.believableTimes(now: Self.now)
        var batch = EventBatch(connection: "test", receivedMicroseconds: 0)
        var statuses: [FeedStatus] = []
        // The fast path for bars needs this many bytes behind the event.
        let padding = #"{"ev":"status","status":"padding","message":"\#(String(repeating: "x", count: 600))"}"#
        Array("[\(event),\(padding)]".utf8).withUnsafeBytes { frame in
            decoder.decode(frame, into: &batch, statuses: &statuses)
        }
        return (batch, decoder.rejects)
    }

    private static func event(_ kind: String, _ time: Int64) -> String {
        switch kind {
        case "T": return #"{"ev":"T","sym":"SPY","x":1,"i":"1","z":1,"p":1,"s":1,"c":[],"t":\#(time),"q":1}"#
        case "Q":
            return #"{"ev":"Q","sym":"SPY","bx":1,"bp":1,"bs":1,"ax":1,"ap":1,"as":1,"c":1,"t":\#(time),"q":1,"z":1}"#
        default:
            let numbers = #""v":1,"av":1,"op":1,"vw":1,"o":1,"c":1,"h":1,"l":1,"a":1,"z":1"#
            // The last moment that is a time is a start without an end.
            let end = time == now + day ? "" : #","e":\#(time + 1)"#
            return #"{"ev":"\#(kind)","sym":"SPY",\#(numbers),"s":\#(time)\#(end)}"#
        }
    }

    @Test(arguments: ["AM", "A", "T", "Q"])
    func `times from 1990 until tomorrow are taken, others are rejected with a sample`(kind: String) {
        for time in [631_152_000_000, Self.now - Self.day, Self.now, Self.now + Self.day] {
            let (batch, rejects) = decode(Self.event(kind, time))
            #expect(batch.count == 1 && rejects.total == 0, "\(time)")
        }
        // The last one, in the year 56902915, was seen in a real bar.
        for time in [1, 631_151_999_999, Self.now + Self.day + 1, 1_795_630_000_000_000_000] {
            let (batch, rejects) = decode(Self.event(kind, time))
            #expect(batch.isEmpty && rejects[.badTime] == 1, "\(time)")
            #expect(rejects.samples.first?.text.contains("\(time)") == true)
        }
    }

    @Test func `a clock that was set back doesn't make the feed's times wrong`() {
        var intake = FeedIntake(name: "test", tap: nil, newestTime: 2_000_000_000_000)
        intake.begin(.now())
        Array(Self.event("T", 2_000_000_000_500).utf8).withUnsafeBytes { intake.take($0) }
        #expect(intake.takeBatch().count == 1)
        Array(Self.event("T", 2_000_000_000_000 + 3 * Self.day).utf8).withUnsafeBytes { intake.take($0) }
        #expect(intake.takeBatch().isEmpty)
    }

    /// Reads one trade at a time by this machine's clock; returns how many were taken.
    private func read(_ time: Int64, _ intake: inout FeedIntake, at seconds: Int64, clock: Int64) -> Int {
        intake.begin(FeedMoment(monotonic: .seconds(seconds), wall: clock))
        Array(Self.event("T", time).utf8).withUnsafeBytes { intake.take($0) }
        return intake.takeBatch().count
    }

    @Test func `events that are each a little further ahead don't move the range of valid times`() {
        var intake = FeedIntake(name: "test", tap: nil, newestTime: Self.now - Self.day)
        for number in 1...10 as ClosedRange<Int64> {
            let ahead = Self.now + number * 23 * 3_600_000
            let count = read(ahead, &intake, at: number, clock: Self.now + number * 1000)
            #expect(count == (number == 1 ? 1 : 0), "\(number)")
        }
    }

    @Test func `a clock that is set back for days doesn't make the feed's times wrong, even if none came meanwhile`() {
        var intake = FeedIntake(name: "test", tap: nil)
        #expect(read(Self.now, &intake, at: 0, clock: Self.now) == 1)
        let clock = Self.now - 400 * Self.day
        #expect(read(Self.now + 3 * Self.day, &intake, at: 3 * 86_400, clock: clock + 3 * Self.day) == 1)
        #expect(read(Self.now + 5 * Self.day, &intake, at: 3 * 86_400, clock: clock + 3 * Self.day) == 0)
    }
}
