import MarketData

/// Decides how many rows a stream's next batch has: fewer after a batch that took too long, and more when each batch
/// takes the server long regardless of its size, as in a distributed database.
struct BatchSize: Sendable {
    /// The number of full batches that are uploaded before another size is tried.
    static let steady = 8
    /// Batches that take less than this are large enough.
    static let slow: Duration = .milliseconds(200)
    /// The factor by which a larger batch must be faster to be kept.
    static let gain = 1.05

    private(set) var rows: Int
    private let usual: Int
    private var most: Int
    private var streak = 0
    private var time: Duration = .zero
    /// The size before the last increase, and its rate in rows per second.
    private var smaller: (rows: Int, pace: Double)?

    /// Begins with the usual number of rows; `most` is as many as a batch may ever have.
    init(_ usual: Int, most: Int) {
        self.usual = usual
        self.most = max(usual, most)
        rows = usual
    }

    /// Notes that a batch took longer than the database is allowed.
    mutating func tookTooLong() {
        rows = max(1, rows / 2)
        // A size that was too large once is not tried again.
        most = max(usual, min(most, rows))
        begin()
        smaller = nil
    }

    /// Notes that a batch of `count` rows was uploaded in a time.
    mutating func wentUp(_ count: Int, in time: Duration) {
        guard rows < most || smaller != nil, count >= rows, time > .zero else { return }
        streak += 1
        self.time += time
        guard streak >= Self.steady else { return }
        let pace = Double(rows * streak) / self.time.inSeconds
        let isSlow = self.time / streak >= Self.slow
        begin()
        if rows < usual {
            rows = min(usual, rows * 2)
        } else if let before = smaller, pace < before.pace * Self.gain {
            (rows, most) = (before.rows, before.rows)
            smaller = nil
        } else if rows < most, isSlow {
            smaller = (rows, pace)
            rows = min(most, rows * 2)
        } else {
            smaller = nil
        }
    }

    private mutating func begin() { (streak, time) = (0, .zero) }
}
