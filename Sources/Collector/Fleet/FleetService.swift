public import Logging
public import MarketData
public import ServiceLifecycle
import Store
import Synchronization
public import Upstream

/// Keeps the box's row in `edgetick_collectors` up to date, whether or not the upload works, and with SHARD=auto its
/// share of the symbols.
///
/// If the database can't be reached, or refuses the row, nothing else changes: the upload has its own connection, and
/// the share stays as it is.
public final class FleetService: Service {
    /// The intervals and time limits of the service.
    private enum Pace {
        /// Between two reports while nothing changes; the documentation promises at most thirty seconds.
        static let report: Duration = .seconds(10)
        /// Between two checks for changes, from memory.
        static let look: Duration = .seconds(1)
        /// Between two reports while symbols change hands, and two reads while somebody looks at the fleet.
        static let busy: Duration = .seconds(2)
        /// Between two reads of the whole fleet by a box of a group while nobody looks.
        static let fleet: Duration = .seconds(300)
        /// How long the last report, at shutdown, may take.
        static let farewell: Duration = .seconds(2)
    }

    /// What SHARD=auto needs.
    public struct Sharing: Sendable {
        var keeper: ShardKeeper
        let symbols: Symbols
        let record: @Sendable (GapChange) -> Void
        let keep: @Sendable (ShardRecord) -> Void
        let events: [EventKind]
        let feedDelay: Int64

        /// - Parameters:
        ///   - keeper: decides the share; holds the one with which the box starts.
        ///   - record: stores gaps in the file.
        ///   - keep: stores the assignment for the next start.
        ///   - events: the kinds that are collected.
        ///   - feedDelay: how late the feed's events are, in milliseconds.
        public init(
            _ keeper: ShardKeeper, symbols: Symbols, events: Set<EventKind>, feedDelay: Int64,
            record: @escaping @Sendable (GapChange) -> Void, keep: @escaping @Sendable (ShardRecord) -> Void
        ) {
            self.keeper = keeper
            self.symbols = symbols
            self.record = record
            self.keep = keep
            self.events = EventKind.allCases.filter(events.contains)
            self.feedDelay = feedDelay
        }
    }

    private let table: FleetTable
    private let board: FleetBoard
    private let identity: FleetReport
    private let status: StatusBoard
    private let directory: String
    private let sharing: Sharing?
    private let logger: Logger
    private let gapsOpen = Mutex((count: Int64(0), isCounting: false))
    /// Also held while they are recorded, so that no end overtakes its beginning.
    private let shardGaps = Mutex(ShardGaps())

    /// A service that writes `identity`'s row.
    ///
    /// - Parameters:
    ///   - directory: the directory of the buffer's file.
    ///   - sharing: `nil` without SHARD=auto.
    public init(
        table: FleetTable, board: FleetBoard, identity: FleetReport, status: StatusBoard, directory: String,
        sharing: Sharing?, logger: Logger
    ) {
        self.table = table
        self.board = board
        self.identity = identity
        self.status = status
        self.directory = directory
        self.sharing = sharing
        self.logger = logger
    }

    /// Reports that the box is stopping, as soon as it begins to, so that the other boxes don't wait until its last row is
    /// uploaded.
    public func reportStop() {
        status.refresh()
        board.bell.ring()
    }

