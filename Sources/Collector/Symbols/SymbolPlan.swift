import Feed
import MarketData
public import Universe

/// Decides what each connection collects: the input is wishes and what their keys resolve to, the output an interest
/// per connection. Pure: it resolves nothing, subscribes to nothing and logs nothing.
///
/// A wish that can no longer be met, or of which a part can't, takes no symbol from a connection: the symbols in force
/// stay, and ``SymbolAssignment/problem`` says why.
public struct SymbolPlan: Sendable {
    /// What universe keys resolve to, by key.
    public typealias Resolutions = [String: Result<Resolution, UniverseError>]

    /// A connection whose interest changes.
    struct Change: Sendable, Equatable {
        var connection: String
        var name: String
        var interest: Interest
        /// How many symbols join.
        var added: Int
        /// How many symbols leave.
        var removed: Int
        /// Some of those that join and leave, for the log.
        var sample: String
        /// Whether the connection should have had the new symbols from the start.
        var isOverdue = false

        /// Compares; `nil` when both interests are the same.
        init?(_ assignment: SymbolAssignment, from old: Interest) {
            (connection, name, interest) = (assignment.wish.connection, assignment.wish.name, assignment.interest)
            switch (old, assignment.interest) {
            case (.all, .all): return nil
            case (.all, .symbols(let symbols)):
                (added, removed, sample) = (symbols.count, 0, "in place of every symbol")
            case (.symbols(let symbols), .all):
                (added, removed, sample) = (0, symbols.count, "every symbol in place of them")
            case (.symbols(let old), .symbols(let new)):
                let joining = Set(new).subtracting(old).sorted()
                let leaving = Set(old).subtracting(new).sorted()
                guard !joining.isEmpty || !leaving.isEmpty else { return nil }
                (added, removed) = (joining.count, leaving.count)
                sample = (joining.prefix(5).map { "+\($0)" } + leaving.prefix(5).map { "-\($0)" })
                    .joined(separator: " ")
            }
        }
    }

    /// A remark for the log.
    struct Remark: Sendable, Equatable {
        var name: String
        var level: SymbolSelection.Remark.Level
        var text: String
    }

    /// The result of a step.
    public struct Step: Sendable, Equatable {
        var changes: [Change] = []
        var remarks: [Remark] = []
    }

    /// A symbol that is wanted by itself, not through a connection's key or list.
    struct SingleWish: Sendable, Equatable {
        var origin: SymbolWish.Origin
        /// The connection that it was asked for on; `nil` when the strategy places it.
        var connection: String?
        /// The name of the removed connection that it was left by.
        var leftBy: String?
    }

    /// What was decided, in the order of the connections. `interest` is what the wish gives by itself; see ``inForce``.
    private var decided: [SymbolAssignment] = []
    /// The wishes for each symbol by itself, at most one for each connection and one without.
    private(set) var singles: [Symbol: [SingleWish]] = [:]
    /// Which of the symbols that the wishes name this box takes; `nil` = all. Symbols that were asked for by themselves
    /// are taken whatever the share.
    private(set) var share: SymbolShare?
    /// The parts of the settings' keys that have named no symbols since the start, by connection.
    private var unresolved: [String: Set<String>] = [:]
    /// The parts of the keys that have named symbols, by connection.
    private var met: [String: Set<String>] = [:]
    /// Keys that could not be resolved because the mirror could not be read.
    private var unread: Set<String> = []

    /// A plan without connections.
    public init() {}

    /// What each connection collects, in the order of the connections.
    ///
    /// One connection is enough to collect every symbol, so others that should do the same stand by.
    public private(set) var inForce: [SymbolAssignment] = []

    /// The name of each connection with the symbols of its wish, whether or not this box takes them.
    var named: [(connection: String, symbols: [Symbol])] { decided.map { ($0.wish.name, $0.named) } }

    /// Whether the wishes name symbols, whether or not this box takes them.
    public var hasSymbols: Bool { decided.contains(where: \.hasSymbols) }

