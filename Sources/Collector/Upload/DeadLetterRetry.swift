public import MarketData
public import Store
public import Upstream

/// Some named dead letters do not exist, or no longer exist.
public struct DeadLettersMissing: Error, CustomStringConvertible {
    /// Their names.
    public let names: [DeadLetterChoice.Name]

    /// The description, in one line.
    public var description: String { "there is no dead letter \(names.map(\.description).joined(separator: ", "))" }
}

extension DeadLetterChoice {
    /// Returns the chosen letters of some streams in the buffer's file, oldest first.
    ///
    /// - Throws: `StoreError` and ``DeadLettersMissing``.
    func letters(in buffer: TickBuffer, of streams: [EventStream] = EventStream.allCases) throws -> [DeadLetter] {
        let found = try found(in: TickHistory(directory: buffer.directory), of: streams)
        guard found.missing.isEmpty else { throw DeadLettersMissing(names: found.missing) }
        return found.letters
    }
}

/// It is not known yet whether the rows of some dead letters were settled or still wait, and no database can be asked.
public struct DeadLettersInDoubt: Error, CustomStringConvertible {
    /// The letters' names.
    public let names: [String]

    /// The description, in one line.
    public var description: String {
        "dead letter \(DisplayText.list(names)): its upload was interrupted, and without a database it is unknown whether "
            + "the row still waits; set DATABASE_URI and upload first"
    }
}

/// Sends refused rows once more: puts them back at the end of the queue, and uploads the queue.
///
/// Going through the queue keeps them from being stored twice: the ledger moves with them, whatever happens to the
/// connection or to this process.
public struct DeadLetterRetry: Sendable {
    /// How many rows went back into the queue.
    public private(set) var requeued = 0
    /// How many rows upstream took.
    public private(set) var sent = 0
    /// How many rows were upstream already, because a copy of the file sent them; their letters are gone.
    public private(set) var stored = 0
    /// The rows that were refused again, under their new numbers and with the new reason.
    public private(set) var refusedAgain: [DeadLetter] = []
    /// Bars of which a newer version exists; they stay dead letters.
    public private(set) var superseded: [DeadLetter] = []
    /// Letters whose row can't be read; they stay.
    public private(set) var unreadable: [DeadLetter] = []
    /// With two databases, what stopped the part of the second, with its streams; `nil` when nothing did.
    public internal(set) var failure: String?

    /// The result with this many rows in the queue again, and nothing sent yet.
    public init(requeued: Int = 0) { self.requeued = requeued }

    /// Adds the result for other letters.
    public mutating func add(_ other: DeadLetterRetry) {
        requeued += other.requeued
        sent += other.sent
        stored += other.stored
        refusedAgain += other.refusedAgain
        superseded += other.superseded
        unreadable += other.unreadable
    }

    /// Sends `letters`, and everything else that waits in `buffer`, to the databases that hold them.
    ///
    /// - Throws: `StoreError` and `UpstreamError`. If the letters have not left their table yet, nothing is changed.
    ///   Otherwise they wait in the queue, and any later upload sends them.
    public static func run(
        _ letters: [DeadLetter], buffer: TickBuffer, uploaders: [Uploader], batchRows: Int
    ) async throws -> DeadLetterRetry {
        let passes = uploaders.map { UploadPass(buffer: buffer, uploader: $0, batchRows: batchRows) }
        var (result, places) = try await requeue(letters, buffer: buffer, passes: passes)
        for pass in passes { _ = try await pass.run() }
        result.refusedAgain = try kept(in: buffer).filter { places.contains($0.name) }
        result.sent = places.count - result.refusedAgain.count
        return result
    }

