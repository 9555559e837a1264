/// How much and how long one answer of a server may be, however steadily it comes: a deadline alone never ends who sends on
/// and on. Reads no clock and no socket.
struct AnswerBounds {
    /// More than any answer has that is kept in memory: those with many rows are read row by row.
    static let mostBytes: UInt64 = 256 << 20
    /// More than all of a login has.
    static let mostLoginBytes: UInt64 = 1 << 20
    /// What came while this machine was asleep lies ready, and takes a moment to read.
    static let overtime: Duration = .seconds(5)

    private let begun: UInt64
    private let mostBytes: UInt64
    private var left: Duration?

    /// The bounds of an answer that begins when `received` bytes have come.
    init(received: UInt64, mostBytes: UInt64 = Self.mostBytes) {
        begun = received
        self.mostBytes = mostBytes
    }

    /// Why no more is read; `nil` while all is well.
    ///
    /// - Parameter remaining: What is left until the deadline, below zero behind it.
    mutating func fault(received: UInt64, remaining: Duration) -> String? {
        guard received <= begun + mostBytes else {
            return "the answer is longer than \(mostBytes >> 20) MiB: is this PostgreSQL?"
        }
        guard remaining <= .zero else { return nil }
        // The first look behind the deadline may be long behind it.
        let first = left ?? remaining
        left = first
        return first - remaining > Self.overtime ? "the answer goes on and on" : nil
    }
}
