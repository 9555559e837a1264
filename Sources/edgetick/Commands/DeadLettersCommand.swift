import ArgumentParser
import MarketData
import Store

/// Lists, retries or discards rows that the database refused.
struct DeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters", abstract: "List rows that the database refused, send them again, or discard them.",
        discussion: """
            Examples: edgetick dead-letters list
                      edgetick dead-letters retry --all
                      edgetick dead-letters discard bars:4711 --yes
            """.unwrapped,
        subcommands: [DeadLettersList.self, DeadLettersRetry.self, DeadLettersDiscard.self],
        defaultSubcommand: DeadLettersList.self)
}

/// Which dead letters a command works on.
struct DeadLetterSelection: ParsableArguments {
    @Argument(help: "Letters by stream and number, as the list shows them: bars:4711.") var letters: [String] = []
    @Option(help: "All letters of a stream, such as trades.") var stream: EventStream?
    @Flag(help: "All letters.") var all = false

    func validate() throws {
        let ways = [!letters.isEmpty, stream != nil, all].count { $0 }
        guard ways == 1 else { throw ValidationError("name letters (bars:4711), or give --stream or --all") }
        for letter in letters { _ = try Self.name(letter) }
    }

    private static func name(_ text: String) throws -> DeadLetterChoice.Name {
        guard let name = DeadLetterChoice.Name(text) else {
            throw ValidationError("'\(text)' names no letter; allowed: stream:number, such as bars:4711")
        }
        return name
    }

    /// The letters chosen, oldest first.
    ///
    /// - Throws: A ``CommandFailure`` that names the letters that don't exist.
    func found(in directory: String) throws -> [DeadLetter] {
        let choice: DeadLetterChoice =
            if let stream { .stream(stream) } else if all { .all } else { .named(try letters.map(Self.name)) }
        let (chosen, missing) = try choice.found(in: TickHistory(directory: directory))
        guard missing.isEmpty else {
            let names = missing.map(\.description).joined(separator: ", ")
            throw CommandFailure(.badData, "no such dead letter: \(names); edgetick dead-letters list shows them all")
        }
        return chosen
    }
}
