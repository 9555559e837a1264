import MarketData

/// The logins at one server that go on computing past their deadlines, and when the next one may be tried. Pure.
///
/// Its rounds may be fewer by then. Each login that is held as well doubles the pause, so that their threads stay few: an hour
/// of work each makes six.
struct HeldLogins {
    private static let firstPause = Duration.seconds(60)

    private(set) var count = 0
    private var pausesUntil: MonotonicTime?

    /// A login was left alone past its deadline.
    mutating func add(_ now: MonotonicTime) {
        pausesUntil = now.advanced(by: Self.firstPause * (1 << min(count, 16)))
        count += 1
    }

    /// One of them ended.
    mutating func end() { count -= 1 }

    /// Whether another may be tried.
    func mayTry(_ now: MonotonicTime) -> Bool { count == 0 || now >= pausesUntil ?? now }
}
