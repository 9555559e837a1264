import Feed
import MarketData
public import Universe

/// Decides what each connection is to collect: wishes and what their keys stand for in, an interest a connection out.
/// Pure: it resolves nothing, subscribes to nothing and logs nothing.
///
/// A wish that can't be met any more never empties a connection: the symbols in force stay, and
/// ``SymbolAssignment/problem`` says why.
public struct SymbolPlan: Sendable {
    /// What universe keys stand for, by key.
    public typealias Resolutions = [String: Result<Resolution, UniverseError>]

    /// A connection that is to collect something else from now on.
    struct Change: Sendable, Equatable {
        var connection: String
        var name: String
        var interest: Interest
        var difference: InterestChange
    }

    /// What is worth a line in the log.
    struct Remark: Sendable, Equatable {
        var name: String
        var level: SymbolSelection.Remark.Level
        var text: String
    }

    /// What a step comes to.
    public struct Step: Sendable, Equatable {
        var changes: [Change] = []
        var remarks: [Remark] = []
    }

    /// A symbol that is wanted for itself, not through a connection's key or list.
    struct SingleWish: Sendable, Equatable {
        var origin: SymbolWish.Origin
        /// The connection that it was asked for on; `nil` where the strategy places it.
        var connection: String?
        /// The name of the removed connection that it is left from.
        var leftBy: String?
    }

    /// What was decided, in the order of the connections. `interest` is what the wish comes to by itself; see
    /// ``inForce``.
    private var decided: [SymbolAssignment] = []
    private(set) var singles: [Symbol: SingleWish] = [:]
    /// Which of the symbols that the wishes name this box takes; `nil` = all. Symbols that were asked for by themselves
    /// are taken whatever the share.
    private(set) var share: SymbolShare?

    /// A plan without connections.
    public init() {}

    /// What each connection is to collect, in the order of the connections.
    ///
    /// One connection is enough to collect every symbol: others that are to do so too stand by.
    public private(set) var inForce: [SymbolAssignment] = []

    /// What each connection is named, with the symbols that its wish comes to, whoever takes them.
    var named: [(connection: String, symbols: [Symbol])] {
        decided.map { assignment in
            guard case .symbols(let symbols) = assignment.interest else { return (assignment.wish.name, []) }
            return (assignment.wish.name, symbols)
        }
    }

    /// Whether the wishes name symbols, whoever takes them.
    public var hasSymbols: Bool { decided.contains(where: \.hasSymbols) }

    /// How much of the symbols this box takes; `nil` where it takes all.
    var shard: ShardState? {
        guard let share else { return nil }
        let total = Set(named.flatMap(\.symbols))
        return ShardState(share, symbols: total.count(where: share.takes), of: total.count)
    }

    private mutating func bringInForce() {
        let first = decided.first { $0.interest == .all }?.wish.connection
        inForce = decided.map { assignment in
            var assignment = assignment
            switch assignment.interest {
            case .all: if assignment.wish.connection != first { assignment.interest = .symbols([]) }
            case .symbols(let symbols):
                if let share { assignment.interest = .symbols(symbols.filter(share.takes)) }
            }
            return assignment
        }
    }

    /// Takes another share of the symbols.
    @discardableResult
    public mutating func take(_ share: SymbolShare) -> Step {
        step { plan in
            plan.share = share
            return []
        }
    }

    /// Connections all of whose symbols come on others where each symbol is brought by one connection, with the names of
    /// those others.
    ///
    /// - Parameter priority: A connection's rank; of several that name a symbol the first brings it.
    public func covered(
        by priority: (_ connection: String) -> Int
    ) -> [(assignment: SymbolAssignment, by: [String])] {
        let ranked = inForce.enumerated()
            .sorted {
                (priority($0.element.wish.connection), $0.offset) < (priority($1.element.wish.connection), $1.offset)
            }
            .map(\.element)
        var holders: [Symbol: String] = [:]
        var found: [(assignment: SymbolAssignment, by: [String])] = []
        for assignment in ranked {
            guard case .symbols(let symbols) = assignment.interest, !symbols.isEmpty else { continue }
            let taken = symbols.compactMap { holders[$0] }
            if taken.count == symbols.count {
                let names = ranked.map(\.wish.name).filter(Set(taken).contains)
                found.append((assignment, names))
            }
            for symbol in symbols where holders[symbol] == nil { holders[symbol] = assignment.wish.name }
        }
        return found
    }

    /// The wishes, in the order of the connections.
    public var wishes: [SymbolWish] { decided.map(\.wish) }

    /// The universe keys that the wishes name, as the cache is asked for them.
    var keys: [String] { Self.keys(of: wishes) }

    /// The universe keys that wishes name, as the cache is asked for them.
    public static func keys(of wishes: [SymbolWish]) -> [String] { Set(wishes.compactMap(key)).sorted() }

    /// A new connection's wish.
    ///
    /// - Returns: how its symbols were chosen.
    /// - Throws: The key's error when it gives nothing, there is no list, and the fallback is a refusal.
    @discardableResult
    public mutating func add(_ wish: SymbolWish, _ resolutions: Resolutions) throws(UniverseError) -> SymbolSelection {
        let selection = try Self.select(wish, fallback: wish.fallback, resolutions)
        decided.append(
            SymbolAssignment(
                wish: wish, interest: Self.interest(selection) ?? .symbols([]), source: selection.origin,
                problem: selection.problem))
        bringInForce()
        return selection
    }

