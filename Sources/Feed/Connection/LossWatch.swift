import MarketData

/// Decides what a connection has missed: which channels, since when and why, and until when.
///
/// A loss lasts until its channel is confirmed again, until the feed or the events themselves show that it is over, or
/// until the channel is no longer wanted. Times are the events' own.
struct LossWatch: Sendable {
    private let connection: String
    /// How late the feed's events are, in milliseconds.
    private let delay: Int64
    private var ledger = LossLedger()
    /// The lost channels that are nevertheless confirmed: the feed is a relay with a gap of its own, or their events
    /// can't be decoded.
    private var confirmedLosses: Set<FeedChannel> = []
    private var spells = UnreadableSpells()
    /// How far the events have come.
    private var times: EventTimes
    /// Whether an event came on the connection that is open.
    private var hasEvents = false
    /// Gaps from before this process whose end is known only from the clock.
    private var unproven = UnprovenGaps()
    /// Whether losses wait for an event to show when they ended, because the clock can't show it.
    private(set) var awaitsEvents = false
    /// What is watched after a pause.
    private(set) var jumps = JumpWatch()

    init(connection: String, delay: Int64) {
        self.connection = connection
        self.delay = delay
        times = EventTimes(delay: delay)
    }

    /// Returns what must be recorded now that these gaps have ended; `nil` if the record is up to date.
    mutating func change(_ ended: [Gap]) -> GapChange? { ledger.change(ended, connection: connection) }

    // MARK: Beginnings

    mutating func opened() {
        hasEvents = false
        jumps = JumpWatch()
        spells = UnreadableSpells()
    }

    /// Records channels as lost, from the given starts or else from where each began to be missed.
    mutating func lost(
        _ channels: [FeedChannel], from starts: [FeedChannel: Int64] = [:], cause: Gap.Cause,
        of subscription: Subscription, _ now: FeedMoment
    ) {
        for channel in channels {
            ledger.lost(channel, from: starts[channel] ?? start(of: channel, of: subscription), cause: cause, now)
        }
    }

    /// Records channels as missed since the previous collector of this file, until they are confirmed.
    mutating func lostSince(_ life: PreviousLife, _ channels: [FeedChannel], _ now: FeedMoment) {
        ledger.lostSince(life, channels, delay: delay, now)
    }

    /// Records every wanted channel as lost: since the newest event of its kind if it was confirmed, otherwise since it
    /// was asked for or wanted.
    ///
    /// Channels that were confirmed after the last events of a kind share one start, the earliest, so that a drop
    /// during a long round of confirmations makes few gaps.
    mutating func lostAll(_ cause: Gap.Cause, of subscription: Subscription, _ now: FeedMoment) {
        var earliest: [EventKind: Int64] = [:]
        for channel in subscription.wanted where isLate(channel, of: subscription) {
            let start = start(of: channel, of: subscription)
            earliest[channel.kind] = min(earliest[channel.kind] ?? start, start)
        }
        for channel in subscription.wanted where !ledger.contains(channel) {
            let start = isLate(channel, of: subscription) ? earliest[channel.kind] : nil
            ledger.lost(channel, from: start ?? self.start(of: channel, of: subscription), cause: cause, now)
        }
    }

    /// Records events that can't be decoded as lost. Called before the events that came with them are taken.
    mutating func unreadable(_ lost: UnreadableEvents, of subscription: Subscription, _ now: FeedMoment) {
        for kind in EventKind.allCases {
            let version = subscription.version
            guard let extent = lost[kind], !spells.goesOn(kind, extent, version: version, now: now.monotonic) else {
                continue
            }
            let flowing = subscription.wanted.filter { $0.kind == kind && subscription.mayFlowSince($0) != nil }
            guard let from = flowing.map({ start(of: $0, of: subscription) }).min() else { continue }
            let all = spells.came(kind, extent, from: from, version: version, now: now.monotonic)
            let channels =
                all.extent.isWhole
                ? flowing
                : all.extent.symbols.map { FeedChannel(kind: kind, symbol: $0) }.filter(subscription.covers)
            for channel in channels where !ledger.contains(channel) {
                ledger.lost(channel, from: all.from, cause: .damaged, now)
                confirmedLosses.insert(channel)
            }
        }
    }

