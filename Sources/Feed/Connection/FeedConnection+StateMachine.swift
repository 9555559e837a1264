import MarketData

extension FeedConnection {
    /// Makes every decision of a connection, from its start until it is stopped, but performs nothing.
    ///
    /// Each input returns the actions to perform, in order. Deadlines are polled: ``deadline`` says when ``tick(_:)``
    /// is due.
    struct StateMachine: Sendable {
        enum Action: Equatable {
            /// Open a connection; report the result with ``opened(_:)`` or ``closed(_:_:jitter:)``.
            case connect
            case login
            case send([String])
            case ping
            /// Send a close frame, and keep reading until the peer closes.
            case close(code: UInt16)
            /// Drop the socket, or the attempt to open one, now; then call ``closed(_:_:jitter:)``.
            case abandon
            /// Call ``room(_:)`` when the sink has room.
            case awaitRoom
            case record(GapChange)
            case incident(Incident)
            case note(FeedNotice)
            /// Log a failure; `retry` is the wait until the next try, if there is one.
            case fault(FeedError, retry: Duration?)
            /// The connection is stopped for good.
            case finish
        }

        enum State: Equatable {
            case idle
            /// Dialling, until the deadline.
            case connecting(until: Duration)
            /// Open, waiting for the feed's greeting.
            case greeting(until: Duration)
            /// The login is sent.
            case loggingIn(until: Duration)
            /// Logged in.
            case subscribed
            /// A close frame was sent or the socket dropped; the ending is known.
            case closing(until: Duration, FeedEnding)
            /// Waiting for the next try; `needsRoom` until the sink has room.
            case waiting(until: Duration, needsRoom: Bool)
            case stopping(until: Duration)
            case stopped
        }

        let configuration: FeedConfiguration
        private(set) var state = State.idle
        private(set) var subscription: Subscription
        private(set) var losses: LossWatch
        private var policy: ReconnectPolicy
        private var stall: StallWatch
        /// When the subscription was confirmed; `nil` while it is not.
        private(set) var connectedSince: FeedMoment?
        /// Whether the last ending requires attention; cleared when the subscription is confirmed again.
        private var isFailing = false
        /// Why the last try ended; `nil` during the first try, and once logged in.
        private var outage: Gap.Cause?
        private var pauses: PauseWatch?
        /// When reading was stopped by this side.
        private var pausedSince: FeedMoment?
        private var refusalsToReport: [FeedChannel] = []
        /// Gaps that are over and not recorded yet.
        private var unrecorded: [Gap] = []
        private var interest: Interest
        private(set) var opens: Int64 = 0
        private(set) var errors: Int64 = 0
        private(set) var lastError: (error: FeedError, wall: Int64)?

        /// What the status messages of a read have changed, which is acted upon once: a feed may send a message for each of
        /// thousands of channels.
        private struct Changes {
            /// Whether channels were confirmed or refused.
            var hasAnswers = false
            /// The channels whose subscriptions the feed has ended by itself.
            var dropped: Set<FeedChannel> = []
            /// Whether gaps have begun or ended that are recorded although some channels may be unanswered.
            var hasGaps = false
        }

        init(configuration: FeedConfiguration, interest: Interest) {
            self.configuration = configuration
            self.interest = interest
            losses = LossWatch(connection: configuration.name, delay: configuration.feedDelay)
            subscription = Subscription(
                confirmTimeout: configuration.confirmTimeout, unconfirmedRetry: configuration.unconfirmedRetry)
            policy = ReconnectPolicy(configuration.reconnect)
            stall = StallWatch(
                pingInterval: configuration.pingInterval, stallTimeout: configuration.stallTimeout, now: .zero)
        }

        /// How often a connection was opened again.
        var reconnects: Int64 { max(0, opens - 1) }

