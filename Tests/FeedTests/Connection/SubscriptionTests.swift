import MarketData
import Testing

@testable import Feed

private func channels(_ names: String...) -> [FeedChannel] { names.compactMap { FeedChannel($0) } }

@Suite(.timeLimit(.minutes(3))) struct SubscriptionTests {
    private func subscription(_ wanted: [FeedChannel], asked: Bool = true) -> Subscription {
        var subscription = Subscription(confirmTimeout: .seconds(10), unconfirmedRetry: .seconds(300))
        _ = subscription.want(wanted, wall: 1)
        if asked { subscription.asked(wanted, now: .zero, wall: 1) }
        return subscription
    }

    @Test func `confirmations are matched channel by channel`() {
        var subscription = subscription(channels("AM.A", "AM.B"))
        #expect(!subscription.isSettled)
        #expect((subscription.confirmed(FeedChannel("AM.B")!, now: .seconds(1), wall: 7)) == true)
        #expect((subscription.confirmed(FeedChannel("AM.B")!, now: .seconds(1), wall: 8)) == false)
        #expect((subscription.confirmed(FeedChannel("AM.C")!, now: .seconds(1), wall: 8)) == false)
        #expect(subscription.standsSince(FeedChannel("AM.B")!) == 7)
        #expect(subscription.confirmedCount == 1 && !subscription.isSettled)
        #expect((subscription.confirmed(FeedChannel("AM.A")!, now: .seconds(1), wall: 8)) == true)
        #expect(subscription.isSettled && subscription.deadline == nil)
    }

    @Test func `what is not answered is asked again, then reported, then asked again now and then`() {
        var subscription = subscription(channels("AM.A", "AM.B"))
        _ = subscription.confirmed(FeedChannel("AM.A")!, now: .seconds(4), wall: 1)
        #expect(subscription.tick(now: .seconds(13)) == nil)
        #expect(subscription.tick(now: .seconds(14)) == .askAgain(channels("AM.B"), singly: false))
        #expect(!subscription.isSettled)
        #expect(subscription.tick(now: .seconds(24)) == .report(channels("AM.B")))
        #expect(subscription.isSettled)
        #expect(subscription.tick(now: .seconds(323)) == nil)
        #expect(subscription.tick(now: .seconds(324)) == .askAgain(channels("AM.B"), singly: false))
        #expect(subscription.tick(now: .seconds(624)) == .askAgain(channels("AM.B"), singly: false))
        #expect((subscription.confirmed(FeedChannel("AM.B")!, now: .seconds(700), wall: 9)) == true)
        #expect(subscription.deadline == nil)
    }

    @Test func `new requests put off no older one`() {
        var subscription = subscription(channels("AM.A"))
        var reports: [Subscription.Step] = []
        for second in 1...40 {
            // Another channel is wanted and confirmed every second.
            let other = FeedChannel("AM.S\(second)")!
            _ = subscription.want(channels("AM.A") + [other], wall: 1)
            subscription.asked([other], now: .seconds(second), wall: 1)
            #expect(subscription.isSettled == false)
            #expect((subscription.confirmed(other, now: .seconds(second), wall: 1)) == true)
            #expect(subscription.isSettled == (second > 20))
            if let step = subscription.tick(now: .seconds(second)) { reports.append(step) }
        }
        #expect(reports == [.askAgain(channels("AM.A"), singly: false), .report(channels("AM.A"))])
    }

    @Test func `events show their channel to stand, or the wildcard`() {
        let symbol = Symbol("A")!
        var batch = EventBatch(connection: "", receivedMicroseconds: 0)
        batch.trades = [Trade(symbol: symbol, time: 1, price: 1, size: 1)]
        batch.bars = [
            Bar(symbol: symbol, interval: .second, start: 0, end: 1, open: 1, high: 1, low: 1, close: 1, volume: 1)
        ]
        #expect(subscription(channels("AM.A", "T.A", "T.B")).shown(by: batch) == Set(channels("T.A")))
        #expect(subscription(channels("A.*", "Q.*")).shown(by: batch) == Set(channels("A.*")))
        // A refused channel, too.
        var refused = subscription(channels("T.A", "T.B"))
        for channel in channels("T.A", "T.B") { _ = refused.refuse(channel) }
        #expect(refused.awaitsEvents && refused.shown(by: batch) == Set(channels("T.A")))
        #expect((refused.confirmed(FeedChannel("T.A")!, now: .zero, wall: 1)) == true)
        #expect(refused.refused == Set(channels("T.B")) && refused.confirmedCount == 1)
    }

    @Test func `a refusal without a name is held until it accounts for what is unanswered`() {
        var subscription = subscription(channels("T.A", "T.B", "T.C"))
        subscription.refusedNameless()
        #expect(subscription.resolveNameless() == [])
        _ = subscription.confirmed(FeedChannel("T.A")!, now: .zero, wall: 1)
        #expect(subscription.resolveNameless() == [])
        _ = subscription.confirmed(FeedChannel("T.C")!, now: .zero, wall: 1)
        #expect(subscription.resolveNameless() == channels("T.B"))
        #expect(subscription.refused == Set(channels("T.B")) && subscription.isSettled)
    }

    @Test func `after a refusal without a name the rest is asked for one by one`() {
        var subscription = subscription(channels("T.A", "T.B"))
        subscription.refusedNameless()
        #expect(subscription.tick(now: .seconds(10)) == .askAgain(channels("T.A", "T.B"), singly: true))
    }

    @Test func `a change is just the difference`() {
        var subscription = subscription(channels("T.A", "T.B"))
        _ = subscription.confirmed(FeedChannel("T.A")!, now: .zero, wall: 1)
        let (added, removed) = subscription.want(channels("T.B", "T.C"), wall: 5)
        #expect(added == channels("T.C") && removed == channels("T.A"))
        #expect(subscription.confirmedCount == 0)
        #expect(
            subscription.wantedSince(FeedChannel("T.B")!) == 1 && subscription.wantedSince(FeedChannel("T.C")!) == 5)
    }

    @Test func `a new connection begins without answers`() {
        var subscription = subscription(channels("T.A", "T.B"))
        _ = subscription.confirmed(FeedChannel("T.A")!, now: .zero, wall: 1)
        _ = subscription.refuse(FeedChannel("T.B")!)
        subscription.reset()
        #expect(subscription.confirmedCount == 0 && subscription.refused.isEmpty && subscription.deadline == nil)
        #expect(subscription.wanted == channels("T.A", "T.B"))
    }

    @Test func `a symbol counts as confirmed when its every channel stands`() {
        var subscription = subscription(channels("AM.A", "T.A", "AM.B", "T.B"))
        for channel in channels("AM.A", "T.A", "T.B") { _ = subscription.confirmed(channel, now: .zero, wall: 1) }
        #expect(subscription.confirmedSymbols == [Symbol("A")!])
        #expect(subscription.confirmedKinds.values.reduce(0, +) == subscription.confirmedCount)
        #expect(subscription.wanted.symbols == [Symbol("A")!, Symbol("B")!])
    }
}

