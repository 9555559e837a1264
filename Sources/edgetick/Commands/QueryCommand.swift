import ArgumentParser
import FoundationEssentials
import MarketData
import Store
import Universe
import Wire

/// Prints a symbol's bars from the buffer's file.
struct QueryCommand: AsyncParsableCommand {
    /// How the bars are printed.
    enum Format: String, CaseIterable, ExpressibleByArgument {
        case table
        case csv
        case json
    }

    static let configuration = CommandConfiguration(
        commandName: "query", abstract: "Print a symbol's bars from the local buffer.",
        discussion: """
            Example: edgetick query AAPL --from -2h --format csv

            Moments: \(MomentText.syntax).
            Each bar is given once, in its newest version, oldest first. Nothing is read but the local file, whether a
            collector runs or not.
            """)

    @OptionGroup var options: SettingsOptions
    @Argument(help: "The ticker, in any usual spelling.") var symbol: String
    @Option(parsing: .unconditional, help: "First moment; the file's beginning when not given.") var from: String?
    @Option(parsing: .unconditional, help: "Moment before which the bars start; the file's end when not given.")
    var to: String?
    @Option(help: "Length of the bars in seconds: 60 or 1.") var interval = 60
    @Option(help: "The most bars; the newest are kept.") var limit = 1_000_000
    @Option(help: "table, csv or json.") var format = Format.table

    func validate() throws {
        guard Symbol(spelled: symbol) != nil else {
            throw ValidationError("\"\(symbol.escapingControls)\" is not a symbol; write AAPL or BRK.B")
        }
        guard Bar.Interval(rawValue: Int32(clamping: interval)) != nil else {
            throw ValidationError("--interval is 60 (minute bars) or 1 (second bars)")
        }
        guard limit > 0 else { throw ValidationError("--limit is at least 1") }
        let now = WallClock.milliseconds()
        for (name, text) in [("--from", from), ("--to", to)] {
            guard let text, MomentText.milliseconds(text, now: now) == nil else { continue }
            throw ValidationError("\(name) \"\(text)\" is no moment; write \(MomentText.syntax)")
        }
    }

    func run() async throws {
        try await reportingFailures {
            let settings = try options.settings()
            let now = WallClock.milliseconds()
            guard let symbol = Symbol(spelled: symbol), let interval = Bar.Interval(rawValue: Int32(interval)) else {
                return
            }
            let query = TickHistory.BarQuery(
                symbol: symbol, interval: interval, from: from.flatMap { MomentText.milliseconds($0, now: now) },
                to: to.flatMap { MomentText.milliseconds($0, now: now) }, limit: limit)
            let began = ContinuousClock.now
            var progress: ProgressLine?
            let answer = try TickHistory(directory: settings.dataDirectory).bars(query) { read, total in
                if progress == nil, ContinuousClock.now - began > .seconds(1) {
                    progress = ProgressLine(title: "reading", unit: "rows", total: Int(total))
                }
                progress?.update(done: Int(read))
                return true
            }
            progress?.finish(done: 0)
            switch format {
            case .table: printNow(Self.table(answer.values))
            case .csv: printNow(Self.csv(answer.values))
            case .json: print(WireJSON.text(of: BarsJSON(symbol: symbol, interval: interval, answer)))
            }
            if answer.values.isEmpty { printError("edgetick: the buffer has no such bars of \(symbol)") }
        }
    }

    static func table(_ bars: [Bar]) -> String {
        var table = TextTable([
            ("START", .left), ("OPEN", .right), ("HIGH", .right), ("LOW", .right), ("CLOSE", .right),
            ("VOLUME", .right), ("VWAP", .right),
        ])
        for bar in bars {
            table.add(
                [MomentText.text(bar.start)]
                    + [bar.open, bar.high, bar.low, bar.close, bar.volume].map { DecimalText.string($0) }
                    + [bar.vwap.map { DecimalText.string($0) } ?? "-"])
        }
        return table.text
    }

    static func csv(_ bars: [Bar]) -> String {
        var text = "symbol,start,open,high,low,close,volume,vwap\n"
        for bar in bars {
            let numbers = [bar.open, bar.high, bar.low, bar.close, bar.volume].map { DecimalText.string($0) }
            let cells = ["\(bar.symbol)", MomentText.text(bar.start)] + numbers
            text += (cells + [bar.vwap.map { DecimalText.string($0) } ?? ""]).joined(separator: ",") + "\n"
        }
        return text
    }
}
