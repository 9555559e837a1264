/// Decides whether a batch of bars is worth a direct COPY.
///
/// A direct COPY is the cheapest way for new keys and wasted work when one exists. Keys exist in runs (corrections of
/// the last minutes, a backfill over known days), so after a conflict the staging path is kept for a while, twice as
/// long each time that a try meets a conflict again.
struct UploadPathChoice: Sendable, Equatable {
    static let firstStretch = 8
    static let longestStretch = 256

    private var stretch = Self.firstStretch
    private var stagedLeft = 0

    var path: UploadOutcome.Path { stagedLeft > 0 ? .staging : .direct }

    /// A direct COPY met an existing key.
    mutating func conflicted() {
        stagedLeft = stretch
        stretch = min(stretch * 2, Self.longestStretch)
    }

    /// A direct COPY went through.
    mutating func wentDirect() {
        stretch = Self.firstStretch
    }

    /// A batch went the staging path.
    mutating func wentStaged() {
        stagedLeft = max(0, stagedLeft - 1)
    }
}
