/// Decides which of the feed's remarks are logged: a few at once, the rest every 30 s as a count. Reads no clock.
///
/// By their number and not by their text, which is the feed's to choose: a new text with each message would fill a disk.
struct RemarkLog: Sendable {
    /// How long a few remarks are all that is logged.
    static let interval = Duration.seconds(30)
    /// How many remarks are logged within it.
    static let most = 8

    private var begun: Duration?
    private var logged = 0
    private var untold = 0

    /// Takes note of a remark.
    ///
    /// - Returns: how many remarks were not logged since the last one that was, when this one is to be; `nil` when it is
    ///   not.
    mutating func occurred(now: Duration) -> Int? {
        if begun.map({ now - $0 >= Self.interval }) ?? true {
            begun = now
            logged = 0
        }
        guard logged < Self.most else {
            untold += 1
            return nil
        }
        logged += 1
        defer { untold = 0 }
        return untold
    }
}
