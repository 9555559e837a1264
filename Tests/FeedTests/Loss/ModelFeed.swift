import MarketData
import TestSupport

@testable import Feed

/// An event of the model's feed. Times in milliseconds since the Unix epoch.
struct ModelEvent {
    var number: Int
    var channel: FeedChannel
    /// When it happened: a bar's end.
    var time: Int64
    /// When the feed sends it.
    var sent: Int64

    func add(to batch: inout EventBatch) {
        guard let symbol = channel.symbol else { return }
        guard let interval = Bar.Interval.allCases.first(where: { EventKind($0) == channel.kind }) else {
            batch.trades.append(Trade(symbol: symbol, time: time, price: 1, size: 1, sequence: Int64(number)))
            return
        }
        batch.bars.append(Bar.flat(symbol, interval, at: time - interval.milliseconds, volume: Double(number)))
    }
}

extension EventBatch {
    /// The numbers of the model's events in a batch.
    var numbers: [Int] { trades.map { Int($0.sequence ?? 0) } + bars.map { Int($0.volume) } }
}

/// What a feed sends: up to 3 s late, and out of order by up to 300 ms.
struct ModelFeed {
    let events: [ModelEvent]

    init(
        _ symbols: [Symbol], _ kinds: [EventKind], from start: Int64, to end: Int64, delay: Int64,
        _ random: inout SeededRandom
    ) {
        var events: [ModelEvent] = []
        for symbol in symbols {
            for kind in kinds {
                let step: Int64 = kind == .minuteBar ? 60_000 : kind == .secondBar ? 1000 : 1
                let rest: ClosedRange<Int64> = kind == .minuteBar ? 0...0 : 100...4000
                var time = start - delay
                while time < end - delay {
                    time = (time + Int64.random(in: rest, using: &random)) / step * step + (step > 1 ? step : 0)
                    events.append(
                        ModelEvent(number: 0, channel: FeedChannel(kind: kind, symbol: symbol), time: time, sent: 0))
                }
            }
        }
        events.sort { $0.time < $1.time }
        for index in events.indices {
            events[index].number = index
            events[index].sent = events[index].time + delay + Int64.random(in: 0...300, using: &random)
        }
        events.sort { $0.sent < $1.sent }
        // When the feed becomes less late, what waited keeps its order.
        let lateness = (0..<2).map { _ in Int64.random(in: 0...2700, using: &random) }
        var last = Int64.min
        for index in events.indices {
            last = max(last, events[index].sent + lateness[2 * index / events.count])
            events[index].sent = last
        }
        self.events = events
    }
}

/// One connection with its line and the feed's end of it.
struct ModelLine {
    enum Item {
        case opened
        case failed
        case closed
        case pong
        case status(FeedStatus)
        case event(ModelEvent)
    }

    /// How the feed answers a request for a channel.
    enum Answer: CaseIterable {
        case confirmed
        /// It sends events and doesn't say so.
        case silent
        case ignored
        case refused
        case refusedNameless
    }

    let name: String
    var machine: FeedConnection.StateMachine
    var isOpen = false
    /// Whether the feed still takes requests.
    var isServed = true
    /// The channels whose events the feed sends.
    var subscribed: Set<FeedChannel> = []
    /// What is on its way, with the time of its arrival.
    var inbound: [(at: Int64, item: Item)] = []
    var outbound: [(at: Int64, text: String)] = []
    /// Nothing arrives before this time.
    var frozenUntil = Int64.min
    /// When the sink has room again.
    var roomAt: Int64?
    /// What ``FeedConnectionLoop`` would show.
    var confirmed: [Symbol] = []
    var shownVersion = -1
    var reconnects: Int64 = 0
    var covered = CoveredGaps()

    mutating func arrive(_ item: Item, at time: Int64) {
        inbound.append((max(time, frozenUntil, inbound.last?.at ?? time), item))
    }

    mutating func drop() {
        isOpen = false
        isServed = true
        subscribed = []
        inbound = []
        outbound = []
    }

    mutating func show() {
        let subscription = machine.subscription
        guard subscription.version != shownVersion, subscription.isSettled else { return }
        shownVersion = subscription.version
        confirmed = subscription.confirmedSymbols
    }
}
