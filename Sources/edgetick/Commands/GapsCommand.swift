import ArgumentParser
import FoundationEssentials
import Glibc
import MarketData
import Store
import Wire

/// Lists the gaps and what became of them.
struct GapsCommand: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "gaps", abstract: "List when events were missed, and what became of it, newest first.",
        discussion: """
            Example: edgetick gaps --state open

            open: not filled yet. filled: what the REST API has is in the buffer. partial: some of
            it is, and DETAIL says what is missing. empty: nothing was traded then, or the
            market was closed. unfillable: the REST API does not have it, or may not be asked; DETAIL says why. covered: other
            boxes of the COLLECTOR_GROUP missed nothing then, and their rows are in the database. Times are the events' own.
            TO is "under way" while events are missed; a "?" behind it says that the ends may be off: the clock was wrong, or
            the file of then can't be read.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @Option(help: "Only those in this state: open, filled, partial, empty, unfillable or covered.") var state: GapState?
    @Option(help: "The newest so many.") var limit = 100
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit: allowed: a number from 1 on") }
    }

    func run(_ settings: Settings) async throws {
        let states = state.map { [$0] } ?? Set(GapState.allCases)
        let records = try GapLog.read(directory: settings.dataDirectory, states: states, limit: limit)
        let all = Int(try GapLog.count(directory: settings.dataDirectory, states: states))
        if json {
            let total = try BufferReport.read(directory: settings.dataDirectory).gaps
            return print(WireJSON.text(of: GapsJSON(records, total: total, isComplete: all <= records.count)))
        }
        guard !records.isEmpty else { return printError("edgetick: there is no \(state == nil ? "" : "such ")gap") }
        var table = TextTable([
            ("GAP", .right), ("STATE", .left), ("FROM", .left), ("TO", .left), ("CONNECTION", .left),
            ("CAUSE", .left), ("EVENTS", .left), ("SYMBOLS", .left), ("DETAIL", .left),
        ])
        for record in records.reversed() {
            let gap = record.gap
            table.add([
                "\(record.id)", record.state.rawValue, WallClock.text(milliseconds: gap.from), Self.end(of: gap),
                gap.connection,
                gap.cause.rawValue, gap.events.map(\.rawValue).joined(separator: ","),
                Self.symbols(gap.symbols), record.detail ?? "",
            ])
        }
        printNow(table.text)
        if all > records.count {
            printError("edgetick: the newest \(records.count.grouped) of \(all.counted("gap")): --limit shows more")
        }
    }

    private static func symbols(_ symbols: [Symbol]) -> String {
        symbols.isEmpty ? "all" : DisplayText.list(symbols.map(\.description), showing: 3)
    }

    private static func end(of gap: Gap) -> String {
        (gap.to.map(WallClock.text(milliseconds:)) ?? "under way") + (gap.isUncertain ? " ?" : "")
    }
}
