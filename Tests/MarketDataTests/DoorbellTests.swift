import MarketData
import Testing

@Suite(.timeLimit(.minutes(5))) struct DoorbellTests {
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
        #expect(ContinuousClock.now - began >= .milliseconds(40))
    }

    @Test func `a ring at the moment at which the time has passed is not lost`() async {
        let doorbell = Doorbell()
        for _ in 0..<500 {
            let ringer = Task {
                try? await Task.sleep(for: .milliseconds(1))
                doorbell.ring()
            }
            var isRung = await doorbell.sleep(upTo: .milliseconds(1))
            await ringer.value
            if !isRung { isRung = await doorbell.sleep(upTo: .seconds(5)) }
            #expect(isRung)
        }
    }

    @Test func `cancelling the task ends the sleep`() async {
        let doorbell = Doorbell()
        let sleeper = Task { await doorbell.sleep(upTo: .seconds(600)) }
        sleeper.cancel()
        #expect(await !sleeper.value)
    }
}
