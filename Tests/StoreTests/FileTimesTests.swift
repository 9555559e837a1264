import MarketData
import TestSupport
import Testing

@testable import Store

/// Which of a file's times a start believes. Times are in milliseconds; now is a day in 2026.
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
        #expect(life?.ends(delay: 0).missedSince(.trade, nil) == now - 7000 - Gap.startMargin)
        // Events arrive roughly in order: a kind without rows is missed from shortly before the others' newest.
        #expect(life?.ends(delay: 0).missedSince(.quote, nil) == now - 7000 - Gap.eventLateness)
        #expect(FileTimes().life(now: now) == nil)
    }

    @Test func `in a file without events what was on its way when it was made is missed too`() {
        let life = file([], alive: now - 5000).life(now: now)
        #expect(life?.ends(delay: 0).missedSince(.trade, nil) == now - 5000 - Gap.eventLateness)
        #expect(life?.ends(delay: 900_000).missedSince(.trade, nil) == now - 905_000 - Gap.eventLateness)
    }

    @Test func `a connection that had brought nothing in a file's first minute is missed from its making`() {
        var times = file([(now - 7000, now - 6500)], alive: now - 5000)
        times.made = now - 40_000
        #expect(times.life(now: now)?.ends(delay: 0).missedSince(.trade, nil) == now - 40_000 - Gap.eventLateness)
        times.made = now - 70_000
        #expect(times.life(now: now)?.ends(delay: 0).missedSince(.trade, nil) == now - 7000 - Gap.startMargin)
        // A pause may have cost the last minute's bars.
        #expect(times.life(now: now)?.ends(delay: 0).missedSince(.minuteBar, nil) == now - 67_000 - Gap.eventLateness)
    }

    @Test func `losses that were under way end in the events' own time`() {
        var times = file([(now - 907_000, now - 6500)], alive: now - 5000)
        times.lasts[.trade] = times.rows[.trade]
        #expect(times.life(now: now)?.lossesEnd == now - 5000 - 900_500)
        // An event that came more than a day late says nothing about the feed's delay.
        times.lasts[.trade] = [.init(event: now - 2 * day, received: now - 6500)]
        #expect(times.life(now: now)?.lossesEnd == now - 5000)
    }

    @Test func `a stop while the clock was 400 days behind makes no gap of 400 days`() {
        let back = now - 400 * day
        let life = file([(now - 60_000, back - 60_000)], alive: back).life(now: now)
        #expect(life == PreviousLife(end: now - 60_000, newest: [.trade: now - 60_000], isUncertain: true))
    }

    @Test func `while the clock was behind the events tell where they had come to, and the receipts are unsure`() {
        let rows = (0..<20).map { (event: now - 20_000 + $0 * 500, received: now - 110_000 + $0 * 500) }
        // Whether the clock is right by now or still behind.
        for clock in [now, now - 90_000] {
            let life = file(rows, alive: now - 100_000).life(now: clock)
            #expect(
                life == PreviousLife(end: now - 10_500, newest: [.trade: now - 10_500], isUncertain: true))
        }
        // Nor does one event from the future change anything then.
        let odd = file(rows + [(now + 7_200_000, now - 100_000)], alive: nil)
        #expect(odd.life(now: now)?.newest == [.trade: now - 10_000])
        #expect(odd.newest == [.trade: now - 10_000])
        // A delayed feed's events are received after they happened, even by a clock that is behind.
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

    @Test func `times that no event can have say nothing, of the clock neither`() {
        let nowhere: Int64 = 1_795_630_000_000_000
        let life = file([(nowhere, now - 8000), (nowhere, now - 7000), (now - 6000, now - 6000)], alive: nil)
            .life(now: now)
        #expect(life == PreviousLife(end: now - 6000, newest: [.trade: now - 6000]))
        #expect(file([(-5, now - 6000)], alive: nil).life(now: now) == PreviousLife(end: now - 6000))
    }

    @Test func `where there are few events of a kind the others show how far the clock was behind`() {
        var times = file((1...9).map { (now - $0 * 1000, now - $0 * 1000) }, alive: nil)
        times.rows[.quote] = [.init(event: now + 7_200_000, received: now - 500)]
        #expect(times.newest == [.trade: now - 1000, .quote: now - 500])
    }

    @Test
    func `gaps that end in the future tell of nothing that was missed, and losses end a day after the events at most`()
    {
        let times = file([(now - 6000, now - 6000)], alive: now - 5000)
        let gap = Gap(
            connection: "c", symbols: [], events: [.trade], from: now - 7000, to: now + 1, cause: .disconnected)
        #expect(times.life(now: now, told: [gap])?.told == [])
        #expect(times.life(now: now + 1, told: [gap])?.told == [gap])
        #expect(times.life(now: now)?.lossesEnd == now - 5000)
        // A clock that was days ahead of the events.
        let ahead = file([(now - 6000, now - 6000)], alive: now + 3 * day).life(now: now + 4 * day)
        #expect(ahead?.lossesEnd == now - 6000 + day)
    }

    @Test func `a kind whose rows are far back came shortly before those near the end at the latest`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        var batch = EventBatch(connection: "primary", receivedMicroseconds: now * 1000)
        func bar(_ interval: Bar.Interval, end: Int64) -> Bar {
            Bar.flat(Symbol("A")!, interval, at: end - interval.milliseconds)
        }
        batch.bars = [bar(.minute, end: now - 600_000)] + (0..<5000).map { bar(.second, end: now - 9000 + $0) }
        #expect(buffer.offer(batch) != .refused)
        try await buffer.flush()
        await buffer.close()
        try SoundFile.reading(scratch.ticks) { database in
            let times = try FileTimes(database)
            #expect(times.rows[.minuteBar] == [.init(event: now - 9000 - 65_000, received: now)])
            // Nothing is guessed about a stream that never had a row.
            #expect(times.rows[.secondBar]?.count == 500 && times.rows[.trade] == nil)
            #expect(try FileTimes(database, guesses: false).rows[.minuteBar] == nil)
        }
    }

    @Test func `events are missed from where the slowest connection had come to`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        func offer(_ connection: String, _ time: Int64, received: Int64) {
            var batch = EventBatch(connection: connection, receivedMicroseconds: received * 1000)
            batch.trades = [Trade(symbol: Symbol("A")!, time: time, price: 1, size: 1)]
            #expect(buffer.offer(batch) != .refused)
        }
        // A connection that was silent for longer, one that lags, and rows that came from no connection.
        offer("removed", now - 900_000, received: now - 900_000)
        offer("slow", now - 50_000, received: now - 45_000)
        offer("slow", now - 31_000, received: now - 12_000)
        offer("backfill", now - 55_000, received: now - 10_000)
        for back in stride(from: 9000, through: 8000, by: -1) {
            offer("primary", now - Int64(back), received: now - Int64(back))
        }
        try await buffer.flush()
        await buffer.close()
        var times = try SoundFile.reading(scratch.ticks) { try FileTimes($0) }
        #expect(times.life(now: now)?.newest == [.trade: now - 31_000])
        #expect(times.newest == [.trade: now - 8000])
        // No further back than a connection may lag.
        times.lasts[.trade]?.append(.init(event: now - 500_000, received: now - 8000))
        #expect(times.life(now: now)?.newest == [.trade: now - 68_000])
    }

    @Test func `what gaps tell of already is not missed again, in a chain of them too`() {
        let a = Symbol("A")!
        func gap(_ symbols: [Symbol], _ from: Int64, _ to: Int64) -> Gap {
            Gap(connection: "c", symbols: symbols, events: [.trade], from: from, to: to, cause: .disconnected)
        }
        let told = [
            gap([], now - 5000, now - 4000), gap([a], now - 10_000, now - 6000), gap([a], now - 6000, now - 5000),
            gap([a], now - 100, now - 50),
        ]
        let ends = file([(now - 9000, now - 9000)], alive: nil).life(now: now, told: told)?.ends(delay: 0)
        #expect(ends?.missedSince(.trade, a) == now - 4000)
        #expect(ends?.missedSince(.trade, Symbol("B")!) == now - 9000 - Gap.startMargin)
        // A gap that the clock made too long does not count.
        var wrong = gap([a], now - 9000, now - 10)
        wrong.isUncertain = true
        let rest = file([(now - 9000, now - 9000)], alive: nil).life(now: now, told: [wrong])?.ends(delay: 0)
        #expect(rest?.missedSince(.trade, a) == now - 9000 - Gap.startMargin)
    }
}
