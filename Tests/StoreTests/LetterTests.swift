import GRDB
import MarketData
import Store
import TestSupport
import Testing

/// Dead letters are bounded, give way before rows that wait, and count once as lost.
@Suite(.timeLimit(.minutes(5))) struct LetterTests {
    private func letters(_ sequences: ClosedRange<Int64>, symbol: String = "AAPL") -> [DeadLetter] {
        sequences.map { sequence in
            DeadLetter(
                stream: .bars, sequence: sequence, sqlState: "23514", reason: "check",
                row: #"{"seq":\#(sequence),"symbol":"\#(symbol)","interval_s":60,"start_ms":\#(sequence * 60_000)}"#)
        }
    }

    /// A buffer with uploaded bars; nothing waits.
    private func uploaded(
        _ count: Int, in scratch: Scratch, _ change: (inout TickBuffer.Options) -> Void
    ) async throws -> TickBuffer {
        let buffer = try scratch.open(change)
        try await buffer.collect(.bars(count))
        _ = try await buffer.nextBatch(of: .bars, limit: count)
        try await buffer.acknowledge(.bars, through: Int64(count))
        return buffer
    }

    @Test func `of more letters than the file keeps the oldest go, counted by symbol and time`() async throws {
        let scratch = try Scratch()
        let buffer = try await uploaded(100, in: scratch) { $0.maximumLetters = 10 }
        try await buffer.addDeadLetters(letters(1...8, symbol: "OLD"))
        #expect(buffer.statistics.deadLetters == 8 && buffer.statistics.drops == 0)
        try await buffer.addDeadLetters(letters(9...15))
        #expect(buffer.statistics.deadLetters == 10 && buffer.statistics.drops == 5)
        #expect(try scratch.number("SELECT min(seq) FROM dead_letters") == 6)
        let drops = try scratch.rows("SELECT * FROM drops")
        #expect(drops.count == 1)
        #expect(drops[0]["reason"] == "letter_dropped")
        #expect(drops[0]["symbol"] == "OLD")
        let numbers = ["count", "from_ms", "to_ms", "first_seq", "last_seq"].map { drops[0][$0] as Int64 }
        #expect(numbers == [5, 60_000, 300_000, 1, 5])
        await buffer.close()
        let again = try scratch.open()
        #expect(again.statistics.deadLetters == 10 && again.statistics.drops == 5)
        #expect(again.statistics[.bars].deadLetters == 10)
        await again.close()
    }

    @Test func `the letter of a row that waits stays, for its COMMIT may be on the way`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open { $0.maximumLetters = 10 }
        try await buffer.collect(.bars(100))
        try await buffer.addDeadLetters(letters(1...15))
        #expect(buffer.statistics.deadLetters == 15 && buffer.statistics.drops == 0)
        _ = try await buffer.nextBatch(of: .bars, limit: 100)
        try await buffer.acknowledge(.bars, through: 100)
        try await buffer.addDeadLetters(letters(16...16))
        #expect(buffer.statistics.deadLetters == 10 && buffer.statistics.drops == 6)
        await buffer.close()
    }

    @Test(arguments: [TickBuffer.FullPolicy.dropOldest, .rejectNew])
    func `letters give way before rows that wait and before new events`(policy: TickBuffer.FullPolicy) async throws {
        let scratch = try Scratch()
        let buffer = try await uploaded(3000, in: scratch) {
            $0.maximumBytes = 1 << 20
            $0.fullPolicy = policy
            $0.retention = .zero
        }
        for start in stride(from: Int64(1), to: 3000, by: 1000) {
            try await buffer.addDeadLetters(letters(start...start + 999))
        }
        let letters = buffer.statistics.deadLetters
        #expect(letters == 3000)
        for round in 0..<10 {
            try await buffer.collect(.bars(500, from: 3000 + round * 500))
        }
        let statistics = buffer.statistics
        #expect(statistics.deadLetters < letters)
        #expect(statistics.drops == letters - statistics.deadLetters)
        #expect(statistics[.bars].pending == 5000 && statistics.state == .writing)
        #expect(try scratch.number("SELECT sum(count) FROM drops WHERE reason <> 'letter_dropped'") == nil)
        await buffer.close()
    }

    @Test func `a discarded letter counts once, and one whose row waits not at all`() async throws {
        let scratch = try Scratch()
        let buffer = try await uploaded(10, in: scratch) { _ in }
        try await buffer.collect(.bars(10, from: 10))
        // The second one's row still waits, since its COMMIT failed.
        try await buffer.addDeadLetters(letters(4...4) + letters(12...12))
        try await buffer.discard(letters(4...4) + letters(12...12))
        #expect(buffer.statistics.deadLetters == 0 && buffer.statistics.drops == 1)
        #expect(buffer.statistics.noRoom == 0, "a person took it out")
        #expect(try scratch.number("SELECT sum(count) FROM drops") == 1)
        #expect(try scratch.rows("SELECT first_seq, last_seq FROM drops").map { $0["first_seq"] as Int64 } == [4])
        await buffer.close()
    }

    @Test func `discarded letters say of no row between them that it was refused`() async throws {
        let scratch = try Scratch()
        let buffer = try await uploaded(1000, in: scratch) { _ in }
        try await buffer.addDeadLetters(letters(4...4) + letters(9...10) + letters(900...900))
        try await buffer.discard(letters(900...900) + letters(4...4) + letters(9...10))
        try await buffer.addDeadLetters(letters(500...500))
        try await buffer.discard(letters(500...500))
        let refused = try await buffer.refusedRows(of: .bars, after: 0, through: 1000)
        #expect(Set(refused) == [4...4, 9...10, 500...500, 900...900])
        #expect(try scratch.number("SELECT sum(count) FROM drops") == 5)
        // As an earlier version joined them.
        try scratch.execute(
            """
            INSERT INTO drops (episode, stream, symbol, reason, first_seq, last_seq, count, at_us)
            VALUES (1, 'bars', 'AAPL', 'discarded', 20, 800, 2, 1)
            """)
        #expect(try await Set(buffer.refusedRows(of: .bars, after: 0, through: 1000)) == Set(refused))
        await buffer.close()
        let stored = try StoredRows(try FileVerifier.verify(scratch.ticks, as: .ticks))
        #expect(try Set(stored.refusedRows(of: .bars, after: 0, through: 1000)) == Set(refused))
        #expect(try stored.refusedRows(of: .bars, after: 4, through: 9) == [9...10])
        // The rows are still there, so that a discarded letter explains no hole.
        try scratch.execute("DELETE FROM bars WHERE seq = 9")
        #expect(try !FileVerifier.verify(scratch.ticks, as: .ticks).isSound)
    }

    @Test func `a row may have been refused if letters that made room came from before and after it, of its symbol`()
        async throws
    {
        let (scratch, buffer) = try Scratch.opened()
        for (symbol, start) in [("AAPL", 0), ("MSFT", 10), ("AAPL", 20)] {
            #expect(buffer.offer(.bars(10, symbol: symbol, from: start)) == .accepted)
        }
        try await buffer.flush()
        #expect(try await buffer.possiblyRefusedRows(of: .bars, after: 0, through: 30).isEmpty)
        try scratch.execute(
            """
            INSERT INTO drops (episode, stream, symbol, reason, first_seq, last_seq, count, at_us)
            VALUES (1, 'bars', 'AAPL', 'letter_dropped', 8, 21, 2, 1), (1, 'trades', '*', 'letter_dropped', 1, 30, 2, 1)
            """)
        let all: Set<Int64> = [8, 9, 10, 21]
        #expect(try await buffer.possiblyRefusedRows(of: .bars, after: 0, through: 30) == all)
        #expect(try await buffer.possiblyRefusedRows(of: .bars, after: 8, through: 10) == [9, 10])
        await buffer.close()
        let stored = try StoredRows(try FileVerifier.verify(scratch.ticks, as: .ticks))
        #expect(try stored.possiblyRefusedRows(of: .bars, after: 0, through: 30) == all)
    }

    /// Letters of trades, of which a second copy is no newer version.
    private func trades(_ sequences: ClosedRange<Int64>) -> [DeadLetter] {
        sequences.map { sequence in
            DeadLetter(
                stream: .trades, sequence: sequence, sqlState: "23514", reason: "check",
                row: """
                    {"seq":\(sequence),"symbol":"IBM","time_ms":\(1_380_000_000_000 + sequence),"price":1.5,"size":2.5,
                    "received_us":1380000000000000,"connection":"primary"}
                    """)
        }
    }

    /// A buffer with ten uploaded trades, and the letters of three of them.
    private func refused(in scratch: Scratch) async throws -> (TickBuffer, [DeadLetter]) {
        let buffer = try scratch.open()
        try await buffer.collect(.trades(10))
        _ = try await buffer.nextBatch(of: .trades, limit: 10)
        try await buffer.acknowledge(.trades, through: 10)
        let letters = trades(3...5)
        try await buffer.addDeadLetters(letters)
        return (buffer, letters)
    }

    /// Waits until everything that was queued is written.
    private func written(_ buffer: TickBuffer) async throws {
        try await Waiting.until("everything is written") { await buffer.flushError() == nil }
    }

    @Test func `letters that are put back again while nothing can be written become one row each`() async throws {
        let scratch = try Scratch()
        let (buffer, letters) = try await refused(in: scratch)
        let lock = try WriteLock(scratch.ticks)
        for _ in 0..<3 {
            await #expect(throws: StoreError.self) { _ = try await buffer.requeue(letters) }
        }
        try lock.release()
        try await written(buffer)
        #expect(buffer.statistics.deadLetters == 0 && buffer.statistics[.trades].marks.last == 13)
        #expect(try scratch.number("SELECT count(*) FROM trades") == 10)
        #expect(try await buffer.requeue(letters).isEmpty)
        #expect(try scratch.number("SELECT count(*) FROM trades") == 10)
        await buffer.close()
    }

    @Test func `the row of a letter that is put back moves to the end, and its old number is no loss`() async throws {
        let scratch = try Scratch()
        let (buffer, letters) = try await refused(in: scratch)
        #expect(try await buffer.requeue(letters).map(\.sequence) == [11, 12, 13])
        let history = TickHistory(directory: scratch.path)
        let numbers = try history.events(of: .trades, after: 0, limit: 100).events.compactMap(\.sequence)
        #expect(numbers == [1, 2, 6, 7, 8, 9, 10, 11, 12, 13])
        #expect(buffer.statistics.drops == 0)
        // A row that is missing without an explanation would be damage.
        let read = try await buffer.rows(of: .trades, after: 0, through: 13, limit: 100)
        #expect(read.batch.count == 10 && read.end == 13 && !read.isCut)
        #expect(try await buffer.nextBatch(of: .trades, limit: 100)?.count == 3)
        await buffer.close()
        #expect(try BufferReport.read(directory: scratch.path).drops.isEmpty)
        #expect(try FileVerifier.verify(scratch.ticks, as: .ticks).findings == [])
        // A number beside them that nothing explains is a fault still.
        try scratch.execute("DELETE FROM trades WHERE seq = 6")
        #expect(try !FileVerifier.verify(scratch.ticks, as: .ticks).isSound)
    }

    @Test func `a letter whose row the file has deleted is put back all the same`() async throws {
        let scratch = try Scratch()
        let (buffer, letters) = try await refused(in: scratch)
        await buffer.close()
        try scratch.execute(
            "DELETE FROM trades WHERE seq <= 4; UPDATE streams SET deleted_through = 4 WHERE stream = 'trades'")
        let again = try scratch.open()
        #expect(try await again.requeue(letters).count == 3)
        #expect(try scratch.number("SELECT count(*) FROM trades") == 8)
        await again.close()
        #expect(try FileVerifier.verify(scratch.ticks, as: .ticks).findings == [])
    }

    @Test func `letters that are given up again while nothing can be written count once`() async throws {
        let scratch = try Scratch()
        let buffer = try await uploaded(10, in: scratch) { _ in }
        let given = letters(4...5) + letters(8...8)
        try await buffer.addDeadLetters(given)
        let lock = try WriteLock(scratch.ticks)
        for _ in 0..<3 {
            await #expect(throws: StoreError.self) { try await buffer.discard(given) }
        }
        #expect(buffer.statistics.deadLetters == 3 && buffer.statistics.drops == 0)
        try lock.release()
        try await written(buffer)
        #expect(buffer.statistics.deadLetters == 0 && buffer.statistics.drops == 3)
        #expect(try scratch.number("SELECT sum(count) FROM drops") == 3)
        #expect(try await Set(buffer.refusedRows(of: .bars, after: 0, through: 10)) == [4...5, 8...8])
        await buffer.close()
    }

    @Test func `letters that go back into the queue are not given up as well`() async throws {
        let scratch = try Scratch()
        let (buffer, letters) = try await refused(in: scratch)
        let lock = try WriteLock(scratch.ticks)
        await #expect(throws: StoreError.self) { _ = try await buffer.requeue(letters) }
        await #expect(throws: StoreError.self) { try await buffer.discard(letters) }
        try lock.release()
        try await written(buffer)
        #expect(buffer.statistics.deadLetters == 0 && buffer.statistics.drops == 0)
        #expect(try scratch.number("SELECT count(*) FROM trades") == 10)
        #expect(try scratch.number("SELECT sum(count) FROM drops") == 0)
        await buffer.close()
    }

    @Test func `a letter that could not be written does not outlast what the ledger says next`() async throws {
        let (scratch, buffer) = try await Scratch.opened(with: .bars(10))
        let nothing = Dictionary(uniqueKeysWithValues: EventStream.allCases.map { ($0, Int64(0)) })
        try await buffer.agree(withLedger: nothing)
        let lock = try WriteLock(scratch.ticks)
        await #expect(throws: StoreError.self) { try await buffer.addDeadLetters(letters(7...7)) }
        // No letter is in the file yet, and still the row must not be sent before it is.
        await #expect(throws: StoreError.self) { try await buffer.agree(withLedger: nothing) }
        try lock.release()
        try await written(buffer)
        #expect(buffer.statistics.deadLetters == 0)
        #expect(try scratch.number("SELECT count(*) FROM dead_letters") == 0)
        await buffer.close()
    }

    @Test func `what the ledger says counts for letters that are written in the same transaction`() async throws {
        let scratch = try Scratch()
        let buffer = try await uploaded(10, in: scratch) { _ in }
        try await buffer.collect(.bars(10, from: 10))
        let lock = try WriteLock(scratch.ticks)
        // What comes after the first attempt waits together.
        #expect(buffer.offer(.bars(1, from: 20)) == .accepted)
        #expect(await buffer.flushError() != nil)
        await #expect(throws: StoreError.self) { try await buffer.addDeadLetters(letters(17...17)) }
        await #expect(throws: StoreError.self) { try await buffer.agree(withLedger: [.bars: 8]) }
        try lock.release()
        try await written(buffer)
        #expect(buffer.statistics[.bars].marks.acknowledged == 8 && buffer.statistics.deadLetters == 0)
        #expect(try scratch.number("SELECT count(*) FROM dead_letters") == 0)
        await buffer.close()
    }
}
