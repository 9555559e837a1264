package import Collector
import MarketData

/// The relay, with its clients and what was sent: `/api/relay`.
package struct RelayJSON: WireObject {
    package struct Client: WireObject {
        package var id: Int
        package var address: String
        package var agent: String?
        package var is_logged_in: Bool
        package var connected_since_ms: Int64
        package var channels: Int
        package var sample_channels: [String]
        package var events: Int64
        package var bytes: Int64
        package var replayed_events: Int64
        package var waiting_bytes: Int
        package var waiting_events: Int
        package var is_replaying: Bool

        package static let meanings = [
            "agent": "What it calls itself (User-Agent)",
            "channels": "How many it has subscribed to",
            "sample_channels": "Five of them at most",
            "events": "Live events sent",
            "replayed_events": "Events sent out of the buffer",
            "waiting_bytes": "How far it is behind",
            "waiting_events": "How far it is behind",
        ]
    }

    /// The symbols that are collected because clients ask for them.
    package struct OnDemand: WireObject {
        package var maximum: Int
        package var symbols: [String]
        package var refused_channels: [String]

        package static let meanings = [
            "maximum": "RELAY_ON_DEMAND_MAX",
            "symbols": "Those collected only for clients; each until nobody has read it for a minute",
            "refused_channels": "Channels of theirs that the account's plan does not cover",
        ]
    }

    package var host: String
    package var port: Int
    package var is_encrypted: Bool
    package var maximum_clients: Int
    package var clients: [Client]
    package var on_demand: OnDemand?
    package var refused_channels: Int64
    package var connections: Int64
    package var logins_refused: Int64
    package var turned_away: Int64
    package var crowded_out: Int64
    package var slow_clients: Int64
    package var events: Int64
    package var bytes: Int64
    package var replays: Int64
    package var replayed_events: Int64
    package var bar_requests: Int64
    package var overflow_events: Int64
    package var queued_bytes: Int

    package static let meanings = [
        "is_encrypted": "Whether clients connect over TLS",
        "clients": "Those connected now",
        "on_demand": "What is collected because clients ask for it; null without RELAY_ON_DEMAND",
        "refused_channels": "Channels that a client asked for and was refused since the start",
        "connections": "Clients that connected since the start",
        "turned_away": "Clients refused since the start because there were as many as RELAY_MAX_CLIENTS",
        "crowded_out": "Sockets closed since the start, to make room for others while nobody had logged in on them",
        "slow_clients": "Clients closed since the start because they read too slowly",
        "events": "Live events sent since the start, over all clients",
        "replayed_events": "Events sent out of the buffer since the start",
        "bar_requests": "Requests for bars of the REST aggregates answered since the start",
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
                id: reader.id, address: reader.address, agent: reader.agent.map { DisplayText.escaped($0) },
                is_logged_in: reader.isLoggedIn, connected_since_ms: reader.connectedSince, channels: reader.channels,
                sample_channels: reader.sample, events: reader.events, bytes: reader.bytes,
                replayed_events: reader.replayed, waiting_bytes: reader.waitingBytes,
                waiting_events: reader.waitingEvents, is_replaying: reader.isReplaying)
        }
        on_demand = relay.maximumOnDemand.map { maximum in
            OnDemand(
                maximum: maximum, symbols: relay.onDemand.symbols.map(\.description),
                refused_channels: relay.onDemand.refused.map(\.description).sorted())
        }
        refused_channels = relay.channelsRefused
        connections = relay.connections
        logins_refused = relay.loginsRefused
        turned_away = relay.turnedAway
        crowded_out = relay.crowdedOut
        slow_clients = relay.slowReaders
        events = relay.events
        bytes = relay.bytes
        replays = relay.replays
        replayed_events = relay.replayed
        bar_requests = relay.barRequests
        overflow_events = relay.overflowed
        queued_bytes = relay.queuedBytes
    }
}
