import MarketData

extension FeedConnection.StateMachine {
    /// A status message of the feed.
    mutating func received(_ status: FeedStatus, _ now: FeedMoment) -> [Action] {
        var detail: String { DisplayText.escaped(status.message, hiding: configuration.apiKey) }
        switch (status.status, state) {
        case ("connected", .greeting(let until)):
            state = .loggingIn(until: until)
            return [.login]
        case ("auth_success", .loggingIn):
            return [.note(.loggedIn)] + subscribe(now)
        case ("auth_failed", _) where isOpen, ("error", .loggingIn) where status.isNotAuthorized:
            return close(
                .keyRefused, "login",
                "the feed refused the API key: \(detail); check \(configuration.apiKeyName) and the account", now)
        case ("auth_timeout", _) where isOpen:
            return close(
                .loginTimeout, "login",
                "the login reached the feed too late: \(detail); the network is slow, or the feed busy", now)
        case ("max_connections", _) where isOpen:
            return close(
                .connectionLimit, "read",
                "the account's limit of connections is used up: \(detail); another client uses the key of "
                    + "\(configuration.apiKeyName): stop it, or have the limit raised", now)
        case ("slow_consumer", _) where isOpen:
            return close(
                .slowConsumer, "read",
                "the feed gave up because its events were read too slowly: \(detail); subscribe to fewer symbols or "
                    + "kinds of events, or use a faster machine", now)
        case ("success", .subscribed):
            return confirmed(status.message, now)
        case ("error", .subscribed) where status.isNotAuthorized:
            return notAuthorized(status.message, now)
        case ("error", _) where isOpen:
            return [
                fault(FeedError(.feedReported, operation: "read", message: "the feed reports an error: \(detail)"), now)
            ]
        case ("connected", _), ("auth_success", _), ("success", _):
            return []
        default:
            let word = DisplayText.escaped(status.status, hiding: configuration.apiKey, limit: 40)
            return [.note(.remark(status: word, message: detail))]
        }
    }

    /// Events were handed over and taken.
    mutating func took(_ batch: EventBatch, _ now: FeedMoment) -> [Action] {
        guard !batch.isEmpty else { return [] }
        var actions = noteJumps(batch)
        times.took(batch, now)
        hasEvents = true
        guard case .subscribed = state else { return actions }
        if !subscription.pending.isEmpty { actions += stands(subscription.shown(by: batch), now) }
        if awaitsEvents { actions += settle(now) }
        return actions
    }

    /// The process runs; called at least every ``PauseWatch/interval``, and before what was read is looked at.
    mutating func alive(_ now: FeedMoment) -> [Action] {
        guard let length = pauses?.seen(now.boot) else { return [] }
        watchForJumps(now)
        return [
            .note(.stoodStill(length)),
            .incident(
                Incident(
                    "stood still",
                    detail: "connection \(configuration.name): this process or its machine stood still for "
                        + "\(length.spoken), until \(now.wall) ms since the Unix epoch; what the feed threw away "
                        + "meanwhile is among the gaps")),
        ]
    }

    /// Reading stops until the sink has room.
    mutating func paused(_ now: FeedMoment) {
        stall.paused()
        pausedSince = now
    }

    /// Reading goes on.
    mutating func resumed(_ now: FeedMoment) {
        stall.resumed(now: now.monotonic)
        if let since = pausedSince, now.boot - since.boot > PauseWatch.tolerance { watchForJumps(now) }
        pausedSince = nil
    }

    /// Changes what is wanted; on a live connection just the difference is sent.
    mutating func want(_ interest: Interest, _ now: FeedMoment) -> [Action] {
        self.interest = interest
        guard state != .idle, state != .stopped else { return [] }
        let before = subscription
        let (added, removed) = subscription.want(
            FeedChannel.channels(of: interest, events: configuration.events), wall: now.wall)
        guard !added.isEmpty || !removed.isEmpty else { return [] }
        let machine = self
        let ended = losses.ended(removed, connection: configuration.name) { _, loss, noted in
            machine.lossEnd(loss, noted: noted, stood: now.wall, now)
        }
        // The others' losses were noted when the last try ended.
        if let outage {
            for channel in added { losses.lost(channel, from: lossStart(of: channel), cause: outage, now) }
        }
        var actions = record(ended)
        actions.append(.note(.interestChanged(added: added.count, removed: removed.count)))
        guard case .subscribed = state else { return actions }
        actions += ask(added, now)
        let standing = removed.filter { before.standsSince($0) != nil || before.pending.contains($0) }
        if !standing.isEmpty {
            subscription.gaveUp(standing)
            actions.append(
                .send(FeedRequest.unsubscribe(standing, maximumBytes: configuration.maximumRequestBytes)))
        }
        return actions + settle(now)
    }

