import ArgumentParser
import Glibc
import MarketData
import Store
import Universe
import Wire

/// Prints events of the given symbols from the buffer's file.
struct QueryCommand: ConfiguredCommand {
    /// How events are printed.
    enum Format: String, CaseIterable, ExpressibleByArgument {
        case table
        case csv
        case json
    }

    static let configuration = CommandConfiguration(
        commandName: "query", abstract: "Print bars, trades, quotes and the like from the local buffer.",
        discussion: """
            Examples: edgetick query AAPL --from -2h --format csv
                      edgetick query AAPL MSFT --every 1h --from 2026-01-05
                      edgetick query AAPL --stream trades --from 1767623400 --to 1767623460

            Moments: \(MomentText.syntax).
            Each bar is printed once, in its newest version, oldest first. --every combines bars into longer ones: days are
            New York dates, hours and minutes are counted from midnight there, and VWAP is sum(vwap × volume) /
            sum(volume). The longer bars that contain --from and --to are included in full. Only the local file is read,
            whether or not a collector runs; a warning is printed if requested rows were deleted from it after their upload
            (see BUFFER_RETENTION_HOURS).
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @OptionGroup var symbols: SymbolOptions
    @Option(help: "The stream.") var stream = EventStream.bars
    @Option(help: "Start of the span; default: the file's beginning.", transform: MomentText.argument)
    var from: Int64?
    @Option(help: "End of the span, exclusive; default: the file's end.", transform: MomentText.argument)
    var to: Int64?
    @Option(help: "Length of the bars in seconds: 60 or 1.") var interval = 60
    @Option(help: "Combine bars into longer ones, such as 5m, 1h or 1d.") var every: String?
    @Option(help: "The most bars or events per symbol; the newest are kept; default: 1000000.") var limit: Int?
    @Option(help: "The form of the output; default: table.") var format: Format?
    @Flag(help: "Print JSON, as --format json does.") var json = false

    private var form: Format { json ? .json : format ?? .table }

    /// The limit unless another one is given; it bounds memory.
    private static let standardLimit = 1_000_000

    private var most: Int { limit ?? Self.standardLimit }

    func validate() throws {
        if !symbols.areGiven { throw ValidationError("name a symbol, or a --universe") }
        guard Bar.Interval(rawValue: Int32(clamping: interval)) != nil else {
            throw ValidationError("--interval is 60 (minute bars) or 1 (second bars)")
        }
        if interval != 60, stream != .bars {
            throw ValidationError("--interval is about bars, not \(stream.rawValue)")
        }
        if let every, BarRollUp.Length(every) == nil {
            throw ValidationError("--every is 1d, or minutes or hours that a day is a multiple of: 5m, 30m, 1h, 4h")
        }
        if every != nil, stream != .bars { throw ValidationError("--every rolls up bars, not \(stream.rawValue)") }
        try refuseBelowOne(["--limit": limit])
        if json, let format, format != .json { try refuse(["--format \(format)": true], with: "--json") }
        if let from, let to, from >= to {
            throw ValidationError("--from is not before --to: there is nothing between them")
        }
    }

    func run(_ settings: Settings) async throws {
        let wanted = try await symbols.chosen(settings) ?? []
        let history = TickHistory(directory: settings.dataDirectory)
        let isEmpty: Bool
        // The moment from which the reader will assume that the result is complete.
        var first = from ?? to
        if stream == .bars {
            let rollUp = every.flatMap { BarRollUp.Length($0) }.map { BarRollUp(to: $0) }
            let whole = rollUp?.whole(from: from, to: to) ?? (from: from, to: to)
            let found = try printBars(of: wanted, history, whole.from, whole.to, rollUp)
            isEmpty = found == nil
            if rollUp != nil { first = found ?? first }
        } else {
            isEmpty = try printEvents(of: wanted, history)
        }
        if let first, let heldSince = try history.heldSince(stream), first < heldSince {
            printWarning(
                "the earliest of these \(stream.rawValue) were deleted from the local file after "
                    + "their upload (see BUFFER_RETENTION_HOURS): use edgetick export --source upstream to get them")
        }
        let names = DisplayText.list(wanted.map(\.description), showing: 3)
        if isEmpty { printRemark("the buffer has no such \(stream.rawValue) of \(names)") }
    }

    /// Warns if the standard limit may have left out older rows; whoever gives a limit expects that.
    private func warnOfMore(than counts: [(symbol: Symbol, count: Int)]) {
        guard limit == nil else { return }
        if let text = Self.moreText(counts, of: stream, limit: Self.standardLimit) { printWarning(text) }
    }

    /// Says which symbols have as many rows as the limit allows, and so perhaps more; `nil` if none has.
    static func moreText(_ counts: [(symbol: Symbol, count: Int)], of stream: EventStream, limit: Int) -> String? {
        let full = counts.filter { $0.count >= limit }.map(\.symbol.description)
        guard !full.isEmpty else { return nil }
        return "there may be more \(stream.rawValue) of \(DisplayText.list(full, showing: 3)): only the newest "
            + "\(limit.grouped) per symbol were printed; give a --limit or a shorter span"
    }

    // MARK: Bars

    /// Prints bars; returns the start of the earliest, or `nil` if there is none.
    private func printBars(
        of symbols: [Symbol], _ history: TickHistory, _ from: Int64?, _ to: Int64?, _ rollUp: BarRollUp?
    ) throws -> Int64? {
        guard let interval = Bar.Interval(rawValue: Int32(interval)) else { return nil }
        var found: [(symbol: Symbol, bars: [BarsJSON.Bar], isComplete: Bool)] = []
        for symbol in symbols {
            let query = TickHistory.BarQuery(
                symbol: symbol, interval: interval, from: from, to: to, limit: rollUp == nil ? most : .max)
            let answer = try history.bars(query, pace: ProgressLine.ofRows())
            let bars =
                rollUp.map { $0.bars(of: answer.values).suffix(most).map { BarsJSON.Bar($0) } }
                ?? answer.values.map { BarsJSON.Bar($0) }
            found.append((symbol, bars, answer.isComplete))
        }
        switch form {
        case .table: printNow(Self.table(found.map { ($0.symbol, $0.bars) }))
        case .csv: printNow(Self.csv(found.map { ($0.symbol, $0.bars) }))
        case .json:
            let answers = found.map { part in
                BarsJSON(
                    symbol: part.symbol, intervalSeconds: rollUp?.length.seconds ?? interval.rawValue,
                    isComplete: part.isComplete, bars: part.bars)
            }
            print(answers.count == 1 ? WireJSON.text(of: answers[0]) : WireJSON.text(of: answers))
        }
        warnOfMore(than: found.map { ($0.symbol, $0.bars.count) })
        return found.compactMap(\.bars.first?.start_ms).min()
    }

    static func table(_ found: [(symbol: Symbol, bars: [BarsJSON.Bar])]) -> String {
        let isMixed = found.count > 1
        let texts: [TextTable.Column] = isMixed ? ["SYMBOL", "START"] : ["START"]
        let numbers = ["OPEN", "HIGH", "LOW", "CLOSE", "VOLUME", "VWAP"].map(TextTable.Column.right)
        let rows = found.flatMap { symbol, bars in
            bars.map { bar in (isMixed ? [symbol.description] : []) + cells(bar, without: "-") }
        }
        return TextTable(texts + numbers, rows).shown
    }

    /// A bar's start and numbers; `absent` is printed for a missing VWAP.
    private static func cells(_ bar: BarsJSON.Bar, without absent: String) -> [String] {
        [MomentText.text(bar.start_ms)]
            + [bar.open, bar.high, bar.low, bar.close, bar.volume].map { DecimalText.string($0) }
            + [bar.vwap.map { DecimalText.string($0) } ?? absent]
    }

    static func csv(_ found: [(symbol: Symbol, bars: [BarsJSON.Bar])]) -> String {
        var text = "symbol,start,open,high,low,close,volume,vwap\n"
        for (symbol, bars) in found {
            for bar in bars { text += "\(symbol)," + cells(bar, without: "").joined(separator: ",") + "\n" }
        }
        return text
    }

    // MARK: Other events

    private func printEvents(of symbols: [Symbol], _ history: TickHistory) throws -> Bool {
        let events = try history.events(
            of: stream, symbols: Set(symbols), from: from, to: to, limit: most, pace: ProgressLine.ofRows()
        ).values
        switch form {
        case .table: printNow(Self.table(events, of: stream))
        case .csv: printNow(Self.csv(events, of: stream, forTerminal: isatty(STDOUT_FILENO) == 1))
        case .json: print("[" + events.map(\.json).joined(separator: ",\n") + "]")
        }
        let counts = events.reduce(into: [Symbol: Int]()) { $0[$1.symbol, default: 0] += 1 }
        warnOfMore(than: symbols.map { ($0, counts[$0] ?? 0) })
        return events.isEmpty
    }

    static func table(_ events: [StoredEvent], of stream: EventStream) -> String {
        let columns = stream.columns.filter(\.isBrief)
        let last: [TextTable.Column] = stream == .trades ? ["ADJUSTMENT"] : []
        let titles = columns.map { TextTable.Column(title: $0.name.uppercased(), isRight: !$0.content.isText) }
        let rows = events.map { event -> [String] in
            let values = event.valuesByName
            return [MomentText.text(event.time), event.symbol.description]
                + columns.map { values[$0.name].map(\.plainText) ?? "-" }
                + (stream == .trades ? [event.adjustment?.rawValue ?? ""] : [])
        }
        return TextTable(["TIME", "SYMBOL"] + titles + last, rows).shown
    }

    /// Every column that the feed fills, after the time as text; for trades also the adjustment that their conditions
    /// imply.
    ///
    /// - Parameter forTerminal: Whether to escape control characters; programs get texts unchanged.
    static func csv(_ events: [StoredEvent], of stream: EventStream, forTerminal: Bool) -> String {
        let columns = stream.columns.filter { !$0.fields.isEmpty }
        let added = stream == .trades ? ["adjustment"] : []
        var text = (["time"] + columns.map(\.name) + added).joined(separator: ",") + "\n"
        for event in events {
            let values = event.valuesByName
            let cells = columns.map { column -> String in
                guard let value = values[column.name] else { return "" }
                let text = forTerminal ? value.plainText.escapingControls : value.plainText
                let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "\"") }
                return isPlain ? text : "\"" + text.escaping("\"", with: "\"") + "\""
            }
            let mark = stream == .trades ? [event.adjustment?.rawValue ?? ""] : []
            text += ([MomentText.text(event.time)] + cells + mark).joined(separator: ",") + "\n"
        }
        return text
    }
}

extension StoredEvent {
    fileprivate var valuesByName: [String: ColumnValue] {
        Dictionary(event.values(in: texts).map { ($0.column.name, $0.value) }) { first, _ in first }
    }
}

extension ColumnValue {
    var plainText: String {
        switch self {
        case .integer, .real: json
        case .text(let text): text
        }
    }
}
