import Collector
import HTTPTypes
import Hummingbird
import MarketData
import NIOCore

/// How everything stands: state, last hour, upload, health, metrics.
struct StateRoutes: Sendable {
    let source: any CollectorSource
    let board: StatusBoard
    let clients: EventClients
    let refusals: RefusalCounts
    let actions: BoundedCalls

    var routes: [Route] {
        [
            Route(method: .get, path: "/api/status", access: .data, answer: status),
            Route(method: .get, path: "/api/history", access: .data, answer: history),
            Route(method: .get, path: "/api/sync", access: .data, answer: sync),
            Route(method: .post, path: "/api/sync", access: .guarded, answer: push),
            Route(method: .get, path: "/health/live", access: .open, answer: live),
            Route(method: .get, path: "/health/ready", access: .open, answer: ready),
            Route(method: .get, path: "/metrics", access: .data, answer: metrics),
        ]
    }

    @Sendable private func status(_ call: Call) async throws -> Response {
        _ = try call.query()
        return .json(StatusJSON.status(board.sample, clients: clients))
    }

    @Sendable private func history(_ call: Call) async throws -> Response {
        _ = try call.query()
        let points = board.history
        return .json { json in
            json.field("interval_seconds", History.interval)
            json.array("points") { json in
                for point in points { json.element { StatusJSON.write(point, to: &$0) } }
            }
        }
    }

    @Sendable private func sync(_ call: Call) async throws -> Response {
        _ = try call.query()
        let sample = board.sample
        return .json { json in
            StatusJSON.sync(sample.snapshot, to: &json)
            json.field("timestamp", milliseconds: sample.time)
        }
    }

    @Sendable private func push(_ call: Call) async throws -> Response {
        _ = try call.query()
        guard board.sample.snapshot.sync.isConfigured else {
            throw Problem(.conflict, slug: "no-upstream", "There is no upstream to push to: DATABASE_URI is not set.")
        }
        let source = source
        try await actions.run("the upload") { () throws(CollectorProblem) in try await source.pushNow() }
        let sample = board.refresh()
        return .json(status: .accepted) { json in
            StatusJSON.sync(sample.snapshot, to: &json)
            json.field("timestamp", milliseconds: sample.time)
        }
    }

    @Sendable private func live(_ call: Call) async throws -> Response {
        _ = try call.query()
        let health = board.sample.health
        return .json(status: health.isLive ? .ok : .serviceUnavailable) { json in
            StatusJSON.checks([health.loops], showsDetails: call.isAuthorized, to: &json)
            json.field("timestamp", milliseconds: WallClock.milliseconds())
        }
    }

    @Sendable private func ready(_ call: Call) async throws -> Response {
        _ = try call.query()
        let health = board.sample.health
        return .json(status: health.isReady ? .ok : .serviceUnavailable) { json in
            StatusJSON.checks(health.checks, showsDetails: call.isAuthorized, to: &json)
            json.field("timestamp", milliseconds: WallClock.milliseconds())
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