    /// What is due on a live connection.
    mutating func tickSubscribed(_ now: FeedMoment) -> [Action] {
        var actions: [Action] = []
        switch subscription.tick(now: now.monotonic) {
        case nil: break
        case .askAgain(let channels, let singly):
            actions.append(.note(.askingAgain(channels.count)))
            let groups = singly ? channels.map { [$0] } : [channels]
            actions.append(
                .send(groups.flatMap { FeedRequest.subscribe($0, maximumBytes: configuration.maximumRequestBytes) }))
            if subscription.confirmedCount > 0 { actions += becomeConnected(now) }
        case .report(let channels):
            let names = DisplayText.list(channels.map(\.description))
            let message =
                "the feed did not confirm \(channels.count) of \(subscription.wanted.count) channels: \(names); "
                + "check the symbols and the plan: asking again every \(configuration.unconfirmedRetry.spoken)"
            actions.append(fault(FeedError(.unconfirmed, operation: "subscribe", message: message), now))
        }
        actions += settle(now)
        switch stall.tick(now: now.monotonic) {
        case .fine: return actions
        case .ping: return actions + [.ping]
        case .stalled:
            return actions
                + abandon(
                    .stalled, "read",
                    "nothing came for \(configuration.stallTimeout.spoken), not even an answer to a ping; "
                        + "connecting again", now)
        }
    }

    // MARK: Parts

    private mutating func close(
        _ reason: FeedError.Reason, _ operation: String, _ message: String, _ now: FeedMoment
    ) -> [Action] {
        close(FeedEnding(FeedError(reason, operation: operation, message: message)), code: 1000, now)
    }

    private mutating func subscribe(_ now: FeedMoment) -> [Action] {
        state = .subscribed
        outage = nil
        stall.seen(now: now.monotonic)
        return ask(subscription.wanted, now) + settle(now)
    }

    private mutating func ask(_ channels: [FeedChannel], _ now: FeedMoment) -> [Action] {
        guard !channels.isEmpty else { return [] }
        subscription.asked(channels, now: now.monotonic)
        let texts = FeedRequest.subscribe(channels, maximumBytes: configuration.maximumRequestBytes)
        return [.note(.subscribing(channels: channels.count, messages: texts.count)), .send(texts)]
    }

    private mutating func confirmed(_ message: String, _ now: FeedMoment) -> [Action] {
        let prefix = "subscribed to:"
        func channels(after count: Int) -> [FeedChannel] {
            message.dropFirst(count).split { $0 == "," || $0 == " " }.compactMap { FeedChannel($0) }
        }
        if message.hasPrefix(prefix) { return stands(channels(after: prefix.count), now) }
        guard message.hasPrefix("un" + prefix) else {
            return [
                .note(.remark(status: "success", message: DisplayText.escaped(message, hiding: configuration.apiKey)))
            ]
        }
        if !subscription.leaving.isEmpty { subscription.ended(channels(after: prefix.count + 2)) }
        return []
    }

    private mutating func stands(_ channels: some Sequence<FeedChannel>, _ now: FeedMoment) -> [Action] {
        var isNew = false
        for channel in channels where subscription.confirmed(channel, now: now.monotonic, wall: now.wall) {
            isNew = true
        }
        guard isNew else { return [] }
        refused(subscription.resolveNameless(), [:], now)
        return settle(now)
    }

    /// The channels of a refusal, by the names in it or, lacking those, by what is left unanswered.
    private mutating func notAuthorized(_ message: String, _ now: FeedMoment) -> [Action] {
        let words = message.split { $0 == " " || $0 == "," || $0 == ":" || $0 == "'" || $0 == "\"" }
        let named = words.compactMap { FeedChannel($0) }.filter(subscription.wants)
        if named.isEmpty {
            subscription.refusedNameless()
            refused(subscription.resolveNameless(), [:], now)
        } else {
            let starts = Dictionary(named.map { ($0, lossStart(of: $0)) }) { first, _ in first }
            refused(named.filter { subscription.refuse($0) }, starts, now)
        }
        return settle(now)
    }

