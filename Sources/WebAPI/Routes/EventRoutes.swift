import Collector
import HTTPTypes
import Hummingbird
import MarketData
import NIOCore
import ServiceLifecycle

/// The live stream of server-sent events.
struct EventRoutes: Sendable {
    let board: StatusBoard
    let tap: EventTap
    let clients: EventClients
    let runID: String

    var routes: [Route] {
        [Route(method: .get, path: "/api/events", access: .guarded, answer: events)]
    }

    @Sendable private func events(_ call: Call) async throws -> Response {
        let query = try call.query("symbol", "kind", "types")
        let filter = EventClient.Filter(
            names: try query.words("types", of: EventName.self),
            symbols: try query.symbols("symbol", atMost: 100), kinds: try query.words("kind", of: EventKind.self))
        let headers: HTTPFields = [.contentType: "text/event-stream", .cacheControl: "no-store"]
        guard call.request.method != .head else { return Response(status: .ok, headers: headers) }
        let channel = call.channel
        let client = EventClient(filter: filter) { channel.close(promise: nil) }
        guard let place = clients.add(client) else {
            throw Problem.busy(
                "\(clients.limit) readers follow the event stream already. Close one, or try again later.")
        }
        let opening = opening(for: filter, since: call.request.headers[.lastEventID], before: place.nextEvent)
        return Response(
            status: .ok, headers: headers,
            body: ResponseBody { writer in
                defer { clients.remove(place.key) }
                try await withGracefulShutdownHandler {
                    try await writer.write(contentsOf: opening)
                    for await message in client.messages {
                        let dropped = client.took()
                        if dropped > 0 { try await writer.write(Self.dropped(dropped)) }
                        try await writer.write(message)
                    }
                    try await writer.finish(nil)
                } onGracefulShutdown: {
                    client.finish()
                    // A reader that does not read must not hold up the end.
                    channel.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
                }
            })
    }

    /// What a reader gets at once: how everything stands, and what it missed.
    private func opening(
        for filter: EventClient.Filter, since last: String?, before nextEvent: UInt64
    ) -> [ByteBuffer] {
        let sample = board.sample
        let place = EventPlace(run: runID, next: nextEvent).text
        var messages = [ServerSentEvent.retry]
        if filter.takes(.connectionStatus) {
            let data = StatusJSON.connectionUpdate(sample, connections: sample.snapshot.connections)
            messages.append(ByteBuffer(event: .connectionStatus, place: place, data: data))
        }
        if filter.takes(.metrics) {
            let data = StatusJSON.status(sample, clients: clients)
            messages.append(ByteBuffer(event: .metrics, place: place, data: data))
        }
        if filter.takes(.tick), let last = last.flatMap({ EventPlace($0) }), last.run == runID, last.next < nextEvent {
            let held = tap.view(after: last.next)
            let missed = held.events.dropLast(Int(clamping: held.end - nextEvent)).filter(filter.takes)
            if !missed.isEmpty {
                messages.append(
                    EventBroadcast.message(missed, seen: nextEvent - last.next, place: place))
            }
        }
        return messages
    }

    private static func dropped(_ count: Int) -> ByteBuffer {
        ByteBuffer(string: "event: messages_dropped\ndata: {\"count\":\(count)}\n\n")
    }
}

extension HTTPField.Name {
    fileprivate static let lastEventID = HTTPField.Name("Last-Event-ID") ?? .ifMatch
}
