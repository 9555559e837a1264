import MarketData
import Synchronization

/// The keys that are accepted; without any, every key is. They may change while the relay runs. Safe on any thread.
final class KeyRing: Sendable {
    private let keys: Mutex<[Secret]>

    init(_ keys: [Secret]) { self.keys = Mutex(keys) }

    /// Whether a key is accepted. Takes the same time however much of the key is right.
    func admits(_ key: String) -> Bool {
        let keys = keys.withLock { $0 }
        guard !keys.isEmpty else { return true }
        var isKnown = false
        for known in keys where known.matches(key) { isKnown = true }
        return isKnown
    }

    enum Change: Equatable {
        case same
        case made
        /// Whether a relay needs keys is decided once, when it begins to listen.
        case needsRestart
    }

    /// Accepts these keys and no others.
    func change(to new: [Secret]) -> Change {
        keys.withLock { keys in
            guard new != keys else { return .same }
            guard new.isEmpty == keys.isEmpty else { return .needsRestart }
            keys = new
            return .made
        }
    }
}