    /// A refused channel counts as lost: since its last events where it stood, else since it was wanted.
    private mutating func refused(_ channels: [FeedChannel], _ starts: [FeedChannel: Int64], _ now: FeedMoment) {
        for channel in channels {
            losses.lost(channel, from: starts[channel] ?? lossStart(of: channel), cause: .unsubscribed, now)
        }
        refusalsToReport += channels
    }

    /// Draws the consequences of what is answered: the status, refusals to tell, and gaps that ended.
    private mutating func settle(_ now: FeedMoment) -> [Action] {
        guard case .subscribed = state, subscription.isSettled else { return [] }
        var actions: [Action] = []
        if !refusalsToReport.isEmpty {
            actions.append(fault(refusal(), now))
            refusalsToReport.removeAll()
        }
        if !losses.isEmpty {
            awaitsEvents = false
            var over: [FeedChannel] = []
            for channel in subscription.wanted where subscription.standsSince(channel) != nil {
                guard losses.contains(channel) else { continue }
                if losses.contains(channel, where: { loss, noted in needsEvent(loss, noted: noted, now) }) {
                    awaitsEvents = true
                } else {
                    over.append(channel)
                }
            }
            let machine = self
            let ended = losses.ended(over, connection: configuration.name) { channel, loss, noted in
                let stood = machine.subscription.standsSince(channel) ?? now.wall
                return machine.lossEnd(loss, noted: noted, stood: stood, now)
            }
            actions += record(ended)
        }
        if subscription.confirmedCount > 0 || subscription.wanted.isEmpty { actions += becomeConnected(now) }
        return actions
    }

    private mutating func becomeConnected(_ now: FeedMoment) -> [Action] {
        guard connectedSince == nil else { return [] }
        connectedSince = now
        isTroubled = false
        return [.note(.connected(confirmed: subscription.confirmedCount, wanted: subscription.wanted.count))]
    }

    private mutating func watchForJumps(_ now: FeedMoment) {
        guard case .subscribed = state, let present = times.presentTime(now, delay: configuration.feedDelay) else {
            return
        }
        let watch = JumpWatch(times: times, resumed: present)
        jumps = watch.isOver ? nil : watch
    }

    /// Where the feed went on later than it had stopped, the channels that stood have a gap.
    private mutating func noteJumps(_ batch: EventBatch) -> [Action] {
        guard let found = jumps?.took(batch) else { return [] }
        if jumps?.isOver ?? true { jumps = nil }
        guard !found.isEmpty else { return [] }
        let gaps = found.compactMap { jump -> Gap? in
            let channels = subscription.wanted.filter { channel in
                channel.kind == jump.kind && subscription.standsSince(channel) != nil && !losses.contains(channel)
            }
            guard !channels.isEmpty else { return nil }
            let isAll = channels.contains { $0.symbol == nil }
            return Gap(
                connection: configuration.name, symbols: isAll ? [] : channels.compactMap(\.symbol).sorted(),
                events: [jump.kind], from: jump.from, to: jump.to, cause: .paused)
        }
        return gaps.isEmpty ? [] : [.record(GapChange(gaps: gaps))]
    }

    private func refusal() -> FeedError {
        let names = DisplayText.list(refusalsToReport.map(\.description).sorted())
        let others =
            subscription.refused.count == subscription.wanted.count
            ? "nothing is left to collect here" : "the others go on"
        return FeedError(
            .notAuthorized, operation: "subscribe",
            message: "the account's plan does not cover \(refusalsToReport.count) of \(subscription.wanted.count) "
                + "channels: \(names); \(others): remove them, or have the plan of \(configuration.apiKeyName) extended"
        )
    }
}

extension FeedStatus {
    /// Whether the feed says that the account may not have something.
    fileprivate var isNotAuthorized: Bool {
        let text = message.lowercased()
        return text.contains("not authorized") || text.contains("not entitled")
    }
}
