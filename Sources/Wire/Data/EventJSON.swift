package import MarketData
package import Store

/// One market event. Its kind determines its members: the columns of the kind's stream, between members that all events
/// have.
package struct EventJSON: WireUnion, Sendable {
    private struct Name: CodingKey {
        let stringValue: String
        let intValue: Int? = nil

        init(_ name: String) { stringValue = name }
        init?(stringValue: String) { self.init(stringValue) }
        init?(intValue: Int) { nil }
    }

    /// The members in order; `nil` is written as `null`.
    private let members: [(name: String, value: ColumnValue?)]

    /// - Parameter ids: the connections' ids by name.
    package init(_ event: StoredEvent, ids: [String: String]) {
        let head = event.event.head
        let values = Dictionary(
            uniqueKeysWithValues: event.event.values(in: event.texts, where: Self.isShown).map {
                ($0.column.name, $0.value)
            })
        members =
            [
                ("kind", .text(head.kind.rawValue)), ("symbol", .text(head.symbol.description)),
                ("time_ms", .integer(head.time)),
            ]
            + head.kind.stream.columns.filter(Self.isShown).map { ($0.name, values[$0.name]) }
            + [
                ("connection", .text(event.connection)),
                ("connection_id", ids[event.connection].map { .text($0) }),
                ("received_ms", .integer(event.receivedMicroseconds / 1000)),
                ("sequence", event.sequence.map { .integer($0) }),
            ]
    }

    package init(from decoder: any Decoder) throws {
        throw DecodingError.dataCorrupted(
            .init(codingPath: decoder.codingPath, debugDescription: "events are written and never read"))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Name.self)
        for (name, value) in members {
            switch value {
            case .integer(let number): try container.encode(number, forKey: Name(name))
            case .real(let number): try container.encode(number, forKey: Name(name))
            case .text(let text): try container.encode(text, forKey: Name(name))
            case nil: try container.encodeNil(forKey: Name(name))
            }
        }
    }

    package static let schemas = EventStream.allCases.map(schema)

    /// Whether a column is shown: those of an event in one line, and what the page needs besides.
    private static func isShown(_ column: Column) -> Bool {
        column.isBrief || column.name == "vwap" || column.name == "exchange"
    }

    private static func schema(of stream: EventStream) -> Schema {
        let columns = stream.columns.filter(isShown).map { column -> Schema.Member in
            let schema: Schema =
                column.content.isText ? .text(Bounds()) : column.content.isReal ? .number : .integer(Bounds())
            return Schema.Member(
                name: column.name, schema: column.isRequired ? schema : .nullable(schema),
                meaning: column.meaning.prefix(1).uppercased() + column.meaning.dropFirst())
        }
        let name = "Event\(stream.event)"
        return .object(
            .init(
                name: name,
                members: [
                    .init(name: "kind", schema: .words(stream.kinds.map(\.rawValue))),
                    .init(name: "symbol", schema: .text(.symbol)),
                    .init(
                        name: "time_ms", schema: .integer(Bounds()),
                        meaning: stream == .bars ? "When the bar starts" : nil),
                ] + columns + [
                    .init(
                        name: "connection", schema: .text(Bounds()),
                        meaning: "The name of the connection that brought it"),
                    .init(
                        name: "connection_id", schema: .nullable(.text(Bounds())),
                        meaning: "Its id; null when no connection has that name now"),
                    .init(name: "received_ms", schema: .integer(Bounds()), meaning: "When it was read from the socket"),
                    .init(
                        name: "sequence", schema: .nullable(.integer(Bounds())),
                        meaning: "The row's number in its stream; null before the event is in the file"),
                ]))
    }
}

/// The newest events: `/api/ticks/recent`.
package struct RecentEventsJSON: WireObject {
    package enum Source: String, Codable, CaseIterable, Sendable {
        case memory
        case buffer
    }

    package var symbol: String?
    package var count: Int
    package var source: Source
    package var is_complete: Bool
    package var events: [EventJSON]

    package static let meanings = [
        "symbol": "The one asked for",
        "source": "memory, or the buffer's file with the newer events in memory",
        "is_complete": "Whether the file was read as far as needed to be sure that none is missing",
        "events": "Newest first",
    ]

    package init(
        symbol: Symbol?, source: Source, isComplete: Bool, events: [StoredEvent], ids: [String: String]
    ) {
        self.symbol = symbol?.description
        count = events.count
        self.source = source
        is_complete = isComplete
        self.events = events.map { EventJSON($0, ids: ids) }
    }
}

/// Live market events: `tick_update` of the event stream.
package struct TickUpdateJSON: WireObject {
    package var events: [EventJSON]
    package var seen: Int64

    package static let meanings = [
        "events": "The newest of each connection, oldest first",
        "seen": "How many came since the previous message, shown or not",
    ]

    package init(_ events: [StoredEvent], seen: UInt64, ids: [String: String]) {
        self.events = events.map { EventJSON($0, ids: ids) }
        self.seen = Int64(clamping: seen)
    }
}

/// The number of messages that a slow reader missed: `messages_dropped` of the event stream.
package struct MessagesDroppedJSON: WireObject {
    package var count: Int

    package init(count: Int) { self.count = count }
}

/// Bars of a symbol: `/api/bars`, `edgetick query`.
package struct BarsJSON: WireObject {
    package struct Bar: WireObject {
        package var start_ms: Int64
        package var open: Double
        package var high: Double
        package var low: Double
        package var close: Double
        package var volume: Double
        package var vwap: Double?

        package init(_ bar: MarketData.Bar) {
            (start_ms, open, high, low, close) = (bar.start, bar.open, bar.high, bar.low, bar.close)
            (volume, vwap) = (bar.volume, bar.vwap)
        }

        package init(_ bar: BarRollUp.Bar) {
            (start_ms, open, high, low, close) = (bar.start, bar.open, bar.high, bar.low, bar.close)
            (volume, vwap) = (bar.volume, bar.vwap)
        }
    }

    package var symbol: String
    package var interval_seconds: Int32
    package var count: Int
    package var is_complete: Bool
    package var bars: [Bar]

    package static let meanings = [
        "is_complete": "Whether the file was read as far as needed to be sure that none is missing",
        "bars": "The newest version of each, oldest first",
    ]
    package static let bounds = ["symbol": Bounds.symbol]

    package init(symbol: Symbol, interval: MarketData.Bar.Interval, _ found: TickHistory.Answer<MarketData.Bar>) {
        self.init(
            symbol: symbol, intervalSeconds: interval.rawValue, isComplete: found.isComplete,
            bars: found.values.map { Bar($0) })
    }

    package init(symbol: Symbol, intervalSeconds: Int32, isComplete: Bool, bars: [Bar]) {
        self.symbol = symbol.description
        interval_seconds = intervalSeconds
        count = bars.count
        is_complete = isComplete
        self.bars = bars
    }
}
