import MarketData
import Testing

@testable import Feed

@Suite(.timeLimit(.minutes(3))) struct FeedStateMachineTests {
    @Test func `connects, greets, logs in, subscribes, stands`() throws {
        var feed = try MachineDriver(["A", "B"])
        #expect(feed.machine.status == .disconnected)
        #expect(feed.at(0) { $0.start($1) } == ["connect"])
        #expect(feed.machine.status == .connecting && feed.machine.deadline == .seconds(10))
        #expect(feed.at(1) { $0.opened($1) } == ["note opened"])
        #expect(feed.status("connected", at: 1) == ["login"])
        #expect(
            feed.status("auth_success", at: 2) == [
                "note loggedIn", "note subscribing(channels: 2, messages: 1)",
                #"send {"action":"subscribe","params":"T.A,T.B"}"#,
            ])
        #expect(feed.confirm("T.A", at: 2) == [])
        #expect(feed.machine.status == .connecting)
        #expect(feed.confirm("T.B", at: 3) == ["note connected(confirmed: 2, wanted: 2)"])
        #expect(feed.machine.status == .connected)
        #expect(feed.machine.connectedSince?.wall == 1_000_003_000)
    }

    @Test func `each deadline before the login ends the attempt`() throws {
        var dialling = try MachineDriver()
        _ = dialling.at(0) { $0.start($1) }
        #expect(dialling.tick(at: 9.9) == [])
        #expect(dialling.tick(at: 10) == ["abandon"])
        #expect(dialling.closed(at: 10) == ["fault connectTimeout retry 5.0 seconds"])
        #expect(dialling.machine.status == .disconnected)
        #expect(dialling.tick(at: 15) == ["connect"])

        for greeted in [false, true] {
            var silent = try MachineDriver()
            _ = silent.at(0) { $0.start($1) }
            _ = silent.at(1) { $0.opened($1) }
            if greeted { _ = silent.status("connected", at: 1) }
            #expect(silent.tick(at: 21) == ["close 1000"])
            #expect(silent.tick(at: 23) == ["abandon"])
            #expect(silent.closed(at: 23) == ["fault loginTimeout retry 5.0 seconds"])
        }
    }

    @Test(arguments: [
        ("auth_failed", "keyRefused", 60.0, FeedConnectionStatus.error, "MASSIVE_API_KEY"),
        ("auth_timeout", "loginTimeout", 5, .disconnected, "too late"),
        ("max_connections", "connectionLimit", 120, .error, "another client uses the key in MASSIVE_API_KEY"),
        ("slow_consumer", "slowConsumer", 5, .disconnected, "fewer symbols"),
    ])
    func `each error status has its own treatment and message`(
        status: String, reason: String, wait: Double, state: FeedConnectionStatus, advice: String
    ) throws {
        var feed = try MachineDriver()
        _ = feed.at(0) { $0.start($1) }
        _ = feed.at(0) { $0.opened($1) }
        _ = feed.status("connected", at: 0)
        #expect(feed.status(status, "said \(canary)\n", at: 1) == ["close 1000"])
        #expect(feed.closed(at: 1) == ["fault \(reason) retry \(wait) seconds"])
        #expect(feed.machine.status == state)
        let message = feed.machine.lastError?.error.description ?? ""
        #expect(message.contains(advice))
        #expect(message.contains(#"said ••••\n"#))
        #expect(!message.contains(canary) && !message.contains("\n"))
        #expect(feed.tick(at: 1 + wait - 0.1) == [])
        #expect(feed.tick(at: 1 + wait) == ["connect"])
    }

    @Test func `refused keys are tried ever more slowly, and the status stays error meanwhile`() throws {
        var feed = try MachineDriver()
        _ = feed.at(0) { $0.start($1) }
        var time = 0.0
        for wait in [60.0, 120, 240, 300, 300] {
            _ = feed.at(time) { $0.opened($1) }
            _ = feed.status("connected", at: time)
            _ = feed.status("error", "not authorized", at: time)
            #expect(feed.closed(at: time) == ["fault keyRefused retry \(wait) seconds"])
            time += wait
            #expect(feed.tick(at: time) == ["connect"])
            #expect(feed.machine.status == .error)
        }
        feed.subscribe(from: time)
        _ = feed.confirm("T.A", at: time)
        #expect(feed.machine.status == .connected)
    }

    @Test(arguments: [1000, 1001, 1008, 1011, 1012, 4000, nil] as [UInt16?])
    func `every close code leads to another try`(code: UInt16?) throws {
        var feed = try MachineDriver().subscribed(to: "T.A", at: 0)
        let actions = feed.at(100) { $0.peerClosed(.init(code: code, reason: "bye"), $1) }
        #expect(actions == ["close \(code ?? 1000)"])
        #expect(feed.closed(at: 100) == ["fault closed retry 1.0 seconds"])
        #expect(feed.machine.lastError?.error.message.contains("bye") == true)
        #expect(feed.tick(at: 101) == ["connect"])
    }

    @Test func `a lost subscription makes a gap from the last events to when it stands again`() throws {
        var feed = try MachineDriver(["A", "B"]).subscribed(to: "T.A", "T.B", at: 1)
        _ = feed.trade("A", at: 50)
        #expect(feed.closed(at: 90) == ["fault closed retry 1.0 seconds"])
        #expect(feed.tick(at: 91) == ["connect"])
        feed.subscribe(from: 92)
        #expect(feed.confirm("T.A", at: 93) == [])
        #expect(
            feed.confirm("T.B", at: 94) == [
                "gap A,B T 50000-94000 disconnected", "note connected(confirmed: 2, wanted: 2)",
            ])
        #expect(feed.machine.reconnects == 1)
    }

    @Test func `channels confirmed one after the other and lost before any event share one gap`() throws {
        var feed = try MachineDriver(["A", "B"]).subscribed(to: "T.A", at: 1)
        _ = feed.confirm("T.B", at: 2)
        _ = feed.closed(at: 3)
        _ = feed.tick(at: 8)
        feed.subscribe(from: 8)
        _ = feed.confirm("T.A", at: 8)
        #expect(feed.confirm("T.B", at: 9).first == "gap A,B T -4000-9000 disconnected")
    }

    @Test func `a feed that was never reached leaves a gap since the symbols were wanted`() throws {
        var feed = try MachineDriver()
        _ = feed.at(0) { $0.start($1) }
        _ = feed.closed(at: 1)
        _ = feed.tick(at: 6)
        _ = feed.closed(at: 7)
        _ = feed.tick(at: 17)
        feed.subscribe(from: 18)
        #expect(feed.confirm("T.A", at: 18).first == "gap A T -4000-18000 disconnected")
    }

    @Test func `a first connection that works leaves no gap`() throws {
        var feed = try MachineDriver()
        feed.subscribe()
        #expect(feed.confirm("T.A", at: 5) == ["note connected(confirmed: 1, wanted: 1)"])
        #expect(feed.at(6) { $0.stop($1) } == ["close 1000"])
        #expect(feed.closed(at: 6) == ["note stopped", "finish"])
    }

    @Test func `silence is pinged, then the connection is dropped and the gap says stalled`() throws {
        var feed = try MachineDriver().subscribed(to: "T.A", at: 0)
        _ = feed.trade("A", at: 10)
        #expect(feed.tick(at: 24.9) == [])
        #expect(feed.tick(at: 25) == ["ping"])
        #expect(feed.tick(at: 40) == ["ping"])
        #expect(feed.tick(at: 55) == ["ping"])
        #expect(feed.tick(at: 70) == ["abandon"])
        #expect(feed.closed(at: 70) == ["fault stalled retry 1.0 seconds"])
        _ = feed.tick(at: 71)
        feed.subscribe(from: 72)
        #expect(feed.confirm("T.A", at: 72).first == "gap A T 10000-72000 stalled")
    }

    @Test func `silence while reading is paused is not held against the peer`() throws {
        var feed = try MachineDriver().subscribed(to: "T.A", at: 0)
        feed.machine.paused(feed.now)
        #expect(feed.machine.deadline == nil && feed.tick(at: 600) == [])
        feed.seconds = 600
        feed.machine.resumed(feed.now)
        #expect(feed.tick(at: 614) == [] && feed.tick(at: 615) == ["ping"])
    }

    @Test func `an overflow drops the connection, waits for room, and the gap says overflow`() throws {
        var feed = try MachineDriver().subscribed(to: "T.A", at: 0)
        _ = feed.trade("A", at: 10)
        #expect(feed.at(11) { $0.overflowed($1) } == ["abandon"])
        #expect(feed.closed(at: 11) == ["fault overflow retry 5.0 seconds", "awaitRoom"])
        #expect(feed.machine.deadline == nil && feed.tick(at: 100) == [])
        #expect(feed.at(101) { $0.room($1) } == ["connect"])
        feed.subscribe(from: 102)
        #expect(feed.confirm("T.A", at: 102).first == "gap A T 10000-102000 overflow")
    }

    @Test func `room before the wait is over does not shorten it`() throws {
        var feed = try MachineDriver().subscribed(to: "T.A", at: 0)
        _ = feed.at(11) { $0.overflowed($1) }
        _ = feed.closed(at: 11)
        #expect(feed.at(12) { $0.room($1) } == [])
        #expect(feed.tick(at: 16) == ["connect"])
    }

    @Test func `what the feed threw away of a line that is being closed is in a gap`() throws {
        var feed = try MachineDriver().subscribed(to: "T.A", at: 0)
        _ = feed.trade("A", at: 1)
        #expect(feed.at(2) { $0.stop($1) } == ["close 1000"])
        _ = feed.at(3) { $0.received([FeedStatus(status: "slow_consumer", message: "")], $1) }
        #expect(feed.closed(at: 4).first == "gap A T 1000-4000 disconnected")
    }

    @Test func `stopping while the subscription is lost records the gap so far`() throws {
        var feed = try MachineDriver().subscribed(to: "T.A", at: 5)
        _ = feed.closed(at: 20)
        feed.idle(until: 20)
        #expect(
            feed.at(21) { $0.stop($1) } == ["gap A T -4000-21000 disconnected", "note stopped", "finish"])
        #expect(feed.machine.status == .disconnected)
    }

    @Test func `stopping is bounded, whatever the state`() throws {
        var dialling = try MachineDriver()
        _ = dialling.at(0) { $0.start($1) }
        #expect(dialling.at(1) { $0.stop($1) } == ["abandon"])
        #expect(dialling.closed(at: 1) == ["note stopped", "finish"])
        var standing = try MachineDriver()
        standing.subscribe()
        #expect(standing.at(1) { $0.stop($1) } == ["close 1000"])
        #expect(standing.at(1) { $0.stop($1) } == [])
        #expect(standing.tick(at: 3) == ["abandon"])
        #expect(standing.closed(at: 3) == ["note stopped", "finish"])
        var unstarted = try MachineDriver()
        #expect(unstarted.at(0) { $0.stop($1) } == ["note stopped", "finish"])
    }

    @Test func `a broken protocol is answered with its close code`() throws {
        var feed = try MachineDriver()
        feed.subscribe()
        let violation = WebSocketFrameAssembler.Violation(code: 1009, explanation: "too long")
        #expect(feed.at(1) { $0.violated(violation, $1) } == ["close 1009"])
        #expect(feed.closed(at: 1) == ["fault protocolViolation retry 5.0 seconds"])
    }

    @Test func `after the allowed tries the status is error, and a connection that stands clears it`() throws {
        var feed = try MachineDriver { $0.reconnect.maximumFailures = 2 }
        _ = feed.at(0) { $0.start($1) }
        _ = feed.closed(at: 0)
        #expect(feed.machine.status == .disconnected)
        _ = feed.tick(at: 5)
        #expect(feed.closed(at: 5) == ["fault closed retry 60.0 seconds"])
        #expect(feed.machine.status == .error)
        _ = feed.tick(at: 65)
        #expect(feed.machine.status == .error)
        feed.subscribe(from: 66)
        _ = feed.confirm("T.A", at: 66)
        #expect(feed.machine.status == .connected)
    }

    @Test func `other errors of the feed are told and change nothing`() throws {
        var feed = try MachineDriver().subscribed(to: "T.A", at: 0)
        #expect(feed.status("error", "odd \u{1B}[2J", at: 1) == ["fault feedReported"])
        #expect(feed.machine.lastError?.error.message == #"the feed reports an error: odd \u{1b}[2J"#)
        #expect(feed.status("news", "x", at: 1) == [#"note remark(status: "news", message: "x")"#])
        #expect(feed.machine.status == .connected)
    }

    @Test func `inputs that come in the wrong state do nothing`() throws {
        var feed = try MachineDriver()
        #expect(feed.at(0) { $0.opened($1) } == [] && feed.closed(at: 0) == [] && feed.tick(at: 9) == [])
        _ = feed.at(0) { $0.start($1) }
        #expect(feed.at(0) { $0.start($1) } == [] && feed.status("auth_success", at: 0) == [])
        #expect(feed.at(0) { $0.overflowed($1) } == [] && feed.at(0) { $0.room($1) } == [])
    }
}
