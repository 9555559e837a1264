public import MarketData
import Store

/// Which symbols one connection collects, where they come from and what the user should be told about it.
///
/// A pure decision: the universe key comes first, then the plain list, then the fallback.
public struct SymbolSelection: Sendable, Equatable {
    /// What the connection asks the feed for.
    public enum Target: Sendable, Equatable {
        /// Every symbol that the feed has.
        case everything
        /// These symbols, each once; never empty.
        case symbols([Symbol])
        /// Nothing: the connection has no work.
        case nothing
    }

    /// What named the symbols.
    public enum Origin: Sendable, Equatable {
        /// The universe key.
        case universeKey(String)
        /// The plain list.
        case list
        /// The list of last resort, ``SymbolSelection/defaultSymbols``.
        case defaultList
        /// Nothing did.
        case none
    }

    /// What happens when the universe key cannot be resolved and there is no plain list.
    public enum Fallback: Sendable, Equatable {
        /// The connection collects nothing and reports it.
        case nothing
        /// The connection collects ``SymbolSelection/defaultSymbols`` and reports it.
        case defaultList
        /// The start is refused.
        case refusal
    }

    /// A sentence for the log.
    public struct Remark: Sendable, Equatable {
        /// How serious the sentence is.
        public enum Level: Sendable, Equatable {
            /// Something is not as the user may expect.
            case warning
            /// The connection does not do what was asked for.
            case error
        }

        /// How serious the sentence is.
        public var level: Level
        /// The sentence; holds no line break.
        public var text: String
    }

    /// The symbols of last resort.
    public static let defaultSymbols: [Symbol] =
        ["AAPL", "GOOGL", "MSFT", "TSLA", "AMZN", "NFLX", "META", "NVDA"].compactMap { Symbol($0) }

    /// What the connection asks the feed for.
    public private(set) var target = Target.nothing
    /// What named the symbols.
    public private(set) var origin = Origin.none
    /// The groups behind a universe key, with the symbols that each brought; empty otherwise.
    private var parts: [Resolution.Part] = []
    /// What to log, in order.
    public private(set) var remarks: [Remark] = []
    /// Why the target is not all that the universe key or the list means, or why the default list is used without a
    /// key, in one line; `nil` otherwise.
    public var problem: String?
    /// The key's members that the feed has no symbol for, in one line; `nil` if there are none.
    public private(set) var leftOut: String?

    /// Decides what a connection collects.
    ///
    /// - Parameters:
    ///   - universeKey: The connection's universe key, as written; `nil` or blank when none is set.
    ///   - list: The connection's plain list, as ``SymbolList`` reads it; `*` means every symbol.
    ///   - fallback: What to do when the key gives nothing and there is no list.
    ///   - resolution: What the key means, as ``RelationshipCache/resolution(of:)`` returns it; `nil` without a key.
    /// - Throws: The key's error when it gives nothing, no list is set, and the fallback is a refusal.
    public init(
        universeKey: String?, list: String?, fallback: Fallback, resolution: Result<Resolution, UniverseError>?
    ) throws(UniverseError) {
        let key = universeKey.flatMap { UniverseKey($0) }
        guard let key, let resolution else {
            if take(list: list) { return }
            guard fallback == .defaultList, !hasEntries(list) else {
                add(
                    .warning,
                    hasEntries(list)
                        ? "no entry of the list is a symbol: nothing is collected on this connection"
                        : "neither a universe key nor symbols are set: nothing is collected on this connection")
                return
            }
            problem = "neither a universe key nor symbols are set"
            takeDefaultList(because: "because neither a universe key nor symbols are set")
            return
        }
        switch resolution {
        case .success(let resolution): take(resolution, key: key)
        case .failure(let error):
            problem = error.description
            for warning in error.warnings { add(.warning, warning) }
            add(fallback == .nothing && !hasEntries(list) ? .error : .warning, error.description)
            if take(list: list) {
                add(.warning, "the plain list of symbols is used in place of universe key \(quoted(key.text))")
                return
            }
            switch fallback {
            case .nothing:
                add(.error, "nothing is collected on this connection until its universe key can be resolved")
            case .defaultList:
                takeDefaultList(because: "in place of universe key \(quoted(key.text))")
            case .refusal:
                throw error
            }
        }
    }

    /// One line for the log: how many symbols, and which key or list they came from.
    public var summary: String {
        let amount =
            switch target {
            case .everything: "every symbol of the feed"
            case .symbols(let symbols): symbols.count.counted("symbol")
            case .nothing: "no symbols"
            }
        switch origin {
        case .universeKey(let key):
            let groups = parts.map { "\(quoted($0.group)) \($0.type.rawValue) \($0.count)" }.joined(separator: ", ")
            return "\(amount) from universe key \(quoted(key)) (\(groups))"
        case .list: return "\(amount) from the plain list"
        case .defaultList: return "\(amount) from the default list"
        case .none: return amount
        }
    }

    private mutating func takeDefaultList(because reason: String) {
        target = .symbols(SymbolSelection.defaultSymbols)
        origin = .defaultList
        let names = SymbolSelection.defaultSymbols.map(\.description).joined(separator: ", ")
        add(
            .warning,
            "THE DEFAULT LIST IS COLLECTED \(reason): \(names); set UNIVERSE_FALLBACK=error to refuse to start instead")
    }

    private mutating func take(_ resolution: Resolution, key: UniverseKey) {
        target = .symbols(resolution.symbols)
        origin = .universeKey(key.text)
        parts = resolution.parts
        leftOut = resolution.leftOut
        for warning in resolution.warnings { add(.warning, warning) }
        if !resolution.unknown.isEmpty {
            let names = resolution.unknown.map { quoted($0.part) }.joined(separator: ", ")
            problem = "universe key \(quoted(key.text)) has parts that name no group: \(names)"
        }
    }

    /// Takes a list's symbols; returns `false` when it has none.
    private mutating func take(list: String?) -> Bool {
        guard let list, hasEntries(list) else { return false }
        let parsed = SymbolList(list)
        for remark in parsed.remarks { add(.warning, remark) }
        if !parsed.isWildcard, !parsed.refused.isEmpty {
            let names = DisplayText.list(parsed.refused.map(quoted))
            let text = "the list of symbols has entries that are no symbols of the feed: \(names)"
            problem = problem.map { "\($0); \(text)" } ?? text
        }
        if parsed.isWildcard {
            target = .everything
        } else if parsed.symbols.isEmpty {
            return false
        } else {
            target = .symbols(parsed.symbols)
        }
        origin = .list
        return true
    }

    private func hasEntries(_ list: String?) -> Bool {
        list?.contains { !$0.isWhitespace && $0 != "," } ?? false
    }

    private mutating func add(_ level: Remark.Level, _ text: String) {
        remarks.append(Remark(level: level, text: text))
    }
}
