import MarketData
import Synchronization
import Upstream

/// The fleet as this box knows it, kept in memory, so that readers never wait.
///
/// ``FleetService`` updates it. It reads the whole fleet while somebody looks, and every few minutes if the box is in a
/// group.
public final class FleetBoard: Sendable {
    /// The state of this box in the fleet.
    public struct Status: Sendable, Equatable {
        /// Why its row can't be written; `nil` while it can, or before the first try.
        public var problem: String?
        /// Why the database can't be asked which boxes share the symbols, whether or not the row can be written; `nil`
        /// while it can, or before the first try.
        var askingFailure: LastingFailure?
        /// How far its clock is ahead of the server's, in milliseconds; `nil` before it was measured.
        public var clockOffset: Int64?
        /// Whether another box writes the same row.
        public var hasNamesake = false
        /// What is wrong with its group, in one line; `nil` while nothing is, or before the fleet was read.
        var groupProblem: String?
        /// Why the boxes of its group can't exchange which gaps they cover; `nil` while they can, or without a group.
        var exchangeFailure: LastingFailure?
        /// Which box takes fewer symbols than its share, by this box's settings; `nil` while none does.
        var shortfall: LastingFailure?
        /// Whether the box takes its share of the symbols from the database (`SHARD=auto`).
        var isSharing = false
    }

    /// The fleet as it was last read.
    public struct View: Sendable, Equatable {
        /// The boxes; none before they were first read.
        public var fleet = Fleet([])
        /// How many seconds ago they were read; `nil` before they were first read.
        public var age: Double?
        /// Why they can't be read now.
        public var problem: String?
    }

    private struct State {
        var status = Status()
        var view = View()
        var readAt: ContinuousClock.Instant?
        var lookedAt: ContinuousClock.Instant?
    }

    /// How long after a look somebody counts as still looking.
    static let attention: Duration = .seconds(60)

    let bell = Doorbell()
    private let state = Mutex(State())

    /// Makes a board with nothing on it yet.
    public init(isSharing: Bool) { state.withLock { $0.status.isSharing = isSharing } }

    var status: Status { state.withLock(\.status) }

    /// Returns the fleet as it was last read, and has it read in the background for the next minute.
    public func look() -> View {
        let (view, isFirst) = state.withLock { state in
            let now = ContinuousClock.now
            let isFirst = state.lookedAt.map { now - $0 > Self.attention } ?? true
            state.lookedAt = now
            var view = state.view
            view.age = state.readAt.map { (now - $0).inSeconds }
            return (view, isFirst)
        }
        if isFirst { bell.ring() }
        return view
    }

    var isLookedAt: Bool { state.withLock { state in state.lookedAt.map { .now - $0 <= Self.attention } ?? false } }

    func wrote(_ written: FleetTable.Written, hasNamesake: Bool) {
        state.withLock { state in
            state.status.problem = nil
            state.status.clockOffset = written.clockOffset
            state.status.hasNamesake = hasNamesake
        }
    }

    /// Notes that the row can't be written, so that the other boxes could not be asked about either.
    func couldNotWrite(_ problem: String, at now: ContinuousClock.Instant = .now) {
        state.withLock { $0.status.problem = problem }
        couldNotRead(problem, at: now)
    }

    /// Notes that the database can't be asked about the other boxes.
    func couldNotRead(_ problem: String, at now: ContinuousClock.Instant = .now) {
        state.withLock { state in
            state.status.askingFailure = LastingFailure(
                description: problem, after: state.status.askingFailure, at: now)
            state.view.problem = problem
        }
    }

    /// Notes that the database has been asked which boxes share the symbols, and which of them takes too few.
    func asked(shortfall: String? = nil, at now: ContinuousClock.Instant = .now) {
        state.withLock { state in
            state.status.askingFailure = nil
            let before = state.status.shortfall
            state.status.shortfall = shortfall.map { LastingFailure(description: $0, after: before, at: now) }
        }
    }

    /// Notes whether the boxes of the group could exchange which gaps they cover, and if not, why.
    func exchanged(problem: String?, at now: ContinuousClock.Instant = .now) {
        state.withLock { state in
            let before = state.status.exchangeFailure
            state.status.exchangeFailure = problem.map { LastingFailure(description: $0, after: before, at: now) }
        }
    }

    var readAt: ContinuousClock.Instant? { state.withLock(\.readAt) }

    /// Notes that the box `id` has read the whole fleet.
    func read(_ rows: [FleetRow], by id: String) {
        state.withLock { state in
            state.view.fleet = Fleet(rows)
            state.status.groupProblem = state.view.fleet.groupProblem(of: id)
            state.view.problem = nil
            state.readAt = .now
        }
    }
}
