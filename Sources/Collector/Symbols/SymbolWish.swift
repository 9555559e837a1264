public import Universe

/// The universe key or list that names a connection's symbols, and who asked for it. ``SymbolPlan`` decides the result.
public struct SymbolWish: Sendable, Equatable {
    /// Who asked.
    public enum Origin: String, Sendable, CaseIterable, Codable {
        /// The settings, which are read again on SIGHUP.
        case settings
        /// A call of the HTTP API; forgotten at the next start.
        case api
        /// Readers of the relay, with RELAY_ON_DEMAND; until a minute after the last one.
        case relay
    }

    /// The connection's id, `connection_1`.
    public var connection: String
    /// The connection's name.
    public var name: String
    /// The universe key, as written.
    public var universeKey: String?
    /// The plain list, separated by commas, as written; used when the key is absent or can't be resolved.
    public var list: String?
    /// What happens when the key can't be resolved at the start and there is no list.
    var fallback: SymbolSelection.Fallback
    /// Who asked.
    public var origin: Origin
    /// Why it replaces the wishes of several connections, in one line; `nil` if it doesn't.
    public var replacesBecause: String?

    /// Makes a wish; see the properties for meaning.
    public init(
        connection: String, name: String, universeKey: String?, list: String?, fallback: SymbolSelection.Fallback,
        origin: Origin = .settings, replacesBecause: String? = nil
    ) {
        self.connection = connection
        self.name = name
        self.universeKey = universeKey
        self.list = list
        self.fallback = fallback
        self.origin = origin
        self.replacesBecause = replacesBecause
    }
}
