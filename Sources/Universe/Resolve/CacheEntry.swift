import MarketData
import Store
import Synchronization

/// The question that a cached answer belongs to.
struct CacheKey: Hashable, Sendable {
    let kind: RelationshipKind
    let text: String
    private let hash: Int

    init(_ kind: RelationshipKind, _ text: String) {
        self.kind = kind
        self.text = text
        var hasher = Hasher()
        hasher.combine(kind)
        hasher.combine(text)
        hash = hasher.finalize()
    }

    /// Which of `count` parts, a power of two, the key belongs to.
    func part(of count: Int) -> Int { hash & (count - 1) }

    func hash(into hasher: inout Hasher) { hasher.combine(hash) }
}

/// A cached answer.
enum CacheValue: Sendable {
    case resolution(Resolution)
    case members([GroupMember])
    case etfs([StockETF])
    case stockGroups([StockGroup])
    case classification(StockClassification)
    case sectors([String: String])
    case groups([UniverseGroup])

    /// About how many bytes the answer takes; a short text is stored inline and costs nothing more.
    var bytes: Int {
        func long(_ text: String?) -> Int { (text?.utf8.count ?? 0) > 15 ? 32 + (text?.utf8.count ?? 0) : 0 }
        switch self {
        case .resolution(let resolution):
            return 32 + resolution.symbols.count * MemoryLayout<Symbol>.stride
                + (resolution.parts.count + resolution.unknown.count) * 64
                + resolution.warnings.reduce(0) { $0 + 16 + long($1) }
        case .members(let members):
            return 32 + members.reduce(0) { $0 + MemoryLayout<GroupMember>.stride + long($1.symbol) }
        case .etfs(let etfs): return 32 + etfs.reduce(0) { $0 + MemoryLayout<StockETF>.stride + long($1.name) }
        case .stockGroups(let groups):
            return 32 + groups.reduce(0) { $0 + MemoryLayout<StockGroup>.stride + long($1.name) }
        case .classification: return 0
        case .sectors(let sectors): return 32 + sectors.reduce(0) { $0 + 48 + long($1.key) + long($1.value) }
        case .groups(let groups):
            return 32
                + groups.reduce(0) {
                    $0 + MemoryLayout<UniverseGroup>.stride + long($1.name) + long($1.description)
                }
        }
    }
}

/// An answer from the file, or why there is none.
typealias CacheAnswer = Result<CacheValue, UniverseError>

/// A cached answer and its age. Readers share it without copying.
final class CacheEntry: Sendable {
    /// The bytes that an entry takes besides its answer: itself, its key and its place in the tables.
    static let overhead = 208

    let key: CacheKey
    let value: CacheValue
    let bytes: Int
    /// When it becomes stale, in nanoseconds of the cache's clock.
    let staleAt: Int64
    /// Whether it was read since eviction last looked at it.
    let wasUsed = Atomic<Bool>(true)
    /// The time before which a stale entry is not loaded again.
    private let reloadsAfter: Atomic<Int64>

    init(key: CacheKey, value: CacheValue, staleAt: Int64) {
        self.key = key
        self.value = value
        self.staleAt = staleAt
        bytes = Self.overhead + value.bytes
        reloadsAfter = Atomic(staleAt)
    }

    /// Whether the caller, and nobody else, should load the entry again.
    func claimsReload(at now: Int64, pause: Int64) -> Bool {
        let due = reloadsAfter.load(ordering: .relaxed)
        guard now >= due else { return false }
        return reloadsAfter.compareExchange(expected: due, desired: now + pause, ordering: .relaxed).exchanged
    }
}
