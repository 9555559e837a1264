import MarketData
public import Upstream

/// Decides which boxes share the symbols, and when this box may give up those that others have taken. Pure.
///
/// The members are the live rows of the group, by the server's clock. The box subscribes at once to symbols that it
/// newly takes, and reports that in its row. It keeps symbols that it gives up until every other member has reported
/// the same, or for ``handOver``.
public struct ShardKeeper: Sendable, Equatable {
    /// How many seconds a box may have stopped collecting before its row reports the stop.
    private static let stopping = 30.0

    let member: String
    /// The longest time for which symbols that others have taken are kept.
    let handOver: Duration
    private(set) var map: ShardMap
    /// Whether the symbols of ``map`` are subscribed.
    private(set) var isTaken = false
    private var older: [ShardMap] = []
    /// The previous map; `nil` when nobody had taken anything before.
    private var before: ShardMap?
    /// When ``map`` took effect.
    private var since: ContinuousClock.Instant
    private var sinceTime: Int64
    /// The last word of each box, including boxes whose row has been removed.
    private var heardOf: [String: Word] = [:]
    /// The same when ``map`` took effect.
    private var heardBefore: [String: Word] = [:]
    /// Since when the rows have been read regularly. While they were not, the others could not be seen either, so
    /// nobody counts as gone before having had the same time to come back.
    private var askedSince: ContinuousClock.Instant
    private var askedAt: ContinuousClock.Instant

    /// The last information about a box.
    private struct Word: Sendable, Equatable {
        /// When it was last seen, in milliseconds since the Unix epoch. If it is gone, the gap of its symbols begins
        /// there.
        var seen: Int64
        /// The map by which it last reported that it had its share; `nil` if it has not reported that since it came.
        var map: ShardMap?
        /// The time since which nobody may have had the symbols that the others gave up for it, in milliseconds since the
        /// Unix epoch; `nil` if they wait for it, or it has reported that it has its share.
        var lapsed: Int64?
    }

    /// Decides the share with which the box starts.
    ///
    /// - Parameters:
    ///   - kept: the last assignment, if there was one.
    ///   - rows: the group's rows; `nil` when the database can't be asked. Then the last assignment stays, and a box
    ///     without one takes all symbols, since it knows of nobody else.
    ///   - time: the same moment as `now`, in milliseconds since the Unix epoch.
    ///   - offset: how far this clock is ahead of the server's, in milliseconds.
    init(
        member: String, replicas: Int, handOver: Duration = .seconds(60), kept: ShardRecord?, rows: [FleetRow]?,
        now: ContinuousClock.Instant, time: Int64, offset: Int64
    ) {
        self.member = member
        self.handOver = handOver
        (since, sinceTime, askedSince, askedAt) = (now, time, now, now)
        let kept = kept?.members.contains(member) == true ? kept : nil
        let last = kept.map { ShardMap($0.members, replicas: replicas) }
        for (id, lapsed) in kept?.lapsed ?? [:] {
            // A later time is of a clock that was ahead.
            let lapsed = min(lapsed, time)
            heardOf[id] = Word(seen: lapsed, lapsed: lapsed)
        }
        guard let rows else {
            map = last ?? ShardMap([member], replicas: replicas)
            return
        }
        // The others' last reports are newer than what this box knew when it stopped.
        let newest = rows.filter { $0.report.id != member && $0.report.sharesWith?.isEmpty == false }
            .min { $0.age < $1.age }
        let told = (newest?.report.sharesWith).map { ShardMap($0, replicas: replicas) }
        map = told ?? last ?? ShardMap([member], replicas: replicas)
        map = ShardMap(members(rows, now), replicas: replicas)
        // Others that still count on this box may have given it symbols that it never had.
        before = told?.members.contains(member) == true ? last ?? told : told ?? last
        hear(rows, offset)
        heardBefore = heardOf
    }

    /// The symbols that the box takes now.
    public var share: SymbolShare { SymbolShare(of: member, in: map, older: older, isAutomatic: true) }

