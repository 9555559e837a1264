public import MarketData
import Synchronization
public import WebAPI

@testable public import Collector
@testable public import Feed
@testable public import Store
@testable public import Universe

/// A source that also supplies the snapshots for the status board.
public protocol SampledSource: CollectorSource {
    /// Returns the current state of everything.
    func snapshot() -> CollectorSnapshot
}

/// A collector in memory: accepts events as the buffer does, keeps symbols on connections, and carries out requests.
public final class StagedCollector: SampledSource, EventSink {
    /// The collector's state.
    public struct State: Sendable {
        /// What ``StagedCollector/snapshot()`` returns, except for its time.
        public var snapshot = CollectorSnapshot(collector: "test-box", version: "1.2.3")
        /// The feed state of each connection, by id; removing one here removes the connection.
        public var tickers: [String: FeedSnapshot] {
            get {
                Dictionary(uniqueKeysWithValues: snapshot.connections.map { ($0.id, $0.feed) })
            }
            set {
                snapshot.connections.removeAll { newValue[$0.id] == nil }
                for index in snapshot.connections.indices {
                    let id = snapshot.connections[index].id
                    if let feed = newValue[id] { snapshot.connections[index].feed = feed }
                }
            }
        }
        /// Every event taken, oldest first.
        public var events: [StoredEvent] = []
        /// The groups and their members.
        public var groups: [(summary: UniverseGroup, members: [Symbol])] = []
        /// Why symbols are collected.
        public var reasons: [Symbol: [SymbolPlacement.Reason]] = [:]
        /// The cache scopes that were refreshed.
        public var refreshes: [RelationshipCache.Scope] = []
        /// The recorded gaps, newest first.
        public var gaps: [GapRecord] = []
        /// The days that were compared with the tape, and have nothing open.
        public var reconciled: Set<TradingDay> = []
        /// The dead letters, newest first.
        public var deadLetters: [DeadLetter] = []
        /// What stops a second database's part of a retry or discard of dead letters.
        public var letterFailure: String?
        /// How many rows a discard finds waiting for upload.
        public var lettersWaiting = 0
        /// The fleet as it was last read.
        public var fleet: FleetBoard.View? = FleetBoard.View()
        /// How often an upload was requested.
        public var pushes = 0
        /// When set, everything that reads from files fails with this.
        public var fileProblem: CollectorProblem?
        /// When set, everything that reads from files takes this long and can't be cancelled.
        public var fileDelay: Duration?
        /// How many reads from files have begun.
        public var fileReads = 0
        /// The maximum number of events kept.
        public var eventLimit = 50_000
    }

    private let state = Mutex(State())

    /// Makes an empty collector.
    public init() {}

    /// Changes the state.
    public func change(_ body: (inout State) -> Void) {
        state.withLock { body(&$0) }
    }

    /// A copy of the state.
    public var current: State { state.withLock { $0 } }

    // MARK: Connections

    /// Adds a connected connection with these symbols, all confirmed.
    public func connect(_ id: String, name: String, symbols: [Symbol], status: FeedConnectionStatus = .connected) {
        change { state in
            var connection = ConnectionState(id: id, name: name, status: status)
            connection.feed.assigned = symbols
            connection.feed.confirmed = status == .connected ? symbols : []
            connection.feed.connectedSince = status == .connected ? 1_767_600_000_000 : nil
            state.snapshot.connections.append(connection)
        }
    }

    /// Changes one connection.
    public func change(_ id: String, _ body: (inout ConnectionState) -> Void) {
        change { state in
            guard let index = state.snapshot.connections.firstIndex(where: { $0.id == id }) else { return }
            body(&state.snapshot.connections[index])
        }
    }

    // MARK: EventSink

