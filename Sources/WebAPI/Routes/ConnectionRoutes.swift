import Collector
import Feed
import HTTPTypes
import Hummingbird
import MarketData
import Universe

/// Connections, their symbols, and changes to both while running.
struct ConnectionRoutes: Sendable {
    /// The body of a change of subscriptions.
    struct SubscriptionBody: Decodable {
        var symbols: [String]
        var connection: String?
    }

    /// The body of a new connection.
    struct ConnectionBody: Decodable {
        var name: String?
        var universe_key: String?
        var symbols: [String]?
        var priority: Int?
    }

    let source: any CollectorSource
    let board: StatusBoard
    let body: BodyReader
    let actions: BoundedCalls

    var routes: [Route] {
        let one = "/api/websocket/connections/{id}"
        let subscriptions = "/api/websocket/subscriptions"
        return [
            Route(method: .get, path: "/api/websocket/connections", access: .data, answer: list),
            Route(method: .get, path: one, access: .data, answer: show),
            Route(method: .post, path: one, access: .guarded, answer: add),
            Route(method: .delete, path: one, access: .guarded, answer: remove),
            Route(method: .get, path: one + "/tickers", access: .data, answer: tickers),
            Route(method: .post, path: "/api/websocket/rebalance", access: .guarded, answer: rebalance),
            Route(method: .post, path: subscriptions, access: .guarded, answer: subscribe),
            Route(method: .delete, path: subscriptions, access: .guarded, answer: unsubscribe),
            Route(method: .get, path: "/api/admin/websocket-status", access: .data, answer: adminStatus),
        ]
    }

    @Sendable private func list(_ call: Call) async throws -> Response {
        _ = try call.query()
        let sample = board.sample
        return .json { json in
            json.array("connections") { json in
                for connection in sample.snapshot.connections {
                    json.element { StatusJSON.connection(connection, in: sample, to: &$0) }
                }
            }
            json.field("timestamp", milliseconds: sample.time)
        }
    }

    @Sendable private func show(_ call: Call) async throws -> Response {
        _ = try call.query()
        let sample = board.sample
        let connection = try connection(call.parameter("id"), in: sample)
        return .json { StatusJSON.connection(connection, in: sample, to: &$0) }
    }

    @Sendable private func tickers(_ call: Call) async throws -> Response {
        _ = try call.query()
        let sample = board.sample
        let connection = try connection(call.parameter("id"), in: sample)
        guard let tickers = source.tickers(of: connection.id) else { throw unknown(connection.id, in: sample) }
        let confirmed = Set(tickers.confirmed)
        let refused = Set(tickers.refused)
        return .json { json in
            json.field("id", connection.id)
            json.field("name", connection.name)
            json.field("takes_all", tickers.takesAll)
            json.field("count", tickers.assigned.count)
            json.field("confirmed_count", tickers.confirmed.count)
            json.field("tickers", symbols: tickers.assigned)
            json.field(
                "unconfirmed", symbols: tickers.assigned.filter { !confirmed.contains($0) && !refused.contains($0) })
            json.field("refused", symbols: tickers.refused)
        }
    }

    @Sendable private func adminStatus(_ call: Call) async throws -> Response {
        _ = try call.query()
        let sample = board.sample
        let connections = sample.snapshot.connections
        return .json { json in
            json.field("status", "success")
            json.object("data") { json in
                json.field("total_connections", connections.count)
                json.field("connected_count", connections.count { $0.status == .connected })
                json.field("total_ticks_received", sample.snapshot.eventCount)
                json.field("total_errors", sample.snapshot.errorCount)
                json.object("connections") { json in
                    for connection in connections {
                        json.member(connection.id) { StatusJSON.connection(connection, in: sample, to: &$0) }
                    }
                }
            }
            json.field("timestamp", milliseconds: sample.time)
        }
    }

    @Sendable private func rebalance(_ call: Call) async throws -> Response {
        _ = try call.query()
        let source = source
        let moves = try await actions.run("the connections") { () throws(CollectorProblem) in
            try await source.rebalance()
        }
        board.refresh()
        return .json { json in
            json.field("count", moves.count)
            json.array("moved") { json in
                for move in moves {
                    json.element { json in
                        json.field("symbol", move.symbol.description)
                        json.field("from", move.from)
                        json.field("to", move.to)
                    }
                }
            }
        }
    }

