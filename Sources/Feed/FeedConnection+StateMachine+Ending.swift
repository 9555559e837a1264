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
        noteLosses(ending.gapCause)
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
        return [fault(ending.error, retry: delay, now)] + (needsRoom ? [.awaitRoom] : [])
    }

    mutating func stopped(_ now: FeedMoment) -> [Action] {
        connectedSince = nil
        subscription.reset()
        state = .stopped
        let gaps = losses.endAll(connection: configuration.name, at: now.wall)
        return gaps.map(Action.record) + [.note(.stopped), .finish]
    }

    /// Every wanted channel is lost: since its last events where it stood, else since it was wanted.
    ///
    /// Channels that came to stand after the last events share one start, the earliest, so that a drop during a
    /// long round of confirmations makes few gaps.
    mutating func noteLosses(_ cause: Gap.Cause) {
        let late = subscription.wanted.compactMap { subscription.standsSince($0) }.filter { $0 > lastEvents ?? 0 }
        let earliest = late.min()
        for channel in subscription.wanted where !losses.contains(channel) {
            let isLate = (subscription.standsSince(channel) ?? 0) > lastEvents ?? 0
            losses.lost(channel, from: isLate ? earliest ?? 0 : lossStart(of: channel), cause: cause)
        }
    }

    func lossStart(of channel: FeedChannel) -> Int64 {
        if let since = subscription.standsSince(channel) { return max(since, lastEvents ?? since) }
        return subscription.wantedSince(channel) ?? 0
    }
}
