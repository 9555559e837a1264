import MarketData
import Synchronization
import Upstream

/// What is known of the fleet, from memory: whoever asks waits for nothing.
///
/// ``FleetService`` writes it. The whole fleet is read while somebody looks at it, and every few minutes by a box of a group.
public final class FleetBoard: Sendable {
    /// The place of the box in the fleet.
    public struct Status: Sendable, Equatable {
        /// Why its row can't be written; `nil` while it can, or before the first try.
        public var problem: String?
        /// For how many seconds.
        var problemAge = 0.0
        /// How far its clock is ahead of the server's, in milliseconds; `nil` before it was measured.
        public var clockOffset: Int64?
        /// Whether another box writes the same row.
        public var hasNamesake = false
        /// What is wrong with its group, in one line; `nil` while nothing is, or before the fleet was read.
        var groupProblem: String?
        /// Whether the box takes its share of the symbols by what the database says (`SHARD=auto`).
        var isSharing = false
    }

    /// The fleet as it was last read.
    public struct View: Sendable, Equatable {
        /// The boxes; none before the database was read.
        public var fleet = Fleet([])
        /// How many seconds ago they were read; `nil` when they were not yet.
        public var age: Double?
        /// Why they can't be read now.
        public var problem: String?
    }

    private struct State {
        var status = Status()
        var failingSince: ContinuousClock.Instant?
        var view = View()
        var readAt: ContinuousClock.Instant?
        var lookedAt: ContinuousClock.Instant?
    }

    /// Somebody who looked within so long goes on looking.
    static let attention: Duration = .seconds(60)

    let bell = Doorbell()
    private let state = Mutex(State())

    /// A board that nothing was written on.
    public init(isSharing: Bool) {
        state.withLock { $0.status.isSharing = isSharing }
    }

    /// The place of the box in the fleet.
    var status: Status {
        state.withLock { state in
            var status = state.status
            status.problemAge = state.failingSince.map { (ContinuousClock.now - $0).inSeconds } ?? 0
            return status
        }
    }

    /// The fleet as it was last read; has it read in the background from now on, for a minute.
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

    /// Whether somebody looks.
    var isLookedAt: Bool {
        state.withLock { state in state.lookedAt.map { .now - $0 <= Self.attention } ?? false }
    }

    func wrote(_ written: FleetTable.Written, hasNamesake: Bool) {
        state.withLock { state in
            state.status.problem = nil
            state.failingSince = nil
            state.status.clockOffset = written.clockOffset
            state.status.hasNamesake = hasNamesake
        }
    }

    func failed(_ problem: String) {
        state.withLock { state in
            state.status.problem = problem
            state.failingSince = state.failingSince ?? .now
            state.view.problem = problem
        }
    }

    /// When the whole fleet was last read.
    var readAt: ContinuousClock.Instant? { state.withLock(\.readAt) }

    /// The whole fleet was read by the box `id`.
    func read(_ rows: [FleetRow], by id: String) {
        state.withLock { state in
            state.view.fleet = Fleet(rows)
            state.status.groupProblem = state.view.fleet.groupProblem(of: id)
            state.view.problem = nil
            state.readAt = .now
        }
    }
}
