import Collector
import FeedServer
import Logging
import MarketData
import NIOCore
import Store

/// The relay's readers: who they are, what they want, and what they get. Lives on the relay's event loop alone.
final class RelayDesk {
    /// The maximum number of replays of one reader that wait in line.
    static let maximumReplays = 100

    weak var hub: RelayHub?
    private let configuration: RelayConfiguration
    private let keys: KeyRing
    private let tap: RelayTap
    private let buffer: TickBuffer
    private let symbols: any RelayedSymbols
    private let logger: Logger
    private let board: RelayBoard
    private var readers: [Int: RelayReader] = [:]
    private var replays: [Int: Replay] = [:]
    /// The bytes of live events that wait for the rows of replays.
    private var heldBytes = 0
    private var nextReplay = 1
    private var index = LaneIndex()
    private var lastOverflow: ContinuousClock.Instant?
    /// How many of the readers' channels name each symbol.
    private var reading: [Symbol: Int] = [:]
    /// Since when the symbols that readers name, but nobody wants any more, have not been collected.
    private var lapses: [Symbol: Int64] = [:]
    /// The events' time at the last review of these.
    private var lastReview = Int64.max
    private var warnings = LogThrottle<String, ContinuousClock.Instant>()

    init(
        configuration: RelayConfiguration, keys: KeyRing, tap: RelayTap, buffer: TickBuffer, board: RelayBoard,
        symbols: any RelayedSymbols, logger: Logger
    ) {
        self.configuration = configuration
        self.keys = keys
        self.tap = tap
        self.buffer = buffer
        self.board = board
        self.symbols = symbols
        self.logger = logger
    }

    // MARK: Clients

    func connected(_ client: FeedClient) {
        board.update { $0.connections += 1 }
        readers[client.id] = RelayReader(client, since: WallClock.milliseconds())
        publish()
    }

    func disconnected(_ client: FeedClient) {
        if let reader = readers.removeValue(forKey: client.id) { forget(reader) }
        publish()
    }

    func login(of client: FeedClient, key: String) -> LoginVerdict {
        guard keys.admits(key) else {
            board.update { $0.loginsRefused += 1 }
            warn("a login was refused: the key is not in RELAY_KEYS", of: client)
            return .refused
        }
        // Only readers that have logged in count, so that strangers take nobody's place.
        guard readers.values.count(where: { $0.key != nil }) < configuration.maximumClients else {
            board.update { $0.turnedAway += 1 }
            warn("a reader was turned away: the limit RELAY_MAX_CLIENTS is reached", of: client)
            client.close(code: 1008, reason: "too many clients", status: .tooManyConnections)
            return .ignored
        }
        readers[client.id]?.key = Secret(key)
        return .accepted
    }

    /// Counts a socket that was closed before login to make room for another.
    func madeRoom() { board.update { $0.crowdedOut += 1 } }

    /// Closes the readers whose keys are no longer accepted.
    func closeRevoked() {
        for reader in readers.values where !reader.client.isEnding {
            guard let key = reader.key, !keys.admits(key.reveal()) else { continue }
            logger.warning(
                "a reader was closed: its key is no longer in RELAY_KEYS",
                metadata: ["client": "\(reader.client.address)"])
            reader.client.close(code: 1008, reason: "the key is no longer valid", status: .loginFailed)
            forget(reader)
        }
        publish()
    }

    /// Logs a warning about something that a program may cause again and again.
    private func warn(_ message: Logger.Message, of client: FeedClient) {
        guard let times = warnings.occurred("\(message)", client.address, now: .now) else { return }
        logger.warning(message, metadata: ["client": "\(client.address)", "times": "\(times)"])
    }

    func refusals(of channels: [FeedChannel], to client: FeedClient, replayed: Bool) -> [FeedChannel: StatusMessage] {
        guard let reader = readers[client.id] else { return [:] }
        var refusals: [FeedChannel: StatusMessage] = [:]
        var granted: [FeedChannel] = []
        for channel in channels {
            if let refusal = reason(against: channel, of: reader, beside: granted.count, replayed: replayed) {
                refusals[channel] = refusal
            } else {
                granted.append(channel)
            }
        }
        // Last, because it may start the collection of symbols.
        for (channel, why) in symbols.admit(granted) {
            refusals[channel] = .error("\(channel) is not collected: \(why)")
        }
        if !refusals.isEmpty { board.update { $0.channelsRefused += Int64(refusals.count) } }
        // The reader must get whatever comes after the confirmation, so its text is kept from now on.
        let kinds = granted.reduce(tap.wantedText) { refusals[$1] == nil ? $0.union(KindSet($1.kind)) : $0 }
        if kinds != tap.wantedText { tap.listen(kinds) }
        return refusals
    }