    /// How many of the symbols this box takes; `nil` when it takes all.
    var shard: ShardState? {
        guard let share else { return nil }
        let total = Set(named.flatMap(\.symbols))
        return ShardState(share: share, symbols: total.count(where: share.takes), total: total.count)
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

    /// Applies a new share of the symbols.
    @discardableResult
    public mutating func take(_ share: SymbolShare) -> Step { step { $0.share = share } }

    /// Returns the connections that would deliver nothing if each symbol came from only one connection, since others
    /// have all their symbols, with the names of those others.
    ///
    /// - Parameter priority: A connection's rank. If several name a symbol, the first delivers it.
    public func covered(by priority: (_ connection: String) -> Int) -> [(assignment: SymbolAssignment, by: [String])] {
        let ranked = inForce.sorted { priority($0.wish.connection) < priority($1.wish.connection) }
        var holders: [Symbol: String] = [:]
        var found: [(assignment: SymbolAssignment, by: [String])] = []
        for assignment in ranked {
            let symbols = assignment.named
            guard !symbols.isEmpty else { continue }
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

    /// The universe keys that the wishes name, in the form that the cache expects.
    var keys: [String] { Self.keys(of: wishes) }

    /// Whether a key is still to be resolved, because the mirror could not be read when it was its turn.
    var isBehind: Bool { !unread.isDisjoint(with: keys) }

    /// Returns the universe keys that wishes name, in the form that the cache expects.
    public static func keys(of wishes: [SymbolWish]) -> [String] { Set(wishes.compactMap { key($0)?.text }).sorted() }

    /// Adds a new connection's wish.
    ///
    /// - Returns: how its symbols were chosen.
    /// - Throws: The key's error when it gives nothing, there is no list, and the fallback is a refusal.
    @discardableResult
    public mutating func add(_ wish: SymbolWish, _ resolutions: Resolutions) throws(UniverseError) -> SymbolSelection {
        let selection = try Self.select(wish, fallback: wish.fallback, resolutions)
        noteUnread(resolutions)
        let parts = Self.parts(of: wish, resolutions)
        unresolved[wish.connection] = wish.origin == .settings && !parts.unknown.isEmpty ? parts.unknown : nil
        met[wish.connection] = parts.named
        decided.append(
            SymbolAssignment(
                wish: wish, interest: Self.interest(selection) ?? .symbols([]), source: selection.origin,
                problem: Self.joined(wish.replacesBecause, selection.problem), leftOut: selection.leftOut))
        bringInForce()
        return selection
    }

    /// Removes a connection: its wish is no longer followed. Those of its symbols that other connections still deliver
    /// become wanted by themselves.
    mutating func remove(_ connection: String, stillWanted: (Symbol) -> Bool) -> Step {
        step { plan in
            guard let index = plan.decided.firstIndex(where: { $0.wish.connection == connection }) else { return }
            let gone = plan.decided.remove(at: index)
            plan.unresolved[connection] = nil
            plan.met[connection] = nil
            for (symbol, singles) in plan.singles {
                guard let single = singles.first(where: { $0.connection == connection }) else { continue }
                plan.end(symbol) { $0.connection == connection }
                if stillWanted(symbol) { plan.want([symbol], on: nil, origin: single.origin) }
            }
            for symbol in gone.named where plan.singles[symbol] == nil && stillWanted(symbol) {
                plan.singles[symbol] = [SingleWish(origin: gone.wish.origin, leftBy: gone.wish.name)]
            }
        }
    }

    /// Replaces the wishes of the running connections after the settings were read again. What was asked for over the
    /// API stays.
    ///
    /// - Parameter isOtherEnvironment: Whether the keys name groups of another environment now.
    /// - Returns: the names of connections that are new in the settings, and of those that are no longer there.
    mutating func adopt(
        _ wishes: [SymbolWish], isOtherEnvironment: Bool = false
    ) -> (new: [String], gone: [String]) {
        var gone: [String] = []
        if isOtherEnvironment { met = [:] }
        for index in decided.indices where decided[index].wish.origin == .settings {
            if var wish = wishes.first(where: { $0.connection == decided[index].wish.connection }) {
                // A name is in gaps and metrics, so it stays until the next start.
                wish.name = decided[index].wish.name
                // Nobody wanted another key's symbols at the start.
                if Self.key(wish) != Self.key(decided[index].wish) {
                    unresolved[wish.connection] = nil
                    met[wish.connection] = nil
                }
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
        noteUnread(resolutions)
        var overdue: Set<String> = []
        var remarks: [Remark] = []
        var result = step { plan in
            for index in plan.decided.indices {
                let before = plan.decided[index]
                if let key = Self.key(before.wish), resolutions[key.text] == nil { continue }
                let connection = before.wish.connection
                let parts = Self.parts(of: before.wish, resolutions)
                plan.decided[index] = Self.again(before, resolutions, parts, met: plan.met[connection] ?? [], &remarks)
                plan.met[connection, default: []].formUnion(parts.named)
                if plan.noteResolved(connection, parts) { overdue.insert(connection) }
            }
        }
        result.remarks = remarks
        for index in result.changes.indices {
            result.changes[index].isOverdue = overdue.contains(result.changes[index].connection)
        }
        return result
    }

    /// Notes that symbols were asked for by themselves.
    mutating func want(_ symbols: [Symbol], on connection: String?, origin: SymbolWish.Origin) {
        for symbol in symbols {
            end(symbol) { $0.connection == connection }
            singles[symbol, default: []].append(SingleWish(origin: origin, connection: connection))
        }
    }

    /// Notes that symbols are no longer wanted by themselves, on one connection or at all. On one, the other wishes for
    /// a symbol remain, unless the set gave it up altogether.
    mutating func unwant(_ symbols: [Symbol], on connection: String?, stillWanted: (Symbol) -> Bool) {
        for symbol in symbols {
            let isOver = connection == nil || !stillWanted(symbol)
            end(symbol) { isOver || $0.connection == connection }
        }
    }

    private mutating func end(_ symbol: Symbol, where isOver: (SingleWish) -> Bool) {
        singles[symbol]?.removeAll(where: isOver)
        if singles[symbol]?.isEmpty == true { singles[symbol] = nil }
    }

    /// Returns the wish of the connection that collects every symbol, if it is the one named, or any when none is
    /// named.
    func taker(of connection: String?) -> SymbolWish? {
        inForce.first { $0.interest == .all && $0.wish.connection == connection ?? $0.wish.connection }?.wish
    }

    // MARK: Parts

    /// The parts of a key, by what they name now. All are empty for a wish without a key.
    private struct KeyParts {
        /// The parts that name symbols.
        var named: Set<String> = []
        /// The parts whose groups have no symbols.
        var empty: Set<String> = []
        /// The parts that name no group; all of them if the key can't be resolved.
        var unknown: Set<String> = []
    }

    private static func parts(of wish: SymbolWish, _ resolutions: Resolutions) -> KeyParts {
        guard let key = key(wish), let resolution = resolutions[key.text] else { return KeyParts() }
        guard case .success(let found) = resolution else { return KeyParts(unknown: Set(key.parts)) }
        let (empty, unknown) = (Set(found.emptyParts), Set(found.unknown.map(\.part)))
        return KeyParts(named: Set(key.parts).subtracting(empty).subtracting(unknown), empty: empty, unknown: unknown)
    }

    /// Notes which parts of a key name symbols now; returns whether one does that has named none since the start.
    private mutating func noteResolved(_ connection: String, _ parts: KeyParts) -> Bool {
        guard let before = unresolved[connection] else { return false }
        let left = before.intersection(parts.unknown)
        unresolved[connection] = left.isEmpty ? nil : left
        return left.count < before.count
    }

    private mutating func noteUnread(_ resolutions: Resolutions) {
        for (key, resolution) in resolutions {
            if case .failure(let error) = resolution, case .mirror = error.reason {
                unread.insert(key)
            } else {
                unread.remove(key)
            }
        }
    }

    private mutating func step(_ body: (inout SymbolPlan) -> Void) -> Step {
        let before = Dictionary(uniqueKeysWithValues: inForce.map { ($0.wish.connection, $0.interest) })
        body(&self)
        bringInForce()
        let changes = inForce.compactMap { assignment in
            before[assignment.wish.connection].flatMap { Change(assignment, from: $0) }
        }
        return Step(changes: changes)
    }

    /// - Parameter met: The parts of the key that have named symbols. If one names none now, its group may be back soon,
    ///   and what nobody collects meanwhile is lost, so no symbol leaves.
    private static func again(
        _ before: SymbolAssignment, _ resolutions: Resolutions, _ parts: KeyParts, met: Set<String>,
        _ remarks: inout [Remark]
    ) -> SymbolAssignment {
        // A default list that nobody chose must not take the place of symbols that were resolved before.
        let fallback: SymbolSelection.Fallback =
            before.wish.fallback == .defaultList && key(before.wish) != nil ? .refusal : before.wish.fallback
        let selection: SymbolSelection
        do throws(UniverseError) {
            selection = try select(before.wish, fallback: fallback, resolutions)
        } catch {
            return unmet(before, because: error.description, &remarks)
        }
        guard let interest = interest(selection) else {
            let nothing = before.hasSymbols ? "no symbols are named any more" : nil
            return unmet(before, because: selection.problem ?? nothing, &remarks)
        }
        var after = before
        after.interest = interest
        after.source = selection.origin
        after.leftOut = selection.leftOut
        var fault = selection.problem
        let emptied = met.intersection(parts.empty)
        var keepsSymbols = false
        if case .universeKey = selection.origin, before.source == selection.origin {
            keepsSymbols = !emptied.isEmpty || !met.isDisjoint(with: parts.unknown)
        }
        if keepsSymbols {
            after.interest = union(before.interest, interest)
            let names = emptied.sorted().map { DisplayText.quoted($0) }.joined(separator: ", ")
            fault = joined(fault, emptied.isEmpty ? nil : "no symbols are left in \(names)")
        }
        after.problem = joined(before.wish.replacesBecause, fault, keepsSymbols ? symbolsStay : nil)
        if after.interest != before.interest || after.problem != before.problem {
            remarks += selection.remarks.map { Remark(name: before.wish.name, level: $0.level, text: $0.text) }
            if keepsSymbols, let fault { remarks.append(Remark(before.wish, keepingSymbols: true, because: fault)) }
        }
        return after
    }

    /// Leaves a connection what it collects, because its wish gives nothing.
    private static func unmet(
        _ before: SymbolAssignment, because fault: String?, _ remarks: inout [Remark]
    ) -> SymbolAssignment {
        var after = before
        let problem = joined(before.wish.replacesBecause, fault)
        after.problem = joined(problem, problem != nil && before.hasSymbols ? symbolsStay : nil)
        if let problem, after.problem != before.problem {
            remarks.append(Remark(before.wish, keepingSymbols: before.hasSymbols, because: problem))
        }
        return after
    }

    private static let symbolsStay = "the symbols in force stay"

    private static func select(
        _ wish: SymbolWish, fallback: SymbolSelection.Fallback, _ resolutions: Resolutions
    ) throws(UniverseError) -> SymbolSelection {
        try SymbolSelection(
            universeKey: wish.universeKey, list: wish.list, fallback: fallback,
            resolution: key(wish).flatMap { resolutions[$0.text] })
    }

    /// Joins what is wrong, in one line; `nil` if nothing is.
    private static func joined(_ problems: String?...) -> String? {
        let problems = problems.compactMap(\.self)
        return problems.isEmpty ? nil : problems.joined(separator: "; ")
    }

    private static func interest(_ selection: SymbolSelection) -> Interest? {
        switch selection.target {
        case .everything: .all
        case .symbols(let symbols): .symbols(symbols)
        case .nothing: nil
        }
    }

    private static func union(_ first: Interest, _ second: Interest) -> Interest {
        guard case .symbols(let left) = first, case .symbols(let right) = second else { return .all }
        return .symbols(Set(left).union(right).sorted())
    }

    private static func key(_ wish: SymbolWish) -> UniverseKey? { wish.universeKey.flatMap { UniverseKey($0) } }
}

extension SymbolPlan.Remark {
    /// Says that a wish can't be met.
    fileprivate init(_ wish: SymbolWish, keepingSymbols: Bool, because problem: String) {
        self.init(
            name: wish.name, level: .warning,
            text: keepingSymbols
                ? "the connection keeps the symbols that it has: \(problem)"
                : "the connection collects nothing: \(problem)")
    }
}
