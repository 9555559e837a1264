import MarketData

/// Whether the collector does its work, decided from one sample: pure.
///
/// *Live* means that the process's loops make progress; a process that is not live should be restarted.
///
/// *Ready* means that it collects: no check is failing. A degraded check leaves it ready: while upstream is away, the
/// collector still does its job.
///
/// A check is a pure function of a snapshot in its own file in `Checks`, and a line in ``init(_:age:)``. Status,
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
        public var severity: Int { Self.allCases.firstIndex(of: self) ?? 0 }

        /// By severity.
        public static func < (left: Level, right: Level) -> Bool { left.severity < right.severity }
    }

    /// One thing that is wrong.
    public struct Problem: Sendable, Equatable {
        var level: Level
        /// What is wrong and what to do about it, in one line, without secrets.
        public var text: String

        static func degraded(_ text: String) -> Self { Self(level: .degraded, text: text) }
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
        let more = problems.count > 1 ? " (and \((problems.count - 1).counted("more problem")))" : ""
        return "\(worst.check) \(level.rawValue): \(worst.problem.text)\(more)"
    }

    /// The health for a supervisor: whether all loops make progress, and in one line the state, with the worst problem and
    /// what to do about it.
    public var verdict: (isLive: Bool, text: String) {
        (isLive, (isReady ? "collecting" : "not collecting") + (headline.map { "; \($0)" } ?? ""))
    }

    /// The names of all checks, in the order shown.
    public static let names = [
        "feed", "symbols", "decoding", "buffer", "disk", "sync", "sync_ticks", "universes", "relay", "backfill",
        "reconcile", "fleet", "loops",
    ]

    /// Judges a snapshot that is `age` seconds old. The checks come in the order of ``names``.
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

extension [Health.Problem] {
    mutating func fail(_ text: String) { append(Health.Problem(level: .failing, text: text)) }

    mutating func degrade(_ text: String) { append(.degraded(text)) }
}