    /// Keeps the events and counts them on their connection.
    public func offer(_ batch: EventBatch) -> Admission {
        change { state in
            batch.forEachNewest(.max) { event in
                state.events.append(
                    StoredEvent(
                        event, connection: batch.connection, receivedMicroseconds: batch.receivedMicroseconds))
            }
            if state.events.count > state.eventLimit {
                state.events.removeFirst(state.events.count - state.eventLimit)
            }
            batch.forEachCount { kind, count in
                state.snapshot.buffer[kind.stream].appended += Int64(count)
                state.snapshot.buffer[kind.stream].marks.last += Int64(count)
            }
            guard let index = state.snapshot.connections.firstIndex(where: { $0.name == batch.connection }) else {
                return
            }
            batch.forEachCount { kind, count in
                state.snapshot.connections[index].feed.events[kind, default: 0] += Int64(count)
            }
            state.snapshot.connections[index].feed.frames += 1
            state.snapshot.connections[index].feed.lastMessage = batch.receivedMicroseconds / 1000
            state.snapshot.connections[index].feed.lastEvent = batch.receivedMicroseconds / 1000
        }
        return .accepted
    }

    /// Resumes at once, since there is always room.
    public func whenRoom(_ resume: @escaping @Sendable () -> Void) { resume() }

    /// Keeps the gaps.
    public func record(_ change: GapChange) {
        self.change { state in
            for gap in change.gaps {
                let id = (state.gaps.map(\.id).max() ?? 0) + 1
                state.gaps.insert(GapRecord(gap, id: id), at: 0)
                state.snapshot.buffer.gaps += 1
                state.snapshot.buffer.recordedGaps += 1
            }
        }
    }

    // MARK: CollectorSource

    /// Returns the state of everything, as of now.
    public func snapshot() -> CollectorSnapshot {
        state.withLock { state in
            state.snapshot.time = WallClock.milliseconds()
            state.snapshot.instant = .now
            return state.snapshot
        }
    }

    /// Returns the staged fleet.
    public func fleet() -> FleetBoard.View? { current.fleet }

    /// Returns the latest events accepted, newest first.
    public func recentEvents(
        symbol: Symbol?, limit: Int
    ) async throws(CollectorProblem) -> TickHistory.Answer<StoredEvent> {
        let events = try await file().events.reversed().lazy.filter { symbol == nil || $0.symbol == symbol }
        return TickHistory.Answer(values: Array(events.prefix(limit)))
    }

    /// Returns the newest version of each bar accepted, oldest first.
    public func bars(_ query: TickHistory.BarQuery) async throws(CollectorProblem) -> TickHistory.Answer<Bar> {
        var newest: [Int64: Bar] = [:]
        for event in try await file().events {
            guard case .bar(let bar) = event.event, bar.symbol == query.symbol, bar.interval == query.interval,
                bar.start >= query.from ?? .min, bar.start < query.to ?? .max
            else { continue }
            newest[bar.start] = bar
        }
        return TickHistory.Answer(values: Array(newest.values.sorted { $0.start < $1.start }.suffix(query.limit)))
    }

    /// Returns the staged groups.
    public func universes() async throws(CollectorProblem) -> [UniverseGroup] {
        try await file().groups.map(\.summary)
    }

    /// Returns the union of the groups that the key names.
    public func universe(key: String) async throws(CollectorProblem) -> Resolution {
        let groups = try await file().groups
        var symbols: Set<Symbol> = []
        var parts: [Resolution.Part] = []
        var unknown: [Resolution.Unknown] = []
        for part in UniverseKey(key)?.parts ?? [] {
            guard let group = groups.first(where: { $0.summary.name.lowercased() == part.lowercased() }) else {
                let nearest = NearestNames.nearest(to: part, among: groups.map(\.summary.name))
                unknown.append(.init(part: part, nearest: nearest))
                continue
            }
            symbols.formUnion(group.members)
            parts.append(
                .init(
                    part: part, group: group.summary.name, type: group.summary.type, count: group.members.count))
        }
        guard !parts.isEmpty else {
            throw CollectorProblem(
                .notFound, "No group is named \"\(key)\".", nearest: unknown.flatMap(\.nearest))
        }
        return Resolution(symbols: symbols.sorted(), parts: parts, unknown: unknown)
    }

