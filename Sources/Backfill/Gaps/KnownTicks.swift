import MarketData
import Store

/// The identity of a trade or quote: its symbol, its time, and a hash of the other columns of its stream's identity
/// (``Column/isIdentity``).
struct TickKey: Hashable, Sendable {
    let symbol: Symbol
    /// Its own time, in milliseconds since the Unix epoch.
    let time: Int64
    /// The hash of the other columns, valid in this process only.
    let rest: Int
}

/// Makes the keys of a stream's events.
struct TickKeys<Event: MarketEvent>: Sendable {
    private let identity = Event.columns.filter { $0.column.distinguishes }
    private let places: [(place: Int32, content: Column.Content)]
    private let symbolPlace: Int32
    private let timePlace: Int32

    init(_ stream: EventStream) {
        func places(where isWanted: (Column) -> Bool) -> [(place: Int32, content: Column.Content)] {
            stream.columns.enumerated().filter { isWanted($0.element) }.map { (Int32($0.offset), $0.element.content) }
        }
        self.places = places(where: \.distinguishes)
        symbolPlace = places { $0.content == .symbol }[0].place
        timePlace = places { $0.name == stream.timeColumn }[0].place
    }

    func key(of event: Event, in texts: TextArena) -> TickKey {
        var hasher = Hasher()
        for column in identity { hasher.combine(column.value(of: event, in: texts)) }
        return TickKey(symbol: event.symbol, time: event.time, rest: hasher.finalize())
    }

    /// Returns the key of a row of the stream's columns; `nil` when the row is in none of the spans or can't be an
    /// event.
    func key(of row: RowColumns, in spans: SymbolSpans) -> TickKey? {
        guard let symbol = Symbol(utf8: row.bytes(symbolPlace)), let time = row.integer(timePlace),
            spans.contains(time, of: symbol)
        else { return nil }
        var hasher = Hasher()
        for (place, content) in places { hasher.combine(row.value(place, content)) }
        return TickKey(symbol: symbol, time: time, rest: hasher.finalize())
    }
}

extension Column {
    /// Whether it distinguishes events of one symbol and time.
    fileprivate var distinguishes: Bool { isIdentity && content != .symbol && content != .milliseconds }
}

/// The events that the file has in some spans. Times may differ by a millisecond: the stream rounds them, and those of
/// the REST API are truncated from nanoseconds.
///
/// Holds 16 bytes of each event instead of the event itself. Two different events of one symbol and millisecond are
/// mistaken for one another with a probability of about 2⁻⁶⁴.
struct KnownTicks: Sendable {
    private struct Print: Hashable {
        let time: Int64
        let rest: Int
    }

    /// The spans whose events are all here.
    private(set) var spans = SymbolSpans()
    private var prints: [Symbol: Set<Print>] = [:]
    private(set) var count = 0
    /// When they were looked up: what the stream has delivered since then is not among them.
    let read = ContinuousClock.now

    /// Makes an empty collection for some spans.
    init(of spans: SymbolSpans = SymbolSpans()) { self.spans = spans }

    func contains(_ key: TickKey) -> Bool {
        guard let prints = prints[key.symbol] else { return false }
        return [key.time, key.time &- 1, key.time &+ 1].contains { prints.contains(Print(time: $0, rest: key.rest)) }
    }

    mutating func insert(_ key: TickKey) {
        if prints[key.symbol, default: []].insert(Print(time: key.time, rest: key.rest)).inserted { count += 1 }
    }

    /// Reduces the spans to those given, and forgets the events outside them.
    mutating func keep(_ spans: SymbolSpans) {
        self.spans = spans
        for (symbol, all) in prints { prints[symbol] = all.filter { spans.contains($0.time, of: symbol) } }
        count = prints.values.reduce(0) { $0 + $1.count }
    }
}
