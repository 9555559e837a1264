import MarketData
public import Store

/// Which ticks of a gap may be fetched, why others may not, and how many at most.
///
/// A bar has a key, but a trade or quote does not: a tick that the stream delivered around the edges of a gap is
/// recognised by the rows of the file, or by a unique index upstream. Without either it would be stored twice. So would
/// one that was uploaded before damage took its row from the file, or by the file of which this one is a backup.
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
    /// Those of which the events around the gap can be recognised only by the rows of the file.
    var needingFile: Set<EventKind> = []
    /// Why other kinds may not.
    var refusals: [EventKind: String] = [:]
    /// The limits for one gap; `nil` sets none.
    public var budget: Budget?

    /// Everything, for a request by a person.
    public static let all = TickAccess(kinds: possible)
}

extension TickAccess {
    /// Decides for a gap that is filled without a request by a person: by what the file still has of each stream, the
    /// streams in which the database recognises events that it already has, and the kinds that the account's plan was
    /// found not to cover.
    init(_ gap: Gap, ends: [EventStream: FileEnd], identified: Set<EventStream>, uncovered: Set<EventKind>) {
        kinds = []
        budget = Budget()
        for kind in gap.events where Self.possible.contains(kind) {
            if uncovered.contains(kind) {
                refusals[kind] = Self.notCovered(kind)
            } else if identified.contains(kind.stream) {
                kinds.insert(kind)
            } else if ends[kind.stream]?.holds(gap.from) == true {
                kinds.insert(kind)
                needingFile.insert(kind)
            } else {
                let end = ends[kind.stream]
                let why =
                    if end?.isDamaged == true {
                        "rows that the file lost to damage may have been uploaded"
                    } else if end?.isBehind == true {
                        "rows that this file never had were uploaded after it was backed up or copied"
                    } else {
                        "the rows around the gap are no longer in the file"
                    }
                refusals[kind] =
                    "\(kind.plural) are left to 'edgetick backfill --ticks': \(why), and the database can't tell them "
                    + "apart (edgetick migrate --tick-identity)"
            }
        }
    }

    static func notCovered(_ kind: EventKind) -> String {
        "the REST server refuses \(kind.plural): the account's plan does not cover them, or it is a relay, which has "
            + "bars only"
    }
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

/// How much of a stream the file still has around a gap.
struct FileEnd: Sendable, Equatable {
    /// How far a row's time may be from those of the rows received with it, in milliseconds.
    static let margin: Int64 = 60_000
    /// How far the database's clock may be behind, in milliseconds.
    private static let clockMargin: Int64 = 3_600_000
    /// The same for a gap whose ends may be off.
    private static let uncertainMargin: Int64 = 86_400_000

    /// Whether rows were deleted.
    var hasForgotten: Bool
    /// The time of the oldest row, or of its receipt if that is later, in milliseconds since the Unix epoch.
    var oldest: Int64?
    /// Whether rows around the gap may have been lost to damage.
    var isDamaged = false
    /// Whether rows that the file never had were uploaded after the gap began.
    var isBehind = false

    /// Whether the file still has the rows of a time, and those received up to a minute before.
    func holds(_ time: Int64) -> Bool {
        !isDamaged && !isBehind && (!hasForgotten || oldest.map { $0 <= time - Self.margin } ?? false)
    }
}

extension FileEnd {
    /// The earliest moment at which rows of a gap's time can have been uploaded, by the database's clock, in
    /// milliseconds since the Unix epoch.
    static func earliestUpload(of gap: Gap) -> Int64 { gap.from - (gap.isUncertain ? uncertainMargin : clockMargin) }

    /// Reads what the file in a directory has. Blocks on the disk.
    init(of stream: EventStream, around gap: Gap, directory: String) throws(StoreError) {
        let beginning = try GapLog.beginning(of: stream, directory: directory)
        let span = gap.from - Self.margin...max(gap.from, gap.to ?? gap.from) + Self.margin
        let isDamaged = try GapLog.hasLostRows(of: stream, in: span, directory: directory)
        self.init(hasForgotten: beginning.hasForgotten, oldest: beginning.oldest, isDamaged: isDamaged)
    }
}
