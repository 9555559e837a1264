package import Collector
package import Feed
import MarketData
import Universe

/// One connection: `/api/websocket/connections/{id}`.
package struct ConnectionJSON: WireObject {
    /// Events a second.
    package struct Rates: WireObject {
        package var one_second: Double
        package var five_seconds: Double
        package var one_minute: Double
    }

    package var id: String
    package var name: String
    package var status: FeedConnectionStatus
    package var takes_all: Bool
    package var assigned_tickers: Int
    package var confirmed_tickers: Int
    package var refused_tickers: Int
    package var universe_key: String?
    package var symbols: SymbolSourceJSON
    package var priority: Int
    package var is_failed_over: Bool
    package var message_count: Int64
    package var messages: [String: Int64]
    package var messages_per_second: Double
    package var rates: Rates
    package var frame_count: Int64
    package var byte_count: Int64
    package var binary_frame_count: Int64
    package var overflow_count: Int64
    package var error_count: Int64
    package var decode_error_count: Int64
    package var decode_errors: [String: Int]
    package var left_out_fields: [String: Int]
    package var decode_samples: [String: String]
    package var error_rate: Double
    package var last_message_ms: Int64?
    package var last_event_ms: Int64?
    package var connected_since_ms: Int64?
    package var uptime_seconds: Double
    package var reconnects: Int64
    package var last_error: String?
    package var last_error_ms: Int64?
    package var is_paused: Bool
    package var latency: LatencyJSON

    package static let meanings = [
        "id": "connection_1 and so on",
        "takes_all": "Whether it subscribes to all symbols; the counts of tickers are 0 then",
        "assigned_tickers": "Symbols assigned to it",
        "confirmed_tickers": "Symbols whose subscription is confirmed",
        "refused_tickers": "Symbols that the feed's plan does not cover",
        "universe_key": "The key of its settings, as written",
        "symbols": "Where its symbols come from",
        "priority": "1 comes first",
        "is_failed_over": "Whether it was down for too long and the others have its symbols until it is trusted again",
        "message_count": "Events of all kinds since the start",
        "messages": "Events since the start, by kind: \(EventKind.names)",
        "messages_per_second": "Events a second over five seconds",
        "rates": "Events a second",
        "frame_count": "Text messages read",
        "byte_count": "Bytes of text messages read",
        "binary_frame_count": "Binary messages skipped",
        "overflow_count": "Events lost because the buffer had no room",
        "error_count": "Connections lost or refused, errors that the feed reported, and events that can't be decoded",
        "decode_error_count": "Events that can't be decoded",
        "decode_errors": "Events that can't be decoded, by kind",
        "left_out_fields": "Fields left out of events because of their form, by the event's kind",
        "decode_samples": "An example of such an event, by kind, with secrets masked",
        "error_rate": "Errors among errors and events of about the last minute, 0 to 1",
        "last_message_ms": "When anything was last read",
        "last_event_ms": "When events were last taken",
        "connected_since_ms": "When its subscription was confirmed; null while it is not",
        "reconnects": "How often it was opened again",
        "is_paused": "Whether reading waits for the buffer",
    ]

    package init(_ connection: ConnectionState, in sample: StatusBoard.Sample) {
        let (member, feed) = (connection.member, connection.feed)
        id = connection.id
        name = connection.name
        status = connection.status
        takes_all = feed.takesAll
        assigned_tickers = feed.assigned.count
        confirmed_tickers = feed.confirmed.count
        refused_tickers = feed.refused.count
        universe_key = connection.assignment?.wish.universeKey
        symbols = SymbolSourceJSON(connection.assignment)
        priority = member.priority
        is_failed_over = member.isFailedOver
        message_count = connection.messageCount
        messages = EventKind.byName { feed.events[$0] ?? 0 }
        messages_per_second = member.eventsPer5Seconds.rounded(to: 2)
        rates = Rates(
            one_second: member.eventsPerSecond.rounded(to: 2), five_seconds: member.eventsPer5Seconds.rounded(to: 2),
            one_minute: member.eventsPerMinute.rounded(to: 2))
        frame_count = feed.frames
        byte_count = feed.bytes
        binary_frame_count = feed.binaryFrames
        overflow_count = feed.overflowed
        error_count = connection.errorCount
        decode_error_count = connection.rejectCount
        decode_errors = feed.rejects.events.byWord
        left_out_fields = feed.rejects.fields.byWord
        decode_samples = Dictionary(
            uniqueKeysWithValues: DecodeRejects.kinds.compactMap { kind in
                feed.rejects.sample(of: kind).map { (kind.word, $0) }
            })
        error_rate = member.errorRate
        last_message_ms = feed.lastMessage
        last_event_ms = feed.lastEvent
        connected_since_ms = feed.connectedSince
        uptime_seconds = feed.connectedSince.map { max(0, Double(sample.time - $0) / 1000) } ?? 0
        reconnects = feed.reconnects
        last_error = feed.lastError?.description
        last_error_ms = feed.lastErrorTime
        is_paused = feed.isPaused
        latency = LatencyJSON(
            last_seconds: feed.latency.map { Double($0) / 1000 },
            p50_seconds: sample.latency(of: connection, quantile: 0.5)?.rounded(to: 6),
            p99_seconds: sample.latency(of: connection, quantile: 0.99)?.rounded(to: 6))
    }
}