    /// Reports until graceful shutdown, and then once more; a server that hangs holds up neither.
    public func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.reports() }
                // At the same time, so that a database that hangs delays no gap.
                if let sharing { group.addTask { await self.watchGaps(of: sharing) } }
            }
        }
        await farewell()
    }

    private func reports() async {
        var round = Round(sharing: sharing)
        if let sharing {
            noteLosses(of: sharing, nil)
            sharing.keep(sharing.keeper.kept)
        }
        while !Task.isCancelled {
            let isBusy = round.sharing?.keeper.isHandingOver == true || board.isLookedAt
            let sample = status.sample
            if round.isDue(sample, every: isBusy ? Pace.busy : Pace.report, at: .now) { await report(sample, &round) }
            if let sharing = round.sharing, !sharing.keeper.isTaken, sharing.symbols.areAnswered {
                round.sharing?.keeper.taken()
            }
            await board.bell.sleep(upTo: Pace.look)
        }
    }

    /// The state that the loop keeps from one report to the next.
    private struct Round {
        var sharing: Sharing?
        /// The last report, and when it was sent.
        var last: (time: ContinuousClock.Instant, level: Health.Level, isStopping: Bool, sharesWith: [String]?)?
        /// Whether this process wrote the row, so that another file in it is another box's.
        var hasWritten = false
        /// When the row last named another file than this process wrote.
        var strangerAt: ContinuousClock.Instant?
        var namesakeAt: ContinuousClock.Instant?
        /// Nothing is lost while the table can't be used, so the log repeats such a failure more rarely than others.
        var failures = LogThrottle<String, ContinuousClock.Instant>(interval: .seconds(600))

        func isDue(_ sample: StatusBoard.Sample, every interval: Duration, at now: ContinuousClock.Instant) -> Bool {
            guard let last else { return true }
            return now - last.time >= interval || sample.health.level != last.level
                || sample.snapshot.isStopping != last.isStopping || sharing?.keeper.sharesWith != last.sharesWith
        }
    }

    private func report(_ sample: StatusBoard.Sample, _ round: inout Round) async {
        let sharesWith = round.sharing?.keeper.sharesWith
        round.last = (ContinuousClock.now, sample.health.level, sample.snapshot.isStopping, sharesWith)
        do {
            let written = try await table.write(report(sample, sharesWith: sharesWith))
            noteNamesake(written, &round)
            board.wrote(written, hasNamesake: round.namesakeAt != nil)
            if round.failures.ended("write") { logger.notice("the fleet's table can be written again") }
            await ask(sample, offset: written.clockOffset, &round)
        } catch {
            guard error.reason != .cancelled else { return }
            board.couldNotWrite(error.description)
            guard let count = round.failures.occurred("write", error.description, now: .now) else { return }
            logger.warning(
                "the box's row in the fleet's table can't be written; collection and upload continue",
                metadata: ["error": "\(error)", "occurrences": "\(count)"])
        }
    }

    /// Reads the rows of the boxes that share the symbols, and the whole fleet when it is due.
    private func ask(_ sample: StatusBoard.Sample, offset: Int64, _ round: inout Round) async {
        let isSharing = round.sharing != nil && !sample.snapshot.isStopping
        let isDue = identity.group != nil && board.readAt.map { .now - $0 >= Pace.fleet } ?? true
        let isShown = isDue || board.isLookedAt
        guard isSharing || isShown else { return }
        do {
            // The share comes first: it must not wait for what is only shown.
            if isSharing {
                let rows = try await table.rows(ofGroup: identity.group)
                hear(rows, offset: offset, &round)
                board.asked(shortfall: round.sharing?.shortfall(rows))
            }
            if isShown { board.read(try await table.rows(), by: identity.id) }
            if round.failures.ended("read") { logger.notice("the fleet's table can be read again") }
        } catch {
            guard error.reason != .cancelled else { return }
            board.couldNotRead(error.description)
            guard let count = round.failures.occurred("read", error.description, now: .now) else { return }
            logger.warning(
                "the fleet's table can't be read; collection and upload continue, and this box keeps its share of the symbols",
                metadata: ["error": "\(error)", "occurrences": "\(count)"])
        }
    }

    private func report(_ sample: StatusBoard.Sample, sharesWith: [String]?) -> FleetReport {
        countGaps()
        var report = identity
        report.take(sample, gapsOpen: gapsOpen.withLock { $0.count })
        report.sharesWith = sharesWith
        return report
    }

    /// Detects another box of the same name: the row that this process wrote then names another file, again and again.
    /// A single time may be a restored database, which brings back the row of an earlier process of this box.
    private func noteNamesake(_ written: FleetTable.Written, _ round: inout Round) {
        let memory: Duration = .seconds(120)
        if round.hasWritten, let file = written.fileBefore, file.lowercased() != identity.fileID.lowercased() {
            if let last = round.strangerAt, .now - last <= memory {
                if round.namesakeAt == nil {
                    logger.error(
                        "another box writes the same row of the fleet: give each a COLLECTOR_ID of its own",
                        metadata: ["collector": "\(identity.id)", "its_file": "\(file)"])
                }
                round.namesakeAt = .now
            }
            round.strangerAt = .now
        }
        round.hasWritten = true
        if let last = round.namesakeAt, .now - last > memory { round.namesakeAt = nil }
    }

    /// Writes the last report, which stays until the next start.
    private func farewell() async {
        let report = report(status.refresh(), sharesWith: sharing.map { _ in [] })
        let task = Task { [table] in try await table.write(report) }
        do {
            _ = try await task.value(within: Pace.farewell)
        } catch {
            logger.debug("the last row of the fleet can't be written", metadata: ["error": "\(error)"])
        }
        await table.disconnect()
    }

    /// Counts gaps in a task of its own, one count at a time, so that a disk that hangs delays no report.
    private func countGaps() {
        let isFree = gapsOpen.withLock { state in
            defer { state.isCounting = true }
            return !state.isCounting
        }
        guard isFree else { return }
        Task.detached(priority: .utility) { [self] in
            let count = try? GapLog.count(directory: directory, states: GapState.unsettled)
            gapsOpen.withLock { $0 = (count ?? $0.count, false) }
        }
    }
}