@Suite(.timeLimit(.minutes(3))) struct LossLedgerTests {
    private let now = FeedMoment(monotonic: .zero, wall: 0)

    private func gap(_ symbols: [String], _ events: [EventKind], _ from: Int64, _ to: Int64?, _ cause: Gap.Cause) -> Gap
    {
        Gap(
            connection: "c", symbols: symbols.compactMap { Symbol($0) }, events: events, from: from, to: to,
            cause: cause)
    }

    @Test func `what was lost together makes one gap, to the last that stood again`() {
        var ledger = LossLedger()
        for channel in channels("T.B", "T.A", "AM.A", "AM.B") {
            ledger.lost(channel, from: 10, cause: .disconnected, now)
        }
        let gaps = ledger.ended(channels("T.A", "T.B", "AM.A", "AM.B"), connection: "c") { channel, _, _ in
            .init(time: channel.kind == .trade ? 20 : 30)
        }
        #expect(gaps == [gap(["A", "B"], [.minuteBar, .trade], 10, 30, .disconnected)])
        #expect(ledger.isEmpty)
    }

    @Test func `losses of other times, causes or kinds make gaps of their own`() {
        var ledger = LossLedger()
        ledger.lost(FeedChannel("T.A")!, from: 10, cause: .disconnected, now)
        ledger.lost(FeedChannel("T.B")!, from: 11, cause: .disconnected, now)
        ledger.lost(FeedChannel("T.C")!, from: 12, cause: .stalled, now)
        ledger.lost(FeedChannel("Q.C")!, from: 12, cause: .overflow, now)
        let gaps = ledger.ended(ledger.channels, connection: "c") { _, _, _ in .init(time: 20) }
        let expected = [
            gap(["A"], [.trade], 10, 20, .disconnected), gap(["B"], [.trade], 11, 20, .disconnected),
            gap(["C"], [.quote], 12, 20, .overflow), gap(["C"], [.trade], 12, 20, .stalled),
        ]
        #expect(gaps.count == 4 && expected.allSatisfy(gaps.contains))
    }

    @Test func `an earlier loss goes on, and ends once`() {
        var ledger = LossLedger()
        ledger.lost(FeedChannel("T.A")!, from: 10, cause: .stalled, now)
        ledger.lost(FeedChannel("T.A")!, from: 15, cause: .disconnected, now)
        #expect(
            ledger.ended(channels("T.A", "T.X"), connection: "c") { _, _, _ in .init(time: 20) } == [
                gap(["A"], [.trade], 10, 20, .stalled)
            ])
        #expect(ledger.ended(ledger.channels, connection: "c") { _, _, _ in .init(time: 30) } == [])
    }

    @Test func `a loss is recorded when it begins, and again when it is over or another`() {
        var ledger = LossLedger()
        #expect(ledger.change([], connection: "c") == nil)
        for channel in channels("T.A", "T.B") { ledger.lost(channel, from: 10, cause: .disconnected, now) }
        let both = gap(["A", "B"], [.trade], 10, nil, .disconnected)
        #expect(ledger.change([], connection: "c") == GapChange(gaps: [both]))
        #expect(ledger.change([], connection: "c") == nil)
        let ended = ledger.ended(channels("T.A"), connection: "c") { _, _, _ in .init(time: 20) }
        let rest = gap(["B"], [.trade], 10, nil, .disconnected)
        let change = GapChange(ended: [both], gaps: [gap(["A"], [.trade], 10, 20, .disconnected), rest])
        #expect(ledger.change(ended, connection: "c") == change)
        let last = ledger.ended(channels("T.B"), connection: "c") { _, _, _ in .init(time: 30, isUncertain: true) }
        #expect(last.map(\.isUncertain) == [true])
        #expect(ledger.change(last, connection: "c") == GapChange(ended: [rest], gaps: last))
        #expect(ledger.isEmpty)
    }

    @Test func `a wildcard's gap names no symbol; a clock set back makes no negative span`() {
        var ledger = LossLedger()
        ledger.lost(FeedChannel("AM.*")!, from: 10, cause: .disconnected, now)
        #expect(
            ledger.ended(ledger.channels, connection: "c") { _, _, _ in .init(time: 3) } == [
                gap([], [.minuteBar], 10, 10, .disconnected)
            ])
    }
}
