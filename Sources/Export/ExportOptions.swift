import FoundationEssentials
import Glibc
public import MarketData

/// The events to export, and the form of the files.
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

    /// The streams.
    public var streams: [EventStream]
    /// Kinds of events whose table the database may lack; they are then left out.
    var optional: Set<EventKind>
    /// The days, by the events' own time in New York.
    public var days: ClosedRange<TradingDay>
    /// Only these symbols; all when `nil`.
    public var symbols: Set<Symbol>?
    /// The files' format.
    public var format: Format
    /// Whether gzip compresses the files: whole files of CSV and JSON, the pages of Parquet.
    var isCompressed: Bool
    /// What one file holds of a stream.
    var layout: Layout
    /// Whether a file is replaced even when its successor may hold less: a day whose rows the buffer has partly
    /// deleted, or fewer symbols.
    var replacesWhole: Bool
    /// The directory that the files are written to.
    public var directory: String

    /// Makes options; see the properties for meaning.
    public init(
        streams: [EventStream] = EventStream.allCases, optional: Set<EventKind> = [],
        days: ClosedRange<TradingDay>, symbols: Set<Symbol>? = nil, format: Format = .parquet,
        isCompressed: Bool = false, layout: Layout = .day, replacesWhole: Bool = false, directory: String
    ) {
        self.streams = streams
        self.optional = optional
        self.days = days
        self.symbols = symbols
        self.format = format
        self.isCompressed = isCompressed
        self.layout = layout
        self.replacesWhole = replacesWhole
        self.directory = directory
    }

    /// Returns the path of a file: `trades/day=2026-11-24/trades.parquet`, or with `symbol=AAPL` one level below the
    /// day.
    public func path(of stream: EventStream, _ day: TradingDay, _ symbol: Symbol?) -> String {
        let folder = symbol.map { "/\(Self.symbolPrefix)\($0.description.percentEncoded(keeping: "."))" } ?? ""
        return "\(folderPath(of: stream, day))\(folder)/\(stream.rawValue)\(suffix)"
    }

    private static let symbolPrefix = "symbol="

    private func folderPath(of stream: EventStream, _ day: TradingDay) -> String {
        "\(directory)/\(stream.rawValue)/day=\(day)"
    }

    /// Returns the path of a file that a day already has in a layout; `nil` when it has none.
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

    /// Whether a day's files were written for all ``symbols``; `false` when those are not limited.
    func hasSymbols(on day: TradingDay) -> Bool {
        guard let symbols, !symbols.isEmpty else { return false }
        return switch layout {
        case .day:
            streams.contains { SymbolsNote(of: path(of: $0, day, nil)).symbols?.isSuperset(of: symbols) == true }
        case .symbol:
            symbols.allSatisfy { symbol in streams.contains { access(path(of: $0, day, symbol), F_OK) == 0 } }
        }
    }

    var otherLayout: Layout { layout == .day ? .symbol : .day }

    private var suffix: String { ".\(format.rawValue)\(isCompressed && format != .parquet ? ".gz" : "")" }

    /// The path of the mark that holds the last day which `export --watch` wrote, for these streams and this form.
    ///
    /// - Parameter wish: The symbols as the user named them; `nil` for all. A universe's members may change, so
    ///   ``symbols`` doesn't identify the export.
    func markPath(of wish: String?) -> String {
        var parts = ["written"]
        if streams != EventStream.allCases { parts += streams.map(\.rawValue).sorted() }
        if layout == .symbol { parts.append(layout.rawValue) }
        if let wish { parts.append(String(ContentDigest.hex(of: wish.utf8).prefix(8))) }
        return "\(directory)/.\(parts.joined(separator: "-"))\(suffix)"
    }
}

/// What an export wrote.
public struct ExportReport: Sendable, Equatable {
    /// A file.
    public struct File: Sendable, Equatable {
        /// Its path.
        public let path: String
        /// The stream that its rows belong to.
        public let stream: EventStream
        /// The day of its rows.
        public let day: TradingDay
        /// The number of its rows.
        public let rows: Int
        /// Its size in bytes.
        public let bytes: Int64
    }

    /// The files, by path.
    public var files: [File] = []
    /// How many numbers had more decimals than Parquet's columns, and were rounded.
    public var rounded = 0
    /// How many numbers were left out: too large for Parquet, or upstream not a number of the column's kind.
    public var leftOut = 0
    /// How many rows were left out because their symbol or time can't be read.
    public var unreadable = 0
    /// By stream, the days of which the buffer's file has already deleted rows, so that what was written may lack some.
    public var partial: [EventStream: [TradingDay]] = [:]
    /// By stream, the days of which the same is true and whose existing files were left as they are. A day is in
    /// ``partial`` too if a symbol had no file yet.
    public var kept: [EventStream: [TradingDay]] = [:]
    /// By kind, why the database's table could not be read, where an export may do without it.
    public var missing: [EventKind: String] = [:]

    /// The number of rows in all files.
    public var rows: Int { files.reduce(0) { $0 + $1.rows } }
}

/// Why a file of an export can't be written.
public struct ExportError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The path.
    public let path: String
    /// What prevents it: the system's message, or the reason why the export refuses.
    public let cause: String
    /// Whether another export is writing there, so that it can be tried again.
    public let isHeld: Bool

    init(path: String, cause: String, isHeld: Bool = false) {
        self.path = path
        self.cause = cause
        self.isHeld = isHeld
    }

    /// The error on one line.
    public var description: String { "\(path) can't be written: \(cause)" }

    /// Makes the error of the last system call.
    static func last(_ path: String) -> ExportError { ExportError(path: path, cause: String(cString: strerror(errno))) }

    /// Replaces a small text file.
    static func write(_ text: String, to path: String) throws(ExportError) {
        do {
            try Data(text.utf8).write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw ExportError(path: path, cause: "\(error)")
        }
    }

    static func makeDirectory(_ path: String) throws(ExportError) {
        var made = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            made += part
            guard mkdir(made, 0o755) == 0 || errno == EEXIST else { throw last(made) }
            made += "/"
        }
    }
}
