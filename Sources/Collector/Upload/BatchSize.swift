import MarketData

/// Decides how many rows a stream's next batch has: fewer after one that took too long, and more where each batch takes
/// the server long whatever is in it, as with an engine of many machines.
struct BatchSize: Sendable {
    /// So many full batches go up before another size is tried.
    static let steady = 8
    /// Batches that take less than this are large enough.
    static let slow: Duration = .milliseconds(200)
    /// By how much a larger batch must be faster to stay.
    static let gain = 1.05

    private(set) var rows: Int
    private let usual: Int
    private var most: Int
    private var streak = 0
    private var time: Duration = .zero
    /// The size before it was raised, and the rows a second with it.
    private var smaller: (rows: Int, pace: Double)?

    /// Begins with the usual number of rows; `most` is as many as a batch may ever have.
    init(_ usual: Int, most: Int) {
        self.usual = usual
        self.most = max(usual, most)
        rows = usual
    }

    /// A batch took longer than the database is given.
    mutating func tookTooLong() {
        rows = max(1, rows / 2)
        // What was too large once is not tried again.
        most = max(usual, min(most, rows))
        begin()
        smaller = nil
    }

    /// A batch of so many rows went up in a time.
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