    private func reason(
        against channel: FeedChannel, of reader: RelayReader, beside granted: Int, replayed: Bool
    ) -> StatusMessage? {
        guard configuration.kinds.contains(channel.kind) else {
            return .error("\(channel) is not collected: FEED_EVENTS does not include \(channel.kind.rawValue)")
        }
        guard reader.channelCount + granted < configuration.maximumChannels else {
            return .error("\(channel): a client may have at most \(configuration.maximumChannels) channels")
        }
        return reader.conflict(with: channel, replayed: replayed)
    }

    func subscriptionsChanged(of client: FeedClient, _ channels: [FeedChannel]) {
        let wanted = client.subscriptions.channels
        guard let reader = readers[client.id] else { return }
        var live: Set<FeedChannel> = []
        for channel in channels {
            if !wanted.contains(channel) {
                ends(channel)
                if reader.channels.remove(channel) != nil {
                    index.remove(reader.live, from: channel)
                } else {
                    give(up: channel, of: reader)
                }
            } else {
                begins(channel)
                guard reader.joining[channel] == nil, reader.channels.insert(channel).inserted else { continue }
                index.add(reader.live, to: channel)
                live.insert(channel)
            }
        }
        reader.sample = nil
        listen()
        reader.tell(tap.openGaps, of: live)
    }

    func progressed(_ client: FeedClient) { readers[client.id]?.room.changed() }

    func answered(request status: Int) {
        board.update { state in
            state.barRequests += 1
            if status == 401 { state.loginsRefused += 1 }
        }
    }

    private func forget(_ reader: RelayReader) {
        for channel in reader.channels {
            ends(channel)
            index.remove(reader.live, from: channel)
        }
        for channel in reader.joining.keys { ends(channel) }
        reader.channels = []
        for replay in reader.waiting + [reader.current].compactMap({ $0 }) { end(replay) }
        reader.waiting = []
        reader.joining = [:]
        // Its replay may wait for room that never comes.
        reader.room.changed()
        listen()
    }

    private func begins(_ channel: FeedChannel) {
        if let symbol = channel.symbol { reading[symbol, default: 0] += 1 }
    }

    private func ends(_ channel: FeedChannel) {
        guard let symbol = channel.symbol, let count = reading[symbol] else { return }
        reading[symbol] = count > 1 ? count - 1 : nil
    }

    /// Makes the tap keep the text of the kinds of events that somebody reads or is about to read.
    func listen() {
        tap.listen(replays.values.reduce(index.kinds) { $1.span.to == nil ? $0.union($1.kinds) : $0 })
    }

    // MARK: Live events

    /// Sends what is queued to the readers that want it. This also happens before a request is answered: what is queued
    /// came before the request, and what comes after the answer must find the new channels.
    func drain() {
        let (items, overflowed) = tap.take()
        if overflowed > 0 { lose(overflowed) }
        var fanout = Fanout()
        for item in items {
            switch item {
            case .batch(let batch): fanout.pack(batch, for: index)
            case .mark(let id):
                // What was packed so far came before the mark.
                deliver(fanout.finish(index))
                guard let replay = replays[id] else { continue }
                replay.isHolding = true
                for channel in replay.channels { index.add(replay.lane, to: channel) }
            case .gaps(let gaps):
                deliver(fanout.finish(index))
                for reader in readers.values where !reader.client.isEnding { reader.tell(gaps) }
            }
        }
        deliver(fanout.finish(index))
    }

    private func deliver(_ lanes: [Lane]) {
        var total = (events: 0, bytes: 0)
        for lane in lanes {
            let (parts, events) = lane.take()
            let bytes = parts.reduce(0) { $0 + $1.readableBytes }
            guard let reader = readers[lane.reader], !reader.client.isEnding else { continue }
            if let id = lane.replay {
                guard let replay = replays[id] else { continue }
                replay.held += parts
                replay.heldBytes += bytes
                heldBytes += bytes
                replay.heldEvents += events
            } else {
                reader.send(parts, events: events, bytes: bytes)
                total.events += events
                total.bytes += bytes
            }
            let waiting = reader.waitingBytes
            if waiting > configuration.clientBufferBytes { dismiss(reader, waiting: waiting) }
        }
        boundAll()
        if total.events > 0 { board.sent(events: total.events, bytes: total.bytes) }
    }

