import MarketData
public import Store

/// Which ticks of a gap may be fetched, why others may not, and how many at most.
///
/// A bar has a key, but a trade or quote does not: a tick that the stream delivered around the edges of a gap is
/// recognised by the rows of the file, or by a unique index upstream. Without either it would be stored twice.
public struct TickAccess: Sendable, Equatable {
    /// The most to fetch for one gap.
    public struct Budget: Sendable, Equatable {
        /// Pages asked for.
        var requests = 2000
        /// Rows stored.
        public var rows = 2_000_000
    }

    /// The kinds that the REST API has.
    static let possible: Set<EventKind> = [.trade, .quote]

    /// The kinds that may be asked for.
    var kinds: Set<EventKind>
    /// Why other kinds may not.
    var refusals: [EventKind: String] = [:]
    /// The most to fetch; `nil` sets no limit.
    public var budget: Budget?

    /// Everything, for a request by a person.
    public static let all = TickAccess(kinds: possible)
}

extension TickAccess {
    /// Decides for a gap that is filled without a request by a person.
    ///
    /// - Parameters:
    ///   - ends: where the rows of each stream begin in the file.
    ///   - identified: streams in which the database recognises events that it already has.
    ///   - uncovered: kinds that the account's plan was found not to cover.
    init(
        _ gap: Gap, ends: [EventStream: FileEnd], identified: Set<EventStream>, uncovered: Set<EventKind>
    ) {
        kinds = []
        budget = Budget()
        for kind in gap.events where Self.possible.contains(kind) {
            if uncovered.contains(kind) {
                refusals[kind] = Self.notCovered(kind)
            } else if identified.contains(kind.stream) || ends[kind.stream]?.holds(gap.from) == true {
                kinds.insert(kind)
            } else {
                refusals[kind] =
                    "\(kind.plural) are left to 'edgetick backfill --ticks': the rows around the gap are no longer in the "
                    + "file, and the database can't tell them apart (edgetick migrate --tick-identity)"
            }
        }
    }

    static func notCovered(_ kind: EventKind) -> String { "the account's plan does not cover \(kind.plural)" }
}

extension GapRecord {
    /// Whether trades or quotes of the gap were not asked for.
    public var lacksTicks: Bool { gap.events.contains { TickAccess.possible.contains($0) && lacks($0) } }

    /// Whether events of a kind have not been asked for yet, for at least one symbol.
    func lacks(_ kind: EventKind) -> Bool {
        let asked = settled[kind] ?? []
        return gap.symbols.isEmpty ? asked.isEmpty : !gap.symbols.allSatisfy(asked.contains)
    }
}

/// Where a stream's rows begin in the file.
struct FileEnd: Sendable, Equatable {
    /// Whether rows were deleted.
    var hasForgotten: Bool
    /// The time of the oldest row, in milliseconds since the Unix epoch.
    var oldest: Int64?

    /// Whether the file still has the rows of a time, and those received up to a minute before.
    func holds(_ time: Int64) -> Bool { !hasForgotten || oldest.map { $0 <= time - 60_000 } ?? false }
}
