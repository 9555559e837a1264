import MarketData

/// When the writer looks after the file between commits. Reads no clock.
struct UpkeepSchedule {
    /// How often a sign of life is written to the file.
    static let signOfLifeInterval: Duration = .seconds(30)

    /// When to check the disk and whether the files are still in place.
    private(set) var watch: MonotonicTime
    /// When to delete what was kept long enough.
    private(set) var retention: MonotonicTime
    /// When to write a sign of life to the file.
    private(set) var signOfLife: MonotonicTime
    /// When to delete old notes.
    private(set) var forgetting: MonotonicTime

    init(now: MonotonicTime) {
        watch = now
        retention = now
        forgetting = now
        signOfLife = now.advanced(by: Self.signOfLifeInterval)
    }

    /// When the writer wakes by itself; it also writes signs of life then.
    var next: MonotonicTime { min(watch, retention) }

    mutating func watched(now: MonotonicTime) { watch = now.advanced(by: .seconds(1)) }

    mutating func gaveSignOfLife(now: MonotonicTime) { signOfLife = now.advanced(by: Self.signOfLifeInterval) }

    /// Nothing is left that was received longer than `kept` ago.
    mutating func expired(now: MonotonicTime, kept: Duration) {
        retention = now.advanced(by: max(.milliseconds(100), min(kept / 20, .seconds(30))))
    }

    /// No old note is left.
    mutating func forgot(now: MonotonicTime) { forgetting = now.advanced(by: .seconds(86_400)) }

    /// Upkeep failed. The next attempt writes a sign of life too: the first write that succeeds shows that the failure
    /// is over, and no event may come for days.
    mutating func failed(until next: MonotonicTime) {
        watch = next
        retention = next
        signOfLife = next
        forgetting = max(forgetting, next)
    }
}