    /// What the box stores for its next start.
    var kept: ShardRecord {
        let lapsed = heardOf.compactMapValues(\.lapsed).filter { map.members.contains($0.key) }
        return ShardRecord(members: map.members, lapsed: lapsed)
    }

    /// The members to report in the box's row, among which it has taken its share; none until it has.
    var sharesWith: [String] { isTaken ? map.members : [] }

    var isHandingOver: Bool { !isTaken || !older.isEmpty }

    /// Updates the members from the group's rows; returns whether ``share`` has changed.
    mutating func heard(_ rows: [FleetRow], now: ContinuousClock.Instant, time: Int64, offset: Int64) -> Bool {
        if now - askedAt > .seconds(Fleet.staleLimit / 2) { askedSince = now }
        askedAt = now
        let members = members(rows, now)
        // A box's reports from before it left don't tell what it has when it comes back.
        for id in members where !map.members.contains(id) { heardOf[id] = nil }
        hear(rows, offset)
        if members != map.members {
            before = map
            older = Array((older + [map]).suffix(4))
            map = ShardMap(members, replicas: map.replicas)
            since = now
            sinceTime = time
            isTaken = false
            heardBefore = heardOf
            heardOf = heardOf.filter { known in rows.contains { $0.report.id == known.key } }
            return true
        }
        guard !older.isEmpty else { return false }
        let silent = rows.filter {
            members.contains($0.report.id) && $0.report.id != member && $0.report.sharesWith != members
        }
        guard silent.isEmpty || now - since >= handOver else { return false }
        lapse(silent.map(\.report.id), at: time)
        older = []
        return true
    }

    /// Notes that symbols are given up for boxes that have not said that they have their share.
    private mutating func lapse(_ silent: [String], at time: Int64) {
        // Symbols that such a box should have taken from a box that is gone, or from another such box, have been with
        // nobody for longer. A gap that begins too early is harmless.
        let gone = older.flatMap(\.members).filter { !map.members.contains($0) }.compactMap { heardBefore[$0]?.seen }
        let lapsed = map.members.compactMap { heardOf[$0]?.lapsed }
        let since = min(time, (gone + lapsed).min() ?? time)
        for id in silent where heardOf[id]?.lapsed == nil { heardOf[id]?.lapsed = since }
    }

    /// Notes that every symbol of the share is subscribed.
    mutating func taken() { isTaken = true }

    /// Returns the time from which a symbol that this box newly takes may be missing, in milliseconds since the Unix
    /// epoch; `nil` when this box had it before, or nobody is known to have had it. The time may be in the future: a
    /// live owner keeps the symbol for ``handOver``.
    func lossStart(of symbol: Symbol) -> Int64? {
        guard let before else { return nil }
        let owners = before.owners(of: symbol)
        guard !owners.contains(member) else { return nil }
        if owners.contains(where: { id in
            map.members.contains(id) && (lastSeen(id, having: symbol) != nil || heardBefore[id]?.lapsed == nil)
        }) {
            return sinceTime + Int64(handOver.inSeconds * 1000)
        }
        // An owner that never said that it had its share had the symbol only as long as others kept it for it. If it
        // died before they gave it up, whoever had it before counts.
        let ends = owners.compactMap { lastSeen($0, having: symbol) ?? heardBefore[$0]?.lapsed }
        if let end = ends.max() { return end }
        let others = heardBefore.keys.filter { $0 != member }.compactMap { lastSeen($0, having: symbol) }
        return others.max() ?? owners.compactMap { heardBefore[$0]?.seen }.max()
    }

    /// Returns when a box was last seen that had said that it had a symbol, as of when ``map`` took effect; `nil` if it
    /// had not.
    private func lastSeen(_ id: String, having symbol: Symbol) -> Int64? {
        guard let word = heardBefore[id], word.map?.gives(symbol, to: id) == true else { return nil }
        return word.seen
    }

