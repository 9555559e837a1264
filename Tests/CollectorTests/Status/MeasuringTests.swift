import MarketData
import Testing

@testable import Collector

@Suite(.timeLimit(.minutes(2))) struct MeasuringTests {
    @Test(arguments: [0.1, 3, 21, 60, 593, 663, 2000, 40_000, 899_000, 905_000, 3_700_000, 90_000_000])
    func `quantiles are what was measured, to a thirty-second`(milliseconds: Double) throws {
        var histogram = LatencyHistogram()
        #expect(histogram.quantile(0.5) == nil)
        for _ in 0..<99 { histogram.record(milliseconds: milliseconds / 2) }
        for _ in 0..<99 { histogram.record(milliseconds: milliseconds) }
        let median = try #require(histogram.quantile(0.5)) * 1000
        let high = try #require(histogram.quantile(0.99)) * 1000
        // Below 2 ms the unit is a sixteenth of a millisecond.
        #expect(abs(median - milliseconds / 2) <= max(milliseconds / 64, 1 / 16.0))
        #expect(abs(high - milliseconds) <= max(milliseconds / 32, 1 / 16.0))
        #expect(histogram.counts.reduce(0, +) == 198)
        #expect(abs(histogram.sum - 99 * 1.5 * milliseconds / 1000) < 1e-6 * milliseconds)
    }

    @Test func `a narrow spread within one coarse bucket is told as it is`() throws {
        var histogram = LatencyHistogram()
        for age in 523...663 { histogram.record(milliseconds: Double(age)) }
        #expect(try #require(histogram.quantile(0.99)) < 0.69)
        #expect(abs(try #require(histogram.quantile(0.5)) - 0.593) < 0.02)
    }

    @Test func `the coarse buckets tell a delayed feed that is in time from one that is late`() {
        // As Prometheus interpolates.
        func high(age: Double) -> Double {
            var histogram = LatencyHistogram()
            for _ in 0..<1000 { histogram.record(milliseconds: age * 1000) }
            let bucket = histogram.counts.firstIndex(of: 1000) ?? 0
            let lower = LatencyHistogram.bounds[bucket - 1]
            return lower + 0.99 * (LatencyHistogram.bounds[bucket] - lower)
        }
        #expect(high(age: 901) - 900 <= 30)
        #expect(high(age: 935) - 900 > 30)
    }

    @Test func `fine buckets follow one another without a hole`() throws {
        var last = 0.0
        var age = 0.0
        while age < 1e9 {
            var histogram = LatencyHistogram()
            histogram.record(milliseconds: age)
            let told = try #require(histogram.quantile(1))
            #expect(told >= last && abs(told * 1000 - age) <= max(age / 32, 1 / 16.0))
            last = told
            age = age * 1.01 + 0.01
        }
    }

    @Test func `a quantile since an earlier moment looks at the newer events only`() throws {
        var histogram = LatencyHistogram()
        for _ in 0..<1000 { histogram.record(milliseconds: 1) }
        let before = histogram
        #expect(histogram.quantile(0.5, since: before) == nil)
        histogram.record(milliseconds: 40_000)
        let value = try #require(histogram.quantile(0.5, since: before))
        #expect(abs(value - 40) < 1.25)
    }

    @Test func `ages below zero and beyond all bounds are counted`() throws {
        var histogram = LatencyHistogram()
        histogram.record(milliseconds: -5)
        histogram.record(milliseconds: 4e11)
        #expect(histogram.counts.first == 1)
        #expect(histogram.counts.last == 1)
        #expect(try #require(histogram.quantile(1)) > 4e6)
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
