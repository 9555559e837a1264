import ArgumentParser
import MarketData
import Store
import Wire

/// Lists the rows that the database refused.
struct DeadLettersList: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List refused rows, newest first, with the database's reason and how many share it.",
        discussion: """
            Example: edgetick dead-letters list --stream bars --json

            Works beside a running collector. With --json each letter has its whole row, as a JSON text.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @Option(help: "Only those of a stream, such as trades.") var stream: EventStream?
    @Option(help: "How many to list, newest first.") var limit = 100
    @Flag(help: "Print JSON.") var json = false

    func validate() throws { try refuseBelowOne(["--limit": limit]) }

    func run(_ settings: Settings) async throws {
        let history = TickHistory(directory: settings.dataDirectory)
        let letters = try history.deadLetters(of: stream, limit: limit)
        let groups = try history.deadLetterGroups()
        if json {
            let total = try BufferReport.read(directory: settings.dataDirectory).deadLetters
            return print(WireJSON.text(of: DeadLettersJSON(letters, groups: groups, total: total)))
        }
        guard !letters.isEmpty else { return printRemark("there is no dead letter") }
        let table = TextTable(
            ["LETTER", "REFUSED", "SYMBOL", "TIME", "SQLSTATE", "REASON"],
            letters.map { letter in
                let event = letter.event
                return [
                    letter.name, WallClock.text(milliseconds: letter.time), event?.symbol.description ?? "?",
                    event.map { WallClock.text(milliseconds: $0.time) } ?? "?", letter.sqlState, letter.reason,
                ]
            })
        let alike = TextTable(
            [.right("LETTERS"), "STREAM", "SQLSTATE", "CONSTRAINT", "LAST"],
            groups.filter { stream == nil || stream == $0.stream }.map {
                [
                    $0.count.grouped, $0.stream.rawValue, $0.sqlState, $0.constraint ?? "-",
                    WallClock.text(milliseconds: $0.last),
                ]
            })
        printNow(table.shown + "\n" + alike.shown)
    }
}
