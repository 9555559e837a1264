import FoundationEssentials
import Glibc
public import MarketData

/// What is exported, and how.
public struct ExportOptions: Sendable {
    /// The files' format.
    public enum Format: String, Sendable, CaseIterable {
        case parquet
        case csv
        case json
    }

    /// What one file holds of a stream.
    public enum Layout: String, Sendable, CaseIterable {
        /// A day.
        case day
        /// A day of one symbol.
        case symbol
    }

    var streams: [EventStream]
    /// The days, by the events' own time in New York.
    public var days: ClosedRange<TradingDay>
    /// Only these symbols; all where `nil`.
    public var symbols: Set<Symbol>?
    /// The files' format.
    public var format: Format
    /// Whether gzip makes the files smaller: whole files of CSV and JSON, the pages of Parquet.
    var isCompressed: Bool
    /// What one file holds.
    var layout: Layout
    /// Whether a day of which the file has let rows go replaces what was written of it before.
    var replacesWhole: Bool
    /// The directory that the files go to.
    public var directory: String

    /// Makes options; see the properties for meaning.
    public init(
        streams: [EventStream] = EventStream.allCases, days: ClosedRange<TradingDay>, symbols: Set<Symbol>? = nil,
        format: Format = .parquet, isCompressed: Bool = false, layout: Layout = .day,
        replacesWhole: Bool = false, directory: String
    ) {
        self.streams = streams
        self.days = days
        self.symbols = symbols
        self.format = format
        self.isCompressed = isCompressed
        self.layout = layout
        self.replacesWhole = replacesWhole
        self.directory = directory
    }

    /// Where a file goes: `trades/day=2026-11-24/trades.parquet`, or with `symbol=AAPL` a level below the day.
    public func path(of stream: EventStream, _ day: TradingDay, _ symbol: Symbol?) -> String {
        let folder = symbol.map { "/\(Self.symbolPrefix)\($0.description.percentEncoded(keeping: "."))" } ?? ""
        return "\(folderPath(of: stream, day))\(folder)/\(stream.rawValue)\(suffix)"
    }

    private static let symbolPrefix = "symbol="

    private func folderPath(of stream: EventStream, _ day: TradingDay) -> String {
        "\(directory)/\(stream.rawValue)/day=\(day)"
    }

    /// A file that a day has already, in a layout.
    func written(of stream: EventStream, _ day: TradingDay, in layout: Layout) -> String? {
        let folder = folderPath(of: stream, day)
        let places =
            switch layout {
            case .day: [""]
            case .symbol:
                ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
                    .filter { $0.hasPrefix(Self.symbolPrefix) }.map { "/" + $0 }
            }
        return places.lazy.map { "\(folder)\($0)/\(stream.rawValue)\(suffix)" }.first { access($0, F_OK) == 0 }
    }

    /// The layout that this one is not.
    var otherLayout: Layout { layout == .day ? .symbol : .day }

    /// How the names of the files end.
    private var suffix: String { ".\(format.rawValue)\(isCompressed && format != .parquet ? ".gz" : "")" }

    /// Where the last day is kept that an export of these streams, in this form, wrote by itself.
    var markPath: String {
        let names = streams == EventStream.allCases ? [] : streams.map(\.rawValue).sorted()
        let parts = ["written"] + names + (layout == .symbol ? [layout.rawValue] : [])
        return "\(directory)/.\(parts.joined(separator: "-"))\(suffix)"
    }
}

/// What an export wrote.
public struct ExportReport: Sendable, Equatable {
    /// A file.
    public struct File: Sendable, Equatable {
        /// Its path.
        public let path: String
        let stream: EventStream
        let day: TradingDay
        /// Its rows.
        public let rows: Int
        /// Its size.
        public let bytes: Int64
    }

    /// The files, by path.
    public var files: [File] = []
    /// Numbers with more decimals than Parquet's columns have, which were rounded.
    public var rounded = 0
    /// Numbers that the columns can't hold, which were left out: too large for Parquet, or none of their kind upstream.
    public var leftOut = 0
    /// Rows without a symbol that can be read, which were left out.
    public var unreadable = 0
    /// Streams and days of which the file has let rows go, so that what was written may lack some.
    public var partial: [EventStream: [TradingDay]] = [:]
    /// Streams and days of which the same is so and a file is there already, which was left as it is.
    public var kept: [EventStream: [TradingDay]] = [:]

    /// The rows of all files.
    public var rows: Int { files.reduce(0) { $0 + $1.rows } }
}

/// A file of an export that can't be written.
public struct ExportError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The path.
    public let path: String
    /// What the system says.
    public let cause: String
    /// Whether another export is writing there, so that it can be tried again.
    public let isHeld: Bool

    init(path: String, cause: String, isHeld: Bool = false) {
        self.path = path
        self.cause = cause
        self.isHeld = isHeld
    }

    /// One line.
    public var description: String { "\(path) can't be written: \(cause)" }

    /// What the system says of its last call.
    static func last(_ path: String) -> ExportError { ExportError(path: path, cause: String(cString: strerror(errno))) }

    /// Makes a directory and those above it.
    static func makeDirectory(_ path: String) throws(ExportError) {
        var made = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            made += part
            guard mkdir(made, 0o755) == 0 || errno == EEXIST else { throw last(made) }
            made += "/"
        }
    }
}
