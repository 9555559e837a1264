import ArgumentParser
import MarketData
import Store

/// Prints events as they become durable.
struct TailCommand: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail", abstract: "Print events as they become durable, until Ctrl-C.",
        discussion: """
            Example: edgetick tail AAPL MSFT --kind AM

            Without symbols it prints the events of all. It reads the local file beside the collector, so it prints every
            event once, in the order of its stream. If no collector has run yet, it waits for the file.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @OptionGroup var symbols: SymbolOptions
    @Option(help: "A kind of events, such as AM; may be repeated; default: all.") var kind: [EventKind] = []
    @Flag(help: "Print one JSON object per line.") var json = false

    func run(_ settings: Settings) async throws {
        let history = TickHistory(directory: settings.dataDirectory)
        let wanted = Set(try await symbols.chosen(settings) ?? [])
        let follower = Follower(
            history: history, kinds: Set(kind.isEmpty ? EventKind.allCases : kind), symbols: wanted, isJSON: json)
        try follower.begin()
        try await Interrupts.repeating(every: .milliseconds(200)) { try follower.printNew() }
    }
}

/// Prints what was appended since the last call; not for concurrent use.
private final class Follower: @unchecked Sendable {
    private static let batch = 5000

    private let history: TickHistory
    private let kinds: Set<EventKind>
    private let symbols: Set<Symbol>
    private let isJSON: Bool
    private var cursors: [EventStream: Int64] = [:]
    private var isWaiting = false

    init(history: TickHistory, kinds: Set<EventKind>, symbols: Set<Symbol>, isJSON: Bool) {
        self.history = history
        self.kinds = kinds
        self.symbols = symbols
        self.isJSON = isJSON
    }

    /// Begins after the newest event, or with the first event if there is no file yet.
    func begin() throws {
        do {
            var cursors: [EventStream: Int64] = [:]
            for stream in Set(kinds.map(\.stream)) {
                cursors[stream] = try history.events(of: stream, after: isWaiting ? 0 : nil, limit: 0).last
            }
            self.cursors = isWaiting ? cursors.mapValues { _ in 0 } : cursors
        } catch {
            guard error.reason == .missing else { throw error }
            if !isWaiting { printRemark("no collector has run here yet; waiting for its file") }
            isWaiting = true
        }
    }

    private func takes(_ head: EventHead) -> Bool {
        kinds.contains(head.kind) && (symbols.isEmpty || symbols.contains(head.symbol))
    }

    func printNew() throws {
        if cursors.isEmpty { try begin() }
        for (stream, cursor) in cursors {
            var (after, isEnd) = (cursor, false)
            while !isEnd {
                guard let (events, last) = try rows(of: stream, after: after) else { return }
                let lines = events.filter { takes($0.event.head) }.map { isJSON ? $0.json + "\n" : $0.line }
                if !lines.isEmpty { printNow(lines.joined()) }
                isEnd = last <= after || events.count < Self.batch
                after = last
                cursors[stream] = after
            }
        }
    }

    /// Returns the next rows, or `nil` while there is no file: a file that was set aside is replaced at once.
    private func rows(
        of stream: EventStream, after sequence: Int64
    ) throws(StoreError) -> (events: [StoredEvent], last: Int64)? {
        do {
            return try history.events(of: stream, after: sequence, limit: Self.batch)
        } catch {
            guard error.reason == .missing else { throw error }
            return nil
        }
    }
}

extension StoredEvent {
    fileprivate var line: String {
        let head = event.head
        let values = event.values(in: texts, where: \.isBrief).map {
            "\($0.column.name) \($0.value.plainText.escapingControls)"
        }
        let start = "\(MomentText.text(head.time).padded(to: 24))  \(head.kind.rawValue.padded(to: 2))"
        let mark = adjustment.map { "  \($0.rawValue)" } ?? ""
        return "\(start)  \(head.symbol.description.padded(to: 6))  \(values.joined(separator: "  "))\(mark)\n"
    }

    /// What a trade's conditions say about other trades.
    var adjustment: TradeAdjustment? {
        guard case .trade(let trade) = event, let conditions = trade.conditions else { return nil }
        return TradeAdjustment(conditions: texts[conditions])
    }

    /// The event as a JSON object, with every column that has a value.
    var json: String {
        let members = event.values(in: texts).map { "\"\($0.column.name)\":\($0.value.json)" }
        let mark = adjustment.map { "\"adjustment\":\"\($0.rawValue)\"," } ?? ""
        let origin = source.map { ",\"source\":\"\($0.rawValue)\"" } ?? ""
        return "{\"kind\":\"\(event.head.kind.rawValue)\",\(members.joined(separator: ",")),\(mark)"
            + "\"connection\":\(JSONString.quoted(connection))\(origin),\"received_us\":\(receivedMicroseconds),"
            + "\"seq\":\(sequence ?? 0)}"
    }
}
