import MarketData

/// Decides who takes which symbol, by rendezvous hashing: every member has a weight for each symbol, and the heaviest
/// take it.
///
/// When a member comes or goes, only the symbols that it takes or had move. Everyone who knows the members' names gets
/// the same result, on any machine and in any version, because the hash is part of the protocol.
public struct ShardMap: Sendable, Equatable {
    /// The members' names, sorted, each once.
    public let members: [String]
    /// How many members take each symbol, if there are that many.
    public let replicas: Int
    private let hashes: [UInt64]

    /// A map of these members; `replicas` is at least 1.
    init(_ members: some Sequence<String>, replicas: Int) {
        self.members = Set(members).sorted()
        self.replicas = max(1, replicas)
        hashes = self.members.map { Self.hash($0.utf8) }
    }

    /// Makes the map of `SHARD=k/n`, whose members are named by their numbers.
    public init(count: Int, replicas: Int) { self.init((1...max(1, count)).map(String.init), replicas: replicas) }

    /// Returns the members that take a symbol, heaviest first.
    func owners(of symbol: Symbol) -> [String] {
        let name = Self.hash(symbol.description.utf8)
        var heaviest: [(weight: UInt64, place: Int)] = []
        for (place, hash) in hashes.enumerated() {
            let weight = Self.mixed(hash ^ name)
            // If weights are equal, the first name comes first.
            let rank = heaviest.firstIndex { $0.weight < weight } ?? heaviest.count
            guard rank < replicas else { continue }
            if heaviest.count == replicas { heaviest.removeLast() }
            heaviest.insert((weight, place), at: rank)
        }
        return heaviest.map { members[$0.place] }
    }

    func gives(_ symbol: Symbol, to member: String) -> Bool { owners(of: symbol).contains(member) }

    /// FNV-1a, 64 bits, then mixed, so that names that differ in one letter get very different hashes.
    static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
        mixed(bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 })
    }

    /// The finaliser of MurmurHash3: every bit of the result depends on every bit of the number.
    private static func mixed(_ number: UInt64) -> UInt64 {
        var number = number
        number = (number ^ number >> 33) &* 0xFF51_AFD7_ED55_8CCD
        number = (number ^ number >> 33) &* 0xC4CE_B9FE_1A85_EC53
        return number ^ number >> 33
    }
}
