/// Decides how many rows a stream's next batch has: fewer after one that took too long, and again more when all goes well.
struct BatchSize: Sendable, Equatable {
    /// So many full batches go up before a larger one is tried.
    static let steady = 8

    private(set) var rows: Int
    private let most: Int
    private var streak = 0

    /// Begins with as many rows as a batch may ever have.
    init(most: Int) {
        self.most = most
        rows = most
    }

    /// A batch took longer than the database is given.
    mutating func tookTooLong() {
        rows = max(1, rows / 2)
        streak = 0
    }

    /// A batch of so many rows went up.
    mutating func wentUp(_ count: Int) {
        guard rows < most, count >= rows else { return }
        streak += 1
        guard streak >= Self.steady else { return }
        rows = min(most, rows * 2)
        streak = 0
    }
}
