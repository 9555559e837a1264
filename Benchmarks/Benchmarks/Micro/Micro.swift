// Single steps of the hot path, measured separately, with percentiles: `make micro`. For comparisons with other
// programs see `make bench`.

import Benchmark
import Feed
import Foundation
import MarketData

/// A frame of a hundred minute bars, as the feed writes them.
private let frame: [UInt8] = {
    let bars = (0..<100).map { number in
        """
        {"ev":"AM","sym":"S\(number)","v":\(1000 + number),"av":\(90_000 + number),"op":34.25,"vw":34.4999,"o":34.5,\
        "c":34.\(10 + number % 90),"h":35.6,"l":33.4372,"a":34.3123,"z":101,"s":1381239000000,"e":1381239060000}
        """
    }
    return Array("[\(bars.joined(separator: ","))]".utf8)
}()

/// Realistic prices: most with two decimals, some with four, and some averages with more.
private let prices: [Double] = (0..<1000).map { number in
    switch number % 5 {
    case 0: Double(number) / 7
    case 1: Double(340_000 + number) / 10_000
    default: Double(3400 + number) / 100
    }
}

let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock, .throughput], scalingFactor: .one, maxDuration: .seconds(3))

    Benchmark("decode a frame of 100 minute bars") { benchmark in
        var decoder = FrameDecoder()
        var batch = EventBatch(connection: "micro", receivedMicroseconds: 0)
        var statuses: [FeedStatus] = []
        for _ in benchmark.scaledIterations {
            batch.removeAll()
            frame.withUnsafeBytes { decoder.decode($0, into: &batch, statuses: &statuses) }
        }
        guard batch.count == 100, decoder.rejects.total == 0 else { return benchmark.error("the frame was not read") }
    }

    Benchmark("write 1,000 prices as decimals") { benchmark in
        var text: [UInt8] = []
        for _ in benchmark.scaledIterations {
            text.removeAll(keepingCapacity: true)
            for price in prices { DecimalText.append(price, to: &text) }
        }
        guard text.count > 4000 else { return benchmark.error("nothing was written") }
    }

    Benchmark("make 1,000 symbols of bytes") { benchmark in
        let names = (0..<1000).map { Array("SYM\($0)".utf8) }
        var found = 0
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            for name in names { found += name.withUnsafeBytes { Symbol(utf8: $0) } == nil ? 0 : 1 }
        }
        benchmark.stopMeasurement()
        guard found >= 1000 else { return benchmark.error("no symbol was made") }
    }
}