    @Sendable private func subscribe(_ call: Call) async throws -> Response {
        try await change(call) { (source, symbols, connection) throws(CollectorProblem) in
            try await source.subscribe(symbols, connection: connection)
        }
    }

    @Sendable private func unsubscribe(_ call: Call) async throws -> Response {
        try await change(call) { (source, symbols, connection) throws(CollectorProblem) in
            try await source.unsubscribe(symbols, connection: connection)
        }
    }

    private func change(
        _ call: Call,
        _ act:
            @escaping @Sendable (any CollectorSource, [Symbol], String?) async throws(CollectorProblem)
            -> SubscriptionChange
    ) async throws -> Response {
        _ = try call.query()
        guard let wanted = try await body.read(SubscriptionBody.self, from: call) else {
            throw Problem(
                .badRequest, "Send {\"symbols\": [\"AAPL\"], \"connection\": \"connection_1\"}; connection is optional."
            )
        }
        let symbols = try symbols(wanted.symbols)
        guard !symbols.isEmpty else { throw Problem.parameter("symbols", "is empty") }
        if let id = wanted.connection { _ = try connection(id, in: board.sample) }
        let source = source
        let change = try await actions.run("the connections") { () throws(CollectorProblem) in
            try await act(source, symbols, wanted.connection)
        }
        board.refresh()
        return .json { json in
            json.field("changed_count", change.changed.values.reduce(0) { $0 + $1.count })
            json.object("changed") { json in
                for (id, symbols) in change.changed.sorted(by: { $0.key < $1.key }) {
                    json.member(id, symbols: symbols)
                }
            }
            json.field("unchanged", symbols: change.unchanged)
        }
    }

    @Sendable private func add(_ call: Call) async throws -> Response {
        _ = try call.query()
        let id = call.parameter("id")
        guard id.utf8.count <= 32, id.hasPrefix("connection_"), let number = Int(id.dropFirst(11)), number > 0 else {
            throw Problem.parameter("id", "must be connection_1, connection_2 and so on")
        }
        let wanted = try await body.read(ConnectionBody.self, from: call)
        if let name = wanted?.name, name.isEmpty || name.utf8.count > 64 {
            throw Problem.parameter("name", "must have 1 to 64 bytes")
        }
        let request = ConnectionRequest(
            name: wanted?.name, universeKey: wanted?.universe_key, symbols: try symbols(wanted?.symbols ?? []),
            priority: wanted?.priority)
        let source = source
        try await actions.run("the connections") { () throws(CollectorProblem) in
            try await source.addConnection(id: id, request)
        }
        let sample = board.refresh()
        let connection = try connection(id, in: sample)
        return .json(status: .created, headers: [.location: "/api/websocket/connections/\(id)"]) { json in
            StatusJSON.connection(connection, in: sample, to: &json)
        }
    }

    @Sendable private func remove(_ call: Call) async throws -> Response {
        _ = try call.query()
        let id = try connection(call.parameter("id"), in: board.sample).id
        let source = source
        let released = try await actions.run("the connections") { () throws(CollectorProblem) in
            try await source.removeConnection(id: id)
        }
        board.refresh()
        return .json { json in
            json.field("id", id)
            json.field("released_count", released.count)
            json.field("released", symbols: released)
        }
    }

    private func connection(_ id: String, in sample: StatusBoard.Sample) throws(Problem) -> ConnectionState {
        guard let connection = sample.snapshot.connections.first(where: { $0.id == id }) else {
            throw unknown(id, in: sample)
        }
        return connection
    }

    private func unknown(_ id: String, in sample: StatusBoard.Sample) -> Problem {
        var problem = Problem(.notFound, "There is no connection \"\(id.prefix(64))\".")
        problem.nearest = sample.snapshot.connections.map(\.id)
        return problem
    }

    private func symbols(_ texts: [String]) throws(Problem) -> [Symbol] {
        var symbols: [Symbol] = []
        var seen: Set<Symbol> = []
        for (index, text) in texts.enumerated() {
            guard let symbol = Symbol(spelled: text) else {
                throw .parameter("symbols.\(index)", "is no symbol the feed could send")
            }
            if seen.insert(symbol).inserted { symbols.append(symbol) }
        }
        return symbols
    }
}
