/// Limits the size and duration of one response: a deadline alone doesn't stop a server that keeps sending. Pure.
struct AnswerBounds {
    /// More than any response that is kept in memory; results with many rows are read row by row.
    static let mostBytes: UInt64 = 256 << 20
    /// More than all responses of a login together.
    static let mostLoginBytes: UInt64 = 1 << 20
    /// The time allowed after the deadline to read data that arrived while this machine was asleep.
    static let overtime: Duration = .seconds(5)

    private let begun: UInt64
    private let mostBytes: UInt64
    private var left: Duration?

    /// Starts the bounds of a response after `received` bytes of the connection.
    init(received: UInt64, mostBytes: UInt64 = Self.mostBytes) {
        begun = received
        self.mostBytes = mostBytes
    }

    /// The reason to stop reading; `nil` while the response is within its bounds.
    ///
    /// - Parameter remaining: the time left until the deadline; negative after it.
    mutating func fault(received: UInt64, remaining: Duration) -> String? {
        guard received <= begun + mostBytes else {
            return "the response is longer than \(mostBytes >> 20) MiB: is this PostgreSQL?"
        }
        guard remaining <= .zero else { return nil }
        // The first check after the deadline may come long after it, so the overtime counts from that check.
        let first = left ?? remaining
        left = first
        return first - remaining > Self.overtime ? "the server keeps sending data after the deadline" : nil
    }
}
