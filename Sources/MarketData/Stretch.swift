/// A span of the events' own time for which a box has all events of a kind upstream, as far as it can know: its
/// connections were subscribed, it recorded no gap, dropped nothing, had nothing refused, and the database acknowledged
/// the rows.
public struct Stretch: Sendable, Equatable {
    /// The kind of events.
    public var kind: EventKind
    /// The symbols; `nil` for all.
    public var symbols: Set<Symbol>?
    /// Its start, in milliseconds since the Unix epoch.
    public var since: Int64
    /// Its end so far, in milliseconds since the Unix epoch.
    public var through: Int64

    /// Makes a stretch; see the properties for meaning and units.
    public init(kind: EventKind, symbols: Set<Symbol>?, since: Int64, through: Int64) {
        self.kind = kind
        self.symbols = symbols
        self.since = since
        self.through = through
    }
}
