/// Whether the collector does its work, decided from one sample: pure.
///
/// *Live* says that the process's loops go round; a process that is not live deserves a restart.
///
/// *Ready* says that it collects. The levels of its checks:
///
/// | check | failing | degraded |
/// |---|---|---|
/// | feed | no connection has symbols; of those that have some, none is connected with a confirmed symbol | a connection is not, whether it has symbols now or not; symbols, or kinds of events of all symbols, refused or unconfirmed; reading paused; no event for 15 minutes of New York's regular session, or none of a kind while bars come |
/// | symbols | – | symbols have no room on any connection; a universe key gives nothing, or not all, and something else is collected |
/// | decoding | – | of the events of a kind, more than one in a hundred of the last 30 s, or all of the last 10 s, can't be decoded, or lack a field because of its form |
/// | buffer | commits fail; the cap or the disk is reached, so that events are dropped or rejected | four fifths of the cap used; a damaged file was set aside and still lies there |
/// | disk | – | less than 1 GiB free, and less than a twentieth of a small disk |
/// | sync | – | an upload failure lasts; nothing was settled for 30 s while rows wait; the oldest row waits for more than 15 minutes; a dead letter is left |
/// | sync_ticks | – | the same of the database in DATABASE_URI_TICKS, where there is one, but for dead letters |
/// | universes | – | pulling them fails, so that the last good copy is used; universe.sqlite can't be read |
/// | relay | – | in the last ten minutes it fell behind and closed its clients |
/// | reconcile | – | one of the last days that were compared with the tape is not complete |
/// | fleet | – | another box writes the same row; it is alone in its group, beside boxes without one; with SHARD=auto the database can't be asked who else shares the symbols |
/// | loops | one is stuck | – |
///
/// A failing check makes the collector not ready. A degraded one does not: while upstream is away the collector does
/// what it is for.
///
/// A new check is a pure function over a snapshot in a file of its own in `Checks`, and a line in
/// ``init(_:age:)``; status, metrics, page and supervisor show it from there. CONTRIBUTING.md has the rest.
public struct Health: Sendable, Equatable {
    /// How a check came out.
    public enum Level: String, Sendable, CaseIterable, Comparable, Codable {
        /// All is as the settings say.
        case ok
        /// Something is wrong, and the collector collects.
        case degraded
        /// The collector does not do what it is for.
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

    /// One thing looked at.
    public struct Check: Sendable, Equatable {
        /// The word that goes out; also a metric's label.
        public var name: String
        /// What is wrong; empty when all is well.
        public var problems: [Problem]
        /// What is so when nothing is wrong.
        var summary: String

        /// The worst problem's level.
        public var level: Level { problems.map(\.level).max() ?? .ok }

        /// What is so: the problems, the worst first, or the summary.
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

    /// All that was looked at, in the order shown.
    public var checks: [Check]
    /// Whether all loops go round.
    public var isLive: Bool { loops.level == .ok }
    /// The check that liveness is made of.
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

    /// Decides about a snapshot that is `age` seconds old.
    init(_ snapshot: CollectorSnapshot, age: Double) {
        loops = .loops(snapshot, age: age)
        let looked: [Check?] = [
            .feed(snapshot), .symbols(snapshot), .decoding(snapshot), .buffer(snapshot), .disk(snapshot),
            .sync(snapshot), .syncTicks(snapshot), .universes(snapshot), .relay(snapshot), .reconcile(snapshot),
            .fleet(snapshot), loops,
        ]
        checks = looked.compactMap(\.self)
    }
}
