/// One column of a stream's table: its name and content, the feed's field with the value, and its columns upstream.
///
/// The columns of a stream are described once, in ``MarketEvent/columns``. Checks of a file's rows, the recognition of
/// rows in a damaged file, SELECT lists, JSON, dead letters and the tables upstream are loops over them. Decoding, the
/// inserter, the upload's reader and COPY name the columns by hand, because they are the hot path; tests check that
/// they agree.
public struct Column: Sendable, Equatable {
    /// What a column holds.
    public enum Content: Sendable, Equatable {
        /// The row's number in its stream.
        case sequence
        /// A ticker.
        case symbol
        /// A bar's length in seconds.
        case interval
        /// A moment in milliseconds since the Unix epoch.
        case milliseconds
        /// A moment in microseconds since the Unix epoch.
        case microseconds
        /// A moment in nanoseconds since the Unix epoch.
        case nanoseconds
        /// A price in dollars.
        case price
        /// A number of shares, which may have a fraction.
        case quantity
        /// A whole number of 64 bits.
        case whole
        /// A whole number of 32 bits.
        case small
        /// Yes or no: 1 or 0.
        case flag
        /// A text.
        case text
        /// Whole numbers, as a JSON array without spaces.
        case list
        /// A name, never empty.
        case name
        /// The source of the row: ``EventSource``.
        case source

        /// Whether it is stored as a binary floating-point number. SQLite has no NaN and stores NULL for it.
        public var isReal: Bool { self == .price || self == .quantity }

        /// Whether it is stored as text.
        public var isText: Bool {
            switch self {
            case .symbol, .text, .list, .name, .source: true
            default: false
            }
        }
    }

    /// A column of a table upstream.
    public struct Target: Sendable, Equatable {
        /// What the column is for.
        public struct Role: OptionSet, Sendable {
            /// The bits.
            public let rawValue: UInt8

            /// A set of roles.
            public init(rawValue: UInt8) { self.rawValue = rawValue }

            /// A table without this column can't be used.
            public static let required = Role(rawValue: 1)
            /// It is part of its table's unique key.
            public static let key = Role(rawValue: 2)
            /// It identifies events: two rows that are equal in all such columns, NULLs included, are one event,
            /// whoever received it and however often.
            ///
            /// The identity includes a time in milliseconds. Nanoseconds are truncated to it, and a provider may round
            /// where the feed truncates. So two trades from different sources that are one millisecond apart are the
            /// same event when everything else is equal and the sequence is known.
            public static let identity = Role(rawValue: 4)
            /// A row with the same key but another value here is another version of the event.
            public static let compared = Role(rawValue: 8)
            /// The REST aggregates don't have it.
            public static let streamOnly = Role(rawValue: 16)
            /// It distinguishes rows with the same identity when they are looked up.
            public static let lookedUp = Role(rawValue: 32)
        }

        /// The column's name.
        public let name: String
        /// What it holds.
        public let content: Content
        /// What it is for.
        public let roles: Role
    }

    /// The column's name in the file and in JSON.
    public let name: String
    /// What it holds.
    public let content: Content
    /// Whether every row has a value. A required number that is NaN is stored as NULL.
    public internal(set) var isRequired = true
    /// Whether it is shown when an event is printed on one line.
    public internal(set) var isBrief = false
    /// The version of the file's schema that added the column; 1 when its table was created with it.
    public internal(set) var since = 1
    /// The fields of the feed's message that hold the value, the exact one first; empty when the feed doesn't send it.
    public internal(set) var fields: [String] = []
    /// The column that this one's value must be greater than.
    public internal(set) var follows: String?
    /// The columns upstream that get the value.
    public internal(set) var targets: [Target] = []
    /// What it means, for people.
    public let meaning: String

    /// Whether it is part of what identifies an event, from whatever source and however often it arrives; for bars, that
    /// is the key.
    public var isIdentity: Bool { targets.contains { !$0.roles.isDisjoint(with: [.key, .identity]) } }

    /// The first column of every row.
    static let sequence = Column(
        name: "seq", content: .sequence, meaning: "the row's number in its stream; grows, never starts again")

    /// When a row was received.
    static func received(_ roles: Target.Role) -> Column {
        Column(
            name: "received_us", content: .microseconds,
            targets: [Target(name: "received_at", content: .microseconds, roles: roles)],
            meaning: "when it was read from the socket")
    }

    /// The connection that delivered a row.
    static let connection = Column(
        name: "connection", content: .name, targets: [Target(name: "connection", content: .name, roles: [])],
        meaning: "the connection that brought it; backfill or reconcile where none did")

    /// The source of a row.
    static let source = Column(
        name: "source", content: .source, targets: [Target(name: "source", content: .source, roles: [])],
        meaning: "stream; backfill: fetched for a gap; reconcile: the tape, for a day or a correction that a gap missed"
    )
}

extension EventStream {
    /// The columns of the stream's table, in the order of a row.
    public var columns: [Column] { Self.tables[index] }

    /// The columns' names, as a SELECT lists them.
    public var columnList: String { columns.map(\.name).joined(separator: ", ") }

    /// The column with the events' own time.
    public var timeColumn: String { columns.first { $0.content == .milliseconds }?.name ?? "" }

    /// The column with the time at which the events were over: a bar's end, else their own time.
    public var endColumn: String { self == .bars ? "end_ms" : timeColumn }

    /// The columns of each stream, by its index.
    private static let tables: [[Column]] = allCases.map { table(of: $0.event) }

    /// Ticks have no key, so the time of receipt distinguishes their rows from another collector's. Columns that were
    /// added later come last.
    private static func table<Event: MarketEvent>(of event: Event.Type) -> [Column] {
        let all = Event.columns.map(\.column)
        if event == Bar.self { return [.sequence] + all + [.received([]), .connection, .source] }
        return [.sequence] + all.filter { $0.since == 1 } + [.received(.lookedUp), .connection]
            + all.filter { $0.since > 1 }
    }
}