        var status: FeedConnectionStatus {
            switch state {
            case .idle, .stopping, .stopped:
                return .disconnected
            case .waiting:
                return isFailing ? .error : .disconnected
            case .closing(_, let ending):
                return isFailing || ending.needsAttention ? .error : .disconnected
            case .connecting, .greeting, .loggingIn:
                return isFailing ? .error : .connecting
            case .subscribed:
                if connectedSince != nil, !subscription.hasNothing { return .connected }
                return isFailing || subscription.isSettled ? .error : .connecting
            }
        }

        /// Whether it is logged in and subscribed, even if the feed confirms nothing any more.
        var isUp: Bool { state == .subscribed && connectedSince != nil }

        /// Whether the feed has confirmed or refused every wanted channel, or the unanswered ones were reported.
        var isSettled: Bool {
            guard case .subscribed = state else { return false }
            return subscription.isSettled
        }

        /// When ``tick(_:)`` is due next; frames may move it later without an action.
        var deadline: Duration? {
            switch state {
            case .idle, .stopped: return nil
            case .connecting(let until), .greeting(let until), .loggingIn(let until), .closing(let until, _),
                .stopping(let until):
                return until
            case .waiting(let until, let needsRoom): return needsRoom ? nil : until
            case .subscribed:
                guard let stall = stall.deadline else { return subscription.deadline }
                return min(stall, subscription.deadline ?? stall)
            }
        }

        // MARK: Life

        mutating func start(_ now: FeedMoment) -> [Action] {
            guard state == .idle else { return [] }
            _ = subscription.want(
                FeedChannel.channels(of: interest, events: configuration.events), wall: now.wall)
            pauses = PauseWatch(now: now.boot)
            if let life = configuration.previousLife { losses.lostSince(life, subscription.wanted, now) }
            return record([]) + connect(now)
        }

        mutating func opened(_ now: FeedMoment) -> [Action] {
            guard case .connecting = state else { return [] }
            opens += 1
            losses.opened()
            subscription.reset()
            stall.resumed(now: now.monotonic)
            state = .greeting(until: now.monotonic + configuration.loginTimeout)
            return [.note(.opened)]
        }

        /// Records that a frame of any kind was read.
        mutating func seen(_ now: FeedMoment) {
            if let silence = stall.overdue(now: now.monotonic) { watchForJumps(over: silence, because: .stalled, now) }
            stall.seen(now: now.monotonic)
        }

        /// Does what is due, if a deadline has passed.
        mutating func tick(_ now: FeedMoment) -> [Action] {
            guard let deadline, now.monotonic >= deadline else { return [] }
            switch state {
            case .idle, .stopped: return []
            case .connecting:
                let waited = configuration.connectTimeout.spoken
                let (way, culprit) =
                    configuration.proxy.map { (" through the proxy \($0)", "HTTPS_PROXY") } ?? ("", "the URL")
                return abandon(
                    .connectTimeout, "connect",
                    "no connection to \(configuration.endpoint)\(way) within \(waited); check the network and \(culprit)",
                    now)
            case .greeting:
                return loginTimedOut("the feed sent no greeting", now)
            case .loggingIn:
                return loginTimedOut("the feed sent no reply to the login", now)
            case .closing, .stopping: return [.abandon]
            case .waiting: return connect(now)
            case .subscribed: return tickSubscribed(now)
            }
        }

        /// Drops the connection because the sink had no room.
        mutating func overflowed(_ now: FeedMoment) -> [Action] {
            if case .stopping = state { losses.lostAll(.overflow, of: subscription, now) }
            guard case .subscribed = state else { return [] }
            return abandon(
                .overflow, "read",
                "the buffer is full; reconnecting when it has room: check the disk's free space and load",
                now)
        }

        /// Drops the connection because its events come so late that the sink can't tell copies from new ones.
        mutating func fellBehind(_ now: FeedMoment) -> [Action] {
            if case .stopping = state { losses.lostAll(.disconnected, of: subscription, now) }
            guard case .subscribed = state else { return [] }
            return abandon(
                .fellBehind, "read",
                "this connection is too far behind another one to tell duplicates from new events; reconnecting: find "
                    + "out what slows it down, or give it fewer symbols", now)
        }

