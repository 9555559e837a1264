import FoundationEssentials
public import MarketData

/// The last day that `export --watch` wrote, stored beside the days, so that a restart goes on with the next one.
public struct WatchMark: Sendable {
    private let directory: String
    private let path: String

    /// The mark of an export.
    public init(_ options: ExportOptions) {
        directory = options.directory
        path = options.markPath
    }

    /// The day; `nil` when none was written, or the mark does not hold a day.
    public var day: TradingDay? {
        (try? String(contentsOfFile: path, encoding: .utf8)).flatMap { TradingDay(String($0.prefix { !$0.isNewline })) }
    }

    /// Notes that a day was written.
    public func note(_ day: TradingDay) throws(ExportError) {
        try ExportError.makeDirectory(directory)
        do {
            try Data("\(day)\n".utf8).write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw ExportError(path: path, cause: "\(error)")
        }
    }
}
