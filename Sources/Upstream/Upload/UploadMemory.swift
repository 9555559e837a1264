import MarketData

/// What earlier batches taught: how bars go best, which rows at the head of a stream did not go up, and what was refused.
final class UploadMemory {
    /// Whether refused rows become dead letters, however many they are.
    private let setsAside: Bool
    private var choices: [BarGroup: UploadPathChoice] = [:]
    /// Batches at the head of their streams that did not go up.
    private var stumbles: [EventStream: Stumble] = [:]
    /// What was refused since a row of the stream last went through.
    private var refusals: [EventStream: Refusals] = [:]

    init(setsAside: Bool) { self.setsAside = setsAside }

    /// How bars of a group go into their table.
    subscript(_ group: BarGroup) -> UploadPathChoice {
        get { choices[group] ?? UploadPathChoice() }
        set { choices[group] = newValue }
    }

    /// Whether the batch at the stream's head failed before.
    func hasStumbled(_ stream: EventStream) -> Bool { stumbles[stream] != nil }

    /// The rows refused since one of the stream last went through; `nil` where refused rows are set aside, however many.
    func earlierRefusals(of stream: EventStream) -> Refusals? {
        setsAside ? nil : refusals[stream] ?? Refusals()
    }

    /// The batch at its stream's head did not go up.
    func stumbled(_ batch: BufferedBatch, because error: UpstreamError) {
        let stumble = Stumble(first: batch.firstSequence ?? 0, error: error)
        stumbles[batch.stream] = stumbles[batch.stream]?.followed(by: stumble) ?? stumble
    }

    /// Forgets what kept a stream's head from going up.
    func wentUp(_ stream: EventStream, _ outcome: UploadOutcome, _ refused: Refusals) {
        stumbles[stream] = nil
        if outcome.hasLoaded { refusals[stream] = nil } else { refusals[stream, default: Refusals()].add(refused) }
    }

    /// Has rows that failed before looked at more closely, and a lock that was waited for in vain waited for shortly: the
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
