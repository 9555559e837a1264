import MarketData

extension FeedConnection {
    /// Decides all that a connection does from the start until it is stopped; performs nothing.
    ///
    /// Each input returns the actions to perform, in order. Deadlines are polled: ``deadline`` says when ``tick(_:)``
    /// has something to do.
    struct StateMachine: Sendable {
        enum Action: Equatable {
            /// Open a connection; answer with ``opened(_:)`` or ``closed(_:_:jitter:)``.
            case connect
            /// Send the login.
            case login
            /// Send these texts.
            case send([String])
            case ping
            /// Send a close frame, and keep reading until the peer closes.
            case close(code: UInt16)
            /// Drop the socket, or the attempt to open one, now; answer with ``closed(_:_:jitter:)``.
            case abandon
            /// Call ``room(_:)`` when the sink has room.
            case awaitRoom
            case record(GapChange)
            case incident(Incident)
            case note(FeedNotice)
            /// Log a failure; `retry` is the wait until the next try where one follows.
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
            /// Between tries; `needsRoom` while the sink has none.
            case waiting(until: Duration, needsRoom: Bool)
            case stopping(until: Duration)
            case stopped
        }

        let configuration: FeedConfiguration
        var state = State.idle
        var subscription: Subscription
        var losses = LossLedger()
        var policy: ReconnectPolicy
        var stall: StallWatch
        /// Since when the subscription stands, on both clocks.
        var connectedSince: FeedMoment?
        /// Whether the last ending needs a person, until the subscription stands again.
        var isTroubled = false
        /// Why there is no subscription since the last try ended; `nil` in the first try, and once logged in.
        var outage: Gap.Cause?
        /// How far the events have come.
        var times = EventTimes()
        /// Whether an event came on the connection that is open.
        var hasEvents = false
        /// Whether losses wait for an event to tell when they ended, because the clock can't.
        var awaitsEvents = false
        var pauses: PauseWatch?
        /// When reading was stopped by this side.
        var pausedSince: FeedMoment?
        /// What to look at after a pause; `nil` when there was none or all events have come past it.
        var jumps: JumpWatch?
        var refusalsToReport: [FeedChannel] = []
        var interest: Interest
        private(set) var opens: Int64 = 0
        var errors: Int64 = 0
        var lastError: (error: FeedError, wall: Int64)?

        init(configuration: FeedConfiguration, interest: Interest) {
            self.configuration = configuration
            self.interest = interest
            subscription = Subscription(
                confirmTimeout: configuration.confirmTimeout, unconfirmedRetry: configuration.unconfirmedRetry)
            // A wait of nothing, or a cap below the first wait, would make a tight loop or a contradiction.
            let firstDelay = max(configuration.reconnectDelay, .milliseconds(10))
            policy = ReconnectPolicy(
                firstDelay: firstDelay, cap: max(configuration.reconnectCap, firstDelay),
                quickDelay: configuration.quickReconnect, healthyAfter: configuration.healthyAfter,
                maximumFailures: configuration.maxRetries, refusedKeyDelay: configuration.refusedKeyDelay,
                connectionLimitDelay: configuration.connectionLimitDelay)
            stall = StallWatch(
                pingInterval: configuration.pingInterval, stallTimeout: configuration.stallTimeout, now: .zero)
        }

        /// How often a connection was opened again.
        var reconnects: Int64 { max(0, opens - 1) }

        /// The state in one word.
        var status: FeedConnectionStatus {
            switch state {
            case .idle, .stopping, .stopped:
                return .disconnected
            case .waiting:
                return isTroubled ? .error : .disconnected
            case .closing(_, let ending):
                return isTroubled || ending.needsAttention ? .error : .disconnected
            case .connecting, .greeting, .loggingIn:
                return isTroubled ? .error : .connecting
            case .subscribed:
                if connectedSince != nil { return .connected }
                return isTroubled || subscription.isSettled ? .error : .connecting
            }
        }

        /// Whether the feed has answered all that is wanted.
        var isSettled: Bool {
            guard case .subscribed = state else { return false }
            return subscription.isSettled
        }

        /// When ``tick(_:)`` is to be called next; may move later by itself when frames come.
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
            noteDowntime(now)
            return record([]) + connect(now)
        }

        /// The WebSocket is open.
        mutating func opened(_ now: FeedMoment) -> [Action] {
            guard case .connecting = state else { return [] }
            opens += 1
            hasEvents = false
            jumps = nil
            subscription.reset()
            stall = StallWatch(
                pingInterval: configuration.pingInterval, stallTimeout: configuration.stallTimeout,
                now: now.monotonic)
            state = .greeting(until: now.monotonic + configuration.loginTimeout)
            return [.note(.opened)]
        }

