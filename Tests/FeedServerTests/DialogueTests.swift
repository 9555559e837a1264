import MarketData
import Testing

@testable import FeedServer

@Suite(.timeLimit(.minutes(1))) struct `The dialogue's rules` {
    @Test func `nothing is said after the end`() {
        var dialogue = Dialogue()
        #expect(dialogue.opened() == [.send([.connected])])
        #expect(dialogue.received(.login(key: "k")) == [.decideLogin(key: "k")])
        #expect(
            dialogue.loginDecided(.refused) == [
                .send([.loginFailed]), .close(code: 1008, reason: "authentication failed"),
            ])
        #expect(dialogue.received(.subscribe(["AM.*"])) == [])
        #expect(dialogue.loginTimeEnded() == [])
    }

    @Test func `past events are asked for before their channels go live, and overlooked where none are offered`() throws
    {
        let span = ReplaySpan(from: .ago(900_000))
        var offering = Dialogue(offersReplays: true)
        _ = offering.loginDecided(.accepted)
        let channel = try #require(FeedChannel("T.A"))
        #expect(
            offering.received(.subscribe(["T.A"], span)) == [
                .send([.subscribed(channel)]), .replay([channel], span), .subscriptionsChanged([channel]),
            ])
        let ended = ReplaySpan(from: .absolute(1), to: .absolute(2))
        #expect(offering.received(.subscribe(["T.A", "T.A"], ended)) == [.replay([channel], ended)])
        var plain = Dialogue()
        _ = plain.loginDecided(.accepted)
        #expect(
            plain.received(.subscribe(["T.A"], span)) == [
                .send([.subscribed(channel)]), .subscriptionsChanged([channel]),
            ])
    }

    @Test(
        arguments: [
            ("1704205800000", .absolute(1_704_205_800_000)), ("0", .absolute(0)), ("-15m", .ago(900_000)),
            ("-90s", .ago(90_000)), ("-2h", .ago(7_200_000)), ("-1d", .ago(86_400_000)), ("-5", nil), ("15m", nil),
            ("-m", nil), ("", nil), ("-99999999999d", nil), ("253402300799999", .absolute(253_402_300_799_999)),
            ("253402300800000", nil), ("9223372036854775807", nil),
        ] as [(String, ReplaySpan.Moment?)])
    func `a moment is a time or a while ago`(text: String, moment: ReplaySpan.Moment?) {
        #expect(ReplaySpan.Moment(text) == moment)
    }

    @Test func `a while ago is never before the beginning of time`() {
        #expect(ReplaySpan.Moment("-100000000d")?.milliseconds(now: 1_704_205_800_000) == 0)
    }

    @Test func `nothing is taken while a login is being decided`() {
        var dialogue = Dialogue()
        #expect(dialogue.received(.login(key: "a guess")) == [.decideLogin(key: "a guess")])
        #expect(dialogue.received(.login(key: "another")) == [])
        #expect(dialogue.received(.subscribe(["AM.*"])) == [])
        #expect(dialogue.loginDecided(.ignored) == [])
        #expect(dialogue.received(.login(key: "another")) == [.decideLogin(key: "another")])
    }

    @Test func `a login in time is not timed out`() {
        var dialogue = Dialogue()
        #expect(dialogue.loginDecided(.ignored) == [])
        #expect(dialogue.loginDecided(.accepted) == [.send([.authenticated])])
        #expect(dialogue.loginTimeEnded() == [])
    }

    @Test func `a wildcard and a symbol of the same kind stand side by side`() {
        var dialogue = Dialogue()
        _ = dialogue.loginDecided(.accepted)
        _ = dialogue.received(.subscribe(["AM.*", "AM.A"]))
        #expect(
            dialogue.received(.unsubscribe(["AM.*"])).last == FeedChannel("AM.*").map { .subscriptionsChanged([$0]) })
        #expect(dialogue.subscriptions.wants(.minuteBar) { Symbol("A") })
        #expect(!dialogue.subscriptions.wants(.minuteBar) { Symbol("B") })
    }
}
