import MarketData
public import Upstream

/// The boxes that share a database and the level of each, worst first. Pure.
///
/// Whether a box is stale is decided by the server's clock, never by the boxes' own.
public struct Fleet: Sendable, Equatable {
    /// Whether a box still reports.
    public enum Standing: String, Sendable, CaseIterable, Codable {
        /// It reports.
        case live
        /// Its connection to the database has ended, and it has not come back.
        case gone
        /// It was not seen for ``Fleet/staleLimit``.
        case stale
        /// It reported that it was stopping.
        case stopped
    }

    /// One box.
    public struct Box: Sendable, Equatable {
        /// Its last report, and when that was seen.
        public var row: FleetRow
        /// Whether it still reports.
        public var standing: Standing
        /// Its health level.
        public var level: Health.Level
        /// What is wrong, in one line; `nil` when nothing is.
        public var detail: String?
    }

    /// How many seconds after it was last seen a box counts as stale, and loses its symbols with SHARD=auto.
    static let staleLimit = 60.0
    /// How many seconds a box whose connection has ended has to come back before it counts as gone.
    static let goneLimit = 2.0

    /// The boxes, the worst first.
    public var boxes: [Box]
    /// Problems that concern several boxes together, one line each.
    public var remarks: [String]

    /// The worst level; a fleet without boxes is ok.
    public var level: Health.Level { max(boxes.map(\.level).max() ?? .ok, remarks.isEmpty ? .ok : .degraded) }

    /// What is wrong, in one line; `nil` when nothing is.
    public var headline: String? {
        let bad = boxes.filter { $0.level > .ok }
        guard let worst = bad.first else { return remarks.first }
        let more = bad.count > 1 ? " (and \((bad.count - 1).counted("more box", "more boxes")))" : ""
        return "\(worst.row.report.id)\(more): \(worst.detail ?? worst.standing.rawValue)"
    }

    /// Judges the boxes of these rows.
    public init(_ rows: [FleetRow]) {
        boxes = rows.map(Box.init).sorted {
            ($1.level, $0.row.report.id) < ($0.level, $1.row.report.id)
        }
        remarks = Self.rivals(boxes) + boxes.compactMap { [boxes] in Self.groupProblem(of: $0, among: boxes) }
    }

    /// What is wrong with a box's group, in one line; `nil` when nothing is.
    func groupProblem(of id: String) -> String? {
        boxes.first { $0.row.report.id == id }.flatMap { Self.groupProblem(of: $0, among: boxes) }
    }

    /// What is wrong with a box's clock, in one line; `nil` when nothing is, or before it was measured.
    ///
    /// - Parameter offset: how far it is ahead of the database's, in milliseconds.
    static func clockProblem(offset: Int64?) -> String? {
        guard let offset, offset.magnitude >= WallClock.tolerance else { return nil }
        return
            "the box's clock is \(offset.magnitude) ms \(offset > 0 ? "ahead of" : "behind") the database's: set it right, "
            + "for instance with timedatectl set-ntp true"
    }

    /// Detects a box that is alone in its group, beside boxes without a group that collect as many symbols: the group
    /// was set on only one of them.
    private static func groupProblem(of box: Box, among boxes: [Box]) -> String? {
        let report = box.row.report
        guard let group = report.group, box.standing == .live, report.takesAll || report.symbols > 0,
            boxes.count(where: { $0.row.report.group == group }) == 1
        else { return nil }
        let others = boxes.filter {
            $0.standing == .live && $0.row.report.group == nil && $0.row.report.symbols == report.symbols
                && $0.row.report.takesAll == report.takesAll
        }.map(\.row.report.id).sorted()
        guard !others.isEmpty else { return nil }
        return
            "\(report.id) is alone in the group \(group), and \(DisplayText.list(others, showing: 1)), with as many symbols, "
            + "\(others.count > 1 ? "have" : "has") no COLLECTOR_GROUP: give boxes that collect the same symbols one group, "
            + "or none of them"
    }

    /// Describes boxes of one group that disconnect each other, since the account allows fewer connections.
    private static func rivals(_ boxes: [Box]) -> [String] {
        let pushed = boxes.filter { $0.standing == .live && $0.row.report.isPushedOut }
        return Dictionary(grouping: pushed) { $0.row.report.group ?? "" }
            .filter { $0.value.count > 1 }
            .sorted { $0.key < $1.key }
            .map { group, boxes in
                let names = boxes.map(\.row.report.id).sorted().joined(separator: " and ")
                let place = group.isEmpty ? "" : " of the group \(group)"
                return
                    "\(names)\(place) push each other off the feed: the account allows fewer connections than they open; "
                    + "give each a key of its own, have the limit raised, or stop one"
            }
    }
}

extension Fleet.Box {
    init(_ row: FleetRow) {
        self.row = row
        let report = row.report
        let age = Duration.seconds(row.age).spoken
        if report.state == .stopped {
            (standing, level) = (.stopped, .degraded)
            detail = "stopped \(age) ago: start it, or take it off the list with edgetick fleet --forget \(report.id)"
        } else if row.age > Fleet.staleLimit {
            (standing, level) = (.stale, .failing)
            detail =
                "not seen for \(age): it is off, or does not reach the database"
                + (report.reason.map { "; its last report: \($0)" } ?? "")
        } else if row.isConnected == false, row.age > Fleet.goneLimit {
            (standing, level) = (.gone, .failing)
            detail = "its connection to the database has ended; seen \(age) ago"
        } else {
            standing = .live
            switch report.state {
            case .ok, .stopped: (level, detail) = (.ok, nil)
            case .starting: (level, detail) = (.degraded, report.reason ?? "it is starting")
            case .degraded: (level, detail) = (.degraded, report.reason)
            case .failing: (level, detail) = (.failing, report.reason)
            }
            if level == .ok, let problem = Fleet.clockProblem(offset: report.clockOffset) {
                (level, detail) = (.degraded, problem)
            }
        }
    }
}
