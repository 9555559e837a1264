import MarketData
public import Store
public import Upstream

/// Sends refused rows once more: back to the end of the queue, and the queue upstream.
///
/// The way through the queue is what keeps them from being doubled: the ledger moves with them, whatever happens to the
/// connection or to this process.
public struct DeadLetterRetry: Sendable {
    /// How many rows upstream took.
    public private(set) var sent = 0
    /// Those that were refused again, under their new numbers and with the new reason.
    public private(set) var refusedAgain: [DeadLetter] = []
    /// Bars of which a newer version is there; they stay dead letters.
    public private(set) var superseded: [DeadLetter] = []
    /// Letters without a row that can be read; they stay.
    public private(set) var unreadable: [DeadLetter] = []

    /// Sends `letters`, and everything else that waits in `buffer`.
    ///
    /// - Throws: `StoreError` and `UpstreamError`. Before the letters left their table nothing is changed; afterwards
    ///   they wait in the queue, and any later upload sends them.
    public static func run(
        _ letters: [DeadLetter], buffer: TickBuffer, uploader: Uploader, directory: String, batchRows: Int
    ) async throws -> DeadLetterRetry {
        var result = DeadLetterRetry()
        let pass = UploadPass(buffer: buffer, uploader: uploader, batchRows: batchRows)
        if let failure = try await pass.settle(EventStream.allCases).values.first { throw failure }
        // Of a row that was never settled the letter is gone now, and the row is still in the queue.
        let standing = Set(try TickHistory(directory: directory).deadLetters(limit: Int(Int32.max)).map(\.name))
        let waiting = letters.map(\.name).filter { !standing.contains($0) }
        let letters = letters.filter { standing.contains($0.name) }
        result.unreadable = letters.filter { $0.event == nil }
        let held = try await superseded(letters, uploader: uploader, directory: directory)
        result.superseded = letters.filter { held.contains($0.name) }
        let sending = letters.filter { $0.event != nil && !held.contains($0.name) }
        let placed = try await buffer.requeue(sending)
        _ = try await pass.run()
        let places = Set(placed.map { "\($0.letter.stream.rawValue):\($0.sequence)" } + waiting)
        let left = try TickHistory(directory: directory).deadLetters(limit: Int(Int32.max))
        result.refusedAgain = left.filter { places.contains($0.name) }
        result.sent = places.count - result.refusedAgain.count
        return result
    }

    /// The names of bars that would replace a newer version, here or upstream.
    private static func superseded(
        _ letters: [DeadLetter], uploader: Uploader, directory: String
    ) async throws -> Set<String> {
        var held = Set(try TickHistory(directory: directory).superseded(among: letters).map(\.name))
        var late: [(name: String, bar: LateBar)] = []
        for letter in letters where letter.stream == .bars {
            guard let batch = letter.event?.batch, let bar = batch.bars.first else { continue }
            late.append(
                (
                    letter.name,
                    LateBar(bar: bar, receivedMicroseconds: batch.receivedMicroseconds, source: batch.source)
                ))
        }
        for place in try await uploader.superseded(late.map(\.bar)) { held.insert(late[place].name) }
        return held
    }
}