        mutating func violated(_ violation: WebSocketFrameAssembler.Violation, _ now: FeedMoment) -> [Action] {
            guard isOpen else { return [] }
            return close(.protocolViolation, "read", violation.explanation, code: violation.code, now)
        }

        mutating func peerClosed(_ notice: WebSocketFrameAssembler.CloseNotice, _ now: FeedMoment) -> [Action] {
            switch state {
            case .closing, .stopping: return [.abandon]
            case .greeting, .loggingIn, .subscribed:
                var message = "the feed closed the connection"
                if let code = notice.code { message += " with code \(code)" }
                let reason = DisplayText.escaped(notice.reason, hiding: configuration.apiKey)
                if !reason.isEmpty { message += ": \(reason)" }
                return close(.closed, "read", message, code: notice.code ?? 1000, now)
            case .idle, .connecting, .waiting, .stopped: return []
            }
        }

        /// Handles the loss of the socket, or the failure to open one. An ending that is already known takes precedence.
        mutating func closed(_ ending: FeedEnding?, _ now: FeedMoment, jitter: Double) -> [Action] {
            switch state {
            case .idle, .waiting, .stopped: return []
            case .stopping: return stopped(now)
            case .closing(_, let known): return ended(known, now, jitter: jitter)
            case .connecting, .greeting, .loggingIn, .subscribed:
                return ended(ending ?? .lost(nil, configuration.endpoint), now, jitter: jitter)
            }
        }

        /// The sink has room again.
        mutating func room(_ now: FeedMoment) -> [Action] {
            guard case .waiting(let until, needsRoom: true) = state else { return [] }
            state = .waiting(until: until, needsRoom: false)
            return tick(now)
        }

        /// Stops for good: at once if no socket is open, otherwise after a close frame.
        mutating func stop(_ now: FeedMoment) -> [Action] {
            let noted = alive(now)
            switch state {
            case .idle, .waiting: return noted + stopped(now)
            case .connecting:
                state = .stopping(until: now.monotonic)
                return noted + [.abandon]
            case .greeting, .loggingIn, .subscribed:
                state = .stopping(until: now.monotonic + configuration.closeTimeout)
                return noted + [.close(code: 1000)]
            case .closing(let until, _):
                state = .stopping(until: min(until, now.monotonic + configuration.closeTimeout))
                return noted
            case .stopping, .stopped: return noted
            }
        }

        // MARK: Logging in

        /// Whether a WebSocket is open and not being closed.
        private var isOpen: Bool {
            switch state {
            case .greeting, .loggingIn, .subscribed: true
            default: false
            }
        }

        private mutating func loginTimedOut(_ what: String, _ now: FeedMoment) -> [Action] {
            let message = "\(what) within \(configuration.loginTimeout.spoken); check that the URL leads to a feed"
            return close(.loginTimeout, "login", message, now)
        }

        private mutating func connect(_ now: FeedMoment) -> [Action] {
            state = .connecting(until: now.monotonic + configuration.connectTimeout)
            return [.connect]
        }

        // MARK: Subscribed

        /// Handles the status messages of a read.
        mutating func received(_ statuses: [FeedStatus], _ now: FeedMoment) -> [Action] {
            var changes = Changes()
            var actions: [Action] = []
            for status in statuses { actions += received(status, now, &changes) }
            return actions + act(on: changes, now)
        }

