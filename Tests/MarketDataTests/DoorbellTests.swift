import MarketData
import Testing

@Suite(.timeLimit(.minutes(1))) struct DoorbellTests {
    @Test func `a ring ends the sleep under way`() async {
        let doorbell = Doorbell()
        let sleeper = Task { await doorbell.sleep(upTo: .seconds(600)) }
        doorbell.ring()
        #expect(await sleeper.value)
    }

    @Test func `a ring before the sleep is kept, once`() async {
        let doorbell = Doorbell()
        doorbell.ring()
        #expect(await doorbell.sleep(upTo: .seconds(600)))
        let began = ContinuousClock.now
        #expect(await !doorbell.sleep(upTo: .milliseconds(50)))
        #expect(ContinuousClock.now - began >= .milliseconds(50))
    }

    @Test func `cancelling the task ends the sleep`() async {
        let doorbell = Doorbell()
        let sleeper = Task { await doorbell.sleep(upTo: .seconds(600)) }
        sleeper.cancel()
        #expect(await !sleeper.value)
    }
}
