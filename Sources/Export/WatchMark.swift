import FoundationEssentials
public import MarketData

/// The last day that `export --watch` wrote, stored beside the days, so that a restart continues with the next one.
public struct WatchMark: Sendable {
    private let options: ExportOptions
    private let wish: String?
    private var path: String { options.markPath(of: wish) }

    /// The mark of an export.
    ///
    /// - Parameter wish: The symbols as the user named them; `nil` for all.
    public init(_ options: ExportOptions, of wish: String?) {
        self.options = options
        self.wish = wish
    }

    /// The day; `nil` when none was written, or the mark does not hold a day.
    public var day: TradingDay? { Self.day(in: path) }

    private static func day(in path: String) -> TradingDay? {
        (try? String(contentsOfFile: path, encoding: .utf8)).flatMap { TradingDay(String($0.prefix { !$0.isNewline })) }
    }

    /// Returns the first day to write.
    ///
    /// In earlier versions, exports of some symbols shared the mark of all symbols. As long as this export has no mark of
    /// its own, that one counts if the files of its day have these symbols.
    ///
    /// - Parameters:
    ///   - from: The first day that was asked for; `nil` if none was.
    ///   - lastFinal: The last day that is finished.
    public func first(from: TradingDay?, lastFinal: TradingDay) -> TradingDay {
        let own = day
        let shared = own == nil && wish != nil ? Self.day(in: options.markPath(of: nil)) : nil
        if let last = own ?? shared.flatMap({ options.hasSymbols(on: $0) ? $0 : nil }) {
            return from.map { max($0, last.after) } ?? last.after
        }
        // Nobody knows whose mark it is, and a day written twice is better than one left out.
        return from ?? shared.map { min($0.after, lastFinal) } ?? lastFinal
    }

    /// Notes that a day was written.
    public func note(_ day: TradingDay) throws(ExportError) {
        try ExportError.makeDirectory(options.directory)
        try ExportError.write("\(day)\n", to: path)
    }
}
