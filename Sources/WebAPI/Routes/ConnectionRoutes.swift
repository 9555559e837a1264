import Collector
import Feed
import HTTPTypes
import Hummingbird
import MarketData
import Universe
import Wire

/// Connections, their symbols, and changes to both at run time.
struct ConnectionRoutes: Sendable {
    /// The id of a connection that may exist.
    private static let known = Parameters.part("id", "connection_1 and so on", atMost: 64)
    /// The id of a connection to add.
    private static let new = Parameter<String>(
        name: "id", place: .path, meaning: "connection_1 and so on",
        schema: .text(Bounds(maximum: 29, pattern: "^connection_[1-9][0-9]{0,17}$")), standard: nil,
        fault: "must be connection_1, connection_2 and so on",
        read: { text in
            guard text.utf8.count <= 29, text.hasPrefix("connection_"), text.dropFirst(11).first != "0",
                text.dropFirst(11).utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }), text.count > 11
            else { return nil }
            return text
        })

    let source: any CollectorSource
    let board: StatusBoard
    let body: BodyReader
    let actions: BoundedCalls

    var routes: [Route] {
        let one = "/api/websocket/connections/{id}"
        let subscriptions = "/api/websocket/subscriptions"
        let change = Route.Body(schema: .of(SubscriptionRequestJSON.self), isRequired: true)
        return [
            Route(.get, "/api/websocket/connections", .data, "connections", "All connections") { _ in
                Reply(ConnectionsJSON(board.sample))
            },
            Route(.get, one, .data, "connection", "One connection", parameters: [Self.known]) { call in
                let sample = board.sample
                return Reply(ConnectionJSON(try connection(call.value(of: Self.known), in: sample), in: sample))
            },
            Route(
                .post, one, .data, "addConnection", "Adds a connection; the change lasts until restart",
                parameters: [Self.new],
                body: Route.Body(schema: .of(ConnectionRequestJSON.self), isRequired: false), statuses: [201],
                answer: add),
            Route(
                .delete, one, .data, "removeConnection", "Removes a connection; the change lasts until restart",
                parameters: [Self.known], answer: remove),
            Route(
                .get, one + "/tickers", .data, "tickers", "A connection's symbols", parameters: [Self.known]
            ) { call in
                Reply(TickersJSON(try connection(call.value(of: Self.known), in: board.sample)))
            },
            Route(
                .post, "/api/websocket/rebalance", .data, "rebalance", "Moves symbols so that the load is even",
                answer: rebalance),
            Route(
                .post, subscriptions, .data, "subscribe", "Adds symbols; the change lasts until restart",
                body: change
            ) { call in
                try await self.change(call) { try await source.subscribe($0, connection: $1) }
            },
            Route(
                .delete, subscriptions, .data, "unsubscribe", "Removes symbols; the change lasts until restart",
                body: change
            ) { call in
                try await self.change(call) { try await source.unsubscribe($0, connection: $1) }
            },
            Route(.get, "/api/admin/websocket-status", .data, "adminStatus", "All connections with totals") { _ in
                Reply(WebsocketStatusJSON(board.sample))
            },
        ]
    }

    @Sendable private func rebalance(_ call: Call) async throws -> Reply<RebalanceJSON> {
        let moves = try await actions.run("the connections") { try await source.rebalance() }
        board.refresh()
        return Reply(RebalanceJSON(moves))
    }

    private func change(
        _ call: Call, _ act: @escaping @Sendable ([Symbol], String?) async throws -> SubscriptionChange
    ) async throws -> Reply<SubscriptionChangeJSON> {
        guard let wanted = try await body.read(SubscriptionRequestJSON.self, from: call) else {
            throw Problem(
                .badRequest, "Send {\"symbols\": [\"AAPL\"], \"connection\": \"connection_1\"}; connection is optional."
            )
        }
        let symbols = try symbols(wanted.symbols)
        guard !symbols.isEmpty else { throw Problem.parameter("symbols", "is empty") }
        if let id = wanted.connection { _ = try connection(id, in: board.sample) }
        let change = try await actions.run("the connections") { try await act(symbols, wanted.connection) }
        board.refresh()
        return Reply(SubscriptionChangeJSON(change))
    }

    @Sendable private func add(_ call: Call) async throws -> Reply<ConnectionJSON> {
        let id = try call.value(of: Self.new)
        let wanted = try await body.read(ConnectionRequestJSON.self, from: call)
        if let name = wanted?.name, name.isEmpty || name.utf8.count > CollectorName.maximumLength {
            throw Problem.parameter("name", "must have 1 to \(CollectorName.maximumLength) bytes")
        }
        let priorities = ConnectionRequest.priorities
        if let priority = wanted?.priority, !priorities.contains(priority) {
            throw Problem.parameter("priority", "must be from \(priorities.lowerBound) to \(priorities.upperBound)")
        }
        let request = ConnectionRequest(
            name: wanted?.name, universeKey: wanted?.universe_key, symbols: try symbols(wanted?.symbols ?? []),
            priority: wanted?.priority)
        try await actions.run("the connections") { try await source.addConnection(id: id, request) }
        let sample = board.refresh()
        return Reply(
            ConnectionJSON(try connection(id, in: sample), in: sample), status: .created,
            headers: [.location: "/api/websocket/connections/\(id)"])
    }

    @Sendable private func remove(_ call: Call) async throws -> Reply<RemovedConnectionJSON> {
        let id = try connection(call.value(of: Self.known), in: board.sample).id
        let released = try await actions.run("the connections") { try await source.removeConnection(id: id) }
        board.refresh()
        return Reply(RemovedConnectionJSON(id: id, released: released))
    }

    private func connection(_ id: String, in sample: StatusBoard.Sample) throws(Problem) -> ConnectionState {
        guard let connection = sample.snapshot.connections.first(where: { $0.id == id }) else {
            throw Problem(
                .notFound, "There is no connection \"\(id.prefix(64))\".",
                nearest: sample.snapshot.connections.map(\.id))
        }
        return connection
    }

    private func symbols(_ texts: [String]) throws(Problem) -> [Symbol] {
        var symbols: [Symbol] = []
        var seen: Set<Symbol> = []
        for (index, text) in texts.enumerated() {
            guard let symbol = Symbol(spelled: text) else {
                throw .parameter("symbols.\(index)", Parameters.symbolFault)
            }
            if seen.insert(symbol).inserted { symbols.append(symbol) }
        }
        return symbols
    }
}