    /// If too much is waiting for all readers together, closes those with the most waiting. It closes them at once,
    /// because a reader uses the memory until its socket is closed.
    private func boundAll() {
        // A single reader may always use its own limit.
        let most = max(configuration.allClientsBufferBytes, configuration.clientBufferBytes)
        guard let any = readers.values.first, any.client.allPendingBytes + heldBytes > most else { return }
        let waiting = readers.values.filter { !$0.client.isEnding }.map { (reader: $0, bytes: $0.waitingBytes) }
        var total = waiting.reduce(0) { $0 + $1.bytes }
        for (reader, bytes) in waiting.sorted(by: { $0.bytes > $1.bytes }) where total > most {
            dismiss(reader, waiting: bytes, timeout: .zero)
            total -= bytes
        }
    }

    /// Closes a reader that can't keep up.
    private func dismiss(_ reader: RelayReader, waiting: Int, timeout: Duration? = nil) {
        board.update { $0.slowReaders += 1 }
        logger.warning(
            "a reader was closed: it reads too slowly",
            metadata: [
                "client": "\(reader.client.address)", "waiting_bytes": "\(waiting)",
                "events": "\(reader.counted.events)",
            ])
        reader.client.close(code: 1008, reason: "slow consumer", status: .tooSlow, timeout: timeout)
        forget(reader)
        publish()
    }

    /// Handles the loss of events because this thread fell behind: closes every reader that may have wanted some, as if
    /// its connection had been lost.
    private func lose(_ events: Int64) {
        board.update { $0.overflowed += events }
        lastOverflow = .now
        logger.error(
            "the relay fell behind: subscribed readers were disconnected and must reconnect",
            metadata: ["events_lost": "\(events)"])
        for reader in readers.values where reader.channelCount > 0 {
            reader.client.close(code: 1013, reason: "the relay fell behind", status: .tooSlow)
            forget(reader)
        }
        publish()
    }

    // MARK: Replays

    func replay(_ channels: [FeedChannel], _ span: ReplaySpan, to client: FeedClient) {
        guard let reader = readers[client.id], !client.isEnding else { return }
        let waiting = reader.waiting.reduce(channels.count) { $0 + $1.channels.count }
        guard reader.waiting.count < Self.maximumReplays, waiting <= configuration.maximumChannels else {
            client.send(.error("too many replays at once: nothing is replayed"))
            return
        }
        let replay = Replay(id: nextReplay, reader: client.id, channels: channels, span: span)
        nextReplay += 1
        replays[replay.id] = replay
        if span.to == nil { for channel in channels { reader.joining[channel] = replay.id } }
        board.update { $0.replays += 1 }
        reader.waiting.append(replay)
        startNext(of: reader)
    }

    private func startNext(of reader: RelayReader) {
        guard reader.current == nil, !reader.waiting.isEmpty, let hub else { return }
        let replay = reader.waiting.removeFirst()
        reader.current = replay
        let job = ReplayJob(
            id: replay.id, client: reader.client, room: reader.room, channels: replay.channels, span: replay.span,
            hub: hub, buffer: buffer, symbols: symbols)
        replay.task = Task { await job.run() }
    }

    /// Sends rows of a replay; returns the channels that are still wanted, none if the replay is over.
    func send(_ part: ByteBuffer, events: Int, of id: Int) -> [FeedChannel] {
        guard let (reader, replay) = current(id) else { return [] }
        guard events > 0 else { return replay.channels }
        reader.send(row: part, events: events)
        board.update { state in
            state.replayed += Int64(events)
            state.bytes += Int64(part.readableBytes)
        }
        return replay.channels
    }

    func tell(_ message: StatusMessage, of id: Int) { current(id)?.reader.client.send(message) }

    /// Marks the point from which a replay's live events wait.
    func mark(_ id: Int, _ reached: @escaping @Sendable (StreamSequences?) -> Void) {
        guard current(id) != nil else { return reached(nil) }
        tap.mark(replay: id, reached)
    }

    /// Ends a replay: sends what waited for its rows, and makes its channels live.
    func complete(_ id: Int, _ message: StatusMessage) {
        // The mark and what follows it may still be in the queue.
        drain()
        guard let (reader, replay) = current(id) else { return }
        reader.client.send(message)
        end(replay)
        if !replay.held.isEmpty {
            reader.send(replay.held, events: replay.heldEvents, bytes: replay.heldBytes)
            board.sent(events: replay.heldEvents, bytes: replay.heldBytes)
        }
        if replay.span.to == nil {
            reader.live.followsReplay = true
            for channel in replay.channels {
                reader.joining[channel] = nil
                if reader.channels.insert(channel).inserted { index.add(reader.live, to: channel) }
            }
        }
        reader.current = nil
        startNext(of: reader)
    }

