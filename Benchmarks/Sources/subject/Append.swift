import Foundation
import Logging
import MarketData
import Store

private let symbols = ["SPY", "AAPL", "BAC", "AIG", "GOOGL", "BRK.B", "MSFT", "XOM"].compactMap { Symbol($0) }

/// Makes bars with the values that `append.c` writes. They are received now, so that a backlog doesn't exceed its
/// retention.
func bars(from first: Int, count: Int) -> EventBatch {
    let now = Int64(Date().timeIntervalSince1970 * 1e6)
    var batch = EventBatch(connection: "primary", receivedMicroseconds: now)
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

/// Makes distinct trades that are received now.
func trades(from first: Int, count: Int) -> EventBatch {
    let now = Int64(Date().timeIntervalSince1970 * 1e6)
    var batch = EventBatch(connection: "primary", receivedMicroseconds: now)
    batch.trades.reserveCapacity(count)
    for row in first..<first + count {
        batch.trades.append(
            Trade(
                symbol: symbols[row % 8], time: 1_381_239_000_000 + Int64(row / 40),
                price: 100 + Double(row % 977) * 0.01, size: Double(1 + row % 500), exchange: Int32(row % 17), tape: 3,
                tradeID: batch.text.append("\(row)"), conditions: batch.text.append("[14,41]"), sequence: Int64(row)))
    }
    return batch
}

private func open(_ directory: String) throws -> TickBuffer {
    var options = TickBuffer.Options(collector: "bench")
    options.maximumBytes = 64 << 30
    return try TickBuffer.open(
        directory: directory, options: options, logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
}

/// Measures how many rows a second the buffer makes durable with `each` rows per transaction. `first` is the number of
/// the first row, so that a file can be filled in several runs.
func appendRate(
    directory: String, rows: Int, each: Int, first: Int, of events: (_ first: Int, _ count: Int) -> EventBatch
) async throws -> Double {
    let buffer = try open(directory)
    var elapsed = Duration.zero
    // The rows are made in pieces, so that a hundred million of them fit in memory; making them isn't timed.
    for piece in stride(from: 0, to: rows, by: 500_000) {
        let end = min(piece + 500_000, rows)
        let batches = stride(from: piece, to: end, by: each).map {
            events(first + $0, min(each, end - $0))
        }
        elapsed += try await ContinuousClock().measure {
            for batch in batches {
                guard buffer.offer(batch) != .refused else { throw Refused() }
                try await buffer.flush()
            }
        }
    }
    await buffer.close()
    return Double(rows) / (elapsed / .seconds(1))
}

/// Measures the time from an offer to the return of the commit that covers it, at a steady rate: p50, p99 and maximum,
/// in ms.
///
/// A separate thread checks every 0.1 ms which rows are durable, so a figure may be too high by about that much. With
/// `draining`, waiting rows are meanwhile read and acknowledged as fast as possible, as an upload does.
func durableLatency(directory: String, rate: Int, seconds: Int, draining: Bool) async throws -> [Double] {
    let buffer = try open(directory)
    let first = buffer.statistics[.bars].marks.last
    let each = 10
    let count = rate * seconds / each
    let watch = Task {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(returning: watchCommits(of: buffer, from: first, each: each, count: count))
            }
        }
    }
    let drain = Task {
        while draining, !Task.isCancelled {
            if let batch = try await buffer.nextBatch(of: .bars, limit: 20_000) {
                try await buffer.acknowledge(.bars, through: batch.lastSequence ?? 0)
            } else {
                try? await Task.sleep(for: .milliseconds(10))
            }
        }
    }
    var offered: [ContinuousClock.Instant] = []
    let start = ContinuousClock.now
    for number in 0..<count {
        let batch = bars(from: Int(first) + number * each, count: each)
        try await Task.sleep(until: start + .seconds(1) / rate * (number * each), clock: .continuous)
        offered.append(.now)
        guard buffer.offer(batch) != .refused else { throw Refused() }
    }
    let durable = await watch.value
    drain.cancel()
    _ = try await drain.value
    await buffer.close()
    let times = zip(durable, offered).map { ($0 - $1) / .milliseconds(1) }.sorted()
    guard let last = times.last else { throw Refused() }
    return [times[times.count / 2], times[times.count * 99 / 100], last]
}

/// Returns when each batch of `each` rows was first seen to be durable.
private func watchCommits(
    of buffer: TickBuffer, from first: Int64, each: Int, count: Int
) -> [ContinuousClock.Instant] {
    var durable: [ContinuousClock.Instant] = []
    while durable.count < count {
        let mark = Int(buffer.statistics[.bars].marks.last - first) / each
        let now = ContinuousClock.now
        while durable.count < mark { durable.append(now) }
        usleep(100)
    }
    return durable
}

/// The buffer refused a batch that it should have taken.
struct Refused: Error {}
