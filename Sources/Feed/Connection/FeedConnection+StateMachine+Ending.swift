import MarketData

extension FeedConnection.StateMachine {
    mutating func close(_ ending: FeedEnding, code: UInt16, _ now: FeedMoment) -> [Action] {
        state = .closing(until: now.monotonic + configuration.closeTimeout, ending)
        return [.close(code: code)]
    }

    mutating func fault(_ error: FeedError, retry: Duration? = nil, _ now: FeedMoment) -> Action {
        errors += 1
        lastError = (error, now.wall)
        return .fault(error, retry: retry)
    }

    mutating func abandon(
        _ reason: FeedError.Reason, _ operation: String, _ message: String, _ now: FeedMoment
    ) -> [Action] {
        state = .closing(
            until: now.monotonic, FeedEnding(FeedError(reason, operation: operation, message: message)))
        return [.abandon]
    }

    mutating func ended(_ ending: FeedEnding, _ now: FeedMoment, jitter: Double) -> [Action] {
        noteLosses(ending.gapCause, now)
        outage = ending.gapCause
        let healthyFor = connectedSince.map { now.monotonic - $0.monotonic } ?? .zero
        connectedSince = nil
        subscription.reset()
        refusalsToReport.removeAll()
        let delay: Duration
        switch policy.ended(ending.pace, healthyFor: healthyFor, jitter: jitter) {
        case .wait(let wait):
            delay = wait
            isTroubled = isTroubled || ending.needsAttention
        case .waitInError(let wait), .giveWay(let wait):
            delay = wait
            isTroubled = true
        }
        let needsRoom = ending.error.reason == .overflow
        state = .waiting(until: now.monotonic + delay, needsRoom: needsRoom)
        return record([]) + [fault(ending.error, retry: delay, now)] + (needsRoom ? [.awaitRoom] : [])
    }

    mutating func stopped(_ now: FeedMoment) -> [Action] {
        connectedSince = nil
        subscription.reset()
        state = .stopped
        let machine = self
        let ended = losses.ended(losses.channels, connection: configuration.name) { _, loss, noted in
            machine.lossEnd(loss, noted: noted, stood: now.wall, now)
        }
        return record(ended) + [.note(.stopped), .finish]
    }

    /// What is recorded about gaps, brought up to date.
    mutating func record(_ ended: [Gap]) -> [Action] {
        losses.change(ended, connection: configuration.name).map { [.record($0)] } ?? []
    }

    /// What came since the file's collector before was missed, and is until the channels stand.
    mutating func noteDowntime(_ now: FeedMoment) {
        guard let life = configuration.previousLife else { return }
        let ends = life.ends
        for channel in subscription.wanted {
            losses.lost(
                channel, from: ends.missedSince(channel.kind, channel.symbol), cause: .down, now,
                isUncertain: life.isUncertain)
        }
    }

    /// Every wanted channel is lost: since the newest event of its kind where it stood, else since it was wanted.
    ///
    /// Channels that came to stand after the last events share one start a kind, the earliest, so that a drop during a
    /// long round of confirmations makes few gaps.
    mutating func noteLosses(_ cause: Gap.Cause, _ now: FeedMoment) {
        var earliest: [EventKind: Int64] = [:]
        for channel in subscription.wanted where isLate(channel) {
            let start = lossStart(of: channel)
            earliest[channel.kind] = min(earliest[channel.kind] ?? start, start)
        }
        for channel in subscription.wanted where !losses.contains(channel) {
            let start = isLate(channel) ? earliest[channel.kind] : nil
            losses.lost(channel, from: start ?? lossStart(of: channel), cause: cause, now)
        }
    }

    /// Where a loss of a channel begins, in the events' own time.
    func lossStart(of channel: FeedChannel) -> Int64 {
        guard let since = subscription.standsSince(channel) else {
            return (subscription.wantedSince(channel) ?? 0) - configuration.feedDelay
        }
        guard let mark = times[channel.kind], !isLate(channel) else { return since - configuration.feedDelay }
        return mark.lossStart
    }

    /// Whether a channel came to stand after the last event of its kind.
    private func isLate(_ channel: FeedChannel) -> Bool {
        guard let since = subscription.standsSince(channel) else { return false }
        return since > times[channel.kind]?.received.wall ?? 0
    }

    /// When a loss ended in the events' own time, by a channel that stood at `stood` of the clock.
    ///
    /// The clock may have been set meanwhile. What passed of a clock that can't be set, and where the events are, bound
    /// what is believed of it.
    func lossEnd(
        _ loss: LossLedger.Loss, noted: FeedMoment, stood: Int64, _ now: FeedMoment
    ) -> LossLedger.End {
        let step = now.wall - noted.wall - now.elapsed(since: noted)
        var end = LossLedger.End(
            time: stood + max(0, -step) - configuration.feedDelay, isUncertain: abs(step) > Self.clockTolerance)
        let told = end.time
        if let feed = times.feedTime(now) { end.time = min(max(end.time, feed), feed + Self.clockDisbelief) }
        end.time = max(end.time, loss.from)
        if abs(end.time - told) > Self.clockTolerance { end.isUncertain = true }
        return end
    }

    /// Whether just an event can tell when a loss ended: the clock shows a time before its start, or long after.
    func needsEvent(_ loss: LossLedger.Loss, noted: FeedMoment, _ now: FeedMoment) -> Bool {
        let shown = max(now.wall, noted.wall + now.elapsed(since: noted))
        let length = shown - configuration.feedDelay - loss.from
        return !hasEvents && (length < 0 || length > Self.longestBelieved)
    }

    /// How far the clock may be off without a gap's ends being called uncertain, in milliseconds.
    private static let clockTolerance: Int64 = 5000
    /// How far the clock may be from the events before it is no longer believed, in milliseconds.
    private static let clockDisbelief: Int64 = 86_400_000
    /// A gap that the clock says is longer, in milliseconds, is believed when an event says so too.
    private static let longestBelieved: Int64 = 7 * 86_400_000
}
