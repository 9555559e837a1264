public import MarketData

/// Where a group came from.
public enum GroupOrigin: String, Sendable, Hashable, CaseIterable, Codable {
    /// The database; the next pull replaces it.
    case pulled
    /// This machine; a pull leaves it alone.
    case local
}

/// A row of `definition_groups` in the mirror.
public struct UniverseGroup: Sendable, Equatable {
    /// What a user specifies when making a group.
    public struct Definition: Sendable, Equatable {
        /// The group's name, unique with its type and environment.
        public var name: String
        /// What the group is.
        public var type: GroupType
        /// A sentence about it.
        public var description: String?
        /// Which environment it belongs to: DEFAULT, TEST, UAT or PROD.
        public var environment: String

        /// Makes a definition.
        public init(name: String, type: GroupType, description: String? = nil, environment: String = "DEFAULT") {
            self.name = name
            self.type = type
            self.description = description
            self.environment = environment
        }
    }

    /// The row's number in the mirror.
    public let id: Int64
    /// The group's name, unique with its type and environment.
    public let name: String
    /// What the group is.
    public let type: GroupType
    /// A sentence about it.
    public let description: String?
    /// Which environment it belongs to.
    public let environment: String
    /// How many symbols are in it.
    public let memberCount: Int
    /// Where it came from.
    public let origin: GroupOrigin
    /// When it last changed, in milliseconds since the Unix epoch.
    public let updatedAt: Int64
}

/// A symbol in a group.
public struct GroupMember: Sendable, Hashable {
    /// The ticker, as upstream writes it.
    public var symbol: String
    /// Its share of the group in percent, if the source gives one.
    public var weight: Double?

    /// Makes a member.
    public init(symbol: String, weight: Double? = nil) {
        self.symbol = symbol
        self.weight = weight
    }
}

/// A group's row number and name, without its member count: all that resolving a key needs.
public struct GroupHeading: Sendable, Hashable {
    /// The row's number in the mirror.
    public let id: Int64
    /// The group's name.
    public let name: String
    /// What the group is.
    public let type: GroupType
    /// Which environment it belongs to.
    public let environment: String
}

/// A membership seen from the symbol.
public struct SymbolMembership: Sendable, Equatable {
    /// The group's name.
    public var group: String
    /// The ticker as the mirror has it.
    public var symbol: String
    /// Its share of the group in percent, if the source gives one.
    public var weight: Double?
    /// The industry that the membership's document names.
    public var industry: String?
}
