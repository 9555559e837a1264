import MarketData

/// Which channels are wanted, asked for, confirmed and refused on one connection. Reads no clock, sends nothing.
///
/// The feed answers a subscription with one `success` for each channel. It does not answer for a channel that is
/// subscribed already, and need not name a channel that it refuses. An event therefore confirms its channel too, and
/// refusals without a name are held until they account for all unanswered channels.
struct Subscription: Sendable {
    /// What is due when ``deadline`` has passed.
    enum Step: Equatable {
        /// These were not answered: ask again, in one message for each if `singly`.
        case askAgain([FeedChannel], singly: Bool)
        /// These were not answered the second time either: report them, and ask again later.
        case report([FeedChannel])
    }

    private enum Progress: Equatable {
        case unasked
        /// Times in milliseconds since the Unix epoch.
        case asked(at: Int64)
        case confirmed(at: Int64, asked: Int64)
        case refused
    }

    private struct Entry {
        /// Since when the channel has been wanted, in milliseconds since the Unix epoch.
        var wantedSince: Int64
        var progress = Progress.unasked
    }

    /// A channel that was given up but whose events may still be on their way.
    struct Leave {
        /// When it was asked for, in milliseconds since the Unix epoch.
        var askedSince: Int64
        /// When it was given up.
        var until: Int64
    }

    /// One request, with the channels that are still unanswered.
    private struct Ask {
        var channels: Set<FeedChannel>
        /// How often they were asked for, or reported.
        var rounds = 1
        var deadline: Duration

        var isReported: Bool { rounds >= 3 }
    }

    let confirmTimeout: Duration
    let unconfirmedRetry: Duration
    /// The wanted channels in the order given.
    private(set) var wanted: [FeedChannel] = []
    /// The channels that were asked for and not answered.
    private(set) var pending: Set<FeedChannel> = []
    private(set) var confirmedCount = 0
    private(set) var refused: Set<FeedChannel> = [] {
        didSet { if refused.isEmpty { refusedKinds = [] } }
    }
    /// The kinds of the refused channels, and perhaps of some refused earlier. Few events are of these kinds.
    private var refusedKinds: KindSet = []
    /// The channels that are no longer wanted, until the feed confirms that they ended.
    private(set) var leaving: [FeedChannel: Leave] = [:]
    private var entries: [FeedChannel: Entry] = [:]
    /// How often the feed was asked to end a channel's subscription and has not answered.
    private var endsAsked: [FeedChannel: Int] = [:]
    /// The unanswered requests. Each has its own deadline, so that new requests do not postpone older ones.
    private var asks: [Ask] = []
    private var namelessRefusals = 0
    /// Changes whenever the state of a channel does.
    private(set) var version = 0

    init(confirmTimeout: Duration, unconfirmedRetry: Duration) {
        self.confirmTimeout = confirmTimeout
        self.unconfirmedRetry = unconfirmedRetry
    }

    /// When ``tick(now:)`` is due next.
    var deadline: Duration? { asks.lazy.map(\.deadline).min() }

    func wants(_ channel: FeedChannel) -> Bool { entries[channel] != nil }

    /// Whether a channel is wanted, by name or by a wildcard.
    func covers(_ channel: FeedChannel) -> Bool {
        wants(channel) || wants(FeedChannel(kind: channel.kind, symbol: nil))
    }

    /// Since when a channel has been confirmed, in milliseconds since the Unix epoch; `nil` while it is not.
    func standsSince(_ channel: FeedChannel) -> Int64? {
        guard case .confirmed(let since, _)? = entries[channel]?.progress else { return nil }
        return since
    }

    /// Since when the feed may have sent events of a channel, in milliseconds since the Unix epoch: since it was asked
    /// for. The time at which a confirmation is read does not show when it was sent.
    func mayFlowSince(_ channel: FeedChannel) -> Int64? {
        switch entries[channel]?.progress {
        case .asked(let asked): asked
        case .confirmed(let since, let asked): min(since, asked)
        case .unasked, .refused, nil: nil
        }
    }

