import Collector
import HTTPTypes
import Hummingbird
import MarketData
import NIOCore
import Wire

/// The state of the collector: status, last hour, upload, relay, fleet, health, metrics.
struct StateRoutes: Sendable {
    let source: any CollectorSource
    let board: StatusBoard
    let clients: EventClients
    let refusals: RefusalCounts
    let actions: BoundedCalls

    var routes: [Route] {
        [
            Route(.get, "/api/status", .data, "status", "The collector's whole state") { _ in
                Reply(StatusJSON(board.sample, clients: clients.count))
            },
            Route(.get, "/api/history", .data, "history", "The last hour, one point every five seconds") { _ in
                Reply(HistoryJSON(board.history.points))
            },
            Route(.get, "/api/sync", .data, "sync", "The state of the upload") { _ in
                Reply(SyncJSON(board.sample.snapshot))
            },
            Route(
                .post, "/api/sync", .data, "pushNow", "Asks the upload to start a pass now", statuses: [202],
                answer: push),
            Route(.get, "/api/relay", .data, "relay", "The relay's clients, and what was sent to them") { _ in
                guard let relay = board.sample.snapshot.relay else {
                    throw Problem(.conflict, slug: "no-relay", "There is no relay: RELAY_PORT is not set.")
                }
                return Reply(RelayJSON(relay))
            },
            Route(.get, "/api/fleet", .data, "fleet", "The boxes that share the database, as last read") { _ in
                guard let view = source.fleet() else {
                    throw Problem(.conflict, slug: "no-upstream", "There is no fleet: DATABASE_URI is not set.")
                }
                return Reply(FleetJSON(view, collector: board.sample.snapshot.collector))
            },
            health("/health/live", "live", "200 while all loops make progress, else 503") { ([$0.loops], $0.isLive) },
            health("/health/ready", "ready", "200 while the collector collects, else 503") { ($0.checks, $0.isReady) },
            Route(
                .get, "/metrics", .data, "metrics", "Prometheus metrics",
                answers: [200: .init(mediaType: "text/plain", schema: .text(Bounds()), meaning: "Text format 0.0.4")],
                answer: metrics),
        ]
    }

    @Sendable private func push(_ call: Call) async throws -> Reply<SyncJSON> {
        guard board.sample.snapshot.sync != nil else {
            throw Problem(.conflict, slug: "no-upstream", "There is no database to upload to: DATABASE_URI is not set.")
        }
        try await actions.run("the upload") { try await source.pushNow() }
        return Reply(SyncJSON(board.refresh().snapshot), status: .accepted)
    }

    private func health(
        _ path: String, _ name: String, _ summary: String,
        _ choose: @escaping @Sendable (Health) -> (checks: [Health.Check], isGood: Bool)
    ) -> Route {
        Route(.get, path, .open, name, summary, statuses: [200, 503]) { call in
            let health = board.sample.health
            let (checks, isGood) = choose(health)
            return Reply(
                HealthJSON(health, checks: checks, showsDetails: call.isAuthorized, at: WallClock.milliseconds()),
                status: isGood ? .ok : .serviceUnavailable)
        }
    }

    @Sendable private func metrics(_ call: Call) async throws -> Response {
        let text = CollectorMetrics.text(
            board.sample, clients: clients.count, dropped: clients.dropped, refusals: refusals.all)
        return Response(
            status: .ok,
            headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8", .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(bytes: text)))
    }
}
