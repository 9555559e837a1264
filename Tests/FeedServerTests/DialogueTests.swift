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
        #expect(dialogue.received(.unsubscribe(["AM.*"])).last == .subscriptionsChanged)
        #expect(dialogue.subscriptions.wants(.minuteBar) { Symbol("A") })
        #expect(!dialogue.subscriptions.wants(.minuteBar) { Symbol("B") })
    }
}
