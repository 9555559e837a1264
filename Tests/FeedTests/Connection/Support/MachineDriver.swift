import MarketData
import TestSupport

@testable import Feed

/// Drives the machine by hand, second by second.
struct MachineDriver {
    var machine: FeedConnection.StateMachine
    var seconds = 0.0
    /// The gaps that are recorded without an end so far.
    var open: [String] = []
    /// How far the wall clock is off, in seconds.
    var clockStep = 0.0

    init(
        _ symbols: [String] = ["A"], events: Set<EventKind> = [.trade],
        adjust: (inout FeedConfiguration) -> Void = { _ in }
    ) throws {
        var configuration = FeedConfiguration(
            name: "primary", endpoint: try FeedEndpoint(url: "wss://feed.example/stocks", allowsPlaintext: false),
            apiKey: Secret(canary), events: events)
        adjust(&configuration)
        machine = FeedConnection.StateMachine(
            configuration: configuration, interest: .symbols(symbols.compactMap { Symbol($0) }))
    }

    /// The monotonic clock starts at 0 and the wall clock at 1000 s.
    var now: FeedMoment {
        FeedMoment(monotonic: .seconds(seconds), wall: 1_000_000_000 + Int64((seconds + clockStep) * 1000))
    }

    mutating func at(_ seconds: Double, _ input: (inout FeedConnection.StateMachine, FeedMoment) -> [Action])
        -> [String]
    {
        self.seconds = seconds
        return input(&machine, now).flatMap { action in
            guard case .record(let change) = action else { return [Self.text(action)] }
            open.removeAll { change.ended.map(Self.text).contains($0) }
            open += change.gaps.filter { $0.to == nil }.map(Self.text)
            return change.gaps.filter { $0.to != nil }.map(Self.text)
        }
    }

    /// Lets time pass while the process runs and nothing happens.
    mutating func idle(until seconds: Int) {
        for second in Int(self.seconds)...seconds { _ = at(Double(second)) { $0.alive($1) } }
    }

    typealias Action = FeedConnection.StateMachine.Action

    static func text(_ action: Action) -> String {
        switch action {
        case .connect: "connect"
        case .login: "login"
        case .send(let texts): "send " + texts.joined(separator: " ")
        case .ping: "ping"
        case .close(let code): "close \(code)"
        case .abandon: "abandon"
        case .awaitRoom: "awaitRoom"
        case .record(let change): change.gaps.map(text).joined(separator: "; ")
        case .incident(let incident): "incident \(incident.what)"
        case .note(let notice): "note \(notice)"
        case .fault(let error, let retry): "fault \(error.reason.rawValue)" + (retry.map { " retry \($0)" } ?? "")
        case .finish: "finish"
        }
    }

    /// Times in milliseconds after the start, without the margins.
    static func text(_ gap: Gap) -> String {
        let start: Int64 = 1_000_000_000
        let from = gap.from + Gap.startMargin - start
        let to = gap.to.map { "\($0 - Gap.endMargin - start)" } ?? ""
        return "gap \(gap.symbols.map(\.description).joined(separator: ",")) \(gap.events.map(\.rawValue).joined()) "
            + "\(from)-\(to) \(gap.cause.rawValue)"
            + (gap.isUncertain ? " uncertain" : "")
    }

    mutating func status(_ status: String, _ message: String = "", at seconds: Double) -> [String] {
        at(seconds) { $0.received([FeedStatus(status: status, message: message)], $1) }
    }

    /// Messages about one channel each come in one read.
    mutating func statuses(_ status: String, _ text: String, of symbols: [String], at seconds: Double) -> [Action] {
        self.seconds = seconds
        let now = now
        return machine.received(symbols.map { FeedStatus(status: status, message: "\(text): T.\($0)") }, now)
    }

    mutating func confirm(_ channels: String..., at seconds: Double) -> [String] {
        channels.flatMap { status("success", "subscribed to: \($0)", at: seconds) }
    }

    /// Goes from the start to a sent subscription, all at one moment.
    mutating func subscribe(from seconds: Double = 0) {
        if case .idle = machine.state { _ = at(seconds) { $0.start($1) } }
        _ = at(seconds) { $0.opened($1) }
        _ = status("connected", at: seconds)
        _ = status("auth_success", at: seconds)
    }

    /// The driver after it subscribed, and after these channels were confirmed.
    func subscribed(to channels: String..., at seconds: Double) -> MachineDriver {
        var driver = self
        driver.subscribe()
        for channel in channels { _ = driver.confirm(channel, at: seconds) }
        return driver
    }

    mutating func tick(at seconds: Double) -> [String] { at(seconds) { $0.tick($1) } }

    mutating func closed(at seconds: Double, _ ending: FeedEnding? = nil) -> [String] {
        at(seconds) { $0.closed(ending, $1, jitter: 1) }
    }

    /// A trade arrives that happened `late` seconds before, by a clock that is right.
    mutating func trade(_ symbol: String, at seconds: Double, late: Double = 0) -> [String] {
        var batch = EventBatch(connection: "primary", receivedMicroseconds: 0)
        let time = 1_000_000_000 + Int64(((seconds - late) * 1000).rounded())
        batch.trades = [Trade(symbol: Symbol(symbol)!, time: time, price: 1, size: 1)]
        return take(batch, at: seconds)
    }

    /// A bar arrives that ended `late` seconds before.
    mutating func bar(
        _ symbol: String, _ interval: Bar.Interval = .second, at seconds: Double, late: Double = 0
    ) -> [String] {
        var batch = EventBatch(connection: "primary", receivedMicroseconds: 0)
        let end = 1_000_000_000 + Int64(((seconds - late) * 1000).rounded())
        batch.bars = [.flat(Symbol(symbol)!, interval, at: end - interval.milliseconds)]
        return take(batch, at: seconds)
    }

    /// Events arrive that can't be decoded, each with its kind and, if readable, its symbol; `nil` means any kind.
    mutating func lose(_ events: [(kind: EventKind, symbol: String?)]?, at seconds: Double) -> [String] {
        var lost = UnreadableEvents()
        for event in events ?? [] { lost.add(event.kind, event.symbol.flatMap { Symbol($0) }) }
        if events == nil { Array("{".utf8).withUnsafeBytes { lost.add($0) } }
        return at(seconds) { $0.missed(lost, $1) }
    }

    private mutating func take(_ batch: EventBatch, at seconds: Double) -> [String] {
        at(seconds) { machine, now in
            let actions = machine.alive(now)
            machine.seen(now)
            let shown = machine.shown(by: batch, now).map { [Action.record($0)] } ?? []
            return actions + shown + machine.took(batch, now)
        }
    }
}
