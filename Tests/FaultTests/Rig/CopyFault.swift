import Foundation
import TestSupport
import WebAPISupport

/// A way to end a COPY early.
enum CopyEnding: String, CaseIterable, Sendable {
    case immediateStop = "immediate stop of the server"
    case backendKilled = "kill -9 of the session's process"
    case terminated = "pg_terminate_backend"
    case cut = "connection cut"
    case serverKilled = "kill -9 of the server"
}

/// Ends the collector's COPY while the server is executing it.
struct CopyFault {
    /// The result of an attempt.
    enum Result: Equatable {
        /// The server was executing the COPY, and the collector noticed that it ended.
        case hit
        /// No COPY was seen in time, or the collector didn't notice that it ended.
        case missed
    }

    let rig: FaultRig
    let port: Int

    /// Holds the line up until the server reports the COPY, ends that, and releases the line.
    ///
    /// The collector must upload only on request.
    func make(_ ending: CopyEnding) async throws -> Result {
        // A stream that failed while the server was away would wait for its own retry.
        try await Waiting.until(within: .seconds(90)) {
            _ = try? await RawHTTP(port: port).send("POST", "/api/sync")
            return try await state() == "ok"
        }
        // Enough rows to make the COPY longer than what the proxy lets through.
        try await rig.collected(more: 600)
        rig.proxy.set(.holdAfter(bytes: 8000))
        defer { rig.proxy.set(.pass) }
        _ = try await RawHTTP(port: port).send("POST", "/api/sync")
        var sessions: [pid_t] = []
        let deadline = ContinuousClock.now + .seconds(20)
        while sessions.isEmpty {
            guard ContinuousClock.now < deadline else { return .missed }
            sessions = try rig.upstream.copying()
        }
        let cluster = rig.upstream.cluster
        // Looked at from before the fault on: the collector soon tries again, and all may be well by then.
        async let isNoticed = seesFailure(within: .seconds(60))
        switch ending {
        case .immediateStop:
            try cluster.stop(.immediate)
            try cluster.start()
        case .backendKilled: for session in sessions { cluster.killSession(session) }
        case .terminated: try cluster.endSessions(of: rig.upstream.database)
        case .cut: rig.proxy.set(.refuse)
        case .serverKilled:
            try cluster.killServer()
            try await restart(cluster)
        }
        if ending != .cut { rig.proxy.set(.pass) }
        return await isNoticed ? .hit : .missed
    }

    /// Returns whether the collector says in time that its upload fails.
    private func seesFailure(within limit: Duration) async -> Bool {
        (try? await Waiting.until(within: limit) { (try? await state()) == "retrying" }) != nil
    }

    /// Starts a server that was killed; its remains may take a moment to disappear.
    private func restart(_ cluster: PostgresCluster) async throws {
        for _ in 0..<20 {
            if (try? cluster.start()) != nil { return }
            try await Task.sleep(for: .milliseconds(200))
        }
        try cluster.start()
    }

    private func state() async throws -> String? {
        try await RawHTTP(port: port).send("GET", "/api/sync").json["state"] as? String
    }
}
