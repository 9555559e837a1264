import ArgumentParser
import MarketData
import Store
import Wire

/// Lists the gaps and what became of them.
struct GapsCommand: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "gaps",
        abstract: "List periods in which events were missed and whether they were filled, newest first.",
        discussion: """
            Example: edgetick gaps --state open

            open: not filled yet. filled: what the REST API has is in the buffer. partial: some of
            it is, and DETAIL says what is missing. empty: nothing was traded then, or the
            market was closed. unfillable: the REST API does not have it, or may not be asked; DETAIL says why. covered: other
            boxes of the COLLECTOR_GROUP missed nothing then, and their rows are in the database. Times are the events' own.
            TO is "under way" while events are still being missed; a "?" after it means that both times may be off: the
            clock was wrong, or the file of that time can't be read.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @Option(help: "Only those in this state.") var state: GapState?
    @Option(help: "How many to list, newest first.") var limit = 100
    @Flag(help: "Print JSON.") var json = false

    func validate() throws { try refuseBelowOne(["--limit": limit]) }

    func run(_ settings: Settings) async throws {
        let states = state.map { [$0] } ?? Set(GapState.allCases)
        let records = try GapLog.read(directory: settings.dataDirectory, states: states, limit: limit)
        let all = Int(try GapLog.count(directory: settings.dataDirectory, states: states))
        if json {
            let total = try BufferReport.read(directory: settings.dataDirectory).gaps
            return print(WireJSON.text(of: GapsJSON(records, total: total, isComplete: all <= records.count)))
        }
        guard !records.isEmpty else { return printRemark("there is no \(state == nil ? "" : "such ")gap") }
        let table = TextTable(
            [.right("GAP"), "STATE", "FROM", "TO", "CONNECTION", "CAUSE", "EVENTS", "SYMBOLS", "DETAIL"],
            records.reversed().map { record in
                let gap = record.gap
                let end = gap.to.map(WallClock.text(milliseconds:)) ?? "under way"
                return [
                    "\(record.id)", record.state.rawValue, WallClock.text(milliseconds: gap.from),
                    end + (gap.isUncertain ? " ?" : ""), gap.connection, gap.cause.rawValue,
                    gap.events.map(\.rawValue).joined(separator: ","),
                    gap.symbols.isEmpty ? "all" : DisplayText.list(gap.symbols.map(\.description), showing: 3),
                    record.detail ?? "",
                ]
            })
        printNow(table.shown)
        if all > records.count {
            printRemark("the newest \(records.count.grouped) of \(all.counted("gap")): --limit shows more")
        }
    }
}
