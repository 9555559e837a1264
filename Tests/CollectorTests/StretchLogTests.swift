import MarketData
import Store
import Testing
import Upstream

@testable import Collector

/// A box claims what it has completely, and nothing else.
@Suite(.timeLimit(.minutes(1)))
struct StretchLogTests {
    private let a = Symbol("A")!
    private let b = Symbol("B")!
    private let c = Symbol("C")!
    private var log = StretchLog(patience: .seconds(90))

    private func sight(
        _ seconds: Int, newest: Int64, rows: Int64, upstream: Int64, gaps: [Gap] = [], symbols: Set<Symbol>? = nil,
        since: Int64? = nil, drops: Int64 = 0, letters: Int64 = 0, time: Int64 = 0
    ) -> StretchLog.Sight {
        var buffer = BufferStatistics()
        buffer[.trades].marks.last = rows
        buffer[.trades].marks.acknowledged = upstream
        buffer.drops = drops
        buffer[.trades].deadLetters = letters
        return StretchLog.Sight(
            newest: [.trade: newest], buffer: buffer, gaps: gaps, symbols: symbols ?? [a, b], collectedSince: since,
            now: .seconds(seconds), time: time)
    }

    private func gap(_ from: Int64, _ to: Int64?, _ symbols: [Symbol], isUncertain: Bool = false) -> Gap {
        Gap(
            connection: "primary", symbols: symbols, events: [.trade], from: from, to: to, cause: .disconnected,
            isUncertain: isUncertain)
    }

    private func stretch(_ since: Int64, _ through: Int64, _ symbols: Set<Symbol>?) -> Stretch {
        Stretch(kind: .trade, symbols: symbols, since: since, through: through)
    }

    private func claim(_ since: Int64, _ through: Int64, _ symbols: Set<Symbol>?, row: Int64?) -> StretchClaim {
        StretchClaim(stretch(since, through, symbols), row: row)
    }

    @Test
    mutating func `what was newest is vouched for once its rows are upstream and no loss can come to light any more`() {
        #expect(log.look(sight(0, newest: 1000, rows: 10, upstream: 0)).isEmpty)
        #expect(log.look(sight(80, newest: 5000, rows: 50, upstream: 50)).isEmpty)
        // The first mark is the beginning itself, so it adds nothing.
        #expect(log.look(sight(95, newest: 6000, rows: 60, upstream: 55)).isEmpty)
        #expect(log.look(sight(186, newest: 9000, rows: 90, upstream: 59)) == [claim(1000, 5000, [a, b], row: 50)])
        #expect(log.look(sight(190, newest: 9500, rows: 95, upstream: 60)) == [claim(1000, 6000, [a, b], row: 60)])
    }

