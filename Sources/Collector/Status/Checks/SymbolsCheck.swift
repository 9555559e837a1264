import Feed
import MarketData
import Universe

extension Health.Check {
    /// How many symbols a problem names.
    private static let named = 10

    /// Whether the symbols that are collected are those that the settings name.
    static func symbols(_ snapshot: CollectorSnapshot) -> Self {
        let placement = snapshot.placement
        var problems: [Health.Problem] = []
        if !placement.unplaced.isEmpty {
            let names = DisplayText.list(placement.unplaced.lazy.map(\.description), showing: named)
            problems.degrade(
                "\(placement.unplaced.count) of \(placement.wanted.counted("symbol has", "symbols have")) no room on "
                    + "any connection: \(names); raise a CAPACITY, enable another connection, or name fewer symbols")
        }
        if !snapshot.unusedConnections.isEmpty {
            let names = snapshot.unusedConnections.joined(separator: ", ")
            problems.degrade("named in the settings, but used only after a restart: \(names)")
        }
        problems += snapshot.connections.compactMap { connection in
            guard let assignment = connection.assignment, let problem = assignment.problem else { return nil }
            return .degraded("\(connection.name): \(problem); \(collected(assignment)) instead")
        }
        let leftOut = snapshot.connections.compactMap { connection in
            connection.assignment?.leftOut.map { "\(connection.name): \($0)" }
        }
        let summary = [snapshot.shard?.summary ?? "the symbols of the settings are collected"] + leftOut
        return Self("symbols", ok: summary.joined(separator: "; "), problems: problems)
    }

    /// Describes what a connection collects while its settings can't be followed.
    private static func collected(_ assignment: SymbolAssignment) -> String {
        let amount =
            switch assignment.interest {
            case .all: "every symbol is"
            case .symbols(let symbols) where symbols.isEmpty: "nothing is"
            case .symbols(let symbols): symbols.count.counted("symbol is", "symbols are")
            }
        let source =
            switch assignment.source {
            case .universeKey(let key): " of universe key \"\(key)\""
            case .list: " of the plain list"
            case .defaultList: " of the default list"
            case .none: ""
            }
        return "\(amount) collected\(assignment.hasSymbols ? source : "")"
    }
}
