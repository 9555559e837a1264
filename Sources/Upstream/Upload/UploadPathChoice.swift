/// Decides whether a batch of bars is worth a direct COPY.
///
/// A direct COPY is cheapest for new keys, and wasted work if a key exists. Existing keys come in runs (corrections of
/// the last minutes, a backfill over known days). So after a conflict the staging path is kept for a while, and twice
/// as long each time that another attempt meets a conflict.
struct UploadPathChoice: Sendable, Equatable {
    static let firstStretch = 8
    static let longestStretch = 256

    private var stretch = Self.firstStretch
    private var stagedLeft = 0

    var path: UploadOutcome.Path { stagedLeft > 0 ? .staging : .direct }

    mutating func conflicted() {
        stagedLeft = stretch
        stretch = min(stretch * 2, Self.longestStretch)
    }

    mutating func wentDirect() { stretch = Self.firstStretch }

    mutating func wentStaged() { stagedLeft = max(0, stagedLeft - 1) }
}