// MARK: - The share of the symbols

extension FleetService {
    private func hear(_ rows: [FleetRow], offset: Int64, _ round: inout Round) {
        guard var sharing = round.sharing else { return }
        let before = sharing.keeper
        let isChanged = sharing.keeper.heard(rows, now: .now, time: WallClock.milliseconds(), offset: offset)
        round.sharing = sharing
        let isMoved = sharing.keeper.map != before.map
        // A kill must forget neither a lapse nor a loss, so the one is stored before the symbols are given up, and a new
        // assignment only once its losses are recorded.
        if !isMoved, sharing.keeper.kept != before.kept { sharing.keep(sharing.keeper.kept) }
        guard isChanged else { return }
        sharing.symbols.take(sharing.keeper.share, because: "the boxes that share the symbols changed")
        guard isMoved else { return }
        noteLosses(of: sharing, before.share)
        sharing.keep(sharing.keeper.kept)
    }

    /// Records gaps for symbols that nobody collects until this box does, and remembers those that may be given up too
    /// early. The symbols must be wanted already: otherwise their gaps would end at once.
    private func noteLosses(of sharing: Sharing, _ before: SymbolShare?) {
        let new = sharing.losses(before: before)
        let lost = shardGaps.withLock { gaps in
            let lost = gaps.add(new, now: sharing.now)
            if !lost.isEmpty { sharing.record(GapChange(gaps: lost)) }
            return lost
        }
        guard !lost.isEmpty else { return }
        logger.warning(
            "taking over symbols of a box that is gone; a gap is recorded until they are subscribed",
            metadata: ["symbols": "\(lost.reduce(0) { $0 + $1.symbols.count })"])
    }

    /// Records each change of the gaps within a second, so that a kill loses none.
    private func watchGaps(of sharing: Sharing) async {
        while !Task.isCancelled {
            shardGaps.withLock { gaps in
                guard !gaps.isEmpty else { return }
                let change = gaps.look(untaken: sharing.symbols.untaken, now: sharing.now)
                if let change { sharing.record(change) }
            }
            try? await Task.sleep(for: Pace.look)
        }
    }
}

extension FleetService.Sharing {
    /// Now in the events' own time, in milliseconds since the Unix epoch.
    fileprivate var now: Int64 { WallClock.milliseconds() - feedDelay }

    /// Describes another box that takes fewer symbols than its share of those that this box's settings name.
    fileprivate func shortfall(_ rows: [FleetRow]) -> String? {
        keeper.shortfall(rows, of: Set(symbols.named.flatMap(\.symbols)))
    }

    /// Returns open gaps for the symbols that this box newly takes: those that nobody collects now, and those that
    /// another box collects until a moment in the future.
    fileprivate func losses(before: SymbolShare?) -> [Gap] {
        let share = keeper.share
        return symbols.named.flatMap { connection, named -> [Gap] in
            let new = named.filter { share.takes($0) && before?.takes($0) != true }
            return Dictionary(grouping: new) { keeper.lossStart(of: $0) }.compactMap { since, symbols -> Gap? in
                guard let since else { return nil }
                return Gap(
                    connection: connection, symbols: symbols, events: events,
                    from: since - feedDelay - Gap.eventLateness, to: nil, cause: .shardMoved)
            }
        }
    }
}
