import MarketData

/// Whose version of a bar stays, where the table holds one whose writer left no time of receipt (`BAR_CONFLICT`).
public enum BarConflict: String, Sendable, CaseIterable {
    /// The one that is there.
    case keep
    /// Ours.
    case replace
    /// Ours, unless it has less volume. Without the column received_at the same as ``replace``.
    case newest
}

/// Decides which version of a bar is the newer one, in SQL: the one that the table holds, or the one that comes.
///
/// An older version never replaces a newer one, whoever brings it and whenever. Of one file the later received is the
/// newer. Between collectors it is the one with more volume, because late trades add to it; with equal volume the later
/// received, where no clock counts that is ahead of the server's. Where the one that is there may be another file's of the
/// same collector, a copy's for instance, the later received replaces it unless it has less volume. One of a clock that was
/// ahead gives way to more volume. A bar that fills a gap replaces nothing but an older one that did. One that corrects a
/// day replaces whatever was received before it, and gives way only to what was received after it: the tape was asked when
/// the day was over.
struct BarVersions: Sendable, Equatable {
    let conflict: BarConflict
    let hasReceived: Bool
    let hasCollector: Bool
    let hasSource: Bool
    let hasDecimalVolume: Bool
    private let receivedAt: String
    private let collector: String
    private let source: String
    private let volume: String
    private let decimalVolume: String
    /// When another file last uploaded bars under this collector's name, as the server writes it; `nil` when none did.
    var othersUntil: String?
    /// The server's time, as it writes it: a statement that asks for it is none that Citus spreads. `nil`: it is asked for.
    var now: String?
    /// This box's time in milliseconds since the Unix epoch: a time of receipt after it is of a clock that was ahead, and says
    /// nothing. `nil`: the server's time alone is gone by.
    var boxTime: Int64?

    /// The rule for a table with these columns, under the names that it has for them.
    init(_ conflict: BarConflict?, columns: Set<BarField>, name: (BarField) -> String = { $0.rawValue }) {
        receivedAt = name(.receivedAt)
        collector = name(.collector)
        source = name(.source)
        volume = name(.volume)
        decimalVolume = name(.decimalVolume)
        hasReceived = columns.contains(.receivedAt)
        hasCollector = columns.contains(.collector)
        hasSource = columns.contains(.source)
        hasDecimalVolume = columns.contains(.decimalVolume)
        self.conflict = conflict ?? (hasReceived ? .newest : .replace)
    }

    /// The condition under which the row `new` replaces the row `old`; `nil` when it never does.
    ///
    /// - Parameter from: What brought the new one.
    func condition(old: String, new: String, from bringer: EventSource) -> String? {
        let now = now.map { "timestamptz \(SQLText.literal($0))" } ?? "now()"
        let isLater = "least(\(new).\(receivedAt), \(now)) >= least(\(old).\(receivedAt), \(now))"
        let wasFill = "\(old).\(source) = '\(Self.fill)'"
        switch bringer {
        case .backfill:
            guard hasSource else { return nil }
            return hasReceived ? "\(wasFill) AND (\(old).\(receivedAt) IS NULL OR \(isLater))" : wasFill
        case .reconcile:
            guard hasReceived else { return conflict == .keep ? nil : "true" }
            // A time that is still to come is of a clock that is ahead.
            let isBefore = "\(old).\(receivedAt) <= \(new).\(receivedAt) OR \(old).\(receivedAt) > \(now)"
            return "CASE WHEN \(old).\(receivedAt) IS NULL THEN \(conflict != .keep) ELSE \(isBefore) END"
        case .stream: break
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
        if hasSource { cases.append("WHEN \(old).\(source) = '\(EventSource.reconcile.rawValue)' THEN \(isLater)") }
        if hasCollector {
            var isNewer = "\(new).\(receivedAt) >= \(old).\(receivedAt)"
            if let othersUntil {
                let ownSince = "timestamptz \(SQLText.literal(othersUntil))"
                isNewer += " AND (\(old).\(receivedAt) > \(ownSince) OR \(hasNoLess))"
            }
            let present = boxTime.map { "least(\(now), to_timestamp(\(Double($0) / 1000)))" } ?? now
            let wasAhead = "\(old).\(receivedAt) > \(present)"
            // A row without a collector is of neither of two boxes.
            cases.append(
                "WHEN (\(old).\(collector) = \(new).\(collector)) IS NOT FALSE THEN (\(isNewer)) OR (\(wasAhead) AND \(hasMore))"
            )
        }
        if hasSource { cases.append("WHEN \(wasFill) THEN \(hasNoLess)") }
        cases.append("WHEN \(amount(new)) = \(amount(old)) THEN \(isLater)")
        return "CASE \(cases.joined(separator: " ")) ELSE \(hasMore) END"
    }

    private func amount(_ row: String) -> String {
        hasDecimalVolume
            ? "coalesce(\(row).\(decimalVolume), \(row).\(volume), 0)" : "coalesce(\(row).\(volume), 0)"
    }

    /// What is in the column source of a bar that filled a gap.
    static let fill = EventSource.backfill.rawValue

    /// The rule in words, for people.
    var summary: String {
        guard hasReceived else {
            return conflict == .keep
                ? "a bar that is there stays (BAR_CONFLICT=keep)"
                : "without received_at no version is known to be older: the one that comes last wins "
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
