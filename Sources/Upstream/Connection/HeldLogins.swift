import MarketData

/// The logins at one server that are still computing past their deadlines, and when the next one may be tried. Pure.
///
/// Another login is worth a try because the server's round count may have been lowered. Each further held login doubles
/// the pause, so that their threads stay few: at an hour of work each there are six.
struct HeldLogins {
    private static let firstPause = Duration.seconds(60)

    private(set) var count = 0
    private var pausesUntil: MonotonicTime?

    /// Records a login that was abandoned past its deadline.
    mutating func add(_ now: MonotonicTime) {
        pausesUntil = now.advanced(by: Self.firstPause * (1 << min(count, 16)))
        count += 1
    }

    mutating func end() { count -= 1 }

    func mayTry(_ now: MonotonicTime) -> Bool { count == 0 || now >= pausesUntil ?? now }
}