        /// A frame of any kind was read.
        mutating func seen(_ now: FeedMoment) {
            stall.seen(now: now.monotonic)
        }

        /// A deadline may have passed.
        mutating func tick(_ now: FeedMoment) -> [Action] {
            guard let deadline, now.monotonic >= deadline else { return [] }
            switch state {
            case .idle, .stopped: return []
            case .connecting:
                let waited = configuration.connectTimeout.spoken
                return abandon(
                    .connectTimeout, "connect",
                    "no connection to \(configuration.endpoint) within \(waited); check the network and the URL", now)
            case .greeting:
                return loginTimedOut("the feed did not say that it is ready", now)
            case .loggingIn:
                return loginTimedOut("the feed did not answer the login", now)
            case .closing, .stopping: return [.abandon]
            case .waiting: return connect(now)
            case .subscribed: return tickSubscribed(now)
            }
        }

        /// Drops the connection because the sink had no room.
        mutating func overflowed(_ now: FeedMoment) -> [Action] {
            if case .stopping = state { noteLosses(.overflow, now) }
            guard case .subscribed = state else { return [] }
            return abandon(
                .overflow, "read",
                "the buffer has no room for more events; connecting again when it has: check the disk and its load", now
            )
        }

        /// The peer broke the protocol.
        mutating func violated(_ violation: WebSocketFrameAssembler.Violation, _ now: FeedMoment) -> [Action] {
            guard isOpen else { return [] }
            let error = FeedError(.protocolViolation, operation: "read", message: violation.explanation)
            return close(FeedEnding(error), code: violation.code, now)
        }

        /// The peer sent a close frame.
        mutating func peerClosed(_ notice: WebSocketFrameAssembler.CloseNotice, _ now: FeedMoment) -> [Action] {
            switch state {
            case .closing, .stopping: return [.abandon]
            case .greeting, .loggingIn, .subscribed:
                var message = "the feed closed the connection"
                if let code = notice.code { message += " with code \(code)" }
                let reason = DisplayText.escaped(notice.reason, hiding: configuration.apiKey)
                if !reason.isEmpty { message += ": \(reason)" }
                return close(
                    FeedEnding(FeedError(.closed, operation: "read", message: message)), code: notice.code ?? 1000, now)
            case .idle, .connecting, .waiting, .stopped: return []
            }
        }

        /// The socket is gone, or could not be opened.
        ///
        /// - Parameter ending: what the socket or the dialler said; an ending known before counts more.
        mutating func closed(_ ending: FeedEnding?, _ now: FeedMoment, jitter: Double) -> [Action] {
            switch state {
            case .idle, .waiting, .stopped: return []
            case .stopping: return stopped(now)
            case .closing(_, let known): return ended(known, now, jitter: jitter)
            case .connecting, .greeting, .loggingIn, .subscribed:
                let lost = FeedError(
                    .closed, operation: "read", message: "the connection to \(configuration.endpoint) was lost")
                return ended(ending ?? FeedEnding(lost), now, jitter: jitter)
            }
        }

        /// The sink has room again.
        mutating func room(_ now: FeedMoment) -> [Action] {
            guard case .waiting(let until, needsRoom: true) = state else { return [] }
            state = .waiting(until: until, needsRoom: false)
            return tick(now)
        }

        /// Ends for good: at once where no socket is open, else after a close frame.
        mutating func stop(_ now: FeedMoment) -> [Action] {
            switch state {
            case .idle, .waiting: return stopped(now)
            case .connecting:
                state = .stopping(until: now.monotonic)
                return [.abandon]
            case .greeting, .loggingIn, .subscribed:
                state = .stopping(until: now.monotonic + configuration.closeTimeout)
                return [.close(code: 1000)]
            case .closing(let until, _):
                state = .stopping(until: min(until, now.monotonic + configuration.closeTimeout))
                return []
            case .stopping, .stopped: return []
            }
        }

        // MARK: Parts

        /// Whether a WebSocket is open and not being closed.
        var isOpen: Bool {
            switch state {
            case .greeting, .loggingIn, .subscribed: true
            default: false
            }
        }

        private mutating func loginTimedOut(_ what: String, _ now: FeedMoment) -> [Action] {
            let message = "\(what) within \(configuration.loginTimeout.spoken); check that the URL is a feed's"
            return close(FeedEnding(FeedError(.loginTimeout, operation: "login", message: message)), code: 1000, now)
        }

        private mutating func connect(_ now: FeedMoment) -> [Action] {
            state = .connecting(until: now.monotonic + configuration.connectTimeout)
            return [.connect]
        }
    }
}
