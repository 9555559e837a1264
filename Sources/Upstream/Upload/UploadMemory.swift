import MarketData

/// What earlier batches taught: the best path for bars, which rows at a stream's head failed, what was refused.
final class UploadMemory {
    /// Whether refused rows become dead letters, however many they are.
    private let setsAside: Bool
    /// How bars of a group go into their table.
    var choices: [BarGroup: UploadPathChoice] = [:]
    /// Batches at the head of their streams that failed.
    private var stumbles: [EventStream: Stumble] = [:]
    /// The rows of each stream that were refused lately.
    private var refusals: [EventStream: Refusals] = [:]
    /// The streams that wait for a person since too many rows were refused.
    private var paused: Set<EventStream> = []
    /// Rows at the heads of streams with which the connection was lost.
    private var losses: [EventStream: ConnectionLoss] = [:]
    /// Rows that end the session whenever they are sent, by sequence, and how they did.
    private var fatal: [EventStream: [Int64: UpstreamError]] = [:]

    init(setsAside: Bool) { self.setsAside = setsAside }

    /// Whether the batch at the stream's head failed before.
    func hasStumbled(_ stream: EventStream) -> Bool { stumbles[stream] != nil }

    /// The rows of a stream that were refused lately; `nil` if any number of them is set aside.
    func earlierRefusals(of stream: EventStream) -> Refusals? { setsAside ? nil : refusals[stream] ?? Refusals() }

    /// Records that the batch at its stream's head failed.
    func stumbled(_ batch: BufferedBatch, because error: UpstreamError) {
        let next = Stumble(first: batch.firstSequence ?? 0, error: error)
        let stumble = stumbles[batch.stream]?.followed(by: next) ?? next
        stumbles[batch.stream] = stumble
        // The connection outlasts the rows now, so it's this error whose cause must be found.
        if stumble.tries >= Stumble.triesAtOnce { losses[batch.stream] = nil }
        guard error.reason == .refused else { return }
        paused.insert(batch.stream)
        fatal[batch.stream] = nil
    }

    /// Forgets earlier failures of a stream's head, and counts its refused rows. After a pause, a batch with few
    /// or none shows that a person has corrected the table.
    func wentUp(_ stream: EventStream, _ outcome: UploadOutcome, _ refused: Refusals) {
        stumbles[stream] = nil
        losses[stream] = nil
        fatal[stream] = nil
        refusals[stream, default: Refusals()].passed(outcome.loaded)
        refusals[stream, default: Refusals()].add(refused)
        if outcome.refused * Refusals.ratio <= outcome.loaded, paused.remove(stream) != nil { refusals[stream] = nil }
    }

    // MARK: Lost connections

    /// Whether the connection was lost with rows at the stream's head.
    func hasLostConnection(_ stream: EventStream) -> Bool { losses[stream] != nil || fatal[stream] != nil }

    /// The rows of a stream that end the session whenever they are sent.
    func fatalRows(of stream: EventStream) -> [Int64: UpstreamError] { fatal[stream] ?? [:] }

    /// How to load a batch with whose rows the connection was lost; `nil` if at once, as usual.
    ///
    /// - Parameter canTryUploaded: whether there is a row for ``BatchPart/Trial/uploaded``.
    func parts(of batch: BufferedBatch, canTryUploaded: Bool) -> [BatchPart]? {
        BatchPart.parts(
            of: batch, without: fatalRows(of: batch.stream), after: losses[batch.stream],
            else: setsAside ? .waived : canTryUploaded ? .uploaded : nil)
    }

    /// The only row that a stream has to send, if the connection is lost with it again and again.
    func lonelyRow(of stream: EventStream) -> Int64? {
        losses[stream].flatMap { $0.isSingle && $0.tries > Stumble.triesAtOnce ? $0.rows.lowerBound : nil }
    }

    /// Records that the connection was lost while rows of a stream were loaded, in a transaction that the server had
    /// begun.
    ///
    /// - Parameter isProof: whether another row had passed right before.
    func lostConnection(
        with rows: ClosedRange<Int64>, of stream: EventStream, because error: UpstreamError, isProof: Bool = false
    ) {
        var loss = losses[stream]?.followed(by: rows) ?? ConnectionLoss(rows: rows)
        // A server that stops responding may do so with any row.
        if isProof, error.reason == .connectionLost { loss.proofs += 1 }
        losses[stream] = loss
        guard loss.isProved else { return }
        losses[stream] = nil
        fatal[stream, default: [:]][rows.lowerBound] = error
        // So many that it is hardly their fault: they are tried again.
        if fatal[stream]?.count ?? 0 > Refusals.limit { fatal[stream] = nil }
    }

    /// Records that the row that was tried first did not pass; another one is taken next.
    func triedInVain(_ stream: EventStream) { losses[stream]?.trialsInVain += 1 }

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
