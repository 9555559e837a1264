import MarketData

/// The source of a day's bars that the file and the database are compared with.
protocol Tape: Sendable {
    /// Returns the next symbols; `nil` when all have come. Each symbol comes once.
    func next() async -> Result<TapeGroup?, BackfillError>
}

/// The bars of some symbols on a day.
struct TapeGroup: Sendable {
    /// The bars by symbol; none for a symbol without trades.
    var bars: [Symbol: [DayBar]] = [:]
    /// The number of a symbol's bars that can't be read, when there are any.
    var unreadable: [Symbol: Int] = [:]
    var failures: [Symbol: BackfillError] = [:]

    /// The number of symbols compared at once. The day's rows in the file are read once for each group. A comparison
    /// holds two groups, and the file's rows of one, in memory.
    static let size = 80
}

/// The REST aggregates of a day, fetched a few requests at a time.
///
/// A server that has not loaded the day yet returns no bars for any symbol, as if nothing had been traded. So symbols
/// without bars are held back until one has bars. If none has, none is compared, unless an earlier comparison has shown
/// that the server has the day.
actor AggregateTape: Tape {
    private static let requestsAtOnce = 4

    private let client: AggregatesClient
    private let starts: Range<Int64>
    private let tell: @Sendable (Int) -> Void
    private var rest: ArraySlice<Symbol>
    private var asked = 0
    /// Whether the server has shown a bar of the day.
    private var hasBars: Bool
    /// Symbols without bars, held back until one has bars.
    private var quiet: [Symbol] = []

    /// - Parameters:
    ///   - isLoaded: whether an earlier comparison has shown that the server has the day.
    ///   - tell: called with the number of symbols asked for.
    init(
        _ client: AggregatesClient, _ symbols: [Symbol], starts: Range<Int64>, isLoaded: Bool,
        tell: @escaping @Sendable (Int) -> Void
    ) {
        self.client = client
        self.starts = starts
        self.tell = tell
        hasBars = isLoaded
        rest = symbols[...]
    }

    func next() async -> Result<TapeGroup?, BackfillError> {
        while true {
            let symbols = rest.prefix(TapeGroup.size)
            guard !symbols.isEmpty else {
                guard quiet.isEmpty else { return .failure(noBars) }
                return .success(nil)
            }
            rest = rest.dropFirst(symbols.count)
            let result = await Self.group(symbols, starts.lowerBound...(starts.upperBound - 1), client) {
                [tell, asked] in tell(asked + $0)
            }
            asked += symbols.count
            guard case .success(var group?) = result else { return result }
            hasBars = hasBars || group.bars.values.contains { !$0.isEmpty }
            if hasBars {
                for symbol in quiet { group.bars[symbol] = [] }
                quiet = []
            } else {
                quiet += group.bars.keys
                group.bars = [:]
            }
            if !group.bars.isEmpty || !group.failures.isEmpty { return .success(group) }
        }
    }

    private var noBars: BackfillError {
        BackfillError(
            .badAnswer,
            "the REST server has no bar of any of these symbols on \(TradingDay(at: starts.lowerBound)); it may not have "
                + "loaded the day, so nothing was compared: if they had no trades, add a symbol that had, such as SPY"
        )
    }

    private static func group(
        _ symbols: ArraySlice<Symbol>, _ starts: ClosedRange<Int64>, _ client: AggregatesClient,
        _ tell: @Sendable (Int) -> Void
    ) async -> Result<TapeGroup?, BackfillError> {
        await withTaskGroup(of: (Symbol, Result<SymbolTape, BackfillError>).self) { tasks in
            var waiting = symbols
            var group = TapeGroup()
            for symbol in waiting.prefix(requestsAtOnce) {
                tasks.addTask { (symbol, await client.bars(of: symbol, starts: starts)) }
            }
            waiting = waiting.dropFirst(requestsAtOnce)
            for await (symbol, result) in tasks {
                switch result {
                case .success(let tape):
                    group.bars[symbol] = tape.bars
                    if tape.unreadable > 0 { group.unreadable[symbol] = tape.unreadable }
                case .failure(let error):
                    group.failures[symbol] = error
                    let isBad = group.bars.isEmpty && group.failures.count >= BackfillError.mostInARow
                    guard error.concernsRequestAlone, !isBad else {
                        tasks.cancelAll()
                        return .failure(error)
                    }
                }
                tell(group.bars.count + group.failures.count)
                guard let next = waiting.popFirst() else { continue }
                tasks.addTask { (next, await client.bars(of: next, starts: starts)) }
            }
            return .success(group)
        }
    }
}

/// A symbol's day on the REST server.
private typealias SymbolTape = (bars: [DayBar], unreadable: Int)

extension AggregatesClient {
    /// Returns a symbol's minute bars that start within a span, from all pages.
    fileprivate func bars(of symbol: Symbol, starts: ClosedRange<Int64>) async -> Result<SymbolTape, BackfillError> {
        var tape: SymbolTape = ([], 0)
        do throws(BackfillError) {
            try await self.bars(of: symbol, interval: .minute, starts: starts) { bars, leftOut in
                tape.bars += bars.lazy.map { DayBar($0) }
                tape.unreadable += leftOut
            }
            return .success(tape)
        } catch {
            return .failure(error)
        }
    }
}