        private mutating func received(_ status: FeedStatus, _ now: FeedMoment, _ changes: inout Changes) -> [Action] {
            var detail: String { DisplayText.escaped(status.message, hiding: configuration.apiKey) }
            switch (status.status, state) {
            case ("connected", .greeting(let until)):
                state = .loggingIn(until: until)
                return [.login]
            case ("auth_success", .loggingIn):
                changes.hasAnswers = true
                return [.note(.loggedIn)] + subscribe(now)
            case ("auth_failed", _) where isOpen, ("error", .loggingIn) where status.isNotAuthorized:
                return close(
                    .keyRefused, "login",
                    "the feed refused the API key: \(detail); check \(configuration.apiKeyName) and the account", now)
            case ("auth_timeout", _) where isOpen:
                return close(
                    .loginTimeout, "login",
                    "the login reached the feed too late: \(detail); the network is slow or the feed is busy", now)
            case ("max_connections", _) where isOpen:
                return close(
                    .connectionLimit, "read",
                    "the account's limit of connections is used up: \(detail); \(limitAdvice)", now)
            case ("slow_consumer", _) where isOpen:
                return close(
                    .slowConsumer, "read",
                    "the feed closed the connection because its events were read too slowly: \(detail); subscribe to fewer "
                        + "symbols or kinds of events, or use a faster machine", now)
            case ("slow_consumer", .stopping):
                // Events that the feed discarded will not arrive before the connection closes.
                losses.lostAll(.disconnected, of: subscription, now)
                changes.hasGaps = true
                return []
            case ("success", .subscribed):
                return confirmed(status.message, now, &changes)
            case ("error", .subscribed) where status.isNotAuthorized:
                notAuthorized(status.message, now, &changes)
                return []
            case (GapNotice.status, .subscribed):
                return [.note(.remark(status: GapNotice.status, message: detail))]
                    + missed(status.message, now, &changes)
            case ("error", _) where isOpen:
                return [
                    fault(
                        FeedError(.feedReported, operation: "read", message: "the feed reports an error: \(detail)"),
                        now)
                ]
            case ("connected", _), ("auth_success", _), ("success", _):
                return []
            default:
                let word = DisplayText.escaped(status.status, hiding: configuration.apiKey, limit: 40)
                return [.note(.remark(status: word, message: detail))]
            }
        }

        /// What to do if the account's limit of connections is used up, by others or by this process alone.
        private var limitAdvice: String {
            let key = configuration.apiKeyName
            guard configuration.companions > 1 else {
                return "another client uses the key in \(key): stop it, or have the limit raised"
            }
            return
                "this collector opens \(configuration.companions) connections with the key in \(key): enable only as "
                + "many as the account allows, or have the limit raised; if another client uses the key too, stop it"
        }

        /// Returns what a batch's events show to be missing; `nil` if nothing. Called before the batch is handed over.
        mutating func shown(by batch: EventBatch, _ now: FeedMoment) -> GapChange? {
            let gaps = losses.shown(by: batch, of: subscription, now)
            return gaps.isEmpty ? nil : GapChange(gaps: gaps)
        }

        /// Handles a batch that was handed over and accepted.
        mutating func took(_ batch: EventBatch, _ now: FeedMoment) -> [Action] {
            guard !batch.isEmpty else { return [] }
            losses.took(batch, now)
            guard case .subscribed = state else { return [] }
            var isDue = losses.awaitsEvents
            if subscription.awaitsEvents, confirm(subscription.shown(by: batch), now) { isDue = true }
            return isDue ? settle(now) : []
        }

        /// Records events that can't be decoded as lost. Called before the events that came with them are handed over.
        mutating func missed(_ lost: UnreadableEvents, _ now: FeedMoment) -> [Action] {
            guard case .subscribed = state else { return [] }
            losses.unreadable(lost, of: subscription, now)
            return record([])
        }

        /// Ends losses that are over, and checks whether the process was suspended. Called at least every
        /// ``PauseWatch/interval``, and before anything that was read is processed.
        mutating func alive(_ now: FeedMoment) -> [Action] {
            let over = losses.endSpells(now)
            let ended = over.isEmpty ? [] : record(over)
            guard let length = pauses?.seen(now.boot) else { return ended }
            watchForJumps(over: length, because: .paused, now)
            return ended + [
                .note(.suspended(length)),
                .incident(
                    Incident(
                        "suspended",
                        detail: "connection \(configuration.name): this process or its machine was suspended for "
                            + "\(length.spoken), until \(WallClock.text(milliseconds: now.wall)); events that the feed "
                            + "discarded meanwhile are recorded as gaps")),
            ]
        }

        /// Records that reading stops until the sink has room.
        mutating func paused(_ now: FeedMoment) {
            stall.paused()
            pausedSince = now
        }