    /// Records a gap that the feed, a relay, reports about itself. Returns the gaps that are over.
    mutating func told(_ notice: GapNotice, of subscription: Subscription, _ now: FeedMoment) -> [Gap] {
        // A channel that is lost for another reason stays lost until it is confirmed.
        let channels = notice.channels.filter {
            subscription.covers($0) && (confirmedLosses.contains($0) || !ledger.contains($0))
        }
        for channel in channels { ledger.lost(channel, from: notice.from, cause: notice.cause, now) }
        guard let to = notice.to else {
            confirmedLosses.formUnion(channels)
            return []
        }
        return end(channels) { _, _, _ in LossLedger.End(time: to) }
    }

    /// Watches for skipped events after a time in which the feed may have discarded some.
    mutating func watchForJumps(
        over length: Duration, because cause: Gap.Cause, of subscription: Subscription, _ now: FeedMoment
    ) {
        let present = times.presentTime(now) ?? now.wall - delay
        let pause = present - Int64(length / .milliseconds(1))...present
        jumps.watch(starts(of: subscription), over: pause, because: cause, now: now.wall)
    }

    /// How far the events of each kind have come. If none has come, shortly before the first channel of the kind was
    /// asked for.
    private func starts(of subscription: Subscription) -> [EventKind: JumpWatch.Start] {
        var starts: [EventKind: JumpWatch.Start] = [:]
        for kind in EventKind.allCases { starts[kind] = times[kind].map { JumpWatch.Start(time: $0.reached) } }
        for channel in subscription.wanted where times[channel.kind] == nil {
            guard let asked = subscription.mayFlowSince(channel) else { continue }
            let time = min(starts[channel.kind]?.time ?? .max, asked - delay - Gap.eventLateness)
            starts[channel.kind] = JumpWatch.Start(time: time, isGuess: true)
        }
        return starts
    }

    // MARK: Ends

    /// Returns the gaps that a batch's events reveal. Called before the batch is handed over.
    mutating func shown(by batch: EventBatch, of subscription: Subscription, _ now: FeedMoment) -> [Gap] {
        let skipped = jumps.isOver ? [] : noteJumps(batch, of: subscription, now)
        guard !unproven.isEmpty else { return skipped }
        var times = times
        times.took(batch, now)
        return skipped + unproven.prove(by: times, now)
    }

    /// Handles a batch that was accepted.
    mutating func took(_ batch: EventBatch, _ now: FeedMoment) {
        times.took(batch, now)
        hasEvents = true
        if !spells.isEmpty { spells.reached(reached(now)) }
    }

    /// Returns a gap for each jump, in the channels that were subscribed to.
    private mutating func noteJumps(
        _ batch: EventBatch, of subscription: Subscription, _ now: FeedMoment
    ) -> [Gap] {
        jumps.took(batch).compactMap { jump in
            gap(over: jump, of: affected(by: jump, in: subscription), isUncertain: times.showClockBehind(now))
        }
    }

    /// The channels of which the feed may have discarded events in a pause: those that are asked for and not lost
    /// already, and those that were given up before the watch began.
    private func affected(by jump: JumpWatch.Jump, in subscription: Subscription) -> [FeedChannel] {
        subscription.wanted.filter { subscription.mayFlowSince($0) != nil && !ledger.contains($0) }
            + subscription.leaving.filter { $0.value.until < jump.watchedSince }.keys
    }

    /// Returns what may be missing since a pause whose end no event has shown yet.
    private func open(_ channels: (JumpWatch.Jump) -> [FeedChannel]) -> [Gap] {
        EventKind.allCases.compactMap(jumps.open).compactMap { gap(over: $0, of: channels($0), isUncertain: true) }
    }

    private func gap(over jump: JumpWatch.Jump, of channels: [FeedChannel], isUncertain: Bool) -> Gap? {
        let channels = channels.filter { $0.kind == jump.kind }
        guard !channels.isEmpty else { return nil }
        let isAll = channels.contains { $0.symbol == nil }
        return Gap(
            connection: connection, symbols: isAll ? [] : channels.compactMap(\.symbol).sorted(),
            events: [jump.kind], from: jump.from - Gap.startMargin, to: jump.to + Gap.endMargin, cause: jump.cause,
            isUncertain: isUncertain)
    }

    /// Ends the losses of the channels that are confirmed, if it is known when they ended.
    mutating func settle(_ subscription: Subscription, _ now: FeedMoment) -> [Gap] {
        guard !ledger.isEmpty else { return [] }
        awaitsEvents = false
        var over: [FeedChannel] = []
        for channel in subscription.wanted where subscription.standsSince(channel) != nil {
            guard ledger.contains(channel), !confirmedLosses.contains(channel) else { continue }
            if !hasEvents, ledger.contains(channel, where: { times.needsEvent(toEnd: $0, noted: $1, now) }) {
                awaitsEvents = true
            } else {
                over.append(channel)
            }
        }
        let ended = ledger.ended(
            over, connection: connection, at: clockEnd(now, stood: subscription.standsSince))
        if times.feedTime(now) == nil { unproven.add(ended.filter { $0.cause == .down }, now) }
        return ended
    }