/// How old events were when they were read.
package struct LatencyJSON: WireObject {
    package var last_seconds: Double?
    package var p50_seconds: Double?
    package var p99_seconds: Double?

    package static let meanings = [
        "last_seconds": "The newest event's; null for several connections",
        "p50_seconds": "Half of the events of the last minute stayed below; null without events",
        "p99_seconds": "99 of 100 events of the last minute stayed below; null without events",
    ]
}

/// Where a connection's symbols come from, and whether they are the ones asked for.
package struct SymbolSourceJSON: WireObject {
    /// The kind of source that names the symbols.
    package enum Origin: String, Codable, CaseIterable, Sendable {
        case universe_key
        case list
        case default_list
        case none
        case subscription
        case removed_connection
    }

    package var origin: SymbolWish.Origin?
    package var from: Origin
    package var key: String?
    package var is_as_asked: Bool
    package var problem: String?

    package static let meanings = [
        "origin": "Who requested them: the settings, the API or a client of the relay",
        "from": "Where the symbols in force come from",
        "key": "The universe key in force, if there is one",
        "is_as_asked": "Whether the symbols in force are those that were requested",
        "problem": "Why they are not",
    ]

    package init(_ assignment: SymbolAssignment?) {
        origin = assignment?.wish.origin
        (from, key) = Origin.of(assignment?.source ?? .none)
        is_as_asked = assignment?.problem == nil
        problem = assignment?.problem
    }
}

extension SymbolSourceJSON.Origin {
    static func of(_ source: SymbolSelection.Origin) -> (Self, key: String?) {
        switch source {
        case .universeKey(let key): (.universe_key, key)
        case .list: (.list, nil)
        case .defaultList: (.default_list, nil)
        case .none: (.none, nil)
        }
    }
}

/// All connections: `/api/websocket/connections`, and `connection_status_update` of the event stream.
package struct ConnectionsJSON: WireObject {
    package var connections: [ConnectionJSON]
    package var removed: [String]
    package var timestamp_ms: Int64

    package static let meanings = [
        "connections": "In the event stream, those that changed",
        "removed": "Ids of connections that no longer exist, in the event stream",
        "timestamp_ms": "The time of this state",
    ]

    /// - Parameter connections: The connections to include; all if `nil`.
    package init(_ sample: StatusBoard.Sample, only connections: [ConnectionState]? = nil, removed: [String] = []) {
        self.connections = (connections ?? sample.snapshot.connections).map { ConnectionJSON($0, in: sample) }
        self.removed = removed
        timestamp_ms = sample.time
    }
}