        mutating func resumed(_ now: FeedMoment) {
            stall.resumed(now: now.monotonic)
            if let since = pausedSince, now.boot - since.boot > PauseWatch.tolerance {
                watchForJumps(over: now.boot - since.boot, because: .paused, now)
            }
            pausedSince = nil
        }

        /// Changes what is wanted; on a live connection, only the difference is sent.
        ///
        /// - Parameter missed: new symbols that are missed since the previous collector; others are missed since now.
        mutating func want(_ interest: Interest, missed: MissedSymbols? = nil, _ now: FeedMoment) -> [Action] {
            self.interest = interest
            guard state != .idle, state != .stopped else { return [] }
            // A pause affects the channels from before the change.
            var actions = alive(now)
            let (added, removed) = subscription.want(
                FeedChannel.channels(of: interest, events: configuration.events), wall: now.wall)
            guard !added.isEmpty || !removed.isEmpty else { return actions }
            let ended = losses.gaveUp(removed, of: subscription, now)
            if let missed { losses.lostSince(missed.life, added.filter(missed.contains), now) }
            // The losses of the other channels were recorded when the last try ended.
            if let outage { losses.lost(added, cause: outage, of: subscription, now) }
            actions += record(ended)
            actions.append(.note(.interestChanged(added: added.count, removed: removed.count)))
            guard case .subscribed = state else { return actions }
            actions += ask(added, now)
            let asked = removed.filter { subscription.leaving[$0] != nil }
            if !asked.isEmpty {
                subscription.askedToEnd(asked)
                actions.append(.send(requests(.unsubscribe, asked)))
            }
            return actions + settle(now)
        }

        private mutating func tickSubscribed(_ now: FeedMoment) -> [Action] {
            var actions: [Action] = []
            switch subscription.tick(now: now.monotonic) {
            case nil: break
            case .askAgain(let channels, let singly):
                actions.append(.note(.askingAgain(channels.count)))
                let groups = singly ? channels.map { [$0] } : [channels]
                actions.append(.send(groups.flatMap { requests(.subscribe, $0) }))
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
                        "nothing was received for \(configuration.stallTimeout.spoken), not even a reply to a ping; "
                            + "reconnecting", now)
            }
        }

        private mutating func subscribe(_ now: FeedMoment) -> [Action] {
            state = .subscribed
            outage = nil
            stall.seen(now: now.monotonic)
            return ask(subscription.wanted, now)
        }

        private mutating func ask(_ channels: [FeedChannel], _ now: FeedMoment) -> [Action] {
            guard !channels.isEmpty else { return [] }
            subscription.asked(channels, now: now.monotonic, wall: now.wall)
            let texts = requests(.subscribe, channels)
            return [.note(.subscribing(channels: channels.count, messages: texts.count)), .send(texts)]
        }

        private func requests(_ action: FeedRequest.Action, _ channels: [FeedChannel]) -> [String] {
            FeedRequest.messages(action, channels, maximumBytes: configuration.maximumRequestBytes)
        }

        private mutating func confirmed(_ message: String, _ now: FeedMoment, _ changes: inout Changes) -> [Action] {
            let prefix = "subscribed to:"
            func channels(after count: Int) -> [FeedChannel] {
                message.dropFirst(count).split { $0 == "," || $0 == " " }.compactMap { FeedChannel($0) }
            }
            if message.hasPrefix(prefix) {
                if confirm(channels(after: prefix.count), now) { changes.hasAnswers = true }
                return []
            }
            guard message.hasPrefix("un" + prefix) else {
                return [
                    .note(
                        .remark(status: "success", message: DisplayText.escaped(message, hiding: configuration.apiKey)))
                ]
            }
            ended(channels(after: prefix.count + 2), now, &changes)
            return []
        }

