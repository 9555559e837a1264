/// Whether the collector does its work, decided from one sample: pure.
///
/// *Live* means that the process's loops make progress; a process that is not live should be restarted.
///
/// *Ready* means that it collects. What makes each check failing or degraded:
///
/// - feed: failing if no connection has symbols, or if none of those that have some is connected with anything
///   confirmed. Degraded if a connection is not connected, or has symbols but nothing confirmed; if symbols, or kinds
///   of their events, are refused or unconfirmed; if reading is paused; if no event comes for 15 minutes of New York's
///   regular session, or none of a kind while bars come.
/// - symbols: degraded if symbols have no room on any connection, or if a universe key gives nothing, or not
///   everything, and something else is collected.
/// - decoding: degraded if more than one in a hundred events of a kind in the last 30 s, or all in the last 10 s, can't
///   be decoded, or lack a field because of its form.
/// - buffer: failing if commits fail, or if the cap or the disk is reached, so that events are dropped or rejected.
///   Degraded if four fifths of the cap are used, if a reader keeps the write-ahead log from being emptied, or if a
///   damaged file was set aside and is still there.
/// - disk: degraded if less than 1 GiB, and less than a twentieth of a small disk, is free.
/// - sync: degraded if an upload failure lasts; if nothing is settled for 30 s beyond the interval while rows wait; if
///   the oldest row waits for more than 15 minutes beyond the interval; if there is a dead letter.
/// - sync_ticks: the same for the database in DATABASE_URI_TICKS, if there is one, except for dead letters.
/// - universes: degraded if pulling them fails, so that the last good copy is used, or if universe.sqlite can't be
///   read.
/// - relay: degraded if it fell behind and closed its clients in the last ten minutes.
/// - backfill: degraded if gaps that are over stay open because asking for them has failed for half an hour, or because
///   a setting is missing.
/// - reconcile: degraded if one of the last days that were compared with the tape is not complete, or if RECONCILE_AT has
///   no effect.
/// - fleet: degraded if another box writes the same row; if the box is alone in its group, beside boxes without one;
///   if, with SHARD=auto, the database can't be asked who else shares the symbols.
/// - loops: failing if one is stuck.
///
/// A failing check makes the collector not ready. A degraded one does not: while upstream is away, the collector still
/// does its job.
///
/// A new check is a pure function of a snapshot in its own file in `Checks`, and a line in ``init(_:age:)``. Status,
/// metrics, page and supervisor then show it. CONTRIBUTING.md has the details.
public struct Health: Sendable, Equatable {
    /// The result of a check.
    public enum Level: String, Sendable, CaseIterable, Comparable, Codable {
        /// Everything is as the settings say.
        case ok
        /// Something is wrong, but the collector collects.
        case degraded
        /// The collector does not do its job.
        case failing

        /// 0, 1 or 2.
        public var severity: Int {
            switch self {
            case .ok: 0
            case .degraded: 1
            case .failing: 2
            }
        }

        /// By severity.
        public static func < (left: Level, right: Level) -> Bool { left.severity < right.severity }
    }

    /// One thing that is wrong.
    public struct Problem: Sendable, Equatable {
        var level: Level
        /// What is wrong and what to do about it, in one line, without secrets.
        public var text: String
    }

    /// The result of one check.
    public struct Check: Sendable, Equatable {
        /// The name that is shown; also a metric's label.
        public var name: String
        /// The problems; empty when all is well.
        public var problems: [Problem]
        /// The text to show when there are no problems.
        var summary: String

        /// The worst problem's level.
        public var level: Level { problems.map(\.level).max() ?? .ok }

        /// The problems, worst first, or the summary if there are none.
        public var detail: String {
            problems.isEmpty
                ? summary : problems.sorted { $0.level > $1.level }.map(\.text).joined(separator: "; ")
        }

        /// A check with any number of problems.
        init(_ name: String, ok summary: String, problems: [Problem] = []) {
            self.name = name
            self.problems = problems
            self.summary = summary
        }

        /// A check with one problem.
        init(_ name: String, _ level: Level, _ text: String) {
            self.init(name, ok: "", problems: [Problem(level: level, text: text)])
        }
    }

    /// All checks, in the order shown.
    public var checks: [Check]
    /// Whether all loops make progress.
    public var isLive: Bool { loops.level == .ok }
    /// The check that decides liveness.
    public var loops: Check

    var level: Level { checks.map(\.level).max() ?? .ok }
    /// Whether the collector collects.
    public var isReady: Bool { level < .failing }

    /// The worst problem in one line, and how many more there are; `nil` when nothing is wrong.
    public var headline: String? {
        let problems = checks.flatMap { check in check.problems.map { (check: check.name, problem: $0) } }
        guard let level = problems.map(\.problem.level).max(),
            let worst = problems.first(where: { $0.problem.level == level })
        else { return nil }
        let more =
            switch problems.count - 1 {
            case 0: ""
            case 1: " (and 1 more problem)"
            case let count: " (and \(count) more problems)"
            }
        return "\(worst.check) \(level.rawValue): \(worst.problem.text)\(more)"
    }

    /// Judges a snapshot that is `age` seconds old.
    init(_ snapshot: CollectorSnapshot, age: Double) {
        loops = .loops(snapshot, age: age)
        let looked: [Check?] = [
            .feed(snapshot), .symbols(snapshot), .decoding(snapshot), .buffer(snapshot), .disk(snapshot),
            .sync(snapshot), .syncTicks(snapshot), .universes(snapshot), .relay(snapshot), .backfill(snapshot),
            .reconcile(snapshot), .fleet(snapshot), loops,
        ]
        checks = looked.compactMap(\.self)
    }
}
