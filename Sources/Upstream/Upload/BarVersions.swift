import MarketData

/// Which version of a bar stays if the one in the table has no time of receipt (`BAR_CONFLICT`).
public enum BarConflict: String, Sendable, CaseIterable {
    /// The one in the table.
    case keep
    /// The one sent.
    case replace
    /// The one sent, unless it has less volume. Without the column received_at, the same as ``replace``.
    case newest
}

/// Decides in SQL which version of a bar is newer: the one in the table or the one sent.
///
/// An older version never replaces a newer one, whoever sends it and whenever:
/// - From one file, the version received later is newer.
/// - Between collectors, the version with more volume is newer, because late trades add to it. With equal volume it is
///   the one received later; a time of receipt ahead of the server's clock counts as the server's time.
/// - If the version in the table may come from another file of the same collector, such as a copy, the one received
///   later replaces it unless it has less volume.
/// - A version stamped by a clock that was ahead gives way to more volume.
/// - A bar that fills a gap replaces only an older bar that also filled one.
/// - A bar that corrects a day replaces whatever was received before it and gives way only to what was received after
///   it, since the tape was read when the day was over.
/// - A correction that a gap missed goes by the rules of the stream: the REST API may have been behind the stream of
///   another collector when it was asked. In a table without the columns source and connection, it can't be told from
///   the others once it is there.
struct BarVersions: Sendable, Equatable {
    let conflict: BarConflict
    /// The table's own names of its columns.
    private let names: [BarField: String]
    private var hasReceived: Bool { names[.receivedAt] != nil }
    /// A day after another file last uploaded bars under this collector's name, in the server's format.
    var othersUntil: String?
    /// The server's time, in its own format, because Citus doesn't distribute a statement that calls now(). If `nil`,
    /// the statement calls it.
    var now: String?
    /// This box's time in milliseconds since the Unix epoch. A later time of receipt comes from a clock that was ahead,
    /// and proves nothing. If `nil`, only the server's time is compared.
    var boxTime: Int64?
    /// Whether the bars sent are corrections that a gap missed.
    var isCorrection = false

    /// The rule for a table with these columns.
    init(_ conflict: BarConflict?, columns: [PlannedColumn<BarField>]) {
        names = Dictionary(uniqueKeysWithValues: columns.map { ($0.field, $0.name) })
        self.conflict = conflict ?? (names[.receivedAt] == nil ? .replace : .newest)
    }

    /// The condition under which the row `new` replaces the row `old`; `nil` when it never does.
    ///
    /// - Parameter bringer: the source of the new row.
    func condition(old: String, new: String, from bringer: EventSource) -> String? {
        let (receivedAt, collector, source) = (name(.receivedAt), name(.collector), name(.source))
        let hasSource = names[.source] != nil
        let now = now.map { "timestamptz \(SQLText.literal($0))" } ?? "now()"
        let isLater = "least(\(new).\(receivedAt), \(now)) >= least(\(old).\(receivedAt), \(now))"
        let wasFill = "\(old).\(source) = '\(Self.fill)'"
        switch bringer {
        case .backfill:
            guard hasSource else { return nil }
            return hasReceived ? "\(wasFill) AND (\(old).\(receivedAt) IS NULL OR \(isLater))" : wasFill
        case .reconcile where !isCorrection:
            guard hasReceived else { return conflict == .keep ? nil : "true" }
            // A time of receipt in the future comes from a clock that was ahead.
            let isBefore = "\(old).\(receivedAt) <= \(new).\(receivedAt) OR \(old).\(receivedAt) > \(now)"
            return "CASE WHEN \(old).\(receivedAt) IS NULL THEN \(conflict != .keep) ELSE \(isBefore) END"
        case .stream, .reconcile: break
        }
        let hasMore = "\(amount(new)) > \(amount(old))"
        let hasNoLess = "\(amount(new)) >= \(amount(old))"
        guard hasReceived else { return conflict == .keep ? nil : "true" }
        let overUnknown =
            switch conflict {
            case .keep: "false"
            case .replace: "true"
            case .newest: hasNoLess
            }
        var cases = ["WHEN \(old).\(receivedAt) IS NULL THEN \(overUnknown)"]
        if hasSource {
            let isOfDay = names[.connection].map { " AND \(old).\($0) IS DISTINCT FROM '\(Self.fill)'" } ?? ""
            cases.append("WHEN \(old).\(source) = '\(EventSource.reconcile.rawValue)'\(isOfDay) THEN \(isLater)")
        }
        if names[.collector] != nil {
            var isNewer = "\(new).\(receivedAt) >= \(old).\(receivedAt)"
            if let othersUntil {
                let ownSince = "timestamptz \(SQLText.literal(othersUntil))"
                isNewer += " AND (\(old).\(receivedAt) > \(ownSince) OR \(hasNoLess))"
            }
            let present = boxTime.map { "least(\(now), to_timestamp(\(Double($0) / 1000)))" } ?? now
            let wasAhead = "\(old).\(receivedAt) > \(present)"
            // A row without a collector isn't known to be another box's.
            cases.append(
                "WHEN (\(old).\(collector) = \(new).\(collector)) IS NOT FALSE THEN (\(isNewer)) OR (\(wasAhead) AND \(hasMore))"
            )
        }
        if hasSource { cases.append("WHEN \(wasFill) THEN \(hasNoLess)") }
        cases.append("WHEN \(amount(new)) = \(amount(old)) THEN \(isLater)")
        return "CASE \(cases.joined(separator: " ")) ELSE \(hasMore) END"
    }

    private func name(_ field: BarField) -> String { names[field] ?? field.rawValue }

    private func amount(_ row: String) -> String {
        let exact = names[.decimalVolume].map { "\(row).\($0), " } ?? ""
        return "coalesce(\(exact)\(row).\(name(.volume)), 0)"
    }

    /// The value of the column source in a bar that filled a gap.
    static let fill = EventSource.backfill.rawValue

    /// The rule in words, for people.
    var summary: String {
        guard hasReceived else {
            return conflict == .keep
                ? "an existing bar stays (BAR_CONFLICT=keep)"
                : "without received_at, EdgeTick can't tell which version of a bar is older, so the last one sent wins "
                    + "(BAR_CONFLICT=\(conflict.rawValue))"
        }
        let others =
            switch conflict {
            case .keep: "rows without received_at stay"
            case .replace: "rows without received_at are replaced"
            case .newest: "rows without received_at are replaced unless they have more volume"
            }
        return "a newer version replaces an older one; \(others) (BAR_CONFLICT=\(conflict.rawValue))"
    }
}