    /// A connection is removed: its wish is followed no more. Its symbols that somebody goes on bringing are wanted for
    /// themselves from now on.
    mutating func remove(_ connection: String, stillWanted: (Symbol) -> Bool) -> Step {
        step { plan in
            guard let index = plan.decided.firstIndex(where: { $0.wish.connection == connection }) else { return [] }
            let gone = plan.decided.remove(at: index)
            for (symbol, single) in plan.singles where single.connection == connection {
                plan.singles[symbol] = stillWanted(symbol) ? SingleWish(origin: single.origin) : nil
            }
            guard case .symbols(let symbols) = gone.interest else { return [] }
            for symbol in symbols where plan.singles[symbol] == nil && stillWanted(symbol) {
                plan.singles[symbol] = SingleWish(origin: gone.wish.origin, leftBy: gone.wish.name)
            }
            return []
        }
    }

    /// The settings were read again: the wishes of the connections that run are replaced. What was asked for over the
    /// API stays.
    ///
    /// - Returns: the names of connections that are new in the settings, and of those that left them.
    mutating func adopt(_ wishes: [SymbolWish]) -> (new: [String], gone: [String]) {
        var gone: [String] = []
        for index in decided.indices where decided[index].wish.origin == .settings {
            if var wish = wishes.first(where: { $0.connection == decided[index].wish.connection }) {
                // A name is in gaps and metrics, so it stays until the next start.
                wish.name = decided[index].wish.name
                decided[index].wish = wish
            } else {
                gone.append(decided[index].wish.name)
            }
        }
        bringInForce()
        let known = Set(decided.map(\.wish.connection))
        return (wishes.filter { !known.contains($0.connection) }.map(\.name), gone)
    }

    /// Decides again about every wish whose key is among `resolutions`, and about those without a key.
    mutating func decide(_ resolutions: Resolutions) -> Step {
        step { plan in
            var remarks: [Remark] = []
            for index in plan.decided.indices {
                let wish = plan.decided[index].wish
                if let key = Self.key(wish), resolutions[key] == nil { continue }
                let before = plan.decided[index]
                plan.decided[index] = Self.again(before, resolutions, &remarks)
            }
            return remarks
        }
    }

    /// Symbols were asked for by themselves.
    mutating func want(_ symbols: [Symbol], on connection: String?, origin: SymbolWish.Origin) {
        for symbol in symbols { singles[symbol] = SingleWish(origin: origin, connection: connection) }
    }

    /// Symbols are wanted by themselves no more: on one connection, or at all.
    mutating func unwant(_ symbols: [Symbol], on connection: String?) {
        for symbol in symbols where connection == nil || singles[symbol]?.connection ?? connection == connection {
            singles[symbol] = nil
        }
    }

    /// The connection that collects every symbol, among all or the one named.
    func taker(of connection: String?) -> SymbolWish? {
        inForce.first { $0.interest == .all && $0.wish.connection == connection ?? $0.wish.connection }?.wish
    }

    // MARK: Parts

    private mutating func step(_ body: (inout SymbolPlan) -> [Remark]) -> Step {
        let before = Dictionary(uniqueKeysWithValues: inForce.map { ($0.wish.connection, $0.interest) })
        let remarks = body(&self)
        bringInForce()
        let changes = inForce.compactMap { assignment -> Change? in
            guard let old = before[assignment.wish.connection],
                let difference = InterestChange(from: old, to: assignment.interest)
            else { return nil }
            return Change(
                connection: assignment.wish.connection, name: assignment.wish.name, interest: assignment.interest,
                difference: difference)
        }
        return Step(changes: changes, remarks: remarks)
    }

    private static func again(
        _ before: SymbolAssignment, _ resolutions: Resolutions, _ remarks: inout [Remark]
    ) -> SymbolAssignment {
        var after = before
        after.problem = nil
        do {
            // A default list that nobody chose must not take the place of symbols that were resolved before.
            let fallback: SymbolSelection.Fallback =
                before.wish.fallback == .defaultList && key(before.wish) != nil ? .refusal : before.wish.fallback
            let selection = try select(before.wish, fallback: fallback, resolutions)
            if let interest = interest(selection) {
                after.interest = interest
                after.source = selection.origin
                after.problem = selection.problem
                if after.interest != before.interest || after.problem != before.problem {
                    remarks += selection.remarks.filter { $0.level != .info }.map {
                        Remark(name: before.wish.name, level: $0.level, text: $0.text)
                    }
                }
                return after
            }
            after.problem = selection.problem
            if after.problem == nil, before.hasSymbols { after.problem = "no symbols are named any more" }
        } catch {
            after.problem = error.description
        }
        if let problem = after.problem {
            if before.hasSymbols { after.problem = "\(problem); the symbols in force stay" }
            if after.problem != before.problem {
                remarks.append(
                    Remark(
                        name: before.wish.name, level: .warning,
                        text: before.hasSymbols
                            ? "the connection keeps the symbols that it has: \(problem)"
                            : "the connection collects nothing: \(problem)"))
            }
        }
        return after
    }

    private static func select(
        _ wish: SymbolWish, fallback: SymbolSelection.Fallback, _ resolutions: Resolutions
    ) throws(UniverseError) -> SymbolSelection {
        try SymbolSelection(
            universeKey: wish.universeKey, list: wish.list, fallback: fallback,
            resolution: key(wish).flatMap { resolutions[$0] })
    }

    private static func interest(_ selection: SymbolSelection) -> Interest? {
        switch selection.target {
        case .everything: .all
        case .symbols(let symbols): .symbols(symbols)
        case .nothing: nil
        }
    }

    private static func key(_ wish: SymbolWish) -> String? {
        wish.universeKey.flatMap { UniverseKey($0)?.text }
    }
}