    /// Ends the losses of events that can't be decoded, if they are over.
    mutating func endSpells(_ now: FeedMoment) -> [Gap] {
        guard !spells.isEmpty else { return [] }
        spells.reached(reached(now))
        let over = spells.takeEnded(now: now.monotonic)
        guard !over.isEmpty else { return [] }
        let channels = confirmedLosses.filter { channel in
            over[channel.kind] != nil && ledger.contains(channel) { loss, _ in loss.cause == .damaged }
        }
        return end(channels) { channel, loss, _ in LossLedger.End(time: over[channel.kind] ?? loss.from) }
    }

    /// Returns the gaps of channels that were given up, whose last events are lost with the connection.
    func lostLeaving(_ cause: Gap.Cause, of subscription: Subscription, _ now: FeedMoment) -> [Gap] {
        var ledger = LossLedger()
        for (channel, leave) in subscription.leaving {
            let asked = leave.askedSince - delay - Gap.eventLateness
            let from = times[channel.kind].map { max(asked, $0.reached - Gap.startMargin) } ?? asked
            guard from < leave.until - delay + Gap.endMargin else { continue }
            ledger.lost(channel, from: from, cause: cause, now)
        }
        return ledger.ended(subscription.leaving.keys, connection: connection) { channel, _, _ in
            LossLedger.End(time: (subscription.leaving[channel]?.until ?? 0) - delay + Gap.endMargin)
        }
    }

    /// Ends the losses of channels that are no longer wanted. Includes what a pause may have cost them, since no later
    /// event can show it.
    mutating func gaveUp(_ channels: [FeedChannel], of subscription: Subscription, _ now: FeedMoment) -> [Gap] {
        open { _ in channels.filter { subscription.leaving[$0] != nil && !ledger.contains($0) } }
            + end(channels + confirmedLosses.filter { !subscription.covers($0) }, at: clockEnd(now))
    }

    /// Ends the losses of confirmed channels, because the connection has ended.
    mutating func endStanding(_ now: FeedMoment) -> [Gap] { end(confirmedLosses, at: clockEnd(now)) }

    /// Ends every loss, because the connection is stopped.
    mutating func stopped(_ subscription: Subscription, _ now: FeedMoment) -> [Gap] {
        open { affected(by: $0, in: subscription) } + end(ledger.channels, at: clockEnd(now))
    }

    private mutating func end(
        _ channels: some Sequence<FeedChannel>, at end: (FeedChannel, LossLedger.Loss, FeedMoment) -> LossLedger.End
    ) -> [Gap] {
        confirmedLosses.subtract(channels)
        return ledger.ended(channels, connection: connection, at: end)
    }

    // MARK: Times

    /// Where a loss of a channel begins, in the events' own time.
    func start(of channel: FeedChannel, of subscription: Subscription) -> Int64 {
        // Until the channel was wanted here, another connection may have delivered it.
        guard let asked = subscription.mayFlowSince(channel) else {
            return (subscription.wantedSince(channel) ?? 0) - delay - Gap.eventLateness
        }
        guard let mark = times[channel.kind], subscription.standsSince(channel) != nil,
            !isLate(channel, of: subscription)
        else { return asked - delay - Gap.eventLateness }
        return mark.reached - Gap.startMargin
    }

    /// Whether a channel was confirmed after the last event of its kind was read.
    private func isLate(_ channel: FeedChannel, of subscription: Subscription) -> Bool {
        guard let since = subscription.standsSince(channel) else { return false }
        return since > times[channel.kind]?.received.wall ?? 0
    }

    /// How far the feed has come in its events' time; by the clock if no event has come.
    private func reached(_ now: FeedMoment) -> Int64 { (times.feedTime(now) ?? now.wall - delay) + Gap.endMargin }

    /// Ends a loss by the clock, as far as the clock is trusted: when its channel was confirmed, or now.
    private func clockEnd(
        _ now: FeedMoment, stood: @escaping (FeedChannel) -> Int64? = { _ in nil }
    ) -> (FeedChannel, LossLedger.Loss, FeedMoment) -> LossLedger.End {
        { [times] channel, loss, noted in
            times.end(of: loss, noted: noted, stood: stood(channel) ?? now.wall, now)
        }
    }
}
