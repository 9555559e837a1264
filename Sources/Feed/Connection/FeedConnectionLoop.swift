import Logging
import MarketData
import NIOCore

/// Performs what ``FeedConnection/StateMachine`` decides; lives on one event loop and never leaves it.
final class FeedConnectionLoop {
    let eventLoop: any EventLoop
    let configuration: FeedConfiguration
    let sink: any EventSink
    let state: FeedConnectionState
    let logger: Logger
    var machine: FeedConnection.StateMachine
    var intake: FeedIntake
    private let ended: EventLoopPromise<Void>
    private var dialler: FeedDialler
    /// Counts attempts and endings, so that a callback for an earlier connection is recognised.
    private var attempt = 0
    /// The attempt under way. Results of any other attempt are ignored.
    private var dial: FeedDial?
    private var handler: FeedChannelHandler?
    private var isPaused = false
    private var queue: [FeedConnection.StateMachine.Action] = []
    private var isPerforming = false
    private var timer: (task: Scheduled<Void>, deadline: Duration)?
    private var pulse: RepeatedTask?
    private var faults = LogThrottle<FeedError.Reason, MonotonicTime>()
    /// Limited in variety, because the feed chooses the texts.
    var remarks = LogThrottle<String, MonotonicTime>(variety: 8)
    private var rejectLog = RejectLog()
    private var seenVersion = -1
    private var shownVersion = -1
    private var interestNumber: Int
    private var shown: (status: FeedConnectionStatus, version: Int, isQuiet: Bool)?

