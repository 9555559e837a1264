import MarketData
import Testing

@testable import Feed

/// Since when symbols have been collected, or missed with a gap.
@Suite(.timeLimit(.minutes(1))) struct CollectedSinceTests {
    private let first = Symbol("A")!
    private let later = Symbol("B")!

    @Test func `a symbol is collected from the start if it was wanted then, or since the feed answered for it`() {
        var since = CollectedSince()
        since.note([first], takesAll: false, time: 1000) { _ in false }
        since.note([first, later], takesAll: false, time: 2000) { _ in false }
        #expect(since[first] == Int64.min && since[later] == nil)
        since.note([first, later], takesAll: false, time: 3000) { $0 == later }
        since.note([first, later], takesAll: false, time: 4000) { _ in true }
        #expect(since[first] == Int64.min && since[later] == 3000)
    }

    @Test func `a symbol that nobody wanted for a while is collected since the feed answered for it again`() {
        var since = CollectedSince()
        since.note([first, later], takesAll: false, time: 1000) { _ in true }
        since.note([later], takesAll: false, time: 2000) { _ in true }
        #expect(since[first] == nil)
        since.note([first, later], takesAll: false, time: 3000) { _ in false }
        #expect(since[first] == nil)
        since.note([first, later], takesAll: false, time: 4000) { _ in true }
        #expect(since[first] == 4000 && since[later] == Int64.min)
    }

    @Test func `of several symbols the time is known since when the last one has been collected`() {
        var since = CollectedSince()
        since.note([first, later], takesAll: false, time: 1000) { _ in true }
        #expect(since.latest(of: [first, later]) == Int64.min && since.latest(of: nil) == nil)
        since.note([later], takesAll: false, time: 2000) { _ in true }
        since.note([first, later], takesAll: false, time: 3000) { _ in true }
        #expect(since.latest(of: [first, later]) == 3000 && since.latest(of: [later]) == Int64.min)
        since.note([first, later], takesAll: true, time: 4000) { _ in true }
        #expect(since.latest(of: nil) == 4000)
    }

    @Test func `a symbol goes on without a break when everything is asked for in its place, and the other way round`() {
        var since = CollectedSince()
        since.note([first], takesAll: false, time: 1000) { _ in true }
        since.note([], takesAll: true, time: 2000) { _ in false }
        #expect(since[first] == Int64.min && since[later] == nil)
        since.note([], takesAll: true, time: 3000) { $0 == nil }
        #expect(since[first] == Int64.min && since[later] == 3000)
        since.note([later], takesAll: false, time: 4000) { _ in false }
        #expect(since[first] == nil && since[later] == 3000)
    }

    @Test func `everything is collected from the start if it was asked for then`() {
        var since = CollectedSince()
        since.note([], takesAll: true, time: 1000) { _ in false }
        since.note([first], takesAll: true, time: 2000) { _ in false }
        #expect(since[first] == Int64.min && since[later] == Int64.min)
    }

    @Test func `a symbol goes on from the previous collector, and one that this did not have from the feed's answer`() {
        var before = CollectedSince()
        before.note([first], takesAll: false, time: 1000) { _ in true }
        let third = Symbol("C")!
        before.note([first, third], takesAll: false, time: 2000) { _ in true }
        before.note([first, later, third], takesAll: false, time: 3000) { $0 != later }
        var since = CollectedSince(previous: before.times)
        since.note([first, later, third], takesAll: false, time: 9000) { _ in false }
        #expect(since[first] == Int64.min && since[later] == nil && since[third] == 2000)
        #expect([first, later, third].allSatisfy { since.isFromStart($0) })
        since.note([first, later, third], takesAll: false, time: 9500) { _ in true }
        #expect(since[later] == 9500)
        // What is taken up again after the start does not go on.
        since.note([later], takesAll: false, time: 9600) { _ in true }
        since.note([first, later], takesAll: false, time: 9700) { _ in true }
        #expect(since[first] == 9700 && !since.isFromStart(first) && since.isFromStart(later))
    }

    @Test func `what the previous collector took by a wildcard goes on by name, and everything goes on`() {
        var before = CollectedSince()
        before.note([first], takesAll: false, time: 1000) { _ in true }
        before.note([first], takesAll: true, time: 2000) { _ in true }
        var named = CollectedSince(previous: before.times)
        named.note([first, later], takesAll: false, time: 9000) { _ in false }
        #expect(named[first] == Int64.min && named[later] == 2000)
        var all = CollectedSince(previous: before.times)
        all.note([], takesAll: true, time: 9000) { _ in false }
        #expect(all[later] == 2000 && all.latest(of: nil) == 2000)
        var other = CollectedSince(previous: named.times)
        other.note([], takesAll: true, time: 9000) { _ in false }
        #expect(other[first] == nil && other.isFromStart(first))
    }

    @Test func `a time of a clock that was ahead is not later than the start`() {
        var before = CollectedSince()
        before.note([], takesAll: false, time: 1000) { _ in true }
        before.note([first], takesAll: false, time: 900_000) { _ in true }
        var since = CollectedSince(previous: before.times)
        since.note([first], takesAll: false, time: 2000) { _ in false }
        #expect(since[first] == 2000)
    }

    @Test func `the times say when they have changed`() {
        var since = CollectedSince()
        #expect(since.note([first], takesAll: false, time: 1000) { _ in false })
        #expect(!since.note([first, later], takesAll: false, time: 2000) { _ in false })
        #expect(since.note([first, later], takesAll: false, time: 3000) { _ in true })
        #expect(!since.note([first, later], takesAll: false, time: 4000) { _ in true })
        #expect(since.note([first], takesAll: false, time: 5000) { _ in true })
        #expect(since.note([first], takesAll: true, time: 6000) { _ in true })
        #expect(since.note([first], takesAll: false, time: 7000) { _ in true })
    }

    @Test func `the times are read as they were written, and not at all if a part is missing`() {
        var since = CollectedSince()
        since.note([first], takesAll: false, time: 1000) { _ in true }
        since.note([first, later], takesAll: false, time: 2000) { _ in true }
        let text = since.times.text
        #expect(text == "collected 2\nA -9223372036854775808\nB 2000\n")
        #expect(CollectedTimes(text) == since.times)
        since.note([first, later], takesAll: true, time: 3000) { _ in true }
        #expect(CollectedTimes(since.times.text) == since.times && since.times[nil] == 3000)
        #expect(CollectedTimes(CollectedSince().times.text) == CollectedSince().times)
        let bad = ["", "A 1", "collected 2\nA 1", "collected 1\nA 1\nB 2", "collected 1\nA", "collected 1\nA x"]
        for text in bad { #expect(CollectedTimes(text) == nil, "\(text)") }
    }
}
