package import Collector
import Feed

/// All connections with totals: `/api/admin/websocket-status`. Other programs read these names, so neither the names
/// nor the times in Unix seconds may change.
package struct WebsocketStatusJSON: WireObject {
    package struct Totals: WireObject {
        package var total_connections: Int
        package var connected_count: Int
        package var total_ticks_received: Int64
        package var total_errors: Int64
        package var connections: [String: Connection]

        package static let meanings = [
            "total_ticks_received": "Of all connections since the start, removed ones included",
            "total_errors": "Of all connections since the start, removed ones included",
            "connections": "By id",
        ]
    }

    /// A connection: the times that other programs read, and all of ``ConnectionJSON``.
    package struct Connection: WireObject {
        package struct Times: Codable, Sendable {
            package var last_message_time: Double?
            package var last_event_time: Double?
            package var connected_since: Double?
            package var last_error_time: Double?
        }

        package var connection: ConnectionJSON
        package var times: Times

        package static let meanings = ConnectionJSON.meanings.merging([
            "last_message_time": "When anything was last read, in Unix seconds",
            "last_event_time": "When events were last taken, in Unix seconds",
            "connected_since": "When its subscription was confirmed, in Unix seconds",
            "last_error_time": "When the newest failure happened, in Unix seconds",
        ]) { _, new in new }

        init(_ connection: ConnectionJSON) {
            self.connection = connection
            times = Times(
                last_message_time: connection.last_message_ms.map(Self.seconds),
                last_event_time: connection.last_event_ms.map(Self.seconds),
                connected_since: connection.connected_since_ms.map(Self.seconds),
                last_error_time: connection.last_error_ms.map(Self.seconds))
        }

        package init(from decoder: any Decoder) throws {
            connection = try ConnectionJSON(from: decoder)
            times = try Times(from: decoder)
        }

        package func encode(to encoder: any Encoder) throws {
            try connection.encode(to: encoder)
            try times.encode(to: encoder)
        }

        private static func seconds(_ milliseconds: Int64) -> Double { Double(milliseconds) / 1000 }
    }

    package var status: String
    package var data: Totals
    package var timestamp: Double

    package static let meanings = ["status": "Always success", "timestamp": "The time of this state, in Unix seconds"]

    package init(_ sample: StatusBoard.Sample) {
        let connections = sample.snapshot.connections
        status = "success"
        data = Totals(
            total_connections: connections.count, connected_count: connections.count { $0.status == .connected },
            total_ticks_received: sample.snapshot.eventCount, total_errors: sample.snapshot.errorCount,
            connections: Dictionary(
                uniqueKeysWithValues: connections.map { ($0.id, Connection(ConnectionJSON($0, in: sample))) }))
        timestamp = Double(sample.time) / 1000
    }
}
