import Foundation
import Logging
import MarketData
import Store

/// Bars with the values that `append.c` writes.
private func bars(from first: Int, count: Int) -> EventBatch {
    let symbols = ["SPY", "AAPL", "BAC", "AIG", "GOOGL", "BRK.B", "MSFT", "XOM"].compactMap { Symbol($0) }
    var batch = EventBatch(connection: "primary", receivedMicroseconds: 1_381_239_060_000_000 + Int64(first))
    batch.bars.reserveCapacity(count)
    for row in first..<first + count {
        let price = 100 + Double(row % 977) * 0.01
        let start = 1_381_239_000_000 + Int64(row / 8) * 60_000
        batch.bars.append(
            Bar(
                symbol: symbols[row % 8], interval: .minute, start: start, end: start + 60_000, open: price,
                high: price + 0.05, low: price - 0.05, close: price + 0.01, volume: Double(1200 + row % 5000),
                vwap: price + 0.0037, dayVolume: Double(120_000 + row), dayOpen: 99.5, dayVWAP: price - 0.0021,
                averageSize: 180))
    }
    return batch
}

/// Rows a second that the buffer makes durable, when each transaction holds `each` of them.
func appendRate(directory: String, rows: Int, each: Int) async throws -> Double {
    let buffer = try TickBuffer.open(
        directory: directory, options: .init(collector: "bench"),
        logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
    let batches = stride(from: 0, to: rows, by: each).map { bars(from: $0, count: min(each, rows - $0)) }
    let start = ContinuousClock.now
    for batch in batches {
        guard buffer.offer(batch) != .refused else { throw Refused() }
        try await buffer.flush()
    }
    let elapsed = ContinuousClock.now - start
    await buffer.close()
    return Double(rows) / (elapsed / .seconds(1))
}

/// The time from an offer until the flush that covers it returned, at a steady rate: p50, p99 and maximum in ms.
func durableLatency(directory: String, rate: Int, seconds: Int) async throws -> [Double] {
    let buffer = try TickBuffer.open(
        directory: directory, options: .init(collector: "bench"),
        logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
    let start = ContinuousClock.now
    let each = 10
    var offered: [ContinuousClock.Instant] = []
    var durable: [Double] = []
    for number in 0..<(rate * seconds / each) {
        try await Task.sleep(until: start + .seconds(1) / rate * (number * each), clock: .continuous)
        guard buffer.offer(bars(from: number * each, count: each)) != .refused else { throw Refused() }
        offered.append(.now)
        // What became durable since the last look gets its time now: at 10,000 events a second that is 1 ms late at most.
        let mark = Int(buffer.statistics[.bars].lastSequence) / each
        while durable.count < min(mark, offered.count) {
            durable.append((.now - offered[durable.count]) / .milliseconds(1))
        }
    }
    await buffer.close()
    durable.sort()
    guard let last = durable.last else { throw Refused() }
    return [durable[durable.count / 2], durable[durable.count * 99 / 100], last]
}

/// The buffer refused a batch that it should have taken.
struct Refused: Error {}
