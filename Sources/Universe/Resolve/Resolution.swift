public import MarketData
public import Store

/// What a universe key means.
public struct Resolution: Sendable, Equatable {
    /// A group that the key, or a part of it, names.
    public struct Part: Sendable, Equatable {
        /// The part as written; the whole key when it names one group.
        public var part: String
        /// The group's name as the mirror has it.
        public var group: String
        /// The group's type.
        public var type: GroupType
        /// How many distinct symbols the group brought, before the union.
        public var count: Int

        /// Makes a part; see the properties for meaning.
        public init(part: String, group: String, type: GroupType, count: Int) {
            self.part = part
            self.group = group
            self.type = type
            self.count = count
        }
    }

    /// A part that names no group.
    public struct UnknownPart: Sendable, Equatable {
        /// The part as written.
        public var part: String
        /// Names that exist and resemble it, best first; may be empty.
        public var nearest: [String]

        /// Makes an unknown part; see the properties for meaning.
        public init(part: String, nearest: [String]) {
            self.part = part
            self.nearest = nearest
        }
    }

    /// A member of a group that is no symbol the feed could send.
    public struct RefusedMember: Sendable, Equatable {
        /// The member as the mirror has it.
        public var text: String
        /// The group that holds it.
        var group: String
    }

    /// The distinct symbols of all parts, sorted; never empty.
    public var symbols: [Symbol]
    /// The groups found, in the order of the key's parts.
    public var parts: [Part]
    /// The parts that name no group.
    public var unknown: [UnknownPart]
    /// Members that cannot be subscribed, in the order found.
    public var refused: [RefusedMember]
    /// What the user should hear about, each in words fit for a log line.
    public var warnings: [String]

    /// Makes a resolution; see the properties for meaning.
    public init(
        symbols: [Symbol], parts: [Part], unknown: [UnknownPart] = [], refused: [RefusedMember] = [],
        warnings: [String] = []
    ) {
        self.symbols = symbols
        self.parts = parts
        self.unknown = unknown
        self.refused = refused
        self.warnings = warnings
    }
}
