import MarketData
import Testing

@testable import Collector

@Suite(.timeLimit(.minutes(2))) struct MeasuringTests {
    @Test func `rates are measured over their own spans`() {
        var meter = RateMeter()
        #expect(meter.rate(over: 1) == 0)
        for half in 0...240 {
            meter.record(Int64(half < 200 ? half * 5 : 1000 + (half - 200) * 50), at: Double(half) / 2)
        }
        #expect(meter.rate(over: 1) == 100)
        #expect(meter.rate(over: 5) == 100)
        #expect(abs(meter.rate(over: 60) - (20 * 100 + 40 * 10) / 60.0) < 1e-9)
    }

    @Test func `a count that starts again is no negative rate`() {
        var meter = RateMeter()
        meter.record(1000, at: 0)
        meter.record(5, at: 1)
        #expect(meter.rate(over: 5) == 0)
        meter.record(15, at: 2)
        #expect(meter.rate(over: 5) == 10)
    }

    @Test func `quantiles of a histogram lie in their bucket`() throws {
        var histogram = LatencyHistogram()
        #expect(histogram.quantile(0.5) == nil)
        for _ in 0..<99 { histogram.record(milliseconds: 60) }
        histogram.record(milliseconds: 2000)
        let median = try #require(histogram.quantile(0.5))
        #expect(median > 0.05 && median <= 0.1)
        let high = try #require(histogram.quantile(0.999))
        #expect(high > 1 && high <= 2.5)
        #expect(histogram.total == 100)
        #expect(abs(histogram.sum - 7.94) < 1e-9)
    }

    @Test func `a quantile since an earlier moment looks at the newer events only`() throws {
        var histogram = LatencyHistogram()
        for _ in 0..<1000 { histogram.record(milliseconds: 1) }
        let before = histogram
        #expect(histogram.quantile(0.5, since: before) == nil)
        histogram.record(milliseconds: 40_000)
        let value = try #require(histogram.quantile(0.5, since: before))
        #expect(value > 30 && value <= 60)
    }

    @Test func `ages below zero and beyond all bounds are counted`() {
        var histogram = LatencyHistogram()
        histogram.record(milliseconds: -5)
        histogram.record(milliseconds: 4e11)
        #expect(histogram.counts.first == 1)
        #expect(histogram.counts.last == 1)
        #expect(histogram.quantile(1) == LatencyHistogram.bounds.last)
    }

    @Test func `the last hour keeps its newest points in order`() {
        var history = History()
        for time in 0..<(History.capacity + 10) {
            history.append(.init(time: Int64(time), rates: [:], pending: 0, lag: 0))
        }
        let points = history.points
        #expect(points.count == History.capacity)
        #expect(points.first?.time == 10)
        #expect(points.last?.time == Int64(History.capacity + 9))
    }

    @Test func `process usage comes from the kernel`() {
        let usage = ProcessUsage.now()
        #expect(usage.residentBytes > 1 << 20)
        #expect(usage.cpuSeconds > 0)
        #expect((usage.openFiles ?? 0) > 2)
    }
}
