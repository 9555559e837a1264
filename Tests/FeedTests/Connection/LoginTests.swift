import Feed
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct LoginTests {
    @Test(arguments: [
        ("auth_failed", FeedError.Reason.keyRefused), ("auth_timeout", .loginTimeout),
        ("max_connections", .connectionLimit), ("slow_consumer", .slowConsumer),
    ])
    func `each answer to the login is told and tried again`(answer: String, reason: FeedError.Reason) async throws {
        let feed = try await ScriptedFeed.start { peer in
            if peer.index < 2 {
                try await peer.login(answer: answer)
                peer.close(1000)
            } else {
                try await peer.stand()
            }
            await peer.untilClosed()
        }
        let rig = Rig()
        try await rig.run(try Rig.configuration(port: feed.port)) { connection in
            try await Waiting.until("connected") { connection.snapshot.status == .connected }
            #expect(connection.snapshot.lastError?.reason == reason)
            #expect(connection.snapshot.errors == 2)
        }
        #expect(rig.log.lines(with: "reason=\(reason.rawValue)").count == 1)
        await feed.stop()
    }

    @Test func `a login that is not answered is given up in time`() async throws {
        let feed = try await ScriptedFeed.start { peer in
            try await peer.login(answer: nil)
            await peer.untilClosed()
        }
        let rig = Rig()
        var configuration = try Rig.configuration(port: feed.port)
        configuration.loginTimeout = .milliseconds(50)
        configuration.closeTimeout = .milliseconds(20)
        try await rig.run(configuration) { connection in
            try await Waiting.until("the failure") { connection.snapshot.lastError?.reason == .loginTimeout }
        }
        await feed.stop()
    }

    @Test func `max_connections after a while gives way and comes back`() async throws {
        let feed = try await ScriptedFeed.start { peer in
            try await peer.stand()
            peer.trade(peer.index)
            if peer.index == 0 {
                peer.status("max_connections", "Maximum number of websocket connections exceeded.")
                peer.close(1000)
            }
            await peer.untilClosed()
        }
        let rig = Rig()
        try await rig.run(try Rig.configuration(port: feed.port)) { connection in
            try await Waiting.until("back") { rig.sink.prices == [0, 1] }
            #expect(connection.snapshot.lastError?.reason == .connectionLimit)
        }
        await feed.stop()
    }
}
