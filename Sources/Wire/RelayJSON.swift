package import Collector

/// The relay: who reads, and what was sent: `/api/relay`.
package struct RelayJSON: WireObject {
    /// A program that reads.
    package struct Client: WireObject {
        package var id: Int
        package var address: String
        package var is_logged_in: Bool
        package var connected_since_ms: Int64
        package var channels: Int
        package var sample_channels: [String]
        package var events: Int64
        package var bytes: Int64
        package var replayed_events: Int64
        package var waiting_bytes: Int
        package var is_replaying: Bool

        package static let meanings = [
            "channels": "How many it has subscribed to",
            "sample_channels": "Five of them at most",
            "events": "Live events sent",
            "replayed_events": "Events sent out of the buffer",
            "waiting_bytes": "How far it is behind",
        ]
    }

    package var host: String
    package var port: Int
    package var is_encrypted: Bool
    package var maximum_clients: Int
    package var clients: [Client]
    package var connections: Int64
    package var logins_refused: Int64
    package var turned_away: Int64
    package var slow_clients: Int64
    package var events: Int64
    package var bytes: Int64
    package var replays: Int64
    package var replayed_events: Int64
    package var overflow_events: Int64
    package var queued_bytes: Int

    package static let meanings = [
        "is_encrypted": "Whether clients come over TLS",
        "clients": "Those connected now",
        "connections": "Clients that connected since the start",
        "turned_away": "Clients refused since the start because there were as many as RELAY_MAX_CLIENTS",
        "slow_clients": "Clients closed since the start because they read too slowly",
        "events": "Live events sent since the start, over all clients",
        "replayed_events": "Events sent out of the buffer since the start",
        "overflow_events": "Events thrown away since the start because the relay fell behind; its clients were closed",
        "queued_bytes": "Bytes of events that wait for the relay's thread",
    ]

    package init(_ relay: RelayState) {
        host = relay.host
        port = relay.port
        is_encrypted = relay.isEncrypted
        maximum_clients = relay.maximumReaders
        clients = relay.readers.map { reader in
            Client(
                id: reader.id, address: reader.address, is_logged_in: reader.isLoggedIn,
                connected_since_ms: reader.connectedSince, channels: reader.channels, sample_channels: reader.sample,
                events: reader.events, bytes: reader.bytes, replayed_events: reader.replayed,
                waiting_bytes: reader.waitingBytes, is_replaying: reader.isReplaying)
        }
        connections = relay.connections
        logins_refused = relay.loginsRefused
        turned_away = relay.turnedAway
        slow_clients = relay.slowReaders
        events = relay.events
        bytes = relay.bytes
        replays = relay.replays
        replayed_events = relay.replayed
        overflow_events = relay.overflowed
        queued_bytes = relay.queuedBytes
    }
}
