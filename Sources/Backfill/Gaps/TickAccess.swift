import MarketData
public import Store

/// Which ticks of a gap may be fetched again, why others may not, and how much at most.
///
/// A bar has a key, a trade or quote has none of its own: what the stream brought around the edges of a gap is recognised
/// by the rows of the file, or by a unique index upstream. Without both it would be doubled.
public struct TickAccess: Sendable, Equatable {
    /// How much is fetched for one gap.
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
    /// Why others are not.
    var refusals: [EventKind: String] = [:]
    /// How much at most; `nil` sets no limit.
    public var budget: Budget?

    /// Everything, as a person asks for it.
    public static let all = TickAccess(kinds: possible)
}

extension TickAccess {
    /// Decides for a gap that nobody asked about.
    ///
    /// - Parameters:
    ///   - ends: the file's end of old rows of each stream.
    ///   - identified: streams in which the database recognises events that are there.
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

    /// Whether events of a kind were not asked for.
    func lacks(_ kind: EventKind) -> Bool {
        let asked = settled[kind] ?? []
        return gap.symbols.isEmpty ? asked.isEmpty : !gap.symbols.allSatisfy(asked.contains)
    }
}

/// Where a stream's rows begin in the file.
struct FileEnd: Sendable, Equatable {
    /// Whether rows were deleted.
    var hasForgotten: Bool
    /// The time of the first row that is there, in milliseconds since the Unix epoch.
    var oldest: Int64?

    /// Whether the rows of a time, and those received a minute before, are there.
    func holds(_ time: Int64) -> Bool { !hasForgotten || oldest.map { $0 <= time - 60_000 } ?? false }
}
