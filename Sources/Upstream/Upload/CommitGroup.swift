/// Batches that are committed, of which the server's disk may not have the last ones.
///
/// Waiting for the disk with every COMMIT would leave the server idle for a tenth of the time. So a COMMIT that another
/// batch follows is lazy, and its batch counts as settled only when a later COMMIT has waited: log is written in order,
/// so that one covers all before. When the server dies between, both the rows and the ledger's place are as before.
final class CommitGroup {
    /// How many batches may wait.
    static let limit = 8
    /// How long one may wait while others follow.
    static let longest: Duration = .seconds(1)

    private(set) var waiting: [SettledBatch] = []
    private var since: ContinuousClock.Instant?
    /// The ledger by which the newest batch was committed.
    private(set) var ledger: Ledger?
    /// The newest batch's token there.
    private(set) var token: String?

    /// Whether the next COMMIT may be lazy.
    func mayBeLazy(at now: ContinuousClock.Instant = .now) -> Bool {
        waiting.count < Self.limit && since.map { now - $0 < Self.longest } ?? true
    }

    /// Takes a committed batch and returns those that are settled now.
    func add(_ batch: SettledBatch, by ledger: Ledger, token: String? = nil, isLazy: Bool) -> [SettledBatch] {
        waiting.append(batch)
        self.ledger = ledger
        self.token = token
        guard isLazy else { return settle() }
        since = since ?? .now
        return []
    }

    /// The server's disk has everything: returns what was waiting.
    func settle() -> [SettledBatch] {
        defer { (waiting, since) = ([], nil) }
        return waiting
    }
}
