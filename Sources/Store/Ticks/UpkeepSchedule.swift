import MarketData

/// When the writer looks after the file between commits. Reads no clock.
struct UpkeepSchedule {
    /// How often the file is told that the collector is alive.
    static let signOfLifeInterval: Duration = .seconds(30)

    /// When to look at the disk and the file's place on it.
    private(set) var watch: MonotonicTime
    /// When to delete what was kept long enough.
    private(set) var retention: MonotonicTime
    /// When to tell the file that the collector is alive.
    private(set) var signOfLife: MonotonicTime

    init(now: MonotonicTime) {
        watch = now
        retention = now
        signOfLife = now.advanced(by: Self.signOfLifeInterval)
    }

    /// When to wake by itself; signs of life come along.
    var next: MonotonicTime { min(watch, retention) }

    mutating func watched(now: MonotonicTime) { watch = now.advanced(by: .seconds(1)) }

    mutating func gaveSignOfLife(now: MonotonicTime) { signOfLife = now.advanced(by: Self.signOfLifeInterval) }

    /// Nothing is left that was kept longer than `kept`.
    mutating func expired(now: MonotonicTime, kept: Duration) {
        retention = now.advanced(by: max(.milliseconds(100), min(kept / 20, .seconds(30))))
    }

    /// Upkeep failed; a sign of life comes with the next try, since the first write that succeeds says that the failure
    /// is over, and no event may come for days.
    mutating func failed(until next: MonotonicTime) {
        watch = next
        retention = next
        signOfLife = next
    }
}