    /// Whether a wanted channel is neither asked for nor answered.
    func isUnasked(_ channel: FeedChannel) -> Bool { entries[channel]?.progress == .unasked }

    /// Since when a channel has been wanted, in milliseconds since the Unix epoch.
    func wantedSince(_ channel: FeedChannel) -> Int64? { entries[channel]?.wantedSince }

    /// Changes what is wanted.
    ///
    /// - Returns: the channels that are new, and those that are no longer wanted, each in the order of its list.
    mutating func want(_ channels: [FeedChannel], wall: Int64) -> (added: [FeedChannel], removed: [FeedChannel]) {
        version += 1
        let new = Set(channels)
        let added = channels.filter { entries[$0] == nil }
        let removed = wanted.filter { !new.contains($0) }
        for channel in removed {
            if standsSince(channel) != nil { confirmedCount -= 1 }
            leaving[channel] = mayFlowSince(channel).map { Leave(askedSince: $0, until: wall) } ?? leaving[channel]
            entries[channel] = nil
            answered(channel)
            refused.remove(channel)
        }
        for channel in added { entries[channel] = Entry(wantedSince: wall) }
        wanted = channels
        return (added, removed)
    }

    /// Forgets all confirmations and refusals, because a new connection starts without any.
    mutating func reset() {
        version += 1
        for channel in wanted { entries[channel]?.progress = .unasked }
        leaving.removeAll()
        endsAsked.removeAll()
        pending.removeAll()
        asks.removeAll()
        refused.removeAll()
        confirmedCount = 0
        namelessRefusals = 0
    }

    /// Records that the feed is being asked to end subscriptions.
    mutating func askedToEnd(_ channels: [FeedChannel]) {
        for channel in channels { endsAsked[channel, default: 0] += 1 }
    }

    /// Whether the feed would end a wanted, confirmed channel's subscription by itself: nobody asked for it.
    func isEndUnasked(_ channel: FeedChannel) -> Bool { endsAsked[channel] == nil && standsSince(channel) != nil }

    /// Records the feed's word that subscriptions ended. A channel for which nobody asked it is no longer confirmed.
    mutating func ended(_ channels: some Sequence<FeedChannel>) {
        version += 1
        for channel in channels {
            leaving[channel] = nil
            if isEndUnasked(channel) {
                entries[channel]?.progress = .unasked
                confirmedCount -= 1
            } else if let count = endsAsked[channel] {
                endsAsked[channel] = count > 1 ? count - 1 : nil
            }
        }
    }

    /// Records that a subscription to `channels` is being sent.
    ///
    /// - Parameter isReported: whether their lack was reported already. They count as answered then, and the subscription
    ///   is sent when their answer is overdue.
    mutating func asked(_ channels: [FeedChannel], now: Duration, wall: Int64, isReported: Bool = false) {
        version += 1
        var asked: Set<FeedChannel> = []
        for channel in channels where entries[channel] != nil {
            answered(channel)
            // The feed may have been sending events since the first request.
            let first = min(wall, mayFlowSince(channel) ?? wall)
            entries[channel]?.progress = .asked(at: first)
            asked.insert(channel)
        }
        pending.formUnion(asked)
        guard !asked.isEmpty else { return }
        asks.append(Ask(channels: asked, rounds: isReported ? 3 : 1, deadline: now + confirmTimeout))
    }

    /// Records the feed's confirmation of a channel, or an event that proves the same. Returns whether that is new.
    mutating func confirmed(_ channel: FeedChannel, now: Duration, wall: Int64) -> Bool {
        guard let entry = entries[channel] else { return false }
        if case .confirmed = entry.progress { return false }
        version += 1
        var asked = wall
        if case .asked(let time) = entry.progress { asked = time }
        entries[channel]?.progress = .confirmed(at: wall, asked: asked)
        confirmedCount += 1
        refused.remove(channel)
        // The answers for the request's other channels may be on their way.
        if let ask = asks.firstIndex(where: { $0.channels.contains(channel) }), !asks[ask].isReported {
            asks[ask].deadline = now + confirmTimeout
        }
        answered(channel)
        return true
    }

