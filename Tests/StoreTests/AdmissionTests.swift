import GRDB
import MarketData
import Store
import Synchronization
import TestSupport
import Testing

/// The queue in memory is bounded, says so, and counts what it refuses.
@Suite(.timeLimit(.minutes(5))) struct AdmissionTests {
    @Test func `a filling queue asks to pause, then refuses, and calls back once there is room`() async throws {
        let scratch = try Scratch()
        let batch = EventBatch.bars(100)
        let size = batch.approximateBytes
        let buffer = try scratch.open {
            $0.queueBytes = size * 10
            $0.commitInterval = .fixed(.seconds(3600))
        }
        var answers: [Admission] = []
        for _ in 0..<12 { answers.append(buffer.offer(batch)) }
        #expect(answers.prefix(4).allSatisfy { $0 == .accepted })
        #expect(answers[4..<10].allSatisfy { $0 == .acceptedStopReading })
        #expect(answers[10...].allSatisfy { $0 == .refused })
        #expect(buffer.statistics.refusedBatches == 2)
        #expect(buffer.statistics.drops == 200 && buffer.statistics.noRoom == 200)

        let calls = Mutex(0)
        buffer.whenRoom { calls.withLock { $0 += 1 } }
        #expect(calls.withLock { $0 } == 0)
        try await buffer.flush()
        #expect(calls.withLock { $0 } == 1)
        buffer.whenRoom { calls.withLock { $0 += 1 } }
        #expect(calls.withLock { $0 } == 2)
        #expect(buffer.statistics[.bars].marks.last == 1000)
        let drops = try scratch.rows("SELECT * FROM drops")
        #expect(drops.count == 1)
        #expect(drops[0]["reason"] == "queue_full")
        #expect(drops[0]["symbol"] == "AAPL")
        #expect(drops[0]["count"] == 200)
        #expect(drops[0]["from_ms"] == batch.bars[0].start)
        #expect(drops[0]["to_ms"] == batch.bars[99].start)
        #expect(buffer.statistics.drops == 200)
        await buffer.close()
    }

    @Test func `rows that can be brought again wait for room, and are never counted as lost`() async throws {
        let scratch = try Scratch()
        let size = EventBatch.bars(100).approximateBytes
        let buffer = try scratch.open {
            $0.queueBytes = size * 2
            $0.commitInterval = .fixed(.milliseconds(1))
        }
        // Several check for room at the same time.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for owner in ["A", "B", "C"] {
                group.addTask {
                    for part in 0..<100 { try await buffer.take(.bars(100, symbol: owner, from: part * 100)) }
                }
            }
            try await group.waitForAll()
        }
        try await buffer.flush()
        #expect(buffer.statistics.drops == 0 && buffer.statistics.refusedBatches == 0)
        #expect(buffer.statistics[.bars].marks.last == 30_000)
        await buffer.close()
        let error = await #expect(throws: StoreError.self) { try await buffer.take(.bars(1)) }
        #expect(error?.reason == .closed)
    }

    @Test func `a batch greater than the queue is taken when it comes alone`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open {
            $0.queueBytes = 100
            $0.commitInterval = .fixed(.seconds(3600))
        }
        #expect(buffer.offer(.bars(50)) == .acceptedStopReading)
        #expect(buffer.offer(.bars(1)) == .refused)
        try await buffer.flush()
        #expect(buffer.statistics[.bars].marks.last == 50)
        await buffer.close()
    }

    @Test func `closing writes what is queued, answers waiters, and refuses what comes later`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open { $0.commitInterval = .fixed(.seconds(3600)) }
        #expect(buffer.offer(.bars(10)) == .accepted)
        buffer.record(Gap(connection: "primary", symbols: [], events: [.trade], from: 1, to: 2, cause: .down))
        await buffer.close()
        await buffer.close()
        #expect(try scratch.files(beginning: "ticks.sqlite-wal") == [])
        #expect(try scratch.files(beginning: "ticks.reserve") == [])
        #expect(try scratch.number("SELECT count(*) FROM bars") == 10)
        #expect(try scratch.number("SELECT count(*) FROM gaps") == 1)
        #expect(buffer.offer(.bars(1)) == .refused)
        let error = await #expect(throws: StoreError.self) { try await buffer.flush() }
        #expect(error?.reason == .closed)
        let reading = await #expect(throws: StoreError.self) { _ = try await buffer.nextBatch(of: .bars, limit: 1) }
        #expect(reading?.reason == .closed)
    }

    @Test func `many writers at once lose nothing and keep each one's order`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        await withTaskGroup(of: Void.self) { group in
            for writer in 0..<8 {
                group.addTask {
                    for round in 0..<50 {
                        while buffer.offer(.bars(20, symbol: "W\(writer)", from: round * 20)) == .refused {
                            try? await buffer.flush()
                        }
                    }
                }
            }
        }
        try await buffer.flush()
        let batch = try #require(try await buffer.nextBatch(of: .bars, limit: 10_000))
        #expect(batch.count == 8000)
        for writer in 0..<8 {
            let symbol = Symbol("W\(writer)")
            let starts = batch.bars.filter { $0.event.symbol == symbol }.map(\.event.start)
            #expect(starts.count == 1000)
            #expect(starts == starts.sorted())
        }
        await buffer.close()
    }
}
