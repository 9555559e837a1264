import Collector
import Feed
import NIOCore
import ServiceLifecycle
import Store

/// Keeps the last hour's points and sends messages to the readers of the event stream, twice a second.
struct EventBroadcast: Service {
    /// The most market events in one message; the newest are sent.
    static let eventsPerMessage = 60
    /// A reader that takes no message for this long is disconnected.
    static let patience = Duration.seconds(30)

    let board: StatusBoard
    let tap: EventTap
    let clients: EventClients
    /// Distinguishes this run's event numbers from those of other runs.
    let runID: String
    /// The time between two messages.
    let beat: Duration

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var round = Round()
            var next = ContinuousClock.now
            while !Task.isCancelled {
                send(&round)
                // After a pause of the process, missed beats are not made up for.
                next = max(next + beat, .now)
                try? await Task.sleep(until: next, clock: .continuous)
            }
        }
    }

    struct Round {
        var statuses: [String: FeedConnectionStatus] = [:]
        var sentThrough: UInt64 = 0
        var seen: UInt64 = 0
        var lastPoint: ContinuousClock.Instant?
    }

    func send(_ round: inout Round) {
        let sample = board.sample
        let view = tap.view(after: round.sentThrough)
        let readers = clients.advance(through: view.end)
        let place = EventPlace(run: runID, next: view.end).text
        func offer(_ name: EventName, _ data: (EventShape) -> [UInt8]) {
            for shape in EventShape.allCases {
                let takers = readers.filter { $0.filter.shape == shape && $0.filter.takes(name) }
                guard !takers.isEmpty else { continue }
                let message = ServerSentEvent.message(name, place: place, data: data(shape))
                for reader in takers { clients.offer(message, to: reader) }
            }
        }

        let statuses = Dictionary(
            sample.snapshot.connections.map { ($0.id, $0.status) }, uniquingKeysWith: { first, _ in first })
        if statuses != round.statuses {
            let changed = sample.snapshot.connections.filter { round.statuses[$0.id] != $0.status }
            let removed = round.statuses.keys.filter { statuses[$0] == nil }.sorted()
            if !readers.isEmpty {
                offer(.connectionStatus) { $0.connectionStatus(sample, only: changed, removed: removed) }
                // Health and the like may have changed with it, so don't wait for the next point.
                if !round.statuses.isEmpty { offer(.metrics) { $0.metrics(sample, clients: clients) } }
            }
            round.statuses = statuses
        }
        offerEvents(view, seen: view.seen - round.seen, of: sample, place: place, to: readers)
        round.sentThrough = view.end
        round.seen = view.seen

        if round.lastPoint.map({ sample.instant - $0 >= .seconds(History.interval) - beat / 2 }) ?? true {
            round.lastPoint = sample.instant
            let point = board.remember()
            offer(.metrics) { $0.metrics(sample, clients: clients, point: point) }
            // Readers without metrics get a heartbeat just as often: they see that the stream is alive, and a closed
            // socket is noticed.
            for reader in readers where !reader.filter.takes(.metrics) {
                clients.offer(ServerSentEvent.heartbeat, to: reader)
            }
        }
        for reader in readers where sample.instant - reader.lastTaken > Self.patience { reader.cut() }
    }

    /// Sends the newest market events; readers without a filter share one message.
    private func offerEvents(
        _ view: EventTap.View, seen: UInt64, of sample: StatusBoard.Sample, place: String, to readers: [EventClient]
    ) {
        guard !view.events.isEmpty else { return }
        var shared: [EventShape: ByteBuffer] = [:]
        for reader in readers where reader.filter.takes(.tick) {
            let message: ByteBuffer
            let shape = reader.filter.shape
            if reader.filter.takesEveryEvent {
                message = shared[shape] ?? shape.ticks(view.events, seen: seen, of: sample, place: place)
                shared[shape] = message
            } else {
                let events = view.events.filter(reader.filter.takes)
                guard !events.isEmpty else { continue }
                message = shape.ticks(events, seen: UInt64(events.count), of: sample, place: place)
            }
            clients.offer(message, to: reader)
        }
    }
}
