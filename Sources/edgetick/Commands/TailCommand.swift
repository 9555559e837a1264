import ArgumentParser
import Foundation
import MarketData
import Store

/// Prints events as they become durable.
struct TailCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail", abstract: "Print events as they become durable, until Ctrl-C.",
        discussion: """
            Example: edgetick tail AAPL MSFT --kind AM

            Reads the local file beside the collector, so every event is given once, in the order of its stream.
            """)

    @OptionGroup var options: SettingsOptions
    @Argument(help: "Tickers; all when none is given.") var symbols: [String] = []
    @Option(help: "A kind of events: AM, A, T or Q; repeatable, all when not given.") var kind: [String] = []
    @Flag(help: "Print a JSON object a line.") var json = false

    func validate() throws {
        for symbol in symbols where Symbol(symbol) == nil {
            throw ValidationError("\"\(symbol.escapingControls)\" is not a symbol; write AAPL or BRK.B")
        }
        for kind in kind where EventKind(rawValue: kind.uppercased()) == nil {
            throw ValidationError("--kind \"\(kind)\" is none of AM, A, T, Q")
        }
    }

    func run() async throws {
        try await reportingFailures {
            let settings = try options.settings()
            let history = TickHistory(directory: settings.dataDirectory)
            let kinds = Set(kind.compactMap { EventKind(rawValue: $0.uppercased()) })
            let wanted = Set(symbols.compactMap { Symbol($0) })
            let follower = Follower(
                history: history, kinds: kinds.isEmpty ? Set(EventKind.allCases) : kinds, symbols: wanted, isJSON: json)
            try follower.begin()
            try await Interrupts.serving([
                Repeating(interval: .milliseconds(200)) { try follower.printNew() }
            ])
        }
    }
}

/// Prints what was appended since the last look; used by one task at a time.
private final class Follower: @unchecked Sendable {
    private static let batch = 5000

    private let history: TickHistory
    private let kinds: Set<EventKind>
    private let symbols: Set<Symbol>
    private let isJSON: Bool
    private var cursors: [EventStream: Int64] = [:]

    init(history: TickHistory, kinds: Set<EventKind>, symbols: Set<Symbol>, isJSON: Bool) {
        self.history = history
        self.kinds = kinds
        self.symbols = symbols
        self.isJSON = isJSON
    }

    func begin() throws {
        for stream in Set(kinds.map(\.stream)) {
            cursors[stream] = try history.events(of: stream, after: nil, limit: 0).last
        }
    }

    func printNew() throws {
        for (stream, cursor) in cursors {
            var after = cursor
            while true {
                let (events, last) = try history.events(of: stream, after: after, limit: Self.batch)
                let lines = events.filter { event in
                    kinds.contains(event.kind) && (symbols.isEmpty || symbols.contains(event.symbol))
                }.map { isJSON ? $0.json : $0.line }
                if !lines.isEmpty { printNow(lines.joined()) }
                guard last > after else { break }
                after = last
                if events.count < Self.batch { break }
            }
            cursors[stream] = after
        }
    }
}

extension StoredEvent {
    fileprivate var symbol: Symbol {
        switch payload {
        case .bar(let bar): bar.symbol
        case .trade(let trade): trade.symbol
        case .quote(let quote): quote.symbol
        }
    }

    fileprivate var kind: EventKind {
        switch payload {
        case .bar(let bar): bar.interval == .minute ? .minuteBar : .secondBar
        case .trade: .trade
        case .quote: .quote
        }
    }

    private var time: Int64 {
        switch payload {
        case .bar(let bar): bar.start
        case .trade(let trade): trade.time
        case .quote(let quote): quote.time
        }
    }

    /// Members after kind, symbol and time.
    private var values: [(name: String, value: String)] {
        func text(_ value: Double?) -> String { value.map { DecimalText.string($0) } ?? "null" }
        switch payload {
        case .bar(let bar):
            return [
                ("open", text(bar.open)), ("high", text(bar.high)), ("low", text(bar.low)), ("close", text(bar.close)),
                ("volume", text(bar.volume)),
            ]
        case .trade(let trade): return [("price", text(trade.price)), ("size", text(trade.size))]
        case .quote(let quote):
            return [
                ("bid", text(quote.bid)), ("bid_size", text(quote.bidSize)), ("ask", text(quote.ask)),
                ("ask_size", text(quote.askSize)),
            ]
        }
    }

    fileprivate var line: String {
        let numbers = values.map { "\($0.name) \($0.value == "null" ? "-" : $0.value)" }.joined(separator: "  ")
        let ticker = symbol.description.padded(to: 6)
        return "\(MomentText.text(time).padded(to: 24))  \(kind.rawValue.padded(to: 2))  \(ticker)  \(numbers)\n"
    }

    fileprivate var json: String {
        let numbers = values.map { "\"\($0.name)\":\($0.value)" }.joined(separator: ",")
        return "{\"kind\":\"\(kind.rawValue)\",\"symbol\":\"\(symbol)\",\"time_ms\":\(time),\(numbers),"
            + "\"connection\":\(JSONString.quoted(connection)),\"received_us\":\(receivedMicroseconds),\"seq\":\(sequence)}\n"
    }
}