    /// Returns where a symbol is placed and why; `nil` when it is neither placed nor has a reason.
    public func placement(of symbol: Symbol) -> SymbolPlacement? {
        let state = current
        let places = state.snapshot.connections.compactMap { connection -> SymbolPlacement.Place? in
            guard let tickers = state.tickers[connection.id], tickers.assigned.contains(symbol) else { return nil }
            return SymbolPlacement.Place(
                connection: connection.id, name: connection.name, isConfirmed: tickers.confirmed.contains(symbol),
                isRefused: tickers.refused.contains(symbol))
        }
        let reasons = state.reasons[symbol] ?? []
        return places.isEmpty && reasons.isEmpty
            ? nil : SymbolPlacement(symbol: symbol, places: places, reasons: reasons)
    }

    /// Returns collected symbols that resemble the given one.
    public func symbols(near symbol: Symbol) -> [String] {
        NearestNames.nearest(
            to: symbol.description, among: current.tickers.values.flatMap(\.assigned).map(\.description))
    }

    /// Returns the staged groups that contain the stock.
    public func stock(_ symbol: String) async throws(CollectorProblem) -> StockRelations {
        let groups = try await file().groups.filter { $0.members.contains { $0.description == symbol } }.map(\.summary)
        let sector = groups.first { $0.type == .sector }
        return StockRelations(
            classification: sector.map { .init(sector: $0.name, industry: "Unknown") } ?? .unknown,
            etfs: groups.filter { $0.type == .etf }.map { StockETF(name: $0.name, weight: 1.5) },
            groups: groups.filter { $0.type != .etf }.map { StockGroup(name: $0.name, type: $0.type) })
    }

    /// Returns the first staged sector of each stock.
    public func sectors() async throws(CollectorProblem) -> [String: String] {
        var sectors: [String: String] = [:]
        for (sector, members) in try await file().groups where sector.type == .sector {
            for member in members where sectors[member.description] == nil { sectors[member.description] = sector.name }
        }
        return sectors
    }

    /// Returns the staged group with this type and name.
    public func group(named name: String, of type: GroupType) async throws(CollectorProblem) -> RelatedGroup {
        let groups = try await file().groups.filter { $0.summary.type == type }
        guard let found = groups.first(where: { $0.summary.name.lowercased() == name.lowercased() }) else {
            throw CollectorProblem(
                .notFound, "There is no such group.",
                nearest: NearestNames.nearest(to: name, among: groups.map(\.summary.name)))
        }
        return RelatedGroup(
            group: found.summary,
            members: found.members.map { GroupMember(symbol: $0.description, weight: 2.25) })
    }

    /// Returns the staged groups of a type, or all of them.
    public func groups(of type: GroupType?) async throws(CollectorProblem) -> [UniverseGroup] {
        try await file().groups.map(\.summary).filter { type == nil || $0.type == type }
    }

    /// Records the scope; returns the number of scopes recorded so far.
    public func refreshUniverses(_ scope: RelationshipCache.Scope) async throws(CollectorProblem) -> Int {
        change { $0.refreshes.append(scope) }
        return current.refreshes.count
    }

    /// Returns the newest staged gaps in any of the given states, the oldest of them first.
    public func gaps(states: Set<GapState>, limit: Int) async throws(CollectorProblem) -> [GapRecord] {
        try await file().gaps.filter { states.contains($0.state) }.prefix(limit).reversed()
    }

    /// Returns a report made from the bars accepted and the staged gaps.
    public func coverage(
        days: ClosedRange<TradingDay>, symbols: Set<Symbol>?
    ) async throws(CollectorProblem) -> CoverageReport {
        let state = try await file()
        return CoverageReport(
            days: days.map { day in
                var evidence = DayCoverage.Evidence()
                evidence.gaps = state.gaps
                for event in state.events {
                    guard case .bar(let bar) = event.event, let session = day.session,
                        (session.regularOpen..<session.regularClose).contains(bar.start)
                    else { continue }
                    evidence.bars[bar.symbol, default: BitSet()]
                        .insert(Int((bar.start - session.regularOpen) / 60_000))
                }
                evidence.isWhole = true
                if state.reconciled.contains(day) { evidence.reconciled = evidence.bars.mapValues(\.count) }
                return DayCoverage(day, symbols: symbols, evidence: evidence, now: WallClock.milliseconds())
            })
    }

