import Collector
import Feed
import Logging
import MarketData
import Store
import Universe

/// Builds the connections from the settings.
extension Settings {
    /// Returns the set of connections, each with the symbols that `plan` assigns to it.
    ///
    /// - Parameters:
    ///   - waits: Whether to start even if there is nothing to collect yet.
    ///   - collected: Keeps since when symbols have been collected.
    /// - Throws: ``CommandFailure`` if there is nothing to collect.
    func connectionSet(
        _ plan: SymbolPlan, waits: Bool, url: String, sink: any EventSink, previousLife: PreviousLife?,
        collected: CollectedKeeper, logger: Logger
    ) throws -> ConnectionSet {
        let assignments = plan.inForce
        guard plan.hasSymbols || feed.source == .none || waits else {
            let problems = assignments.compactMap { assignment in
                assignment.problem.map { "\(assignment.wish.name): \($0)" }
            }
            let (key, list) =
                connections.isMulti
                ? ("WEBSOCKET_CONNECTION_1_UNIVERSE_KEY", "WEBSOCKET_CONNECTION_1_SYMBOLS")
                : ("SYMBOL_UNIVERSE_KEY", "SYMBOLS")
            throw CommandFailure(
                .configuration,
                (["no connection has any symbols"] + problems).joined(separator: "; ")
                    + ": import or pull the groups that \(key) names (edgetick universe list shows those that are there), "
                    + "or set \(list) to symbols separated by commas; * collects everything")
        }
        let configured = gaveWay(plan) ? connections.single.map { [$0] } ?? [] : connections.list
        // A connection without its own symbols can still take some of the others'.
        let members = try assignments.map { assignment -> SetMember in
            var configuration = try feedConfiguration(named: assignment.wish.name, url: url)
            configuration.previousLife = previousLife
            let connection = configured.first { $0.id == assignment.wish.connection }
            return SetMember(
                id: assignment.wish.connection, configuration: configuration, interest: assignment.interest,
                priority: connection?.priority ?? 1, capacity: connection?.capacity)
        }
        return try ConnectionSet(
            configuration: setConfiguration(logger: logger), members: members, sink: sink,
            isFixed: !connections.isMulti || gaveWay(plan), previously: collected.previous,
            keep: { collected.keep($0) }, logger: Logger(label: "feed"))
    }

    private func setConfiguration(logger: Logger) -> SetConfiguration {
        var configuration = connections.rules
        if connections.isMulti, configuration.strategy == .loadBalanced {
            // Until rates have been measured, past volume is the best guess at the load of a symbol.
            do throws(StoreError) {
                configuration.firstGuess = try TickHistory(directory: dataDirectory).relativeVolume()
            } catch {
                logger.debug(
                    "past volumes can't be read, so symbols are shared out by number", metadata: ["reason": "\(error)"])
            }
        }
        let named = SymbolList(connections.redundantSymbols ?? "")
        configuration.redundant = named.isWildcard ? .all : .some(Set(named.symbols))
        configuration.limit = connections.isMulti ? connections.maximum : nil
        return configuration
    }
}
