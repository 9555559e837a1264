/// Detects that this process or its machine was suspended, by a one-second timer that fires much too late.
///
/// Times are from CLOCK_BOOTTIME, which also runs while a machine is suspended and does not jump with the time of day.
struct PauseWatch: Sendable {
    /// The longest time between calls of ``seen(_:)`` while nothing is suspended.
    static let interval: Duration = .seconds(1)
    /// A timer that is later than this shows a pause.
    static let tolerance: Duration = .seconds(5)

    private var last: Duration

    init(now: Duration) { last = now }

    /// Records that the process runs now. Returns how long it was suspended before; `nil` if it was not.
    mutating func seen(_ now: Duration) -> Duration? {
        defer { last = max(last, now) }
        let passed = now - last
        return passed - Self.interval > Self.tolerance ? passed : nil
    }
}
