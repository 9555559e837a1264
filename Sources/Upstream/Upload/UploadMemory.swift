import MarketData

/// What earlier batches taught: the best path for bars, which rows at a stream's head failed, what was refused.
final class UploadMemory {
    /// Whether refused rows become dead letters, however many they are.
    private let setsAside: Bool
    /// How bars of a group go into their table.
    var choices: [BarGroup: UploadPathChoice] = [:]
    /// Batches at the head of their streams that failed.
    private var stumbles: [EventStream: Stumble] = [:]
    /// The rows of each stream that were refused since one last succeeded.
    private var refusals: [EventStream: Refusals] = [:]

    init(setsAside: Bool) { self.setsAside = setsAside }

    /// Whether the batch at the stream's head failed before.
    func hasStumbled(_ stream: EventStream) -> Bool { stumbles[stream] != nil }

    /// The rows of a stream that were refused since one last succeeded; `nil` if any number of them is set aside.
    func earlierRefusals(of stream: EventStream) -> Refusals? { setsAside ? nil : refusals[stream] ?? Refusals() }

    /// Records that the batch at its stream's head failed.
    func stumbled(_ batch: BufferedBatch, because error: UpstreamError) {
        let stumble = Stumble(first: batch.firstSequence ?? 0, error: error)
        stumbles[batch.stream] = stumbles[batch.stream]?.followed(by: stumble) ?? stumble
    }

    /// Forgets earlier failures of a stream's head, and keeps count of its refused rows until one succeeds.
    func wentUp(_ stream: EventStream, _ outcome: UploadOutcome, _ refused: Refusals) {
        stumbles[stream] = nil
        if outcome.hasLoaded { refusals[stream] = nil } else { refusals[stream, default: Refusals()].add(refused) }
    }

    /// Searches rows that failed before more closely, and shortens the wait for a lock after a wait in vain, since the
    /// other streams wait as well.
    func prepare(_ transaction: UploadTransaction, within statementTimeout: Duration) {
        let batch = transaction.batch
        guard let stumble = stumbles[batch.stream] else { return }
        if stumble.narrows(batch.firstSequence, rows: batch.count) {
            transaction.narrow(stumble, within: statementTimeout)
        }
        if stumble.sqlState == UpstreamError.lockTimeout {
            transaction.waitForLocks(min(.seconds(1), statementTimeout / 2))
        }
    }
}
