import MarketData

/// Rows at a stream's head with which the connection was lost, as the next attempt with them sees it.
///
/// An outage, a restart or a failover meets any rows. When the server begins each transaction and is gone with the same
/// rows again and again, one of them may end its session, because a trigger or an extension crashes. Nothing is left to
/// go back to then, so the rows go up in ever smaller parts, each in a transaction of its own, until the one is alone.
/// It is at fault only if, several times, another row passes right before it in the same transaction: see
/// ``BatchPart/Trial``.
struct ConnectionLoss: Sendable, Equatable {
    /// The number of parts into which rows are divided.
    static let parts = 16
    /// How often a row must end the session by itself.
    static let proofsNeeded = 3

    /// The rows, by sequence.
    private(set) var rows: ClosedRange<Int64>
    private(set) var tries = 1
    /// How often another row passed right before the connection was lost.
    var proofs = 0
    /// How many other rows did not pass.
    var trialsInVain = 0

    init(rows: ClosedRange<Int64>) { self.rows = rows }

    var isSingle: Bool { rows.lowerBound == rows.upperBound }

    var isProved: Bool { isSingle && proofs >= Self.proofsNeeded }

    /// The combined knowledge after the connection was lost with other or fewer rows.
    func followed(by next: ClosedRange<Int64>) -> ConnectionLoss {
        guard rows.contains(next.lowerBound) else { return ConnectionLoss(rows: next) }
        var result = ConnectionLoss(rows: next.lowerBound...min(next.upperBound, rows.upperBound))
        result.tries = tries + 1
        if isSingle { (result.proofs, result.trialsInVain) = (proofs, trialsInVain) }
        return result
    }
}

/// A part of a batch that goes up in a transaction of its own.
struct BatchPart: Sendable, Equatable {
    /// Another row, which is loaded first to see whether it passes, and rolled back.
    enum Trial: Sendable, Equatable {
        /// The one at this place in the batch.
        case waiting(Int)
        /// The last one that went up.
        case uploaded
        /// None is needed: a person has refused rows set aside.
        case waived
    }

    /// The places of its rows in the batch.
    var rows: Range<Int>
    /// The first and the last sequence of those that are sent.
    var sent: ClosedRange<Int64>
    var trial: Trial?

    /// The parts in which to load a batch; `nil` if it goes up at once.
    ///
    /// - Parameters:
    ///   - fatal: rows that are not sent. Each is in the part of the next row that is, or in the last part.
    ///   - loss: with which rows the connection was lost.
    ///   - other: what to try if the batch has no other row.
    static func parts(
        of batch: BufferedBatch, without fatal: [Int64: UpstreamError], after loss: ConnectionLoss?,
        else other: Trial? = nil
    ) -> [BatchPart]? {
        let sequences = (0..<batch.count).compactMap { batch.sequence(at: $0) }
        let sent = sequences.indices.filter { fatal[sequences[$0]] == nil }
        guard let first = sent.first, let last = sent.last else {
            guard let other, let first = sequences.first, let last = sequences.last else { return nil }
            return [BatchPart(rows: sequences.indices, sent: first...last, trial: other)]
        }
        guard let loss, loss.tries >= Stumble.triesAtOnce, loss.rows.lowerBound == sequences[first] else {
            guard sent.count < sequences.count else { return nil }
            return [BatchPart(rows: sequences.indices, sent: sequences[first]...sequences[last])]
        }
        let doubtful = sent.count { loss.rows.contains(sequences[$0]) }
        let size = max(1, (doubtful + ConnectionLoss.parts - 1) / ConnectionLoss.parts)
        let starts = Array(stride(from: 0, to: doubtful, by: size)) + (doubtful < sent.count ? [doubtful] : [])
        var parts: [BatchPart] = []
        for (start, next) in zip(starts, starts.dropFirst() + [sent.count]) {
            let (begin, last) = (parts.last?.rows.upperBound ?? 0, sent[next - 1])
            let end = next < sent.count ? last + 1 : sequences.count
            parts.append(BatchPart(rows: begin..<end, sent: sequences[sent[start]]...sequences[last]))
        }
        guard loss.isSingle else { return parts }
        parts[0].trial = sent.count > 1 ? .waiting(sent[1 + loss.trialsInVain % (sent.count - 1)]) : other
        return parts
    }
}