    init(
        eventLoop: any EventLoop, configuration: FeedConfiguration, interest: Interest, sink: any EventSink,
        tap: (any FrameTap)?, state: FeedConnectionState, logger: Logger, ended: EventLoopPromise<Void>
    ) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.sink = sink
        self.state = state
        self.logger = logger
        self.ended = ended
        interestNumber = state.interestNumber
        machine = FeedConnection.StateMachine(configuration: configuration, interest: interest)
        intake = FeedIntake(
            name: configuration.name, tap: tap,
            newestTime: configuration.previousLife?.newest.values.max() ?? 0, hiding: configuration.apiKey)
        dialler = FeedDialler(configuration: configuration, eventLoop: eventLoop)
    }

    // MARK: From outside

    func start() {
        let interval = TimeAmount(PauseWatch.interval)
        pulse = eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { [bound] _ in
            let loop = bound.value
            let actions = loop.machine.alive(loop.now)
            if !actions.isEmpty { loop.perform(actions) }
        }
        perform(machine.start(now))
    }

    func stop() { perform(machine.stop(now)) }

    func want(_ interest: Interest, missed: MissedSymbols?, number: Int) {
        interestNumber = number
        perform(machine.want(interest, missed: missed, now))
        shown = nil
        show()
    }

    // MARK: From the channel

    /// Takes over the open WebSocket of an attempt; its frames come next. Returns `false` if the attempt was abandoned.
    func opened(_ handler: FeedChannelHandler, by dial: FeedDial) -> Bool {
        guard dial === self.dial else { return false }
        self.dial = nil
        self.handler = handler
        isPaused = false
        perform(machine.opened(now))
        return true
    }

    /// A read burst begins.
    func readBegan() {
        let now = now
        intake.begin(now)
        let actions = machine.alive(now)
        if !actions.isEmpty { perform(actions) }
        machine.seen(now)
    }

    /// Called before each message. If the sink wants the text of other kinds than before, that applies from this
    /// message on.
    func messageBegins() {
        let kinds = sink.wantedText
        guard kinds != intake.keptKinds else { return }
        offer()
        intake.keep(kinds)
    }

    /// Part of a frame was read.
    func bytesSeen() { machine.seen(now) }

    /// Hands over the events so far if the burst has grown large.
    func handOverIfLarge() {
        if intake.batch.approximateBytes >= configuration.handOverBytes { offer() }
    }

    /// Called when a read burst ends: hands over the events, then handles the feed's status messages.
    func readEnded() {
        let now = now
        offer()
        let statuses = intake.takeStatuses()
        if !statuses.isEmpty { perform(machine.received(statuses, now)) }
        let counts = intake.counts
        let rejects = intake.decoder.rejects
        state.update { snapshot in
            snapshot.frames = counts.frames
            snapshot.bytes = counts.bytes
            snapshot.binaryFrames = counts.binaryFrames
            snapshot.rejects = rejects
            snapshot.lastMessage = now.wall
        }
        for line in rejectLog.lines(rejects, now: now.monotonic) { log(line) }
        rearm()
    }

    func violated(_ violation: WebSocketFrameAssembler.Violation) { perform(machine.violated(violation, now)) }

    func peerClosed(_ notice: WebSocketFrameAssembler.CloseNotice) { perform(machine.peerClosed(notice, now)) }

    /// The channel of `handler` is gone.
    func closed(_ handler: FeedChannelHandler, _ ending: FeedEnding?) {
        guard handler === self.handler else { return }
        self.handler = nil
        attempt += 1
        perform(machine.closed(ending, now, jitter: .random(in: 0...1)))
    }

    private func offer() {
        // This comes first, because the loss begins where the events had come to before this batch.
        if let lost = intake.decoder.takeUnreadable() { perform(machine.missed(lost, now)) }
        guard !intake.batch.isEmpty else { return }
        let batch = intake.takeBatch()
        // If the connection was dropped during this read, the rest of the read is within its gap.
        guard handler != nil else { return }
        let moment = now
        // A kill may keep the events that show a gap, but must not keep them without it.
        if let change = machine.shown(by: batch, moment) { sink.record(change) }
        let admission = sink.offer(batch)
        switch admission {
        case .accepted, .acceptedStopReading: break
        case .refused:
            state.update { $0.overflowed += Int64(batch.count) }
            return perform(machine.overflowed(moment))
        case .outdated: return perform(machine.fellBehind(moment))
        }
        let latency = batch.newestEnd.map { batch.receivedMicroseconds / 1000 - $0 }
        state.update { snapshot in
            batch.forEachCount { if $1 > 0 { snapshot.events[$0, default: 0] += Int64($1) } }
            snapshot.latency = latency
            snapshot.lastEvent = batch.receivedMicroseconds / 1000
            if snapshot.silentSince != nil { snapshot.silentSince = .now }
        }
        perform(machine.took(batch, moment))
        if admission == .acceptedStopReading { pause() }
    }

    // MARK: Back-pressure

    private func pause() {
        guard !isPaused, let handler else { return }
        isPaused = true
        handler.setReading(false)
        machine.paused(now)
        state.update { $0.isPaused = true }
        let attempt = attempt
        onRoom { $0.resume(attempt) }
    }

    private func resume(_ attempt: Int) {
        guard attempt == self.attempt, isPaused else { return }
        isPaused = false
        machine.resumed(now)
        state.update { $0.isPaused = false }
        handler?.setReading(true)
        rearm()
    }

    private func onRoom(_ body: @escaping @Sendable (FeedConnectionLoop) -> Void) {
        sink.whenRoom { [bound, eventLoop] in eventLoop.execute { body(bound.value) } }
    }

    // MARK: Actions

    /// Performs actions in order. Actions that result from one are performed after those already queued.
    private func perform(_ actions: [FeedConnection.StateMachine.Action]) {
        queue += actions
        guard !isPerforming else { return }
        isPerforming = true
        var next = 0
        while next < queue.count {
            perform(queue[next])
            next += 1
        }
        queue.removeAll(keepingCapacity: true)
        isPerforming = false
        if next > 0 || machine.subscription.version != seenVersion { show() }
        rearm()
    }

    private func perform(_ action: FeedConnection.StateMachine.Action) {
        switch action {
        case .connect: connect()
        case .login: handler?.send(FeedRequest.login(configuration.apiKey))
        case .send(let texts):
            for text in texts { handler?.send(text) }
        case .ping: handler?.ping()
        case .close(let code):
            handler?.sendClose(code: code)
            // While reading is paused, the reply to the close frame would not be read.
            if isPaused { abandon() }
        case .abandon: abandon()
        case .awaitRoom: onRoom { loop in loop.perform(loop.machine.room(loop.now)) }
        case .record(let change): sink.record(change)
        case .incident(let incident): sink.record(incident)
        case .note(let notice): log(notice)
        case .fault(let error, let retry):
            guard let count = faults.occurred(error.reason, error.message, now: .now()) else { return }
            log(error, retry: retry, count: count)
        case .finish:
            timer?.task.cancel()
            timer = nil
            pulse?.cancel()
            pulse = nil
            show()
            ended.succeed()
        }
    }

    private func connect() {
        attempt += 1
        dial = dialler.dial(self)
    }

    /// An attempt ended without an open WebSocket.
    func dialFailed(_ dial: FeedDial, _ ending: FeedEnding) {
        guard dial === self.dial else { return }
        self.dial = nil
        perform(machine.closed(ending, now, jitter: .random(in: 0...1)))
    }

    private func abandon() {
        attempt += 1
        let (dial, handler) = (dial, handler)
        self.dial = nil
        self.handler = nil
        dial?.cancel()
        handler?.abandon()
        perform(machine.closed(nil, now, jitter: .random(in: 0...1)))
    }

    // MARK: Time and display

    var now: FeedMoment { .now() }

    /// The loop for closures that run on it later.
    private var bound: NIOLoopBound<FeedConnectionLoop> { NIOLoopBound(self, eventLoop: eventLoop) }

    private func rearm() {
        guard let deadline = machine.deadline else {
            timer?.task.cancel()
            timer = nil
            return
        }
        // A timer that fires early finds nothing due and is set again, so frames need not move it.
        if let timer, timer.deadline <= deadline { return }
        timer?.task.cancel()
        let time = NIODeadline.uptimeNanoseconds(MonotonicTime(sinceBoot: deadline).nanoseconds)
        let task = eventLoop.scheduleTask(deadline: time) { [bound] in bound.value.fired() }
        timer = (task, deadline)
    }

    private func fired() {
        timer = nil
        perform(machine.tick(now))
    }

    /// Updates the snapshot from the machine.
    private func show() {
        let subscription = machine.subscription
        seenVersion = subscription.version
        let isNew = subscription.version != shownVersion && subscription.isSettled
        if isNew { shownVersion = subscription.version }
        state.update { snapshot in
            snapshot.status = machine.status
            snapshot.isUp = machine.isUp
            // While a newer interest is on its way to this loop, the answers to the current one say nothing about it.
            let isCurrent = interestNumber == state.interestNumber
            if isCurrent {
                snapshot.isSettled = machine.isSettled
                snapshot.isQuiet = subscription.leaving.isEmpty
            }
            snapshot.channels = subscription.wanted.count
            snapshot.confirmedChannels = subscription.confirmedCount
            snapshot.reconnects = machine.reconnects
            snapshot.errors = machine.errors
            let connectedSince = machine.connectedSince?.wall
            if connectedSince != snapshot.connectedSince { snapshot.silentSince = connectedSince == nil ? nil : .now }
            snapshot.connectedSince = connectedSince
            snapshot.isPaused = isPaused && handler != nil
            if let last = machine.lastError {
                snapshot.lastError = last.error
                snapshot.lastErrorTime = last.wall
            }
            guard isNew else { return }
            if isCurrent { snapshot.assigned = subscription.wanted.symbols }
            snapshot.confirmed = subscription.confirmedSymbols
            snapshot.confirmedKinds = subscription.confirmedKinds
            let refused = subscription.wanted.filter(subscription.refused.contains)
            snapshot.refusedChannels = refused.map(\.description).sorted()
            snapshot.refused = refused.symbols
        }
        let version = machine.isSettled ? subscription.version : -1
        let current = (status: machine.status, version: version, isQuiet: subscription.leaving.isEmpty)
        guard shown.map({ $0 != current }) ?? true else { return }
        shown = current
        state.notify()
    }
}