        /// Handles the end of subscriptions. A channel that the feed has ended by itself is lost until it is confirmed
        /// again.
        private mutating func ended(_ channels: [FeedChannel], _ now: FeedMoment, _ changes: inout Changes) {
            let dropped = channels.filter(subscription.isEndUnasked)
            let starts = Dictionary(dropped.map { ($0, losses.start(of: $0, of: subscription)) }) { first, _ in first }
            subscription.ended(channels)
            guard !dropped.isEmpty else { return }
            losses.lost(dropped, from: starts, cause: .unsubscribed, of: subscription, now)
            changes.dropped.formUnion(dropped)
            changes.hasGaps = true
        }

        /// Acts on what all status messages of a read have changed.
        private mutating func act(on changes: Changes, _ now: FeedMoment) -> [Action] {
            var actions = changes.dropped.isEmpty ? [] : askedLater(changes.dropped, now)
            if changes.hasAnswers { actions += settle(now) }
            if changes.hasGaps { actions += record([]) }
            return actions
        }

        /// Reports channels whose subscriptions the feed has ended by itself, unless it has answered for them since. They are
        /// asked for when their answer is overdue, so that a feed that always ends them causes no tight loop.
        private mutating func askedLater(_ channels: Set<FeedChannel>, _ now: FeedMoment) -> [Action] {
            let dropped = subscription.wanted.filter { channels.contains($0) && subscription.isUnasked($0) }
            guard !dropped.isEmpty else { return [] }
            // They count as answered at once, so that nobody takes what was confirmed before for what is now.
            subscription.asked(dropped, now: now.monotonic, wall: now.wall, isReported: true)
            let message =
                "the feed ended the subscription to \(dropped.count) of \(subscription.wanted.count) channels by itself: "
                + "\(DisplayText.list(dropped.map(\.description).sorted())); asking again in "
                + configuration.confirmTimeout.spoken
            return [fault(FeedError(.unconfirmed, operation: "subscribe", message: message), now)]
        }

        /// Returns whether the confirmation of a channel is new.
        private mutating func confirm(_ channels: some Sequence<FeedChannel>, _ now: FeedMoment) -> Bool {
            var isNew = false
            for channel in channels where subscription.confirmed(channel, now: now.monotonic, wall: now.wall) {
                isNew = true
            }
            if isNew { refused(subscription.resolveNameless(), [:], now) }
            return isNew
        }

        /// Handles a refusal: of the channels that it names or, if it names none, of those that are left unanswered.
        private mutating func notAuthorized(_ message: String, _ now: FeedMoment, _ changes: inout Changes) {
            let words = message.split { $0 == " " || $0 == "," || $0 == ":" || $0 == "'" || $0 == "\"" }
            let named = words.compactMap { FeedChannel($0) }.filter(subscription.wants)
            if named.isEmpty {
                subscription.refusedNameless()
                refused(subscription.resolveNameless(), [:], now)
            } else {
                let starts = Dictionary(named.map { ($0, losses.start(of: $0, of: subscription)) }) { first, _ in first
                }
                refused(named.filter { subscription.refuse($0) }, starts, now)
            }
            changes.hasAnswers = true
        }

        /// Records refused channels as lost: since their last events if they were confirmed, otherwise since they were
        /// wanted.
        private mutating func refused(_ channels: [FeedChannel], _ starts: [FeedChannel: Int64], _ now: FeedMoment) {
            losses.lost(channels, from: starts, cause: .unsubscribed, of: subscription, now)
            refusalsToReport += channels
        }

        /// Handles a gap that the feed, a relay, reports about itself.
        private mutating func missed(_ message: String, _ now: FeedMoment, _ changes: inout Changes) -> [Action] {
            guard let notice = GapNotice(message) else { return [] }
            // A loss that a confirmation has ended must not hide the relay's gap.
            let actions = changes.hasAnswers ? settle(now) : []
            changes.hasAnswers = false
            unrecorded += losses.told(notice, of: subscription, now)
            changes.hasGaps = true
            return actions
        }

