import Collector
import HTTPTypes
import Hummingbird
import MarketData
import NIOCore
import ServiceLifecycle
import Wire

/// The live stream of server-sent events.
extension EventBroadcast {
    private static let types = Parameters.words("types", "Only these messages", of: EventName.self)
    private static let symbols = Parameters.symbols("symbol", "Only events of these symbols", atMost: 100)
    private static let shape = Parameters.word(
        "shape", "own, or platform: connections as an object by id, one market event per message", of: EventShape.self)
    private static let kinds = Parameters.words("kind", "Only these kinds of events", of: EventKind.self)

    var routes: [Route] {
        let stream = Route.Content(
            mediaType: "text/event-stream", schema: .text(Bounds()),
            meaning: "connection_status_update holds Connections, tick_update TickUpdate, metrics_update Status, and "
                + "messages_dropped MessagesDropped; send the last id as Last-Event-ID to get missed events that memory "
                + "still has")
        return [
            Route(
                .get, "/api/events", .data, "events",
                "Live server-sent events: " + EventName.allCases.map(\.rawValue).joined(separator: ", "),
                parameters: [Self.types, Self.symbols, Self.kinds, Self.shape], answers: [200: stream], answer: events)
        ]
    }

    @Sendable private func events(_ call: Call) async throws -> Response {
        let filter = EventClient.Filter(
            names: try call.value(of: Self.types), symbols: try call.value(of: Self.symbols),
            kinds: try call.value(of: Self.kinds), shape: try call.value(of: Self.shape) ?? .own)
        let headers: HTTPFields = [.contentType: "text/event-stream", .cacheControl: "no-store"]
        guard call.request.method != .head else { return Response(status: .ok, headers: headers) }
        let channel = call.channel
        let client = EventClient(filter: filter) { channel.close(promise: nil) }
        guard let seat = clients.add(client) else {
            throw Problem.busy(
                "\(clients.limit) readers already follow the event stream. Close one, or try again later.")
        }
        let opening = opening(for: filter, since: call.request.headers[.lastEventID], before: seat.first)
        return Response(
            status: .ok, headers: headers,
            body: ResponseBody { writer in
                defer { withExtendedLifetime(seat) {} }
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
                    // A reader that doesn't read must not hold up the shutdown.
                    channel.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
                }
            })
    }

    /// The messages that a reader gets at once: the current state, and the events that it missed.
    private func opening(
        for filter: EventClient.Filter, since last: String?, before nextEvent: UInt64
    ) -> [ByteBuffer] {
        let sample = board.sample
        let place = EventPlace(run: runID, next: nextEvent).text
        var messages = [ServerSentEvent.retry]
        if filter.takes(.connectionStatus) {
            let data = filter.shape.connectionStatus(sample)
            messages.append(ServerSentEvent.message(.connectionStatus, place: place, data: data))
        }
        if filter.takes(.metrics) {
            let data = filter.shape.metrics(sample, clients: clients)
            messages.append(ServerSentEvent.message(.metrics, place: place, data: data))
        }
        if filter.takes(.tick), let last = last.flatMap({ EventPlace($0) }), last.run == runID, last.next < nextEvent {
            let held = tap.view(after: last.next)
            let missed = held.events.dropLast(Int(clamping: held.end - nextEvent)).filter(filter.takes)
            if !missed.isEmpty {
                messages.append(filter.shape.ticks(missed, seen: nextEvent - last.next, of: sample, place: place))
            }
        }
        return messages
    }

    private static func dropped(_ count: Int) -> ByteBuffer {
        ByteBuffer(string: "event: messages_dropped\ndata: \(WireJSON.text(of: MessagesDroppedJSON(count: count)))\n\n")
    }
}

extension HTTPField.Name {
    fileprivate static let lastEventID = HTTPField.Name("Last-Event-ID") ?? .ifMatch
}
