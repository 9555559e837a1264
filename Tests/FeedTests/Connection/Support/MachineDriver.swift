import MarketData

@testable import Feed

/// Drives the machine by hand, second by second.
struct MachineDriver {
    var machine: FeedConnection.StateMachine
    var seconds = 0.0
    var log: [String] = []

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
        FeedMoment(monotonic: .seconds(seconds), wall: 1_000_000 + Int64(seconds * 1000))
    }

    mutating func at(_ seconds: Double, _ input: (inout FeedConnection.StateMachine, FeedMoment) -> [Action])
        -> [String]
    {
        self.seconds = seconds
        return input(&machine, now).map(Self.text)
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
        case .record(let gap):
            "gap \(gap.symbols.map(\.description).joined(separator: ",")) \(gap.events.map(\.rawValue).joined()) "
                + "\(gap.from)-\(gap.to) \(gap.cause.rawValue)"
        case .note(let notice): "note \(notice)"
        case .fault(let error, let retry): "fault \(error.reason.rawValue)" + (retry.map { " retry \($0)" } ?? "")
        case .finish: "finish"
        }
    }

    mutating func status(_ status: String, _ message: String = "", at seconds: Double) -> [String] {
        at(seconds) { $0.received(FeedStatus(status: status, message: message), $1) }
    }

    mutating func confirm(_ channels: String..., at seconds: Double) -> [String] {
        channels.flatMap { status("success", "subscribed to: \($0)", at: seconds) }
    }

    /// From the start to a sent subscription, in the first second.
    mutating func subscribe(from seconds: Double = 0) {
        if case .idle = machine.state { _ = at(seconds) { $0.start($1) } }
        _ = at(seconds) { $0.opened($1) }
        _ = status("connected", at: seconds)
        _ = status("auth_success", at: seconds)
    }

    mutating func tick(at seconds: Double) -> [String] { at(seconds) { $0.tick($1) } }

    mutating func closed(at seconds: Double, _ ending: FeedEnding? = nil) -> [String] {
        at(seconds) { $0.closed(ending, $1, jitter: 1) }
    }

    mutating func trade(_ symbol: String, at seconds: Double) -> [String] {
        var batch = EventBatch(connection: "primary", receivedMicroseconds: 0)
        batch.trades = [Trade(symbol: Symbol(symbol)!, time: 1, price: 1, size: 1)]
        return at(seconds) { machine, now in
            machine.seen(now)
            return machine.took(batch, now)
        }
    }
}