    private func current(_ id: Int) -> (reader: RelayReader, replay: Replay)? {
        guard let replay = replays[id], let reader = readers[replay.lane.reader], !reader.client.isEnding else {
            return nil
        }
        return (reader, replay)
    }

    /// Handles an unsubscription from a channel whose replay is under way.
    private func give(up channel: FeedChannel, of reader: RelayReader) {
        guard let id = reader.joining.removeValue(forKey: channel), let replay = replays[id] else { return }
        if replay.isHolding { index.remove(replay.lane, from: channel) }
        replay.channels.removeAll { $0 == channel }
        guard replay.channels.isEmpty else { return }
        end(replay)
        reader.waiting.removeAll { $0 === replay }
        if reader.current === replay {
            reader.current = nil
            startNext(of: reader)
        }
    }

    private func end(_ replay: Replay) {
        replay.task?.cancel()
        if replay.isHolding { for channel in replay.channels { index.remove(replay.lane, from: channel) } }
        if replays.removeValue(forKey: replay.id) != nil { heldBytes -= replay.heldBytes }
    }

    // MARK: Symbols on demand

    /// Gives up the symbols on demand that nobody reads any more, and notifies readers of channels that no longer deliver.
    func reviewDemand() {
        guard configuration.maximumOnDemand != nil else { return }
        let (before, now) = (board.current.onDemand, symbols.reviewDemand { reading[$0] != nil })
        // Before any reader is notified.
        board.update { $0.onDemand = now }
        for channel in now.refused.subtracting(before.refused) {
            notifyReaders(of: channel, "is not collected: the account's plan does not cover it")
        }
        for symbol in Set(before.symbols).subtracting(now.symbols) where reading[symbol] != nil {
            for kind in configuration.kinds {
                let channel = FeedChannel(kind: kind, symbol: symbol)
                notifyReaders(of: channel, "is no longer collected: the symbol was unsubscribed")
            }
        }
    }

    /// Tells readers that a symbol which they name is no longer collected, such as one that has left its universe, and
    /// when it is again. For the collector, that is no gap.
    func reviewLapses() {
        let present = symbols.present
        // Until the last review, they were wanted.
        let from = min(lastReview, present) - Gap.eventLateness
        lastReview = present
        let gone = Set(symbols.unwanted(among: reading.keys))
        guard !gone.isEmpty || !lapses.isEmpty else { return }
        drain()
        let new = gone.filter { lapses[$0] == nil }
        for symbol in new { lapses[symbol] = from }
        notifyReaders(ofLapse: channels(of: new), from: from, to: nil)
        lapses = lapses.filter { reading[$0.key] != nil }
        let back = lapses.keys.filter { !gone.contains($0) }
        guard !back.isEmpty else { return }
        // The feed may have yet to answer for some.
        let times = symbols.collectedSince(channels(of: back))
        var over: [ClosedRange<Int64>: [FeedChannel]] = [:]
        for (channel, since) in times {
            guard let from = channel.symbol.flatMap({ lapses[$0] }) else { continue }
            over[from...max(from, since), default: []].append(channel)
        }
        for (span, channels) in over { notifyReaders(ofLapse: channels, from: span.lowerBound, to: span.upperBound) }
        for symbol in times.keys.compactMap(\.symbol) { lapses[symbol] = nil }
    }

    private func channels(of symbols: some Sequence<Symbol>) -> [FeedChannel] {
        symbols.flatMap { symbol in configuration.kinds.map { FeedChannel(kind: $0, symbol: symbol) } }
    }

    private func notifyReaders(ofLapse channels: [FeedChannel], from: Int64, to: Int64?) {
        guard !channels.isEmpty else { return }
        let gap = Gap(
            connection: "relay", symbols: Set(channels.compactMap(\.symbol)).sorted(),
            events: EventKind.allCases.filter(configuration.kinds.contains), from: from, to: to, cause: .unsubscribed)
        for reader in readers.values where !reader.client.isEnding {
            reader.tell([gap], of: Set(channels.filter(reader.reads)))
        }
    }

    private func notifyReaders(of channel: FeedChannel, _ what: String) {
        for reader in readers.values where reader.reads(channel) { reader.client.send(.error("\(channel) \(what)")) }
    }

    // MARK: Showing

    func publish() {
        let shown = readers.values.sorted { $0.client.id < $1.client.id }.map { $0.state() }
        let queued = tap.queuedBytes
        let age = lastOverflow.map { $0.duration(to: .now).inSeconds }
        board.update { state in
            state.secondsSinceOverflow = age
            state.readers = shown
            state.queuedBytes = queued
        }
    }
}