    /// Puts `letters` back into the queue, for the pass that comes next.
    ///
    /// - Parameter passes: The passes of the letters' streams; none may be running.
    /// - Returns: The result so far, and the names of the rows in the queue.
    /// - Throws: The same as ``run(_:buffer:uploaders:batchRows:)``.
    static func requeue(
        _ letters: [DeadLetter], buffer: TickBuffer, passes: [UploadPass]
    ) async throws -> (DeadLetterRetry, places: Set<String>) {
        var result = DeadLetterRetry()
        for pass in passes { if let failure = try await pass.settle(pass.streams).values.first { throw failure } }
        // The letter of a row that was never settled is gone now, and the row is still in the queue.
        let standing = Set(try kept(in: buffer).map(\.name))
        let waiting = letters.map(\.name).filter { !standing.contains($0) }
        let letters = letters.filter { standing.contains($0.name) }
        result.unreadable = letters.filter { $0.event == nil }
        let readable = letters.filter { $0.event != nil }
        let held = try await superseded(readable, uploader: passes.first { $0.streams.contains(.bars) }?.uploader)
        let there = try await stored(readable, passes: passes)
        // The file is changed last, so that bars collected meanwhile count too, and not once the caller has given up.
        try Task.checkCancellation()
        try await buffer.remove(uploaded: there)
        result.stored = there.count
        let gone = Set(there.map(\.name))
        let placed = try await buffer.requeue(readable.filter { !held.contains($0.name) && !gone.contains($0.name) })
        let returned = gone.union(placed.map(\.letter.name))
        let others = readable.filter { !returned.contains($0.name) }
        let left = Set(try others.isEmpty ? [] : kept(in: buffer).map(\.name))
        result.superseded = others.filter { left.contains($0.name) }
        // An earlier request, which had failed, put the rest back meanwhile.
        let earlier = others.map(\.name).filter { !left.contains($0) }
        let places = Set(placed.map { DeadLetter.name(of: $0.sequence, in: $0.letter.stream) } + waiting + earlier)
        result.requeued = places.count
        return (result, places)
    }

    /// The letters in the file.
    private static func kept(in buffer: TickBuffer) throws(StoreError) -> [DeadLetter] {
        try TickHistory(directory: buffer.directory).deadLetters(limit: Int(Int32.max))
    }

    /// Deletes letters from the file and returns them.
    ///
    /// - Parameter passes: The passes of the letters' streams; none may be running. They are asked only if a COMMIT was
    ///   left in doubt.
    /// - Throws: `StoreError`, `UpstreamError`, ``DeadLettersInDoubt`` and `CancellationError`; no letter is discarded
    ///   then.
    public static func discard(
        _ letters: [DeadLetter], buffer: TickBuffer, passes: [UploadPass]
    ) async throws -> DeadLetterDiscard {
        func inDoubt() -> [DeadLetter] {
            let statistics = buffer.statistics
            return letters.filter { $0.sequence > statistics[$0.stream].marks.settled }
        }
        // If the COMMIT succeeded, the letter is all that is left of its row, and must be counted.
        let doubtful = inDoubt()
        for pass in passes {
            let streams = pass.streams.filter { stream in doubtful.contains { $0.stream == stream } }
            guard !streams.isEmpty else { continue }
            if let failure = try await pass.settle(streams).values.first { throw failure }
        }
        let asked = Set(passes.flatMap(\.streams))
        let unknown = doubtful.filter { !asked.contains($0.stream) }
        guard unknown.isEmpty else { throw DeadLettersInDoubt(names: unknown.map(\.name)) }
        let waiting = Set(inDoubt().map(\.name))
        let settled = letters.filter { !waiting.contains($0.name) }
        // A caller that has given up was told that nothing changed.
        try Task.checkCancellation()
        try await buffer.discard(settled)
        return DeadLetterDiscard(letters: settled, waiting: waiting.count)
    }

    /// Returns the letters of ticks whose rows are upstream: a copy of the file may have sent them, and no other
    /// look-up covers rows that move behind others.
    private static func stored(
        _ letters: [DeadLetter], passes: [UploadPass]
    ) async throws(UpstreamError) -> [DeadLetter] {
        var found: [DeadLetter] = []
        for stream in EventStream.allCases where stream != .bars {
            guard let uploader = passes.first(where: { $0.streams.contains(stream) })?.uploader else { continue }
            let own = letters.filter { $0.stream == stream }
            for start in stride(from: 0, to: own.count, by: 1000) {
                let part = own[start...].prefix(1000)
                let there = try await uploader.stored(of: BufferedBatch(of: part, in: stream))
                found += part.filter { there.contains($0.sequence) }
            }
        }
        return found
    }

    /// Returns the names of bars that would replace a newer version upstream.
    private static func superseded(_ letters: [DeadLetter], uploader: Uploader?) async throws -> Set<String> {
        let late = letters.filter { $0.stream == .bars }.compactMap { letter -> (name: String, bar: LateBar)? in
            guard let batch = letter.event?.batch, let bar = batch.bars.first else { return nil }
            // A correction that a gap missed goes by the rules of the stream.
            let source = batch.source.isCorrection(connection: batch.connection) ? .stream : batch.source
            let lateBar = LateBar(bar: bar, receivedMicroseconds: batch.receivedMicroseconds, source: source)
            return (letter.name, lateBar)
        }
        let found = try await uploader?.superseded(late.map(\.bar)) ?? []
        return Set(found.filter(late.indices.contains).map { late[$0].name })
    }
}
