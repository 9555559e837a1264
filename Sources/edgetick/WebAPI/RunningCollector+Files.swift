import Collector
import MarketData
import Store
import Universe
import WebAPI

/// What is read from the files of the buffer and the mirror.
extension RunningCollector {
    /// When a query stops reading; a little less than the API waits for it.
    private static let readingTime: Duration = .milliseconds(2500)

    func recentEvents(symbol: Symbol?, limit: Int) async throws(CollectorProblem) -> TickHistory.Answer<StoredEvent> {
        try await reading { [history] () throws(StoreError) in
            let end = ContinuousClock.now + Self.readingTime
            return try history.newest(symbol: symbol, limit: limit) { _, _ in ContinuousClock.now < end }
        }
    }

    func bars(_ query: TickHistory.BarQuery) async throws(CollectorProblem) -> TickHistory.Answer<Bar> {
        try await reading { [history] () throws(StoreError) in
            let end = ContinuousClock.now + Self.readingTime
            return try history.bars(query) { _, _ in ContinuousClock.now < end }
        }
    }

    func gaps(states: Set<GapState>, limit: Int) async throws(CollectorProblem) -> [GapRecord] {
        try await reading { [directory = buffer.directory] () throws(StoreError) in
            try GapLog.read(directory: directory, states: states, limit: limit)
        }
    }

    /// Also asks the database, for about as many days as time allows.
    func coverage(
        days: ClosedRange<TradingDay>, symbols: Set<Symbol>?
    ) async throws(CollectorProblem) -> CoverageReport {
        let directory = buffer.directory
        let collected = symbols == nil ? Set(self.symbols.collected ?? []) : []
        var evidence = try await reading { () throws(StoreError) in
            let end = ContinuousClock.now + Self.readingTime / 2
            return try CoverageEvidence(directory: directory, days: days, collected: collected) { _, _ in
                ContinuousClock.now < end
            }
        }
        if let upstream {
            let begun = ContinuousClock.now
            await evidence.add(from: upstream, symbols: symbols) { done, _ in
                CoverageEvidence.days(after: done, in: begun.duration(to: .now), of: Self.readingTime / 2)
            }
        }
        return try await reading { [evidence] () throws(StoreError) in
            evidence.report(symbols: symbols, now: WallClock.milliseconds())
        }
    }

    func deadLetters(limit: Int) async throws(CollectorProblem) -> [DeadLetter] {
        try await reading { [history] () throws(StoreError) in try history.deadLetters(limit: limit) }
    }

    func deadLetterGroups() async throws(CollectorProblem) -> [DeadLetterGroup] {
        try await reading { [history] () throws(StoreError) in try history.deadLetterGroups() }
    }

    func retryDeadLetters(_ choice: DeadLetterChoice) async throws(CollectorProblem) -> DeadLetterRetry {
        guard !uploads.isEmpty else {
            throw CollectorProblem(.conflict, "There is no database to send them to: DATABASE_URI is not set.")
        }
        do { return try await letterDesk.retry(choice) } catch { throw Self.problem(error) }
    }

    func discardDeadLetters(_ choice: DeadLetterChoice) async throws(CollectorProblem) -> DeadLetterDiscard {
        do { return try await letterDesk.discard(choice) } catch { throw Self.problem(error) }
    }

    private static func problem(_ error: any Error) -> CollectorProblem {
        switch error {
        case let error as StoreError: CollectorProblem(error)
        case let error as DeadLettersMissing: CollectorProblem(.notFound, "\(error) any more; nothing was changed")
        default: CollectorProblem(.unavailable, "Nothing was changed: \(error)")
        }
    }

    func universes() async throws(CollectorProblem) -> [UniverseGroup] {
        try await reading { [mirror] () throws(StoreError) in try mirror.groups(environment: nil) }
    }
}
