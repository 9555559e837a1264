import ArgumentParser
import MarketData
import Store

/// Lists the spans in which events may have been missed.
struct GapsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gaps", abstract: "List the spans in which events may have been missed, newest first.",
        discussion: "Example: edgetick gaps --limit 20 --json")

    @OptionGroup var options: SettingsOptions
    @Option(help: "The most gaps.") var limit = 50
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit is at least 1") }
    }

    func run() async throws {
        try await reportingFailures {
            let settings = try options.settings()
            let gaps = try TickHistory(directory: settings.dataDirectory).gaps(limit: limit)
            if json { return print(try JSONText.of(gaps.map { Row($0) })) }
            guard !gaps.isEmpty else { return print("no gaps: no event is known to be missed") }
            var table = TextTable([
                ("SINCE", .left), ("SECONDS", .right), ("CAUSE", .left), ("CONNECTION", .left), ("EVENTS", .left),
                ("SYMBOLS", .left),
            ])
            for gap in gaps {
                table.add([
                    MomentText.text(gap.from / 1000 * 1000), ((gap.to - gap.from) / 1000).grouped, gap.cause.rawValue,
                    gap.connection, gap.events.map(\.rawValue).joined(separator: ","), Self.symbols(gap),
                ])
            }
            print(table.text, terminator: "")
        }
    }

    private static func symbols(_ gap: Gap) -> String {
        guard gap.symbols.count > 3 else {
            return gap.symbols.isEmpty ? "all" : gap.symbols.map(\.description).joined(separator: ",")
        }
        return "\(gap.symbols[0]),\(gap.symbols[1]) and \(gap.symbols.count - 2) more"
    }

    private struct Row: Encodable {
        let connection: String
        let cause: String
        let fromMilliseconds: Int64
        let toMilliseconds: Int64
        let events: [String]
        let symbols: [String]

        init(_ gap: Gap) {
            connection = gap.connection
            cause = gap.cause.rawValue
            fromMilliseconds = gap.from
            toMilliseconds = gap.to
            events = gap.events.map(\.rawValue)
            symbols = gap.symbols.map(\.description)
        }
    }
}
