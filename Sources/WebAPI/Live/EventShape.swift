import Collector
import NIOCore
import Store
import Wire

/// The form of the event stream's messages.
enum EventShape: String, CaseIterable, Sendable {
    /// The form of the rest of the API.
    case own
    /// The form of the page of the platform beside which EdgeTick collects: connections as an object by id, one market
    /// event per message.
    case platform

    func connectionStatus(
        _ sample: StatusBoard.Sample, only changed: [ConnectionState]? = nil, removed: [String] = []
    ) -> [UInt8] {
        switch self {
        case .own: WireJSON.bytes(of: ConnectionsJSON(sample, only: changed, removed: removed))
        case .platform: WireJSON.bytes(of: PlatformJSON.connections(sample))
        }
    }

    func metrics(_ sample: StatusBoard.Sample, clients: EventClients, point: History.Point? = nil) -> [UInt8] {
        switch self {
        case .own: WireJSON.bytes(of: StatusJSON(sample, clients: clients.count, point: point))
        case .platform: WireJSON.bytes(of: PlatformJSON.metrics(sample))
        }
    }

    /// `tick_update`: one message for all events, or one per event.
    func ticks(_ events: [StoredEvent], seen: UInt64, of sample: StatusBoard.Sample, place: String) -> ByteBuffer {
        let newest = events.newest(EventBroadcast.eventsPerMessage)
        let ids = sample.connectionIDs
        switch self {
        case .own:
            return ServerSentEvent.message(
                .tick, place: place, data: WireJSON.bytes(of: TickUpdateJSON(newest, seen: seen, ids: ids)))
        case .platform:
            var messages = ByteBuffer()
            for event in newest {
                let data = WireJSON.bytes(of: PlatformJSON.Tick(event, connection: ids[event.connection]))
                messages.writeImmutableBuffer(ServerSentEvent.message(.tick, place: place, data: data))
            }
            return messages
        }
    }
}

extension StatusBoard.Sample {
    /// The ids of the connections by name; events carry only the name.
    var connectionIDs: [String: String] {
        Dictionary(snapshot.connections.map { ($0.name, $0.id) }, uniquingKeysWith: { first, _ in first })
    }
}

extension [StoredEvent] {
    /// At most `limit` events, in order of arrival: the newest of each connection in turn.
    ///
    /// Minute bars arrive in one burst. The newest events overall would all be from the connection that was read last.
    func newest(_ limit: Int) -> [StoredEvent] {
        guard count > limit else { return self }
        var counts: [String: Int] = [:]
        let places = indices.reversed().map { index in
            let newer = counts[self[index].connection, default: 0]
            counts[self[index].connection] = newer + 1
            return (newer: newer, index: index)
        }
        let chosen = places.sorted { ($0.newer, $1.index) < ($1.newer, $0.index) }.prefix(limit)
        return chosen.map(\.index).sorted().map { self[$0] }
    }
}