    @Test
    mutating func `a stretch begins when its symbols were subscribed, however old the newest event of its kind is`() {
        _ = log.look(sight(0, newest: 1000, rows: 10, upstream: 10, time: 1000))
        let all: Set<Symbol> = [a, b, c]
        _ = log.look(sight(10, newest: 1000, rows: 10, upstream: 10, symbols: all, time: 500_000))
        #expect(log.look(sight(101, newest: 600_000, rows: 20, upstream: 20, symbols: all, time: 600_000)).isEmpty)
        #expect(
            log.look(sight(192, newest: 700_000, rows: 30, upstream: 30, symbols: all, time: 700_000))
                == [claim(500_000, 600_000, all, row: 20)])
        // The clock says nothing about a replay of old events.
        var replay = StretchLog(patience: .seconds(90))
        let year: Int64 = 365 * 86_400_000
        _ = replay.look(sight(0, newest: 1000, rows: 10, upstream: 10, time: year))
        _ = replay.look(sight(91, newest: 5000, rows: 50, upstream: 50, time: year))
        #expect(
            replay.look(sight(182, newest: 9000, rows: 90, upstream: 90, time: year)) == [
                claim(1000, 5000, [a, b], row: 50)
            ])
    }

    @Test mutating func `while the database is away nothing is vouched for, and what was seen then counts afterwards`()
    {
        for second in stride(from: 0, to: 10_000, by: 10) {
            let now = sight(second, newest: Int64(second) * 1000, rows: Int64(second), upstream: 0)
            #expect(second == 0 || log.look(now).isEmpty)
        }
        let back = log.look(sight(10_000, newest: 10_000_000, rows: 10_000, upstream: 10_000))
        #expect(back == [claim(10_000, 320_000, [a, b], row: 320)])
    }

    @Test mutating func `a gap begins a new stretch behind it, and ends the old one where the loss began`() {
        _ = log.look(sight(0, newest: 1000, rows: 10, upstream: 10))
        _ = log.look(sight(91, newest: 5000, rows: 50, upstream: 50))
        #expect(log.look(sight(182, newest: 9000, rows: 90, upstream: 90)) == [claim(1000, 5000, [a, b], row: 50)])
        // It became known later than it should have.
        let lost = gap(4000, 12_000, [a])
        #expect(
            log.look(sight(190, newest: 13_000, rows: 99, upstream: 99, gaps: [lost])) == [
                claim(1000, 4000, [a, b], row: nil)
            ])
        _ = log.look(sight(281, newest: 20_000, rows: 120, upstream: 120, gaps: [lost]))
        #expect(
            log.look(sight(372, newest: 21_000, rows: 130, upstream: 130, gaps: [lost]))
                == [claim(13_000, 20_000, [a, b], row: 120)])
    }

    @Test mutating func `a loss that lasts takes its symbols out, and one of all leaves nothing to vouch for`() {
        let lasting = gap(900, nil, [b])
        _ = log.look(sight(0, newest: 1000, rows: 10, upstream: 10, gaps: [lasting]))
        _ = log.look(sight(91, newest: 5000, rows: 50, upstream: 50, gaps: [lasting]))
        let news = log.look(sight(182, newest: 9000, rows: 90, upstream: 90, gaps: [lasting]))
        #expect(news == [claim(1000, 5000, [a], row: 50)])
        for second in 200...500 {
            let all = gap(9000, nil, [])
            #expect(log.look(sight(second, newest: 9999, rows: 99, upstream: 99, gaps: [all])).isEmpty)
        }
    }

    @Test mutating func `what was dropped, or other symbols, begin a new stretch`() {
        for (drops, symbols) in [(5, [a, b]), (5, [a, b, c])] as [(Int64, Set<Symbol>)] {
            _ = log.look(sight(0, newest: 1000, rows: 10, upstream: 10))
            _ = log.look(sight(91, newest: 2000, rows: 20, upstream: 20))
            #expect(log.look(sight(182, newest: 3000, rows: 30, upstream: 30, symbols: symbols, drops: drops)).isEmpty)
            _ = log.look(sight(273, newest: 4000, rows: 40, upstream: 40, symbols: symbols, drops: drops))
            #expect(
                log.look(sight(364, newest: 5000, rows: 50, upstream: 50, symbols: symbols, drops: drops))
                    == [claim(3000, 4000, symbols, row: 40)])
            log = StretchLog(patience: .seconds(90))
        }
    }

    @Test mutating func `a symbol that was given up and taken again between two looks begins a new stretch`() {
        _ = log.look(sight(0, newest: 1000, rows: 10, upstream: 10, since: .min))
        _ = log.look(sight(91, newest: 2000, rows: 20, upstream: 20, since: .min))
        #expect(log.look(sight(182, newest: 3000, rows: 30, upstream: 30, since: 2500)).isEmpty)
        _ = log.look(sight(273, newest: 4000, rows: 40, upstream: 40, since: 2500))
        #expect(
            log.look(sight(364, newest: 5000, rows: 50, upstream: 50, since: 2500))
                == [claim(3000, 4000, [a, b], row: 40)])
    }

    @Test mutating func `a letter that was retried makes up for no drop`() {
        _ = log.look(sight(0, newest: 1000, rows: 10, upstream: 10, letters: 1))
        _ = log.look(sight(91, newest: 2000, rows: 20, upstream: 20, letters: 1))
        #expect(log.look(sight(182, newest: 3000, rows: 30, upstream: 30, drops: 1)).isEmpty)
    }

    @Test func `a gap is covered when others have each kind of each symbol over all of its span`() {
        let missed = gap(2000, 3000, [a, b])
        #expect(missed.covering([:]) == nil)
        #expect(missed.covering(["x": [stretch(2000, 3000, [a, b, c])]]) == ["x"])
        #expect(missed.covering(["x": [stretch(2000, 3000, nil)]]) == ["x"])
        #expect(missed.covering(["x": [stretch(1000, 4000, [a])], "y": [stretch(0, 9000, [b])]]) == ["x", "y"])
        for other in [
            stretch(2001, 4000, nil), stretch(1000, 2999, nil), stretch(0, 9000, [a]),
            Stretch(kind: .quote, symbols: nil, since: 0, through: 9000),
        ] {
            #expect(missed.covering(["x": [other]]) == nil, "\(other)")
        }
        // There may be a hole between two halves from one box.
        #expect(missed.covering(["x": [stretch(0, 2500, nil), stretch(2500, 9000, nil)]]) == nil)
        #expect(gap(2000, 3000, []).covering(["x": [stretch(0, 9000, [a, b, c])]]) == nil)
        #expect(gap(2000, 3000, []).covering(["x": [stretch(0, 9000, nil)]]) == ["x"])
        #expect(gap(2000, nil, [a]).covering(["x": [stretch(0, 9000, nil)]]) == nil)
        #expect(gap(2000, 3000, [a], isUncertain: true).covering(["x": [stretch(0, 9000, nil)]]) == nil)
    }
}