        /// Acts on the answers once there is one for every channel: reports refusals, ends losses, and updates the status.
        private mutating func settle(_ now: FeedMoment) -> [Action] {
            guard case .subscribed = state, subscription.isSettled else { return [] }
            var actions: [Action] = []
            if !refusalsToReport.isEmpty {
                actions.append(fault(refusal(), now))
                refusalsToReport.removeAll()
            }
            actions += record(losses.settle(subscription, now))
            if subscription.confirmedCount > 0 || subscription.wanted.isEmpty { actions += becomeConnected(now) }
            return actions
        }

        private mutating func becomeConnected(_ now: FeedMoment) -> [Action] {
            guard connectedSince == nil else { return [] }
            connectedSince = now
            isFailing = false
            return [.note(.connected(confirmed: subscription.confirmedCount, wanted: subscription.wanted.count))]
        }

        /// Watches for skipped events after a time in which the feed may have discarded some.
        private mutating func watchForJumps(over length: Duration, because cause: Gap.Cause, _ now: FeedMoment) {
            guard case .subscribed = state else { return }
            losses.watchForJumps(over: length, because: cause, of: subscription, now)
        }

        private func refusal() -> FeedError {
            let names = DisplayText.list(refusalsToReport.map(\.description).sorted())
            let others =
                subscription.refused.count == subscription.wanted.count
                ? "no channel of this connection can be collected" : "the other channels are still collected"
            return FeedError(
                .notAuthorized, operation: "subscribe",
                message: "the account's plan does not cover \(refusalsToReport.count) of \(subscription.wanted.count) "
                    + "channels: \(names); \(others); remove the refused ones, or upgrade the plan of the key in "
                    + "\(configuration.apiKeyName)")
        }

        // MARK: Endings and what was lost

        private mutating func close(
            _ reason: FeedError.Reason, _ operation: String, _ message: String, code: UInt16 = 1000, _ now: FeedMoment
        ) -> [Action] {
            state = .closing(
                until: now.monotonic + configuration.closeTimeout, FeedEnding(reason, operation, message))
            return [.close(code: code)]
        }

        private mutating func fault(_ error: FeedError, retry: Duration? = nil, _ now: FeedMoment) -> Action {
            errors += 1
            lastError = (error, now.wall)
            return .fault(error, retry: retry)
        }

        private mutating func abandon(
            _ reason: FeedError.Reason, _ operation: String, _ message: String, _ now: FeedMoment
        ) -> [Action] {
            state = .closing(until: now.monotonic, FeedEnding(reason, operation, message))
            return [.abandon]
        }

        private mutating func ended(_ ending: FeedEnding, _ now: FeedMoment, jitter: Double) -> [Action] {
            let over = losses.endStanding(now) + losses.lostLeaving(ending.gapCause, of: subscription, now)
            losses.lostAll(ending.gapCause, of: subscription, now)
            outage = ending.gapCause
            let healthyFor = connectedSince.map { now.monotonic - $0.monotonic } ?? .zero
            connectedSince = nil
            subscription.reset()
            refusalsToReport.removeAll()
            let next = policy.ended(ending.pace, healthyFor: healthyFor, jitter: jitter)
            isFailing = isFailing || ending.needsAttention || next.isFailing
            let needsRoom = ending.error.reason == .overflow
            state = .waiting(until: now.monotonic + next.delay, needsRoom: needsRoom)
            return record(over) + [fault(ending.error, retry: next.delay, now)] + (needsRoom ? [.awaitRoom] : [])
        }

        private mutating func stopped(_ now: FeedMoment) -> [Action] {
            let over = losses.stopped(subscription, now)
            connectedSince = nil
            subscription.reset()
            state = .stopped
            return record(over) + [.note(.stopped), .finish]
        }

        /// Records the gaps that have begun or ended.
        private mutating func record(_ ended: [Gap]) -> [Action] {
            // The change drops the open gaps of these, so it must include them.
            let change = losses.change(unrecorded + ended)
            unrecorded = []
            return change.map { [.record($0)] } ?? []
        }
    }
}

extension FeedStatus {
    /// Whether the feed says that the account is not entitled to something.
    fileprivate var isNotAuthorized: Bool {
        let text = message.lowercased()
        return text.contains("not authorized") || text.contains("not entitled")
    }
}