    /// Describes another box that takes fewer symbols than this box's settings give it, because its own settings or groups
    /// differ: too few boxes collect the rest, or none. Returns `nil` if none does, or while symbols change hands.
    func shortfall(_ rows: [FleetRow], of named: Set<Symbol>) -> String? {
        let others = rows.map(\.report).filter { report in
            guard report.id != member, report.sharesWith == map.members, !report.takesAll else { return false }
            return report.state == .ok || report.state == .degraded
        }
        guard !isHandingOver, !others.isEmpty else { return nil }
        var shares: [String: Int] = [:]
        for owner in named.lazy.flatMap(map.owners(of:)) { shares[owner, default: 0] += 1 }
        let short = others.filter { $0.symbols < shares[$0.id] ?? 0 }.map(\.id).sorted()
        guard let id = short.first else { return nil }
        let more = short.count > 1 ? " (and \((short.count - 1).counted("more box", "more boxes")))" : ""
        return
            "\(id)\(more) takes fewer symbols than its share of those that this box's settings name, so too few boxes or "
            + "none collect the rest: give all boxes of the group the same symbols and SHARD_REPLICAS; if a universe has "
            + "changed, run edgetick universe pull on \(id)"
    }

    private mutating func hear(_ rows: [FleetRow], _ offset: Int64) {
        for row in rows {
            let id = row.report.id
            // A box that is first seen when it has stopped must have had its share before.
            var word = heardOf[id] ?? Word(seen: 0, map: row.report.state == .stopped ? before : nil)
            let seen = row.seen + offset
            word.seen = row.report.state == .stopped ? max(word.seen, seen - Int64(Self.stopping * 1000)) : seen
            if let members = row.report.sharesWith, !members.isEmpty, members != word.map?.members {
                word.map = ShardMap(members, replicas: map.replicas)
            }
            if row.report.sharesWith == map.members { word.lapsed = nil }
            heardOf[id] = word
        }
    }

    /// Returns the live boxes that share symbols, always including this one.
    private func members(_ rows: [FleetRow], _ now: ContinuousClock.Instant) -> [String] {
        let mayBeComing = now - askedSince < .seconds(Fleet.staleLimit)
        let live = rows.filter { row in
            guard row.report.sharesWith != nil, row.report.state != .stopped else { return false }
            return row.age <= Fleet.staleLimit || mayBeComing && map.members.contains(row.report.id)
        }
        return Set(live.map(\.report.id) + [member]).sorted()
    }
}

/// What a box stores about the sharing for its next start.
public struct ShardRecord: Sendable, Equatable {
    /// The members of the last assignment.
    public var members: [String]
    /// Since when nobody may have had the symbols that were given up for a member which has not reported that it has its
    /// share, in milliseconds since the Unix epoch; by member.
    public var lapsed: [String: Int64]

    /// Makes a record.
    public init(members: [String], lapsed: [String: Int64] = [:]) {
        self.members = members
        self.lapsed = lapsed
    }
}

extension ShardKeeper {
    /// How long a start waits for the database.
    private static let patience: Duration = .seconds(3)

    /// Reports in the database that the box starts, and reads who else shares the symbols.
    ///
    /// - Parameters:
    ///   - identity: the box.
    ///   - kept: the last assignment, if there was one.
    /// - Returns: the keeper of the box's share, and why the database can't be asked, if it can't.
    public static func start(
        _ identity: FleetReport, in table: FleetTable, replicas: Int, kept: ShardRecord?
    ) async -> (keeper: ShardKeeper, problem: String?) {
        var answer: (rows: [FleetRow], offset: Int64)?
        var problem: String?
        let asking = Task {
            var report = identity
            report.sharesWith = []
            let offset = try await table.write(report).clockOffset
            return (rows: try await table.rows(ofGroup: identity.group), offset: offset)
        }
        do {
            answer = try await asking.value(within: patience)
        } catch let error as UpstreamError where error.reason == .cancelled {
            problem = "the database did not answer within \(patience)"
        } catch {
            problem = String(describing: error)
        }
        let keeper = ShardKeeper(
            member: identity.id, replicas: replicas, kept: kept, rows: answer?.rows, now: .now,
            time: WallClock.milliseconds(), offset: answer?.offset ?? 0)
        return (keeper, problem)
    }
}
