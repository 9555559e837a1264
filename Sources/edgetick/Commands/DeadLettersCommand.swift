import ArgumentParser
import MarketData
import Store

/// Rows that the database refused.
struct DeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters", abstract: "List rows that the database refused, send them again, or discard them.",
        discussion: """
            Examples: edgetick dead-letters list
                      edgetick dead-letters retry --all
                      edgetick dead-letters discard bars:4711 --yes
            """,
        subcommands: [DeadLettersList.self, DeadLettersRetry.self, DeadLettersDiscard.self],
        defaultSubcommand: DeadLettersList.self)
}

/// Which dead letters a command is about.
struct DeadLetterSelection: ParsableArguments {
    @Argument(help: "Letters by stream and number, as the list shows them: bars:4711.") var letters: [String] = []
    @Option(help: "All letters of a stream, such as trades.") var stream: String?
    @Flag(help: "All letters.") var all = false

    func validate() throws {
        let ways = [!letters.isEmpty, stream != nil, all].count { $0 }
        guard ways == 1 else { throw ValidationError("name letters (bars:4711), or give --stream or --all") }
        if let stream { _ = try Self.stream(stream) }
        for letter in letters { _ = try Self.key(letter) }
    }

    static func stream(_ text: String) throws -> EventStream {
        guard let stream = EventStream(rawValue: text) else {
            throw ValidationError("'\(text)' is no stream; allowed: \(EventStream.names)")
        }
        return stream
    }

    private static func key(_ text: String) throws -> (EventStream, Int64) {
        let parts = text.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, let sequence = Int64(parts[1]), sequence > 0 else {
            throw ValidationError("'\(text)' names no letter; allowed: stream:number, such as bars:4711")
        }
        return (try stream(String(parts[0])), sequence)
    }

    /// The letters chosen, oldest first.
    ///
    /// - Throws: a `CommandFailure` that names those that don't exist.
    func found(in directory: String) throws -> [DeadLetter] {
        let history = TickHistory(directory: directory)
        let present = try history.deadLetters(of: stream.map(Self.stream), limit: Int(Int32.max)).reversed()
        guard !letters.isEmpty else { return Array(present) }
        let keys = try letters.map(Self.key)
        let chosen = present.filter { letter in keys.contains { $0 == letter.stream && $1 == letter.sequence } }
        let missing = keys.filter { key in !chosen.contains { $0.stream == key.0 && $0.sequence == key.1 } }
        guard missing.isEmpty else {
            let names = missing.map { "\($0.0.rawValue):\($0.1)" }.joined(separator: ", ")
            throw CommandFailure(.badData, "there is no dead letter \(names); edgetick dead-letters list shows them")
        }
        return chosen
    }
}

extension CommandFailure {
    /// A running collector holds the buffer, which alone may change it.
    static func heldByCollector(_ error: StoreError) -> CommandFailure? {
        guard case .inUse(let holder) = error.reason else { return nil }
        let process = holder.map { ", process \($0)," } ?? ""
        return CommandFailure(
            .tryAgain, "a running collector\(process) holds the buffer; stop it, do this, and start it again")
    }
}
