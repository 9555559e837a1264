import Feed
import Foundation
import Logging
import MarketData

/// A sink that accepts everything and keeps nothing.
private final class Drain: EventSink {
    func offer(_ batch: EventBatch) -> Admission { .accepted }
    func whenRoom(_ resume: @escaping @Sendable () -> Void) { resume() }
    func record(_ change: GapChange) {}
}

/// Makes a set of three connections, not running, with `each` separate symbols per connection.
private func makeSet(_ each: Int, redundant: RedundantSymbols = .none) throws -> (ConnectionSet, [Symbol]) {
    let symbols = (0..<3 * each).compactMap { Symbol("S\($0)") }
    let members = try (0..<3).map { number in
        SetMember(
            id: "connection_\(number + 1)",
            configuration: FeedConfiguration(
                name: "c\(number)", endpoint: try FeedEndpoint(url: "ws://127.0.0.1:1/x", allowsPlaintext: false),
                apiKey: Secret("none")),
            interest: .symbols(Array(symbols[number * each..<(number + 1) * each])), priority: number + 1)
    }
    var configuration = SetConfiguration()
    configuration.redundant = redundant
    let set = try ConnectionSet(
        configuration: configuration, members: members, sink: Drain(), logger: Logger(label: "bench"))
    return (set, symbols)
}

private func nanoseconds(_ count: Int, _ body: () -> Void) -> Double {
    let clock = ContinuousClock()
    return clock.measure(body) / .nanoseconds(1) / Double(count)
}

/// Measures the time to find which connection delivers a symbol, among 3,000 symbols, in nanoseconds.
func routingTime() throws -> Double {
    let (set, symbols) = try makeSet(1000)
    let order = symbols.shuffled()
    var found = 0
    let rounds = 300
    let time = nanoseconds(rounds * order.count) {
        for _ in 0..<rounds {
            for symbol in order where !set.connections(of: symbol).isEmpty { found += 1 }
        }
    }
    guard found == rounds * order.count else { throw WrongFrames() }
    return time
}

/// Measures what the set adds to the sink's own call, in nanoseconds per event, with batches of 100 trades.
///
/// - Parameter redundant: Whether every symbol comes from two connections, so that each event must be compared.
func aggregationTime(redundant: Bool) throws -> Double {
    let (set, symbols) = try makeSet(1000, redundant: redundant ? .all : .none)
    guard let first = set.entrance(of: "connection_1"), let second = set.entrance(of: "connection_2") else {
        throw WrongFrames()
    }
    // The symbols on connection 1; with `redundant`, connection 2 delivers copies of the same trades.
    let own = symbols.filter { set.connections(of: $0).contains("connection_1") }
    var sequence: Int64 = 0
    func batch() -> EventBatch {
        var batch = EventBatch(connection: "c0", receivedMicroseconds: 0)
        batch.trades = (0..<100).map { _ in
            sequence += 1
            return Trade(
                symbol: own[Int(sequence * 7) % own.count], time: sequence, price: 1, size: 1, sequence: sequence)
        }
        return batch
    }
    let batches = (0..<2000).map { _ in batch() }
    let drain = Drain()
    var plain: [Double] = []
    var through: [Double] = []
    for _ in 0..<(redundant ? 1 : 20) {
        plain.append(nanoseconds(batches.count * 100) { for batch in batches { _ = drain.offer(batch) } })
        through.append(
            nanoseconds(batches.count * (redundant ? 200 : 100)) {
                for batch in batches {
                    _ = first.offer(batch)
                    if redundant { _ = second.offer(batch) }
                }
            })
    }
    return (through.min() ?? 0) - (plain.min() ?? 0)
}

/// Measures the time for a snapshot of three connections with 3,000 symbols, in microseconds.
func snapshotTime() throws -> Double {
    let (set, _) = try makeSet(1000)
    var members = 0
    let time = nanoseconds(2000) { for _ in 0..<2000 { members += set.snapshot.members.count } }
    guard members == 6000 else { throw WrongFrames() }
    return time / 1000
}
