import GRDB
import MarketData
import Synchronization
import TestSupport
import Testing

@testable import Store

/// A mark is a position between what was offered before it and after it.
@Suite(.timeLimit(.minutes(3))) struct MarkTests {
    @Test func `a mark returns the numbers of what was offered before it, however much comes behind`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        var marks: [(before: Int64, mark: AsyncStream<StreamSequences>)] = []
        var offered: Int64 = 0
        for round in 1...40 {
            for _ in 0..<5 {
                #expect(buffer.offer(.bars(round * 3)) != .refused)
                offered += Int64(round * 3)
            }
            let (stream, reached) = AsyncStream.makeStream(of: StreamSequences.self)
            buffer.mark { sequences in
                if let sequences { reached.yield(sequences) }
                reached.finish()
            }
            marks.append((offered, stream))
        }
        for (before, mark) in marks {
            var found: StreamSequences?
            for await sequences in mark { found = sequences }
            #expect(found?[.bars] == before && found?[.trades] == 0)
        }
        await buffer.close()
    }

    @Test func `a mark in an idle buffer is reached at once, and in a closed one never`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        try await buffer.collect(.bars(3))
        let seen = Mutex<[Int64?]>([])
        buffer.mark { sequences in seen.withLock { $0.append(sequences?[.bars]) } }
        try await Waiting.until { seen.withLock { $0 == [3] } }
        await buffer.close()
        buffer.mark { sequences in seen.withLock { $0.append(sequences?[.bars]) } }
        #expect(seen.withLock { $0 } == [3, nil])
    }

    @Test func `a beginning is the row before the first that was received in time`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        #expect(try await buffer.beginning(of: .bars, receivedFrom: 0) == .init(after: 0, heldSince: nil))
        let first = now()
        for step in 0..<200 { #expect(buffer.offer(.bars(7, received: first + Int64(step) * 1000)) == .accepted) }
        try await buffer.flush()
        for step in [0, 1, 99, 198, 199] {
            let beginning = try await buffer.beginning(of: .bars, receivedFrom: first + Int64(step) * 1000)
            #expect(beginning.after == Int64(step) * 7)
        }
        #expect(try await buffer.beginning(of: .bars, receivedFrom: .max).after == 1400)
        #expect(try await buffer.beginning(of: .bars, receivedFrom: 0).after == 0)
        await buffer.close()
    }

    @Test func `where rows were deleted, an old event that was brought later is no beginning`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        let received: Int64 = 1_700_000_000_000_000
        _ = buffer.offer(.bars(3, received: received))
        try await buffer.flush()
        let first = try #require(try await buffer.beginning(of: .bars, receivedFrom: 0).heldSince)
        #expect(first < received / 1000)
        await buffer.close()
        let queue = try DatabaseQueue(path: scratch.path + "/ticks.sqlite")
        try await queue.write { database in
            try database.execute(sql: "DELETE FROM bars WHERE seq = 1")
            try database.execute(sql: "UPDATE streams SET acknowledged = 1, deleted_through = 1 WHERE stream = 'bars'")
        }
        try queue.close()
        let again = try scratch.open()
        #expect(try await again.beginning(of: .bars, receivedFrom: 0).heldSince == received / 1000)
        await again.close()
    }

    @Test func `where the first row was fetched, an old event is no beginning`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        let received: Int64 = 1_700_000_000_000_000
        var fetched = EventBatch.bars(3, received: received)
        fetched.connection = EventSource.backfill.rawValue
        fetched.source = .backfill
        try await buffer.take(fetched)
        _ = buffer.offer(.bars(3, received: received + 1_000_000))
        try await buffer.flush()
        #expect(try await buffer.beginning(of: .bars, receivedFrom: 0).heldSince == received / 1000)
        await buffer.close()
        withExtendedLifetime(scratch) {}
    }
}
