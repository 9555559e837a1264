import MarketData
import Testing

@testable import Store

/// What is believed of a file's times at a start. Times in milliseconds; now is a day in 2026.
@Suite(.timeLimit(.minutes(3))) struct FileTimesTests {
    private let now: Int64 = 1_795_630_000_000
    private let day: Int64 = 86_400_000

    private func file(_ rows: [(event: Int64, received: Int64)], alive: Int64?) -> FileTimes {
        FileTimes(
            rows: rows.isEmpty ? [:] : [.trade: rows.map { .init(event: $0.event, received: $0.received) }],
            alive: alive)
    }

    @Test func `the end is the greatest time in the file, and a kind's events end where they had come to`() {
        let life = file([(now - 9000, now - 8000), (now - 7000, now - 6500)], alive: now - 5000).life(now: now)
        #expect(life == PreviousLife(end: now - 5000, newest: [.trade: now - 7000]))
        #expect(life?.ends.missedSince(.trade, nil) == now - 7000)
        // Events come in their order: of a kind that the file has none of, none came after the others' newest.
        #expect(life?.ends.missedSince(.quote, nil) == now - 7000)
        #expect(file([], alive: now - 5000).life(now: now)?.ends.missedSince(.quote, nil) == now - 5000)
        #expect(FileTimes().life(now: now) == nil)
    }

    @Test func `a stop while the clock was 400 days behind makes no gap of 400 days`() {
        let back = now - 400 * day
        let life = file([(now - 60_000, back - 60_000)], alive: back).life(now: now)
        #expect(life == PreviousLife(end: now - 60_000, newest: [.trade: now - 60_000], isUncertain: true))
    }

    @Test func `while the clock was behind the events tell where they had come to, and the receipts are unsure`() {
        let rows = (0..<20).map { (event: now - 20_000 + $0 * 500, received: now - 110_000 + $0 * 500) }
        // Whether the clock is right now, or behind as before.
        for clock in [now, now - 90_000] {
            let life = file(rows, alive: now - 100_000).life(now: clock)
            #expect(
                life == PreviousLife(end: now - 10_500, newest: [.trade: now - 10_500], isUncertain: true))
        }
        // One event from the future moves nothing then either.
        let odd = file(rows + [(now + 7_200_000, now - 100_000)], alive: nil)
        #expect(odd.life(now: now)?.newest == [.trade: now - 10_000])
        #expect(odd.newest == [.trade: now - 10_000])
        // A delayed feed's events are received later than they happened in any case.
        let delayed = file(rows.map { ($0.event - 900_000, $0.received) }, alive: nil).life(now: now)
        #expect(delayed?.newest == [.trade: now - 910_500] && delayed?.isUncertain == false)
    }

    @Test func `a stop while the clock was ahead makes a gap all the same, and it is unsure`() {
        let life = file([(now - 60_000, now + 400 * day)], alive: now + 400 * day).life(now: now)
        #expect(life == PreviousLife(end: now - 60_000, newest: [.trade: now - 60_000], isUncertain: true))
    }

    @Test func `a start with a clock that is behind goes on from the newest event`() {
        let life = file([(now + 3 * day, now + 3 * day)], alive: now + 3 * day).life(now: now)
        #expect(life == PreviousLife(end: now + 3 * day, newest: [.trade: now + 3 * day], isUncertain: true))
    }

    @Test func `a clock that was set back by seconds makes no gap begin before the newest event`() {
        let life = file([(now - 60_000, now - 60_000), (now + 3000, now + 3000)], alive: now + 4900).life(now: now)
        #expect(life == PreviousLife(end: now + 4900, newest: [.trade: now + 3000]))
    }

    @Test func `one event from the future or from nowhere moves nothing`() {
        let rows = [
            (now - 9000, now - 9000), (now + 7_200_000, now - 8000), (1_795_630_000_000_000, now - 7000),
            (-5, now - 6000),
        ]
        #expect(file(rows, alive: nil).life(now: now)?.newest == [.trade: now - 8000])
    }

    @Test func `what gaps tell of already is not missed again, in a chain of them too`() {
        let a = Symbol("A")!
        func gap(_ symbols: [Symbol], _ from: Int64, _ to: Int64) -> Gap {
            Gap(connection: "c", symbols: symbols, events: [.trade], from: from, to: to, cause: .disconnected)
        }
        let told = [
            gap([], now - 5000, now - 4000), gap([a], now - 9000, now - 6000), gap([a], now - 6000, now - 5000),
            gap([a], now - 100, now - 50),
        ]
        let ends = file([(now - 9000, now - 9000)], alive: nil).life(now: now, told: told)?.ends
        #expect(ends?.missedSince(.trade, a) == now - 4000)
        #expect(ends?.missedSince(.trade, Symbol("B")!) == now - 9000)
        // Not by one that the clock made too long.
        var wrong = gap([a], now - 9000, now - 10)
        wrong.isUncertain = true
        let rest = file([(now - 9000, now - 9000)], alive: nil).life(now: now, told: [wrong])?.ends
        #expect(rest?.missedSince(.trade, a) == now - 9000)
    }
}
