public import MarketData
public import Store

/// What a universe key means.
public struct Resolution: Sendable, Equatable {
    /// A group that the key, or a part of it, names.
    public struct Part: Sendable, Equatable, Codable {
        /// The part as written; the whole key when it names one group.
        public var part: String
        /// The group's name as the mirror has it.
        public var group: String
        /// The group's type.
        public var type: GroupType
        /// The number of distinct symbols in the group, before the union.
        public var count: Int
    }

    /// A part that names no group.
    public struct Unknown: Sendable, Equatable, Codable {
        /// The part as written.
        public var part: String
        /// Names that exist and resemble it, best first; may be empty.
        public var nearest: [String]
    }

    /// A member of a group that is not a symbol the feed could send.
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
    public var unknown: [Unknown] = []
    /// Members that cannot be subscribed, in the order found.
    public var refused: [RefusedMember] = []
    /// What the user should be told, each fit for a log line.
    public var warnings: [String] = []
}
