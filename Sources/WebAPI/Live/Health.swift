/// Whether the collector does its work, decided from one sample: pure.
///
/// *Live* says that the process's loops go round; a process that is not live deserves a restart.
///
/// *Ready* says that it collects. The levels of its checks:
///
/// | check | failing | degraded |
/// |---|---|---|
/// | feed | no connection has symbols; of those that have some, none is connected with a confirmed symbol | some of them are not; symbols refused or unconfirmed; reading paused; no event for 15 minutes of New York's regular session |
/// | buffer | commits fail; the cap or the disk is reached, so that events are dropped or rejected | four fifths of the cap used; a damaged file was set aside and still lies there |
/// | sync | – | an upload failure lasts; nothing was settled for 30 s while rows wait; the oldest row waits for more than 15 minutes |
/// | universes | – | pulling them fails, so that the last good copy is used |
/// | loops | one is stuck | – |
///
/// A failing check makes the collector not ready. A degraded one does not: while upstream is away the collector does
/// what it is for.
struct Health: Sendable, Equatable {
    /// How a check came out.
    enum Level: Int, Sendable, Comparable {
        case ok
        case degraded
        case failing

        static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }

        /// The word that goes out.
        var word: String {
            switch self {
            case .ok: "ok"
            case .degraded: "degraded"
            case .failing: "failing"
            }
        }
    }

    /// One thing looked at.
    struct Check: Sendable, Equatable {
        var name: String
        var level: Level
        /// What is so, and where something is wrong what to do.
        var detail: String
    }

    /// The status loop's sample counts as stuck from this age on, in seconds.
    static let sampleLimit = 5.0
    /// A connection without an event for so many seconds of trading makes the feed degraded.
    static let quietLimit = 900.0
    /// Rows that wait while none is settled for so many seconds make the upload degraded.
    static let stallLimit = 30.0
    /// An oldest row that waits longer than this, in seconds, makes the upload degraded.
    static let lagLimit = 900.0

    /// The name of the check that liveness is made of.
    static let loopsCheck = "loops"

    /// Feed, buffer, sync, universes, loops.
    var checks: [Check]
    /// Whether all loops go round.
    var isLive: Bool

    /// The worst level.
    var level: Level { checks.map(\.level).max() ?? .ok }
    /// Whether the collector collects.
    var isReady: Bool { level < .failing }

    /// Decides about a snapshot that is `age` seconds old.
    init(_ snapshot: CollectorSnapshot, age: Double) {
        let loops = Health.loops(snapshot, age: age)
        isLive = loops.level == .ok
        checks = [
            Health.feed(snapshot), Health.buffer(snapshot.buffer), Health.sync(snapshot), Health.universes(snapshot),
            loops,
        ]
    }

    private static func feed(_ snapshot: CollectorSnapshot) -> Check {
        func check(_ level: Level, _ detail: String) -> Check { Check(name: "feed", level: level, detail: detail) }
        guard !snapshot.isStopping else { return check(.failing, "shutting down") }
        let working = snapshot.connections.filter(\.hasWork)
        guard !working.isEmpty else {
            return check(.failing, "no connection has symbols: set SYMBOLS or a universe key")
        }
        let idle = working.filter { $0.status != .connected || (!$0.takesAll && $0.confirmed == 0) }
        guard idle.isEmpty else {
            let names = idle.map { connection -> String in
                let state =
                    switch connection.status {
                    case .connected: "has no confirmed symbol"
                    case .error: "has an error"
                    case .connecting, .disconnected: "is \(connection.status.rawValue)"
                    }
                let reason = connection.lastError.map { ": \($0)" } ?? ""
                return "\(connection.name) \(state)\(reason)"
            }
            // While one collects, the collector does.
            return check(
                idle.count < working.count ? .degraded : .failing,
                "\(idle.count) of \(working.count) connections do not collect: " + names.joined(separator: "; "))
        }
        let paused = working.filter(\.isPaused)
        guard paused.isEmpty else {
            return check(
                .degraded,
                "reading is paused until the buffer catches up: " + paused.map(\.name).joined(separator: ", "))
        }
        let missing = working.reduce(0) { $0 + ($1.takesAll ? 0 : max(0, $1.assigned - $1.confirmed)) }
        guard missing == 0 else {
            let refused = working.reduce(0) { $0 + $1.refused }
            return check(
                .degraded, "\(missing) symbols are not confirmed, \(refused) of them refused by the feed's plan")
        }
        let quiet = working.filter { $0.quietFor ?? 0 > quietLimit }
        guard quiet.isEmpty else {
            let names = quiet.map { "\($0.name) for \(Int(($0.quietFor ?? 0) / 60)) minutes" }
            return check(
                .degraded,
                "connected, but no event came although New York trades: " + names.joined(separator: ", ")
                    + "; if these symbols do trade, ask the feed's provider")
        }
        return check(.ok, "\(working.count) of \(working.count) connections collect")
    }

    private static func buffer(_ buffer: BufferState) -> Check {
        func check(_ level: Level, _ detail: String) -> Check { Check(name: "buffer", level: level, detail: detail) }
        switch buffer.condition {
        case .failing(let reason):
            return check(.failing, reason)
        case .full:
            return check(
                .failing, "full: events are dropped or rejected, and counted; raise BUFFER_MAX_BYTES or free disk space"
            )
        case .writing:
            if buffer.maximumBytes > 0, buffer.usedBytes >= buffer.maximumBytes / 5 * 4 {
                let percent = buffer.usedBytes * 100 / buffer.maximumBytes
                return check(.degraded, "\(percent) % of BUFFER_MAX_BYTES used")
            }
            if let newest = buffer.setAside.last {
                let others = buffer.setAside.count - 1
                return check(
                    .degraded,
                    "events reach the file, but a damaged one was set aside as \(newest)"
                        + (others > 0 ? " (and \(others) more)" : "")
                        + ": what waited in it is not upstream; save what can be read with edgetick repair --file, then move it away"
                )
            }
            return check(.ok, "events reach the file")
        }
    }

    private static func sync(_ snapshot: CollectorSnapshot) -> Check {
        func check(_ level: Level, _ detail: String) -> Check { Check(name: "sync", level: level, detail: detail) }
        let sync = snapshot.sync
        guard sync.isConfigured else { return check(.ok, "collecting only: DATABASE_URI is not set") }
        if let failure = sync.failure {
            return check(.degraded, (failure.needsPerson ? "needs a person: " : "trying again: ") + failure.description)
        }
        if sync.stalledFor > stallLimit {
            return check(.degraded, "nothing was uploaded for \(Int(sync.stalledFor)) s while rows wait")
        }
        if let lag = snapshot.buffer.oldestPendingAge, lag > lagLimit {
            return check(.degraded, "the oldest row waits for \(Int(lag / 60)) minutes")
        }
        return check(.ok, "upstream keeps up")
    }

    private static func universes(_ snapshot: CollectorSnapshot) -> Check {
        guard let mirror = snapshot.mirror else {
            return Check(name: "universes", level: .ok, detail: "the local ones are used")
        }
        let age = mirror.age.map { "pulled \(Int($0 / 60)) minutes ago" } ?? "never pulled"
        guard let failure = mirror.failure else { return Check(name: "universes", level: .ok, detail: age) }
        return Check(
            name: "universes", level: .degraded,
            detail: "the local ones stay in use, \(age); the pull fails: \(failure)")
    }

    private static func loops(_ snapshot: CollectorSnapshot, age: Double) -> Check {
        let status = LoopProgress(name: "status", age: age, limit: sampleLimit)
        let stuck = ([status] + snapshot.loops).filter { !$0.isAlive }
        guard stuck.isEmpty else {
            let names = stuck.map { "\($0.name) did not go round for \(Int($0.age)) s" }
            return Check(name: loopsCheck, level: .failing, detail: names.joined(separator: "; "))
        }
        return Check(name: loopsCheck, level: .ok, detail: "all go round")
    }
}
