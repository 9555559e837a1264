import MarketData
import Testing

@testable import Feed

@Suite(.timeLimit(.minutes(3))) struct FeedStateMachineSubscribingTests {
    @Test func `a symbol that the plan does not cover is marked, the others go on`() throws {
        var feed = try MachineDriver(["A", "B", "C"])
        feed.subscribe()
        #expect(feed.status("error", "not authorized: T.B", at: 1) == [])
        #expect(feed.confirm("T.A", at: 1) == [])
        #expect(
            feed.confirm("T.C", at: 1) == ["fault notAuthorized", "note connected(confirmed: 2, wanted: 3)"])
        #expect(feed.machine.status == .connected)
        #expect(feed.machine.subscription.refused.map(\.description) == ["T.B"])
        let message = feed.machine.lastError?.error.message ?? ""
        #expect(message.contains("1 of 3 channels: T.B; the other channels are still collected"))
    }

    @Test func `a refusal that names nothing is placed by what stays unanswered`() throws {
        var feed = try MachineDriver(["A", "B", "C"])
        feed.subscribe()
        #expect(feed.confirm("T.A", at: 1) == [])
        #expect(feed.status("error", "not authorized", at: 1) == [])
        #expect(feed.confirm("T.C", at: 1) == ["fault notAuthorized", "note connected(confirmed: 2, wanted: 3)"])
        #expect(feed.machine.subscription.refused.map(\.description) == ["T.B"])
    }

    @Test func `when the plan covers nothing the status is error`() throws {
        var feed = try MachineDriver(["A", "B"])
        feed.subscribe()
        #expect(feed.status("error", "not authorized", at: 1) == [])
        #expect(feed.status("error", "not authorized", at: 1) == ["fault notAuthorized"])
        #expect(feed.machine.status == .error)
        let message = feed.machine.lastError?.error.message ?? ""
        #expect(message.contains("no channel of this connection can be collected"))
    }

    @Test func `a refused symbol that is confirmed later leaves a gap`() throws {
        var feed = try MachineDriver(["A", "B"]).subscribed(to: "T.A", at: 1)
        _ = feed.status("error", "not authorized", at: 1)
        #expect(feed.confirm("T.B", at: 500) == ["gap B T -4000-500000 unsubscribed"])
        #expect(feed.machine.subscription.refused.isEmpty)
    }

    @Test func `unconfirmed channels are asked again, then named, while the rest counts as connected`() throws {
        var feed = try MachineDriver(["A", "B"]).subscribed(to: "T.A", at: 1)
        #expect(
            feed.tick(at: 11) == [
                "note askingAgain(1)", #"send {"action":"subscribe","params":"T.B"}"#,
                "note connected(confirmed: 1, wanted: 2)",
            ])
        _ = feed.trade("A", at: 20)
        #expect(feed.tick(at: 21) == ["fault unconfirmed"])
        #expect(feed.machine.lastError?.error.message.contains("1 of 2 channels: T.B") == true)
        #expect(feed.machine.status == .connected)
    }

    @Test func `an event confirms a channel whose confirmation never comes`() throws {
        var feed = try MachineDriver(["A", "B"]).subscribed(to: "T.A", at: 1)
        #expect(feed.trade("B", at: 2) == ["note connected(confirmed: 2, wanted: 2)"])
    }

    @Test func `a feed that confirms nothing is an error that is told`() throws {
        var feed = try MachineDriver()
        feed.subscribe()
        #expect(feed.tick(at: 10) == ["note askingAgain(1)", #"send {"action":"subscribe","params":"T.A"}"#])
        #expect(feed.machine.status == .connecting)
        feed.seconds = 19
        feed.machine.seen(feed.now)
        #expect(feed.tick(at: 20) == ["fault unconfirmed"])
        #expect(feed.machine.status == .error)
    }

    @Test func `a change of symbols sends just the difference`() throws {
        var feed = try MachineDriver(["A", "B"]).subscribed(to: "T.A", "T.B", at: 0)
        feed.idle(until: 10)
        let change = feed.at(10) { $0.want(.symbols([Symbol("B")!, Symbol("C")!]), $1) }
        #expect(
            change == [
                "note interestChanged(added: 1, removed: 1)", "note subscribing(channels: 1, messages: 1)",
                #"send {"action":"subscribe","params":"T.C"}"#, #"send {"action":"unsubscribe","params":"T.A"}"#,
            ])
        #expect(feed.machine.status == .connected)
        #expect(feed.confirm("T.C", at: 10) == [])
        #expect(feed.at(11) { $0.want(.symbols([Symbol("B")!, Symbol("C")!]), $1) } == [])
        #expect(feed.machine.subscription.confirmedCount == 2)
    }

    @Test func `a subscription that the feed ends by itself is a gap, and is asked for again after a while`() throws {
        var feed = try MachineDriver(["A", "B"]) { $0.confirmTimeout = .seconds(2) }
            .subscribed(to: "T.A", "T.B", at: 1)
        _ = feed.trade("A", at: 2)
        #expect(feed.status("success", "unsubscribed to: T.A", at: 3) == ["fault unconfirmed"])
        #expect(feed.machine.lastError?.error.message.contains("ended the subscription to 1 of 2 channels") == true)
        #expect(feed.open == ["gap A T 2000- unsubscribed"])
        #expect(feed.machine.isSettled && feed.machine.subscription.confirmedSymbols == [Symbol("B")!])
        #expect(feed.status("success", "unsubscribed to: T.A", at: 4) == [], "it is lost already")
        #expect(feed.tick(at: 5) == ["note askingAgain(1)", #"send {"action":"subscribe","params":"T.A"}"#])
        #expect(feed.confirm("T.A", at: 6) == ["gap A T 2000-6000 unsubscribed"])
        #expect(feed.open == [] && feed.machine.subscription.confirmedCount == 2)
        // The answers to requests come in their order, however late.
        feed.idle(until: 7)
        for symbols in [["B"], ["A", "B"], ["B"], ["A", "B"]] {
            _ = feed.at(7) { $0.want(.symbols(symbols.compactMap { Symbol($0) }), $1) }
        }
        for _ in 0..<2 {
            #expect(feed.status("success", "unsubscribed to: T.A", at: 8) == [])
            #expect(feed.confirm("T.A", at: 8) == [])
        }
        #expect(feed.machine.subscription.confirmedCount == 2 && feed.open == [])
    }

    @Test func `a connection of which the feed has ended or refused every channel does not count as connected`() throws
    {
        var feed = try MachineDriver { $0.confirmTimeout = .seconds(2) }.subscribed(to: "T.A", at: 1)
        _ = feed.status("success", "unsubscribed to: T.A", at: 2)
        #expect(feed.machine.status == .error)
        _ = feed.tick(at: 4)
        #expect(feed.machine.status == .error && feed.machine.isUp, "its symbols need no other connection")
        _ = feed.confirm("T.A", at: 7)
        #expect(feed.machine.status == .connected)
        #expect(feed.status("error", "not authorized: T.A", at: 8) == ["fault notAuthorized"])
        #expect(feed.machine.status == .error)
    }

    @Test(arguments: [("success", "unsubscribed to"), ("error", "not authorized")])
    func `what a feed says about each of many channels in one read is recorded and reported once`(
        status: String, text: String
    ) throws {
        let symbols = (0..<2000).map { "X\($0)" }
        var feed = try MachineDriver(symbols)
        feed.subscribe()
        let confirmation = "subscribed to"
        _ = feed.statuses("success", confirmation, of: symbols, at: 1)
        #expect(feed.machine.status == .connected)
        func changes(_ actions: [MachineDriver.Action]) -> [GapChange] {
            actions.compactMap { action -> GapChange? in
                guard case .record(let change) = action else { return nil }
                return change
            }
        }
        let lost = feed.statuses(status, text, of: symbols, at: 2)
        #expect(changes(lost).map { $0.gaps.map(\.symbols.count) } == [[2000]])
        #expect(lost.count == 2 && feed.machine.errors == 1, "one record, one fault")
        #expect(feed.machine.lastError?.error.message.contains("2000 of 2000 channels") == true)
        #expect(feed.machine.subscription.confirmedCount == 0)
        let found = changes(feed.statuses("success", confirmation, of: symbols, at: 3))
        #expect(found.map { $0.gaps.map(\.symbols.count) } == [[2000]] && found.first?.ended.count == 1)
        #expect(feed.machine.subscription.confirmedCount == 2000)
    }

    @Test func `a subscription that the feed ends and confirms in one read is a gap and no fault`() throws {
        var feed = try MachineDriver(["A", "B"]).subscribed(to: "T.A", "T.B", at: 1)
        _ = feed.trade("A", at: 2)
        let statuses = ["unsubscribed to: T.A", "subscribed to: T.A"].map { FeedStatus(status: "success", message: $0) }
        #expect(feed.at(3) { $0.received(statuses, $1) } == ["gap A T 2000-3000 unsubscribed"])
        #expect(feed.open == [] && feed.machine.subscription.confirmedCount == 2)
    }

    @Test func `a symbol wanted between tries leaves a gap until it stands`() throws {
        var feed = try MachineDriver(["A"]).subscribed(to: "T.A", at: 5)
        _ = feed.closed(at: 20, FeedEnding(.stalled, "read", "silent"))
        feed.idle(until: 21)
        let both = Interest.symbols([Symbol("A")!, Symbol("B")!])
        #expect(feed.at(21) { $0.want(both, $1) } == ["note interestChanged(added: 1, removed: 0)"])
        #expect(feed.tick(at: 30) == ["connect"])
        feed.subscribe(from: 40)
        #expect(
            feed.confirm("T.A", "T.B", at: 41) == [
                "gap A T -4000-41000 stalled", "gap B T 17000-41000 stalled",
                "note connected(confirmed: 2, wanted: 2)",
            ])
    }

    @Test func `so does one that is wanted while the next try is under way, the only one`() throws {
        var feed = try MachineDriver([])
        feed.subscribe()
        #expect(feed.machine.status == .connected)
        _ = feed.closed(at: 20)
        #expect(feed.tick(at: 30) == ["connect"])
        _ = feed.at(31) { $0.want(.symbols([Symbol("A")!]), $1) }
        feed.subscribe(from: 32)
        #expect(feed.confirm("T.A", at: 33).first == "gap A T 27000-33000 disconnected")
    }

    @Test func `a symbol wanted in the first try or while the connection stands leaves no gap`() throws {
        var feed = try MachineDriver(["A"])
        _ = feed.at(0) { $0.start($1) }
        _ = feed.at(1) { $0.want(.symbols([Symbol("A")!, Symbol("B")!]), $1) }
        feed.subscribe(from: 2)
        #expect(feed.confirm("T.A", "T.B", at: 3) == ["note connected(confirmed: 2, wanted: 2)"])
        _ = feed.closed(at: 20)
        _ = feed.tick(at: 30)
        feed.subscribe(from: 31)
        #expect(feed.confirm("T.A", "T.B", at: 32).first == "gap A,B T -2000-32000 disconnected")
        _ = feed.at(40) { $0.want(.symbols([Symbol("B")!, Symbol("C")!]), $1) }
        #expect(feed.confirm("T.C", at: 41) == [])
    }

    @Test func `a symbol given up while it is lost still leaves its gap`() throws {
        var feed = try MachineDriver(["A", "B"]).subscribed(to: "T.A", "T.B", at: 5)
        _ = feed.closed(at: 20)
        feed.idle(until: 21)
        let change = feed.at(21) { $0.want(.symbols([Symbol("B")!]), $1) }
        #expect(change == ["gap A T -4000-21000 disconnected", "note interestChanged(added: 0, removed: 1)"])
    }

    // MARK: A relay as the feed

    private func connected(_ symbols: [String] = ["A", "B"]) throws -> MachineDriver {
        var feed = try MachineDriver(symbols)
        feed.subscribe()
        for symbol in symbols { _ = feed.confirm("T.\(symbol)", at: 1) }
        return feed
    }

    private let start: Int64 = 1_000_000_000

    @Test func `what a relay missed is a gap here, from its beginning to its end`() throws {
        var feed = try connected()
        _ = feed.status("gap", "from \(start + 4000), disconnected: T.A,Q.A,T.C", at: 6)
        #expect(feed.open == ["gap A T 5000- disconnected"])
        // No event or confirmation ends it.
        _ = feed.trade("A", at: 7)
        #expect(feed.confirm("T.B", at: 8) == [])
        #expect(feed.open == ["gap A T 5000- disconnected"] && feed.machine.status == .connected)
        #expect(
            feed.status("gap", "from \(start + 4000) to \(start + 11_000), disconnected: T.A", at: 10).last
                == "gap A T 5000-9000 disconnected")
        #expect(feed.open.isEmpty)
        #expect(
            feed.status("gap", "from \(start + 8000) to \(start + 11_500), paused: T.A,T.B", at: 11).last
                == "gap A,B T 9000-9500 paused")
    }

    @Test func `what a relay missed is over when its line is lost, and the line's own gap begins`() throws {
        var feed = try connected()
        _ = feed.trade("B", at: 4)
        _ = feed.status("gap", "from \(start + 1000), stalled: T.A", at: 6)
        let ended = feed.at(8) { $0.closed(nil, $1, jitter: 0.5) }
        #expect(ended.contains("gap A T 2000-8000 stalled"))
        #expect(feed.open.count == 1 && feed.open[0].hasPrefix("gap A,B T ") && feed.open[0].hasSuffix("disconnected"))
    }

    @Test func `what a relay missed is a gap also if it comes with the confirmation of a lost channel`() throws {
        var feed = try connected()
        _ = feed.closed(at: 20)
        _ = feed.tick(at: 30)
        feed.subscribe(from: 31)
        let gap = FeedStatus(status: "gap", message: "from \(start + 15_000), stalled: T.A")
        let confirmations = ["A", "B"].map { FeedStatus(status: "success", message: "subscribed to: T.\($0)") }
        let actions = feed.at(32) { $0.received(confirmations + [gap], $1) }
        #expect(actions.contains { $0.hasPrefix("gap A,B T ") && $0.hasSuffix("-32000 disconnected") })
        #expect(feed.open == ["gap A T 16000- stalled"] && feed.machine.status == .connected)
    }

    @Test func `what a relay missed is never without a gap if its end comes with a confirmation`() throws {
        var feed = try connected()
        _ = feed.status("gap", "from \(start + 4000), stalled: T.A", at: 6)
        _ = feed.at(7) { $0.want(.symbols([Symbol("A")!, Symbol("B")!, Symbol("C")!]), $1) }
        feed.seconds = 8
        let now = feed.now
        let over = FeedStatus(status: "gap", message: "from \(start + 4000) to \(start + 6000), stalled: T.A")
        let actions = feed.machine.received([over, FeedStatus(status: "success", message: "subscribed to: T.C")], now)
        let changes = actions.compactMap { action -> GapChange? in
            guard case .record(let change) = action else { return nil }
            return change
        }
        #expect(changes.map { [$0.ended.count, $0.gaps.count] } == [[1, 1]])
    }

    @Test func `what a relay says in other words is shown and nothing more`() throws {
        var feed = try connected()
        #expect(feed.status("gap", "a hole", at: 6) == [#"note remark(status: "gap", message: "a hole")"#])
        #expect(feed.open.isEmpty)
    }
}
