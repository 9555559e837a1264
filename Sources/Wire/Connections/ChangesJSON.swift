package import Collector
package import Feed
package import MarketData

/// The body of `POST` and `DELETE /api/websocket/subscriptions`.
package struct SubscriptionRequestJSON: WireObject {
    package var symbols: [String]
    package var connection: String?

    package static let meanings = [
        "connection": "An id; if left out, the strategy chooses one, and a removal applies to all that have the symbols"
    ]
    package static let bounds = ["symbols": Bounds(minimum: 1)]
}

/// The body of `POST /api/websocket/connections/{id}`.
package struct ConnectionRequestJSON: WireObject {
    package var name: String?
    package var universe_key: String?
    package var symbols: [String]?
    package var priority: Int?

    package static let meanings = [
        "name": "The id if left out", "symbols": "Used if no key is given", "priority": "1 comes first",
    ]
    package static let bounds = [
        "name": Bounds(1...CollectorName.maximumLength), "priority": Bounds(ConnectionRequest.priorities),
    ]
}

/// The result of a change of subscriptions.
package struct SubscriptionChangeJSON: WireObject {
    package var changed_count: Int
    package var changed: [String: [String]]
    package var unchanged: [String]
    package var without_room: [String]

    package static let meanings = [
        "changed": "Symbols by connection id", "unchanged": "Symbols that already were as requested",
        "without_room": "Symbols that were not added, because no connection has room for them",
    ]

    package init(_ change: SubscriptionChange) {
        changed_count = change.changed.values.reduce(0) { $0 + $1.count }
        changed = change.changed.mapValues { $0.map(\.description) }
        unchanged = change.unchanged.map(\.description)
        without_room = change.withoutRoom.map(\.description)
    }
}

/// A connection that was removed: `DELETE /api/websocket/connections/{id}`.
package struct RemovedConnectionJSON: WireObject {
    package var id: String
    package var released_count: Int
    package var released: [String]

    package static let meanings = ["released": "Symbols that no connection collects any more"]

    package init(id: String, released: [Symbol]) {
        self.id = id
        released_count = released.count
        self.released = released.map(\.description)
    }
}

/// The moves made by rebalancing: `POST /api/websocket/rebalance`.
package struct RebalanceJSON: WireObject {
    package struct Move: WireObject {
        package var symbol: String
        package var from: String
        package var to: String

        package static let meanings = ["from": "A connection's id", "to": "A connection's id"]
    }

    package var count: Int
    package var moved: [Move]

    package init(_ moves: [SetMove]) {
        count = moves.count
        moved = moves.map { Move(symbol: $0.symbol.description, from: $0.from, to: $0.to) }
    }
}

/// The connections that collect a symbol, and why: `/api/websocket/symbols/{symbol}`.
package struct PlacementJSON: WireObject {
    /// A connection that collects the symbol.
    package struct Place: WireObject {
        package var id: String
        package var name: String
        package var is_confirmed: Bool
        package var is_refused: Bool

        package static let meanings = ["is_refused": "Whether the feed's plan doesn't cover it"]
    }

    /// Why the symbol is collected.
    package struct Reason: WireObject {
        package var origin: SymbolWish.Origin
        package var connection: String?
        package var from: SymbolSourceJSON.Origin
        package var key: String?

        package static let meanings = [
            "origin": "Who asked", "connection": "An id, or a removed connection's name; null where any would do",
            "key": "The universe key, if one names it",
        ]

        init(_ reason: SymbolPlacement.Reason) {
            switch reason {
            case .assignment(let assignment):
                origin = assignment.wish.origin
                connection = assignment.wish.connection
                (from, key) = SymbolSourceJSON.Origin.of(assignment.source)
            case .single(let origin, let connection):
                (self.origin, self.connection, from) = (origin, connection, .subscription)
            case .left(let name, let origin):
                (self.origin, connection, from) = (origin, name, .removed_connection)
            }
        }
    }

    package var symbol: String
    package var is_confirmed: Bool
    package var connections: [Place]
    package var reasons: [Reason]

    package static let meanings = [
        "is_confirmed": "Whether the subscription is confirmed on a connection",
        "connections": "Empty while no connection has room",
    ]

    package init(_ placement: SymbolPlacement) {
        symbol = placement.symbol.description
        is_confirmed = placement.places.contains(where: \.isConfirmed)
        connections = placement.places.map {
            Place(id: $0.connection, name: $0.name, is_confirmed: $0.isConfirmed, is_refused: $0.isRefused)
        }
        reasons = placement.reasons.map(Reason.init)
    }
}
