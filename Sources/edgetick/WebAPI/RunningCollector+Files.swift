import Collector
import MarketData
import Store
import Universe
import WebAPI

/// What is answered from the buffer's and the mirror's file.
extension RunningCollector {
    /// Answers stop reading here; a little less than the API waits for them.
    private static let readingTime: Duration = .milliseconds(2500)

    func recentEvents(symbol: Symbol?, limit: Int) async throws(CollectorProblem) -> TickHistory.Answer<StoredEvent> {
        let history = history
        return try await reading { () throws(StoreError) in
            let end = ContinuousClock.now + Self.readingTime
            return try history.newest(symbol: symbol, limit: limit) { _, _ in ContinuousClock.now < end }
        }
    }

    func bars(_ query: TickHistory.BarQuery) async throws(CollectorProblem) -> TickHistory.Answer<Bar> {
        let history = history
        return try await reading { () throws(StoreError) in
            let end = ContinuousClock.now + Self.readingTime
            return try history.bars(query) { _, _ in ContinuousClock.now < end }
        }
    }

    func gaps(states: Set<GapState>, limit: Int) async throws(CollectorProblem) -> [GapRecord] {
        let directory = directory
        return try await reading { () throws(StoreError) in
            try GapLog.read(directory: directory, states: states, limit: limit)
        }
    }

    func deadLetters(limit: Int) async throws(CollectorProblem) -> [DeadLetter] {
        let history = history
        return try await reading { () throws(StoreError) in try history.deadLetters(limit: limit) }
    }

    func universes() async throws(CollectorProblem) -> [UniverseGroup] {
        let mirror = mirror
        return try await reading { () throws(StoreError) in try mirror.groups(environment: nil) }
    }
}
