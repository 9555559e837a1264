public import MarketData

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

    /// The distinct symbols of all parts, sorted; never empty.
    public var symbols: [Symbol]
    /// The groups found, in the order of the key's parts.
    public var parts: [Part]
    /// The parts that name no group.
    public var unknown: [Unknown] = []
    /// The parts whose groups have no symbol that the feed could send.
    public var emptyParts: [String] {
        var seen = Set(parts.filter { $0.count > 0 }.map(\.part))
        return parts.map(\.part).filter { seen.insert($0).inserted }
    }
    /// What the user should be told, each fit for a log line.
    public var warnings: [String] = []
    /// The one of the warnings that names members that the feed has no symbol for; `nil` if there are none.
    var leftOut: String?
}
