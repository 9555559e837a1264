import Collector
import MarketData
import Store
import Universe
import WebAPI

/// What is answered from the buffer's and the mirror's file.
extension RunningCollector {
    /// Answers stop reading here; a little less than the API waits for them.
    private static let readingTime: Duration = .milliseconds(2500)

    func recentEvents(symbol: Symbol?, limit: Int) async throws(CollectorProblem) -> FoundEvents {
        let history = history
        let answer = try await reading { () throws(StoreError) in
            let end = ContinuousClock.now + Self.readingTime
            return try history.newest(symbol: symbol, limit: limit) { _, _ in ContinuousClock.now < end }
        }
        let events = answer.values.map {
            LiveEvent($0.event, connection: $0.connection, receivedMicroseconds: $0.receivedMicroseconds)
        }
        return FoundEvents(events: events, isComplete: answer.isComplete)
    }

    func bars(_ query: BarQuery) async throws(CollectorProblem) -> FoundBars {
        let history = history
        let answer = try await reading { () throws(StoreError) in
            let end = ContinuousClock.now + Self.readingTime
            return try history.bars(
                .init(
                    symbol: query.symbol, interval: query.interval, from: query.from, to: query.to, limit: query.limit)
            ) { _, _ in ContinuousClock.now < end }
        }
        return FoundBars(bars: answer.values, isComplete: answer.isComplete)
    }

    func gaps(limit: Int) async throws(CollectorProblem) -> [RecordedGap] {
        let history = history
        return try await reading { () throws(StoreError) in try history.gaps(limit: limit) }
            .map { RecordedGap(gap: $0, symbolCount: $0.symbols.count) }
    }

    func deadLetters(limit: Int) async throws(CollectorProblem) -> [RefusedEvent] {
        let history = history
        return try await reading { () throws(StoreError) in try history.deadLetters(limit: limit) }
            .map {
                RefusedEvent(
                    stream: $0.stream, sequence: $0.sequence, sqlState: $0.sqlState, reason: $0.reason, row: $0.row,
                    time: $0.time)
            }
    }

    func universes() async throws(CollectorProblem) -> [UniverseGroup] {
        let mirror = mirror
        return try await reading { () throws(StoreError) in try mirror.groups(environment: nil) }
    }
}