/// A connection's symbols: `/api/websocket/connections/{id}/tickers`.
package struct TickersJSON: WireObject {
    package var id: String
    package var name: String
    package var takes_all: Bool
    package var count: Int
    package var confirmed_count: Int
    package var tickers: [String]
    package var unconfirmed: [String]
    package var refused: [String]

    package static let meanings = [
        "takes_all": "Whether it subscribes to all symbols; the lists are empty then",
        "tickers": "The symbols assigned to it",
        "unconfirmed": "Those whose subscription is not confirmed",
        "refused": "Those that the feed's plan does not cover",
    ]

    package init(_ connection: ConnectionState) {
        let feed = connection.feed
        id = connection.id
        name = connection.name
        takes_all = feed.takesAll
        count = feed.assigned.count
        confirmed_count = feed.confirmed.count
        tickers = feed.assigned.map(\.description)
        let known = Set(feed.confirmed).union(feed.refused)
        unconfirmed = feed.assigned.filter { !known.contains($0) }.map(\.description)
        refused = feed.refused.map(\.description)
    }
}

/// The collected symbols and the age of their newest event: `/api/symbols`.
package struct SymbolsJSON: WireObject {
    package struct Entry: WireObject {
        package var symbol: String
        package var connections: [String]
        package var is_confirmed: Bool
        package var last_event_ms: Int64?
        package var last_price: Double?

        package static let meanings = [
            "connections": "Ids of those it is assigned to; empty if one takes all symbols",
            "is_confirmed": "Whether its subscription is confirmed on one of them",
            "last_event_ms": "When an event of it was last read; null before the first since the start",
            "last_price":
                "The newest trade's price or bar's close, by their own times; null before the first since the start",
        ]
    }

    package var count: Int
    package var symbols: [Entry]
    package var timestamp_ms: Int64

    package static let meanings = [
        "count": "How many there are in all", "symbols": "With since_ms, those that had an event at that time or later",
        "timestamp_ms": "The time of this state",
    ]

    /// - Parameters:
    ///   - news: The newest event of each symbol.
    ///   - isAll: Whether to include symbols without news.
    ///   - time: In milliseconds since the Unix epoch.
    package init(_ connections: [ConnectionState], news: [SymbolNews], isAll: Bool, at time: Int64) {
        var entries: [Symbol: Entry] = [:]
        for connection in connections {
            let confirmed = Set(connection.feed.confirmed)
            for symbol in connection.feed.assigned {
                entries[
                    symbol,
                    default: Entry(symbol: symbol.description, connections: [], is_confirmed: false)
                ].connections.append(connection.id)
                if confirmed.contains(symbol) { entries[symbol]?.is_confirmed = true }
            }
        }
        let takesAll = connections.contains(where: \.feed.takesAll)
        var fresh: Set<Symbol> = []
        for each in news {
            // A symbol that nobody asks for any more is left out, unless a connection takes every symbol.
            if takesAll, entries[each.symbol] == nil {
                entries[each.symbol] = Entry(symbol: each.symbol.description, connections: [], is_confirmed: true)
            }
            entries[each.symbol]?.last_event_ms = each.received
            entries[each.symbol]?.last_price = each.price
            fresh.insert(each.symbol)
        }
        count = entries.count
        symbols = entries.filter { isAll || fresh.contains($0.key) }.sorted { $0.key < $1.key }.map(\.value)
        timestamp_ms = time
    }
}

extension DecodeRejects.Tally {
    /// The counts above zero, under the JSON name of each kind.
    fileprivate var byWord: [String: Int] {
        let counts = DecodeRejects.kinds.map { ($0.word, self[$0]) }.filter { $0.1 > 0 }
        return Dictionary(uniqueKeysWithValues: counts)
    }
}

extension EventKind? {
    /// The name of the kind in JSON and metrics.
    package var word: String { self?.rawValue ?? "unknown" }
}

extension Double {
    /// The value rounded to a number of decimals: an estimate doesn't need sixteen digits.
    func rounded(to decimals: Int) -> Double {
        var power = 1.0
        for _ in 0..<decimals { power *= 10 }
        return (self * power).rounded() / power
    }
}
