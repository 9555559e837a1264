import MarketData

/// Remembers since when each symbol has been collected, or missed with a gap that says so. Reads no clock.
///
/// No gap covers the time before: nobody wanted the symbol then, or the feed had not answered for it. For a symbol that
/// is wanted from the start, a gap covers even the time while no collector ran, so it has been collected since the
/// previous collector began to collect it. If that one is not known, the symbol counts as collected before.
struct CollectedSince: Sendable {
    /// What is known of a symbol that is wanted, or of everything.
    private struct Course: Equatable {
        /// In milliseconds since the Unix epoch; `nil` until the feed has answered.
        var since: Int64?
        var isFromStart = false
    }

    private var courses: [Symbol: Course] = [:]
    /// The same for every symbol, while a connection asks for everything.
    private var everything: Course?
    /// What the previous collector had at its end; `nil` if that is not known.
    private let previous: CollectedTimes?
    private var hasBegun = false

    init(previous: CollectedTimes? = nil) { self.previous = previous }

    /// Since when a symbol has been collected, in milliseconds since the Unix epoch: `Int64.min` if no time before is
    /// known in which it was not, `nil` if it is not collected.
    subscript(symbol: Symbol) -> Int64? {
        [courses[symbol]?.since, everything?.since].compactMap(\.self).min()
    }

    /// Since when the last of some symbols has been collected, or everything (`nil`); `nil` if none is.
    func latest(of symbols: Set<Symbol>?) -> Int64? {
        guard let symbols else { return everything?.since }
        return symbols.lazy.compactMap { self[$0] }.max()
    }

    /// Whether a symbol has been wanted since the start.
    func isFromStart(_ symbol: Symbol) -> Bool {
        courses[symbol]?.isFromStart == true || everything?.isFromStart == true
    }

    /// What the next collector should know.
    var times: CollectedTimes {
        CollectedTimes(symbols: courses.compactMapValues(\.since), everything: everything?.since)
    }

    /// Records what is collected now.
    ///
    /// - Parameters:
    ///   - wanted: the symbols that are wanted by name.
    ///   - takesAll: whether a connection asks for everything.
    ///   - time: the present time on the events' scale, in milliseconds since the Unix epoch.
    ///   - isAnswered: whether the feed has answered for a symbol, or for everything (`nil`).
    /// - Returns: whether ``times`` has changed.
    @discardableResult
    mutating func note(
        _ wanted: some Collection<Symbol>, takesAll: Bool, time: Int64, isAnswered: (Symbol?) -> Bool
    ) -> Bool {
        var isChanged = !hasBegun
        for symbol in wanted where courses[symbol]?.since == nil {
            // What came through a wildcard until now continues without a break.
            var course = courses[symbol] ?? everything ?? new(symbol, time)
            if course.since == nil { course.since = everything?.since ?? (isAnswered(symbol) ? time : nil) }
            if course.since != nil { isChanged = true }
            courses[symbol] = course
        }
        let before = everything
        everything = takesAll ? everything ?? new(nil, time) : nil
        if everything != nil, everything?.since == nil, isAnswered(nil) { everything?.since = time }
        if everything?.since != before?.since { isChanged = true }
        hasBegun = true
        // A symbol that nobody names any more continues through a wildcard.
        guard !takesAll else { return isChanged }
        for symbol in courses.keys where !wanted.contains(symbol) {
            courses[symbol] = nil
            isChanged = true
        }
        return isChanged
    }

    /// What is known of a symbol, or of everything (`nil`), that is wanted for the first time.
    private func new(_ symbol: Symbol?, _ time: Int64) -> Course {
        guard !hasBegun else { return Course() }
        guard let previous else { return Course(since: .min, isFromStart: true) }
        // A later time is of a clock that was ahead.
        return Course(since: previous[symbol].map { min($0, time) }, isFromStart: true)
    }
}

/// Since when a collector had collected each symbol at its end; the next one continues from there.
public struct CollectedTimes: Sendable, Equatable {
    /// In milliseconds since the Unix epoch; `Int64.min` if no time before is known in which it was not collected.
    private let symbols: [Symbol: Int64]
    private let everything: Int64?

    init(symbols: [Symbol: Int64], everything: Int64?) {
        self.symbols = symbols
        self.everything = everything
    }

    /// Since when a symbol, or everything (`nil`), was collected; `nil` if it was not.
    subscript(symbol: Symbol?) -> Int64? {
        [symbol.flatMap { symbols[$0] }, everything].compactMap(\.self).min()
    }

    /// The first word of ``text``.
    private static let title = "collected"
    /// Stands for every symbol.
    private static let wildcard = "*"

    /// The times as lines of text: their number, then one for each symbol.
    public var text: String {
        var lines = symbols.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        if let everything { lines.append("\(Self.wildcard) \(everything)") }
        return (["\(Self.title) \(lines.count)"] + lines).joined(separator: "\n") + "\n"
    }

    /// Reads ``text``; `nil` if it is not whole.
    public init?(_ text: String) {
        let lines = text.split(separator: "\n").map { $0.split(separator: " ") }
        guard let head = lines.first, head.count == 2, head[0] == Self.title, Int(head[1]) == lines.count - 1 else {
            return nil
        }
        var symbols: [Symbol: Int64] = [:]
        var everything: Int64?
        for line in lines.dropFirst() {
            guard line.count == 2, let time = Int64(line[1]) else { return nil }
            if line[0] == Self.wildcard {
                everything = time
            } else if let symbol = Symbol(String(line[0])) {
                symbols[symbol] = time
            } else {
                return nil
            }
        }
        self.init(symbols: symbols, everything: everything)
    }
}
