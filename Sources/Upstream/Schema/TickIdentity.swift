import MarketData

/// How a table of ticks recognizes events that it already holds: by unique keys over columns that the feed fills.
///
/// A key over any other column, such as a number of the table's own or the time of receipt, distinguishes rows, not
/// events.
struct TickIdentity: Sendable, Equatable {
    /// Whether no event can be stored twice. If not, events with NULLs can, or all if the server fills a column of the key.
    let isWhole: Bool
    /// Whether a key may mistake one event for another, because it lacks columns that distinguish them, or their values
    /// are not sent.
    let isNarrow: Bool
    /// The columns of the identity that are sent and that a key lacks.
    let uncovered: [String]
    /// The columns of the key; `nil` if there are several keys.
    let key: Set<String>?
}

extension Catalog {
    /// How the table of a stream recognizes events that it already holds; `nil` if it can't, as with tables of bars.
    func identity(of stream: EventStream) -> TickIdentity? {
        let shape = TableShape.table(of: stream.kinds[0])
        return tables[shape.name].flatMap(shape.identity)
    }
}

extension TableShape {
    /// The columns that distinguish the events in a table of ticks; empty for all other tables.
    var identity: [String] { columns.filter { $0.roles.contains(.identity) }.map(\.name) }

    /// Whether its rows are events without versions.
    var holdsTicks: Bool { columns.contains { $0.roles.contains(.identity) } }

    /// How a table recognizes events that it already holds; `nil` if it can't.
    func identity(in table: TableDescription) -> TickIdentity? {
        guard holdsTicks else { return nil }
        let ofFeed = Set(columns.filter(\.isOfFeed).map(\.name))
        let keys = table.keys.filter { $0.columns.isSubset(of: ofFeed) }
        guard !keys.isEmpty else { return nil }
        let sent = ofFeed.filter { formSent($0, to: table) != nil }
        return TickIdentity(
            isWhole: keys.contains { $0.holdsForNulls && $0.columns.isSubset(of: sent) },
            isNarrow: keys.contains { !$0.columns.intersection(sent).isSuperset(of: identity) },
            uncovered: identity.filter { name in sent.contains(name) && keys.contains { !$0.columns.contains(name) } },
            key: keys.count == 1 ? keys.first?.columns : nil)
    }

    static let lacksIdentity =
        "the table has no unique key to detect duplicate events, which COLLECTOR_GROUP requires because other boxes "
        + "send the same events: run `edgetick migrate --tick-identity`"
}
