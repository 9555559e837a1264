import MarketData

/// What a table of ticks knows of events that are there already: its unique keys over what the feed says of an event.
///
/// A key over anything else, such as a number of the table's own or the time of receipt, tells rows apart and not events.
struct TickIdentity: Sendable, Equatable {
    /// Whether no event can be there twice; else some can, those with NULLs.
    let isWhole: Bool
    /// Whether a key may take an event for one that is another: it has not all columns that tell them apart.
    let isNarrow: Bool
    /// The columns of the key, where it is the only one.
    let key: Set<String>?
}

extension Catalog {
    /// How the table of a stream knows events that are there already; `nil` when it does not, as tables of bars.
    func identity(of stream: EventStream) -> TickIdentity? {
        let shape = TableShape.table(of: stream.kinds[0])
        return tables[shape.name].flatMap(shape.identity)
    }
}

extension TableShape {
    /// The columns that tell the events of a table of ticks apart; empty for all other tables.
    var identity: [String] { columns.filter { $0.roles.contains(.identity) }.map(\.name) }

    /// Whether its rows are events without versions.
    var holdsTicks: Bool { columns.contains { $0.roles.contains(.identity) } }

    /// How a table knows events that are there already; `nil` when it does not.
    func identity(in table: TableDescription) -> TickIdentity? {
        guard holdsTicks else { return nil }
        let ofFeed = Set(columns.filter(\.isOfFeed).map(\.name))
        let keys = table.keys.filter { $0.columns.isSubset(of: ofFeed) }
        guard !keys.isEmpty else { return nil }
        return TickIdentity(
            isWhole: keys.contains { $0.holdsForNulls },
            isNarrow: keys.contains { !$0.columns.isSuperset(of: identity) },
            key: keys.count == 1 ? keys.first?.columns : nil)
    }

    static let lacksIdentity =
        "no unique key tells an event from those that are there, and COLLECTOR_GROUP says that another box sends the "
        + "same ones: run `edgetick migrate --tick-identity`"
}