    /// Returns the staged dead letters.
    public func deadLetters(limit: Int) async throws(CollectorProblem) -> [DeadLetter] {
        Array(try await file().deadLetters.prefix(limit))
    }

    /// Returns the staged dead letters, grouped by the reason for their refusal.
    public func deadLetterGroups() async throws(CollectorProblem) -> [DeadLetterGroup] {
        var groups: [DeadLetterGroup] = []
        for letter in try await file().deadLetters {
            let known = groups.firstIndex {
                $0.stream == letter.stream && $0.sqlState == letter.sqlState && $0.constraint == letter.constraint
            }
            if let known {
                groups[known].count += 1
                groups[known].first = letter.time
            } else {
                groups.append(
                    DeadLetterGroup(
                        stream: letter.stream, sqlState: letter.sqlState, constraint: letter.constraint, count: 1,
                        first: letter.time, last: letter.time, reason: letter.reason))
            }
        }
        return groups
    }

    /// Removes the dead letters, as if upstream had accepted their rows.
    public func retryDeadLetters(_ choice: DeadLetterChoice) async throws(CollectorProblem) -> DeadLetterRetry {
        var result = DeadLetterRetry(requeued: try await remove(choice).count)
        result.failure = current.letterFailure
        return result
    }

    /// Removes the dead letters and returns them.
    public func discardDeadLetters(_ choice: DeadLetterChoice) async throws(CollectorProblem) -> DeadLetterDiscard {
        let letters = try await remove(choice)
        let state = current
        return DeadLetterDiscard(letters: letters, waiting: state.lettersWaiting, failure: state.letterFailure)
    }

    private func remove(_ choice: DeadLetterChoice) async throws(CollectorProblem) -> [DeadLetter] {
        let letters = try await file().deadLetters.filter { letter in
            switch choice {
            case .all: true
            case .stream(let stream): letter.stream == stream
            case .alike(let stream, let sqlState, let constraint):
                letter.stream == stream && letter.sqlState == sqlState && letter.constraint == constraint
            case .named(let names): names.contains { $0.description == letter.name }
            }
        }
        if case .named(let names) = choice, letters.count < names.count {
            throw CollectorProblem(.notFound, "there is no such dead letter any more; nothing was changed")
        }
        change { state in
            state.deadLetters.removeAll(where: letters.contains)
            for stream in EventStream.allCases {
                let left = state.deadLetters.count { $0.stream == stream }
                state.snapshot.buffer[stream].deadLetters = Int64(left)
            }
        }
        return letters
    }

    /// Counts the push and marks all rows as uploaded.
    public func pushNow() async throws(CollectorProblem) {
        change { state in
            state.pushes += 1
            var totals = state.snapshot.sync?.totals ?? UploadTotals()
            for stream in EventStream.allCases {
                totals[stream].uploaded += Int(state.snapshot.buffer[stream].pending)
                state.snapshot.buffer[stream].marks.acknowledged = state.snapshot.buffer[stream].marks.last
            }
            if !state.snapshot.uploads.isEmpty { state.snapshot.uploads[0].status.progressed(totals) }
        }
    }

    /// Moves symbols until the connections have about the same number.
    public func rebalance() async throws(CollectorProblem) -> [SetMove] {
        var moves: [SetMove] = []
        change { state in
            let ids = state.tickers.keys.sorted()
            guard ids.count > 1 else { return }
            while let most = ids.max(by: { state.count($0) < state.count($1) }),
                let least = ids.min(by: { state.count($0) < state.count($1) }),
                state.count(most) - state.count(least) > 1, let symbol = state.tickers[most]?.assigned.last
            {
                state.remove([symbol], from: most)
                state.add([symbol], to: least)
                moves.append(SetMove(symbol: symbol, from: most, to: least))
            }
        }
        return moves
    }

