import Glibc
import Synchronization

/// The answers by key, for many readers and few writers.
///
/// The table exists in several copies, and a thread's id selects the copy that it reads. So two readers hardly ever
/// touch the same lock, and a writer holds each lock only for the few nanoseconds in which it swaps a reference. The
/// copies share their storage until the next write, which touches only one of many small parts.
final class CacheTable: Sendable {
    private final class Part: Sendable {
        let entries = Mutex<[CacheKey: CacheEntry]>([:])
    }

    private final class Copy: Sendable {
        let hits = Atomic<Int>(0)
        let parts: [Part]

        init(parts count: Int) { parts = (0..<count).map { _ in Part() } }
    }

    private struct Master {
        var parts: [[CacheKey: CacheEntry]]
        /// In the order in which eviction looks at them. Entries that were replaced stay in it until eviction reaches
        /// them.
        var queue: [CacheEntry] = []
        var head = 0
        var count = 0
        var bytes = 0
        var evictions = 0
    }

    private static let partCount = 128

    private let copies: [Copy]
    private let master: Mutex<Master>
    private let maximumEntries: Int
    private let maximumBytes: Int

    init(maximumEntries: Int, maximumBytes: Int) {
        self.maximumEntries = max(1, maximumEntries)
        self.maximumBytes = maximumBytes
        var count = 2
        while count < 8, count < sysconf(Int32(_SC_NPROCESSORS_ONLN)) * 2 { count *= 2 }
        copies = (0..<count).map { _ in Copy(parts: Self.partCount) }
        master = Mutex(Master(parts: Array(repeating: [:], count: Self.partCount)))
    }

    /// Returns a key's entry, and counts a hit when there is one.
    func find(_ key: CacheKey) -> CacheEntry? {
        // The bits that tell one thread's stack from another's.
        let thread = UInt(pthread_self()) >> 12
        let copy = copies[Int(truncatingIfNeeded: (thread &* 0x9E37_79B9_7F4A_7C15) >> 40) & (copies.count - 1)]
        guard let entry = copy.parts[key.part(of: Self.partCount)].entries.withLock({ $0[key] }) else { return nil }
        copy.hits.add(1, ordering: .relaxed)
        if !entry.wasUsed.load(ordering: .relaxed) { entry.wasUsed.store(true, ordering: .relaxed) }
        return entry
    }

    /// Adds entries, and drops others when a limit is exceeded.
    func insert(_ entries: [CacheEntry]) {
        master.withLock { master in
            var touched: Set<Int> = []
            for entry in entries {
                let part = entry.key.part(of: Self.partCount)
                touched.insert(part)
                if let old = master.parts[part].updateValue(entry, forKey: entry.key) {
                    master.bytes -= old.bytes
                } else {
                    master.count += 1
                }
                master.bytes += entry.bytes
                master.queue.append(entry)
            }
            evict(&master, &touched)
            publish(master, touched)
        }
    }

    /// Removes the entries that `isGone` selects, and returns how many there were.
    @discardableResult
    func remove(where isGone: (CacheKey) -> Bool) -> Int {
        master.withLock { master in
            let before = master.count
            var touched: Set<Int> = []
            for part in master.parts.indices {
                for (key, entry) in master.parts[part] where isGone(key) {
                    master.parts[part][key] = nil
                    master.count -= 1
                    master.bytes -= entry.bytes
                    touched.insert(part)
                }
            }
            if master.count == 0 {
                master.queue = []
                master.head = 0
            }
            publish(master, touched)
            return before - master.count
        }
    }

    func fill(_ statistics: inout CacheStatistics) {
        statistics.hits = copies.reduce(0) { $0 + $1.hits.load(ordering: .relaxed) }
        master.withLock { master in
            statistics.evictions = master.evictions
            statistics.entries = master.count
            statistics.bytes = master.bytes
        }
    }

    /// Drops entries that were not read since the last look, oldest first, until the limits are kept.
    private func evict(_ master: inout Master, _ touched: inout Set<Int>) {
        while master.count > maximumEntries || (master.bytes > maximumBytes && master.count > 1),
            master.head < master.queue.count
        {
            let entry = master.queue[master.head]
            master.head += 1
            let part = entry.key.part(of: Self.partCount)
            guard master.parts[part][entry.key] === entry else { continue }
            if entry.wasUsed.exchange(false, ordering: .relaxed) {
                master.queue.append(entry)
                continue
            }
            master.parts[part][entry.key] = nil
            master.count -= 1
            master.bytes -= entry.bytes
            master.evictions += 1
            touched.insert(part)
        }
        // Entries that were replaced must not stay in memory just because the queue holds them.
        if master.queue.count - master.head > 2 * master.count + 64 {
            master.queue = master.queue[master.head...].filter {
                master.parts[$0.key.part(of: Self.partCount)][$0.key] === $0
            }
            master.head = 0
        } else if master.head > 1024, master.head * 2 > master.queue.count {
            master.queue.removeFirst(master.head)
            master.head = 0
        }
    }

    private func publish(_ master: borrowing Master, _ touched: Set<Int>) {
        for part in touched {
            for copy in copies {
                var entries = master.parts[part]
                // The old storage is freed here, after the lock.
                copy.parts[part].entries.withLock { swap(&$0, &entries) }
            }
        }
    }
}