    /// Records the feed's refusal of a channel. Returns whether that is new.
    mutating func refuse(_ channel: FeedChannel) -> Bool {
        guard let entry = entries[channel], entry.progress != .refused else { return false }
        if case .confirmed = entry.progress { confirmedCount -= 1 }
        version += 1
        entries[channel]?.progress = .refused
        answered(channel)
        refused.insert(channel)
        refusedKinds.insert(KindSet(channel.kind))
        return true
    }

    /// Records a refusal that names no channel.
    mutating func refusedNameless() { namelessRefusals += 1 }

    /// Counts all unanswered channels as refused once there are as many refusals without a name, and returns them.
    mutating func resolveNameless() -> [FeedChannel] {
        guard namelessRefusals > 0, !pending.isEmpty, namelessRefusals >= pending.count else { return [] }
        let unanswered = wanted.filter(pending.contains)
        return unanswered.filter { refuse($0) }
    }

    /// Whether an event could confirm a channel: some are unanswered or refused.
    var awaitsEvents: Bool { !pending.isEmpty || !refused.isEmpty }

    /// The unanswered and refused channels that the events of a batch confirm.
    func shown(by batch: EventBatch) -> Set<FeedChannel> {
        var found: Set<FeedChannel> = []
        func awaits(_ channel: FeedChannel) -> Bool { pending.contains(channel) || refused.contains(channel) }
        let awaitsAll = EventKind.allCases.contains { awaits(FeedChannel(kind: $0, symbol: nil)) }
        func look(_ kind: EventKind, _ symbol: Symbol) {
            guard !pending.isEmpty || refusedKinds.contains(KindSet(kind)) else { return }
            let own = FeedChannel(kind: kind, symbol: symbol)
            if awaits(own) { found.insert(own) }
            guard awaitsAll else { return }
            let all = FeedChannel(kind: kind, symbol: nil)
            if awaits(all) { found.insert(all) }
        }
        batch.forEachHead { look($0.kind, $0.symbol) }
        return found
    }

    /// Returns what is due, and counts it as done.
    mutating func tick(now: Duration) -> Step? {
        guard let due = asks.firstIndex(where: { now >= $0.deadline }) else { return nil }
        let unanswered = wanted.filter(asks[due].channels.contains)
        let singly = namelessRefusals > 0 && unanswered.count <= 500
        namelessRefusals = 0
        asks[due].rounds += 1
        asks[due].deadline = now + (asks[due].isReported ? unconfirmedRetry : confirmTimeout)
        return asks[due].rounds == 3 ? .report(unanswered) : .askAgain(unanswered, singly: singly)
    }

    /// Whether every channel was answered, or those that were not have been reported.
    var isSettled: Bool { asks.allSatisfy(\.isReported) }

    /// Whether channels are wanted, and the feed refused them all or did not confirm any.
    var hasNothing: Bool { isSettled && confirmedCount == 0 && !wanted.isEmpty }

    /// The symbols with every channel confirmed, in the order given.
    var confirmedSymbols: [Symbol] {
        let missing = Set(wanted.filter { standsSince($0) == nil }.compactMap(\.symbol))
        return wanted.symbols.filter { !missing.contains($0) }
    }

    /// The number of confirmed channels of each kind.
    var confirmedKinds: [EventKind: Int] {
        wanted.reduce(into: [:]) { if standsSince($1) != nil { $0[$1.kind, default: 0] += 1 } }
    }

    /// Stops waiting for an answer for a channel.
    private mutating func answered(_ channel: FeedChannel) {
        guard pending.remove(channel) != nil else { return }
        for ask in asks.indices { asks[ask].channels.remove(channel) }
        asks.removeAll(where: \.channels.isEmpty)
        if pending.isEmpty { namelessRefusals = 0 }
    }
}

extension Sequence where Element == FeedChannel {
    /// The symbols in the order given; neighbours that share one count once.
    var symbols: [Symbol] {
        compactMap(\.symbol).reduce(into: []) { list, symbol in
            if list.last != symbol { list.append(symbol) }
        }
    }
}
