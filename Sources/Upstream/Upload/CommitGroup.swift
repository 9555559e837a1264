/// Committed batches, the last of which may not be on the server's disk yet.
///
/// Waiting for the disk at every COMMIT would leave the server idle for a tenth of the time. So a COMMIT that another
/// batch follows is lazy, and its batch counts as settled only after a later COMMIT has waited: the WAL is written in
/// order, so that one covers all earlier ones. If the server crashes in between, the rows and the ledger's position are
/// lost together.
final class CommitGroup {
    /// How many batches may wait for the disk.
    static let limit = 8
    /// How long a batch may wait while others follow.
    static let longest: Duration = .seconds(1)

    private(set) var waiting: [SettledBatch] = []
    private var since: ContinuousClock.Instant?
    /// The ledger by which the newest batch was committed.
    private(set) var ledger: Ledger?
    /// The newest batch's token in the ledger.
    private(set) var token: String?

    /// Whether the next COMMIT may be lazy.
    func mayBeLazy(at now: ContinuousClock.Instant = .now) -> Bool {
        waiting.count < Self.limit && since.map { now - $0 < Self.longest } ?? true
    }

    /// Adds a committed batch and returns the batches that are now settled.
    func add(_ batch: SettledBatch, by ledger: Ledger, token: String? = nil, isLazy: Bool) -> [SettledBatch] {
        waiting.append(batch)
        self.ledger = ledger
        self.token = token
        guard isLazy else { return settle() }
        since = since ?? .now
        return []
    }

    /// Records that everything is on the server's disk, and returns the batches that were waiting.
    func settle() -> [SettledBatch] {
        defer { (waiting, since) = ([], nil) }
        return waiting
    }
}
