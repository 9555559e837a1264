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
/// An older version never replaces a newer one, whoever brings it and whenever. Of one collector the later received is
/// the newer. Between collectors it is the one with more volume, because late trades add to it; with equal volume the
/// later received, where no clock counts that is ahead of the server's. A bar from the REST aggregates replaces nothing but
/// an older one from there.
struct BarVersions: Sendable, Equatable {
    let conflict: BarConflict
    let hasReceived: Bool
    let hasCollector: Bool
    let hasSource: Bool
    let hasDecimalVolume: Bool

    /// The rule for a table with these columns.
    init(_ conflict: BarConflict?, columns: Set<BarField>) {
        hasReceived = columns.contains(.receivedAt)
        hasCollector = columns.contains(.collector)
        hasSource = columns.contains(.source)
        hasDecimalVolume = columns.contains(.decimalVolume)
        self.conflict = conflict ?? (hasReceived ? .newest : .replace)
    }

    /// The condition under which the row `new` replaces the row `old`; `nil` when it never does.
    ///
    /// - Parameter isFill: Whether the new one is from the REST aggregates.
    func condition(old: String, new: String, isFill: Bool) -> String? {
        let isLater = "least(\(new).received_at, now()) >= least(\(old).received_at, now())"
        let wasFill = "\(old).source = '\(Self.fill)'"
        if isFill {
            guard hasSource else { return nil }
            return hasReceived ? "\(wasFill) AND (\(old).received_at IS NULL OR \(isLater))" : wasFill
        }
        let hasMore = "\(volume(new)) > \(volume(old))"
        let hasNoLess = "\(volume(new)) >= \(volume(old))"
        guard hasReceived else { return conflict == .keep ? nil : "true" }
        let overUnknown =
            switch conflict {
            case .keep: "false"
            case .replace: "true"
            case .newest: hasNoLess
            }
        var cases = ["WHEN \(old).received_at IS NULL THEN \(overUnknown)"]
        if hasCollector {
            // A row without a collector is of neither of two boxes.
            cases.append(
                """
                WHEN (\(old).collector = \(new).collector) IS NOT FALSE
                THEN \(new).received_at >= \(old).received_at
                """)
        }
        if hasSource { cases.append("WHEN \(wasFill) THEN \(hasNoLess)") }
        cases.append("WHEN \(volume(new)) = \(volume(old)) THEN \(isLater)")
        return "CASE \(cases.joined(separator: " ")) ELSE \(hasMore) END"
    }

    private func volume(_ row: String) -> String {
        hasDecimalVolume
            ? "coalesce(\(row).decimal_volume, \(row).volume, 0)" : "coalesce(\(row).volume, 0)"
    }

    /// What stands in the column source of a bar from the REST aggregates.
    static let fill = "backfill"

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