    /// Assigns symbols to the given connection, or to the one with the fewest symbols.
    public func subscribe(
        _ symbols: [Symbol], connection: String?
    ) async throws(CollectorProblem) -> SubscriptionChange {
        var result = SubscriptionChange(changed: [:])
        change { state in
            for symbol in symbols {
                if state.tickers.values.contains(where: { $0.assigned.contains(symbol) }) {
                    result.unchanged.append(symbol)
                    continue
                }
                guard let id = connection ?? state.tickers.keys.min(by: { state.count($0) < state.count($1) }) else {
                    continue
                }
                state.add([symbol], to: id)
                result.changed[id, default: []].append(symbol)
            }
        }
        return result
    }

    /// Removes symbols from the given connection, or from the one that has them.
    public func unsubscribe(
        _ symbols: [Symbol], connection: String?
    ) async throws(CollectorProblem) -> SubscriptionChange {
        var result = SubscriptionChange(changed: [:])
        change { state in
            for symbol in symbols {
                guard
                    let id = connection
                        ?? state.tickers.first(where: { $0.value.assigned.contains(symbol) })?.key,
                    state.tickers[id]?.assigned.contains(symbol) == true
                else {
                    result.unchanged.append(symbol)
                    continue
                }
                state.remove([symbol], from: id)
                result.changed[id, default: []].append(symbol)
            }
        }
        return result
    }

    /// Adds a connected connection.
    public func addConnection(id: String, _ request: ConnectionRequest) async throws(CollectorProblem) {
        guard !snapshot().connections.contains(where: { $0.id == id }) else {
            throw CollectorProblem(.conflict, "There is a connection \"\(id)\" already.")
        }
        guard snapshot().connections.count < 3 else {
            throw CollectorProblem(.conflict, "WEBSOCKET_CONNECTIONS_MAX=3 connections are there already.")
        }
        connect(id, name: request.name ?? id, symbols: request.symbols)
    }

    /// Removes a connection.
    public func removeConnection(id: String) async throws(CollectorProblem) -> [Symbol] {
        var released: [Symbol] = []
        change { state in
            released = state.tickers.removeValue(forKey: id)?.assigned ?? []
        }
        return released
    }

    private func file() async throws(CollectorProblem) -> State {
        let state = self.state.withLock { state in
            state.fileReads += 1
            return state
        }
        if let delay = state.fileDelay {
            // Can't be cancelled, like a read from a hung disk.
            await Task.detached { try? await Task.sleep(for: delay) }.value
        }
        if let problem = state.fileProblem { throw problem }
        return state
    }
}

extension StagedCollector.State {
    fileprivate func count(_ id: String) -> Int { tickers[id]?.assigned.count ?? 0 }

    fileprivate mutating func add(_ symbols: [Symbol], to id: String) {
        tickers[id]?.assigned += symbols
        tickers[id]?.confirmed += symbols
    }

    fileprivate mutating func remove(_ symbols: [Symbol], from id: String) {
        tickers[id]?.assigned.removeAll { symbols.contains($0) }
        tickers[id]?.confirmed.removeAll { symbols.contains($0) }
    }
}

extension ConnectionState {
    /// A connection to stage, that has done nothing yet.
    public init(id: String, name: String, status: FeedConnectionStatus = .disconnected) {
        var feed = FeedSnapshot(name: name)
        feed.status = status
        self.init(SetSnapshot.Member(id: id, feed: feed), at: 0)
    }
}

extension GapRecord {
    /// A gap to stage.
    public init(_ gap: Gap, id: Int64, state: GapState = .open, rows: Int = 0) {
        self.init(id: id, gap: gap, state: state, detail: nil, rows: rows, recorded: gap.from, settled: [:])
    }
}

extension UniverseGroup {
    /// A group to stage.
    public init(
        _ name: String, _ type: GroupType, description: String? = nil, members: Int, origin: GroupOrigin = .local
    ) {
        self.init(
            id: 1, name: name, type: type, description: description, environment: "DEFAULT", memberCount: members,
            origin: origin, updatedAt: 1_767_600_000_000)
    }
}
