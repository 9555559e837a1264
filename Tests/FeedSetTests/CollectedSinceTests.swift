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
}
