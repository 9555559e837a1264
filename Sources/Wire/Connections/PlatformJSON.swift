package import Collector
import Feed
import MarketData
package import Store

/// The event stream in the form of the platform's page (`/api/events?shape=platform`), with that page's own names:
/// connections by id, times in Unix seconds. EdgeTick collects beside that platform.
package enum PlatformJSON {
    /// The counts of one connection; `metrics_update` has them by the connection's id.
    package struct Counts: Encodable, Sendable {
        package var message_count: Int64
        package var error_count: Int64
        package var messages_per_second: Double

        package init(_ connection: ConnectionState) {
            message_count = connection.messageCount
            error_count = connection.errorCount
            messages_per_second = connection.member.eventsPer5Seconds.rounded(to: 2)
        }
    }

    package struct Connection: Encodable, Sendable {
        package var name: String
        package var status: String
        package var universe_key: String?
        package var symbols: [String]
        package var assigned_tickers: Int
        package var last_message_time: Double?
        package var message_count: Int64
        package var error_count: Int64
        package var messages_per_second: Double

        init(_ connection: ConnectionState) {
            let wish = connection.assignment?.wish
            let counts = Counts(connection)
            name = connection.name
            status = connection.status == .connecting ? "disconnected" : connection.status.rawValue
            universe_key = wish?.universeKey
            symbols = (wish?.list ?? "").split(separator: ",").map { String($0) }
            assigned_tickers = connection.feed.assigned.count
            last_message_time = connection.feed.lastMessage.map { Double($0) / 1000 }
            message_count = counts.message_count
            error_count = counts.error_count
            messages_per_second = counts.messages_per_second
        }
    }

    /// `connection_status_update`: always all connections, since the page takes one that is missing for disconnected.
    package static func connections(_ sample: StatusBoard.Sample) -> [String: [String: Connection]] {
        ["connections": byID(sample, Connection.init)]
    }

    /// `metrics_update`: the counts by connection.
    package static func metrics(_ sample: StatusBoard.Sample) -> [String: Counts] { byID(sample, Counts.init) }

    private static func byID<Value>(
        _ sample: StatusBoard.Sample, _ value: (ConnectionState) -> Value
    ) -> [String: Value] {
        Dictionary(sample.snapshot.connections.map { ($0.id, value($0)) }, uniquingKeysWith: { first, _ in first })
    }

    /// `tick_update`: one market event.
    package struct Tick: Encodable, Sendable {
        package var connection_id: String?
        package var symbol: String
        package var event_type: String
        package var timestamp: Double
        package var price: Double?
        package var volume: Double?

        package init(_ event: StoredEvent, connection id: String?) {
            connection_id = id
            symbol = event.symbol.description
            event_type = event.kind.rawValue
            timestamp = Double(event.time) / 1000
            switch event.event {
            case .bar(let bar): (price, volume) = (bar.close, bar.volume)
            case .trade(let trade): (price, volume) = (trade.price, trade.size)
            case .quote(let quote): (price, volume) = (quote.bid ?? quote.ask, quote.bidSize)
            case .limitBand(let band): (price, volume) = (band.high ?? band.low, nil)
            case .imbalance(let event): (price, volume) = (event.clearingPrice, event.imbalance)
            case .fairValue(let event): (price, volume) = (event.value, nil)
            }
        }
    }
}
