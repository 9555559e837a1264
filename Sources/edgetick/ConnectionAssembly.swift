import Collector
import Feed
import Logging
import MarketData
import Store

/// The connections, made from what the user set.
extension Settings {
    /// The set of connections with what each is configured to bring; a set of one in single mode.
    ///
    /// Several connections that have no symbols give way to the one of SYMBOL_UNIVERSE_KEY where that is set.
    ///
    /// - Throws: ``CommandFailure`` when there is nothing to collect, and what resolving throws.
    func collectedSet(
        url: String, mirror: UniverseMirror, sink: any EventSink, missedSince: Int64? = nil, logger: Logger
    ) throws -> (set: ConnectionSet, connections: [CollectedConnection]) {
        var list = feed.source == .none ? [] : connections.list
        var isMulti = connections.isMulti
        var interests = try list.map { try interest(of: $0, in: mirror, logger: logger) }
        if isMulti, !list.isEmpty, interests.allSatisfy({ $0 == nil }), let single = connections.single {
            logger.error(
                "none of the connections has any symbols: going on with the one connection of SYMBOL_UNIVERSE_KEY",
                metadata: ["key": "\(single.universeKey ?? "")"])
            isMulti = false
            list = [single]
            interests = [try interest(of: single, in: mirror, logger: logger)]
        }
        // Without symbols of its own a connection can still take those of the others.
        let canTakeOver = isMulti && interests.contains { $0 != nil }
        let members = try zip(list, interests).compactMap { connection, interest -> SetMember? in
            guard let interest = interest ?? (canTakeOver ? .symbols([]) : nil) else { return nil }
            var configuration = try feedConfiguration(named: connection.name, url: url)
            configuration.missedSince = missedSince
            return SetMember(
                id: "connection_\(connection.number)", configuration: configuration, interest: interest,
                priority: connection.priority, capacity: connection.capacity)
        }
        guard !members.isEmpty || feed.source == .none else {
            throw CommandFailure(
                .configuration,
                "no connection has any symbols: set SYMBOL_UNIVERSE_KEY (edgetick universe list shows the groups), "
                    + "or SYMBOLS as a comma list; SYMBOLS=* collects everything")
        }
        let everything = members.filter { $0.interest == .all }
        if members.count > 1, let first = everything.first {
            logger.warning(
                "one connection collects every symbol: the others stand by",
                metadata: ["connection": "\(first.configuration.name)"])
        }
        let set = try ConnectionSet(
            configuration: setConfiguration(logger: logger),
            members: members.map { member in
                var member = member
                if member.interest == .all, member.id != everything.first?.id { member.interest = .symbols([]) }
                return member
            },
            sink: sink, isFixed: !isMulti, logger: Logger(label: "feed"))
        let collected = zip(list, interests).compactMap { connection, interest -> CollectedConnection? in
            let id = "connection_\(connection.number)"
            guard members.contains(where: { $0.id == id }) else { return nil }
            // One that has no symbols yet may be named some while it runs.
            let interest = interest ?? .symbols([])
            return CollectedConnection(wish: wish(of: connection), interest: interest) { interest in
                // It may have been removed meanwhile.
                try? set.setInterest(interest, of: id)
            }
        }
        return (set, collected)
    }

    private func setConfiguration(logger: Logger) -> SetConfiguration {
        var configuration = SetConfiguration()
        if connections.isMulti, connections.routing == .loadBalanced {
            // Until rates were seen, what traded much is taken for what will send much.
            do throws(StoreError) {
                configuration.firstGuess = try TickHistory(directory: dataDirectory).relativeVolume()
            } catch {
                logger.debug("no volumes to share symbols out by", metadata: ["reason": "\(error)"])
            }
        }
        configuration.strategy =
            switch connections.routing {
            case .manual: .manual
            case .roundRobin: .roundRobin
            case .loadBalanced: .loadBalanced
            case .priority: .priority
            }
        let named = (connections.redundantSymbols ?? "").split(separator: ",").map { $0.trimmingBlanks() }
        configuration.redundant = named.contains("*") ? .all : .some(Set(named.compactMap { Symbol($0) }))
        configuration.failsOver = connections.failover
        configuration.grace = connections.failoverGrace
        configuration.recovery = connections.failoverRecovery
        configuration.healthInterval = connections.healthCheckInterval
        configuration.rebalances = connections.autoRebalance
        return configuration
    }
}
