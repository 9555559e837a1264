import Foundation
import GRDB
import MarketData
import Store
import TestSupport
import Testing

/// Old rows are deleted when they may be, waiting rows only when they must be, and those are counted.
@Suite(.timeLimit(.minutes(5))) struct RoomTests {
    @Test func `retention deletes uploaded rows that are old, and no other`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open { $0.retention = .seconds(3600) }
        let old = now() - 7200 * 1_000_000
        for _ in 0..<3 { #expect(buffer.offer(.bars(4000, received: old)) == .accepted) }
        #expect(buffer.offer(.bars(100)) == .accepted)
        try await buffer.collect(.trades(50, received: old))
        #expect(try await buffer.nextBatch(of: .bars, limit: 100_000)?.count == 12_100)
        // Uploaded: 11,000 old bars; waiting: 1,000 old ones and 100 new ones.
        try await buffer.acknowledge(.bars, through: 11_000)
        await buffer.close()
        let again = try scratch.open { $0.retention = .seconds(3600) }
        try await Waiting.until { again.statistics[.bars].marks.deleted == 11_000 }
        #expect(try scratch.number("SELECT min(seq) FROM bars") == 11_001)
        #expect(again.statistics[.bars].pending == 1100)
        #expect(try scratch.number("SELECT count(*) FROM trades") == 50)
        #expect(try await again.nextBatch(of: .bars, limit: 100_000)?.count == 1100)
        #expect(try await again.nextBatch(of: .bars, after: 11_000, limit: 100_000)?.count == 1100)
        #expect(try scratch.number("SELECT count(*) FROM drops") == 0)
        await again.close()
    }

    @Test func `uploaded rows stay for their time`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open { $0.retention = .seconds(8) }
        #expect(buffer.offer(.bars(500, received: now() - 9_000_000)) == .accepted)
        try await buffer.collect(.bars(500, received: now() + 60_000_000))
        _ = try await buffer.nextBatch(of: .bars, limit: 5000)
        try await buffer.acknowledge(.bars, through: 1000)
        try await Waiting.until { buffer.statistics[.bars].marks.deleted == 500 }
        #expect(try scratch.number("SELECT count(*) FROM bars") == 500)
        await buffer.close()
    }

    @Test func `at the limit the oldest rows go, uploaded ones first, and are counted by symbol and time`() async throws
    {
        let scratch = try Scratch()
        let buffer = try scratch.open { $0.maximumBytes = 1 << 20 }
        try await buffer.collect(.bars(1500, symbol: "UP", received: 1))
        _ = try await buffer.nextBatch(of: .bars, limit: 5000)
        try await buffer.acknowledge(.bars, through: 1500)
        var states: [BufferStatistics.State] = []
        for round in 0..<40 {
            try await buffer.collect(.bars(500, symbol: round % 2 == 0 ? "EVEN" : "ODD", from: round * 500))
            #expect(buffer.statistics.usedBytes <= 1 << 20)
            states.append(buffer.statistics.state)
        }
        let statistics = buffer.statistics
        // A check between two batches may take what the last deletion left over for room.
        #expect(states.suffix(20).contains(.full))
        let left = try #require(try scratch.number("SELECT count(*) FROM bars"))
        let first = try #require(try scratch.number("SELECT min(seq) FROM bars"))
        #expect(left > 2000)
        #expect(first + left - 1 == 21_500)
        // Every event is in the file, was uploaded, or is counted as dropped.
        #expect(statistics.drops == first - 1 - 1500 && statistics.noRoom == statistics.drops)
        #expect(try scratch.number("SELECT sum(count) FROM drops") == statistics.drops)
        #expect(try scratch.number("SELECT count(*) FROM drops WHERE symbol = 'UP'") == 0)
        let even = try scratch.rows("SELECT * FROM drops WHERE symbol = 'EVEN'")
        #expect(even.count == 1)
        #expect(even[0]["reason"] == "oldest_dropped")
        #expect(even[0]["from_ms"] == 1_380_000_000_000)
        #expect(even[0]["first_seq"] == 1501)
        #expect(try scratch.number("SELECT max(last_seq) FROM drops") == first - 1)
        #expect(statistics[.bars].pending == left)
        #expect(try await buffer.nextBatch(of: .bars, limit: 1)?.firstSequence == first)
        #expect(StoreTestFiles.size(scratch.ticks) < 3 << 20)
        await buffer.close()
        let again = try scratch.open()
        #expect(again.statistics.drops == statistics.drops && again.statistics.noRoom == 0)
        #expect(again.statistics[.bars].pending == left)
        await again.close()
    }

    @Test func `at the limit new events are rejected and counted, until uploads make room`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open {
            $0.maximumBytes = 1 << 20
            $0.fullPolicy = .rejectNew
        }
        var offered: Int64 = 0
        var timesFull = 0
        for round in 0..<40 {
            #expect(buffer.offer(.bars(500, symbol: "NEW", from: round * 500)) == .accepted)
            offered += 500
            try await buffer.flush()
            // A check between two batches may find a little room.
            if buffer.statistics.state == .full { timesFull += 1 }
        }
        let full = buffer.statistics
        #expect(timesFull > 0)
        #expect(full.drops > 0)
        #expect(full[.bars].marks.last + full.drops == offered && full.noRoom == full.drops)
        #expect(try scratch.number("SELECT min(seq) FROM bars") == 1)
        let drop = try scratch.rows("SELECT * FROM drops WHERE reason = 'new_rejected' AND symbol = 'NEW'")
        #expect(drop.count == 1)
        #expect(drop[0]["count"] == full.drops)
        let lastStart = EventBatch.bars(1, from: 19_999).bars[0].start
        #expect(drop[0]["to_ms"] == lastStart)
        #expect((drop[0]["first_seq"] as Int64?) == nil)

        _ = try await buffer.nextBatch(of: .bars, limit: 100_000)
        try await buffer.acknowledge(.bars, through: full[.bars].marks.last)
        for round in 0..<3 {
            try await buffer.collect(.bars(500, from: round * 500))
        }
        #expect(buffer.statistics.drops == full.drops)
        #expect(buffer.statistics[.bars].marks.last == full[.bars].marks.last + 1500)
        #expect(buffer.statistics.state == .writing)
        await buffer.close()
    }

    @Test(arguments: [TickBuffer.FullPolicy.dropOldest, .rejectNew])
    func `a full file is one no more when its rows are uploaded, though nothing new comes`(
        policy: TickBuffer.FullPolicy
    ) async throws {
        let scratch = try Scratch()
        let buffer = try await scratch.fill(policy)
        try await buffer.uploadAll()
        try await Waiting.until { buffer.statistics.state == .writing }
        await buffer.close()
    }

    @Test(arguments: [TickBuffer.FullPolicy.dropOldest, .rejectNew])
    func `in a full file the first small batch after an upload has its place`(
        policy: TickBuffer.FullPolicy
    ) async throws {
        let scratch = try Scratch()
        let buffer = try await scratch.fill(policy)
        try await buffer.uploadAll()
        let drops = buffer.statistics.drops
        for round in 0..<20 {
            try await buffer.collect(.bars(1, from: round))
        }
        #expect(buffer.statistics.drops == drops)
        #expect(buffer.statistics[.bars].pending == 20)
        #expect(buffer.statistics.state == .writing)
        await buffer.close()
    }

    @Test func `what was fetched and finds no room is no loss, and who brought it hears of it`() async throws {
        let scratch = try Scratch()
        let buffer = try await scratch.fill(.rejectNew)
        let drops = buffer.statistics.drops
        var batch = EventBatch.bars(50, symbol: "OLD")
        batch.source = .backfill
        try await buffer.take(batch)
        try await buffer.flush()
        #expect(buffer.turnedAway == 1 && buffer.statistics.drops == drops)
        #expect(try scratch.number("SELECT count(*) FROM bars WHERE symbol = 'OLD'") == 0)
        try await buffer.uploadAll()
        try await Waiting.until { buffer.statistics.state == .writing }
        try await buffer.take(batch)
        try await buffer.flush()
        #expect(buffer.turnedAway == 1)
        #expect(try scratch.number("SELECT count(*) FROM bars WHERE symbol = 'OLD'") == 50)
        await buffer.close()
    }

    @Test func `upkeep that failed while nothing came is shown no longer than it fails`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open { $0.retention = .seconds(3) }
        try await buffer.collect(.bars(500, received: now()))
        try await buffer.uploadAll()
        try await buffer.flush()
        // From here on, all there is to write is the deletion of rows that are three seconds old.
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        // That deletion may be under way.
        configuration.busyMode = .timeout(45)
        let other = try DatabaseQueue(path: scratch.ticks, configuration: configuration)
        try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
        try await Waiting.until {
            if case .failing = buffer.statistics.state { true } else { false }
        }
        try await other.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
        try await Waiting.until { buffer.statistics.state == .writing }
        try other.close()
        await buffer.close()
    }

    @Test func `a stream's newest row stays, and shows the next process how far its events had come`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open { $0.retention = .zero }
        #expect(buffer.offer(.bars(50)) == .accepted)
        try await buffer.collect(.trades(50))
        try await buffer.uploadAll()
        try await Waiting.until {
            EventStream.allCases.allSatisfy { stream in
                let marks = buffer.statistics[stream].marks
                return marks.deleted == max(0, marks.last - 1)
            }
        }
        let bar = try scratch.number("SELECT max(end_ms) FROM bars")
        let trade = try scratch.number("SELECT max(time_ms) FROM trades")
        await buffer.close()
        let again = try scratch.open()
        let newest = again.previousLife?.newest
        #expect(bar != nil && newest?[.minuteBar] == bar)
        #expect(trade != nil && newest?[.trade] == trade)
        await again.close()
    }

    @Test func `the file stays flat when rows are uploaded as they come`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open { $0.retention = .zero }
        for round in 0..<8 {
            try await buffer.collect(.bars(5000, from: round * 5000))
            while let batch = try await buffer.nextBatch(of: .bars, limit: 5000), let last = batch.lastSequence {
                try await buffer.acknowledge(.bars, through: last)
            }
            let last = buffer.statistics[.bars].marks.last
            try await Waiting.until { buffer.statistics[.bars].marks.deleted == last - 1 }
        }
        await buffer.close()
        #expect(StoreTestFiles.size(scratch.ticks) < 2 << 20)
    }

    @Test func `a reader that keeps the log from being emptied is reported while writing goes on`() async throws {
        let scratch = try Scratch()
        let limit: Int64 = 64 << 20
        let buffer = try scratch.open { $0.maximumLogBytes = limit }
        try await buffer.collect(.bars(10))
        let reader = try await scratch.openSnapshot()
        var rounds = 0
        while buffer.statistics.pinnedLog == nil, rounds < 2000 {
            try await buffer.collect(.bars(5000, from: rounds * 5000))
            rounds += 1
        }
        let statistics = buffer.statistics
        #expect(statistics.pinnedLog?.contains("snapshot") == true)
        #expect(statistics.state == .writing && statistics.drops == 0)
        #expect(StoreTestFiles.size(scratch.ticks + "-wal") < limit)
        try await buffer.collect(.bars(10))
        try await reader.writeWithoutTransaction { try $0.execute(sql: "COMMIT") }
        try await Waiting.until { buffer.statistics.pinnedLog == nil && buffer.statistics.state == .writing }
        try reader.close()
        await buffer.close()
    }

    @Test func `a reader's open snapshot is reported, stops writing at the limit, and harms nothing`() async throws {
        let scratch = try Scratch()
        let limit: Int64 = 4 << 20
        let buffer = try scratch.open {
            $0.maximumLogBytes = limit
            $0.queueBytes = 1 << 20
        }
        try await buffer.collect(.bars(10))

        let reader = try await scratch.openSnapshot()
        var written: Int64 = 10
        var refused = false
        for round in 0..<2000 where !refused {
            switch buffer.offer(.bars(500, from: round * 500)) {
            case .accepted: written += 500
            case .acceptedStopReading:
                written += 500
                try? await buffer.flush()
            case .refused, .outdated: refused = true
            }
        }
        #expect(refused)
        #expect(StoreTestFiles.size(scratch.ticks + "-wal") < limit + (8 << 20))
        guard case .failing(let message) = buffer.statistics.state else {
            Issue.record("state \(buffer.statistics.state)")
            return
        }
        #expect(message.contains("snapshot"))
        #expect(
            try await reader.writeWithoutTransaction { try Int64.fetchOne($0, sql: "SELECT count(*) FROM bars") } == 10)

        try await reader.writeWithoutTransaction { try $0.execute(sql: "COMMIT") }
        let expected = written
        try await Waiting.until { buffer.statistics[.bars].marks.last == expected }
        try await Waiting.until { buffer.statistics.state == .writing }
        #expect(buffer.statistics.drops == 500)
        try reader.close()
        await buffer.close()
    }
}

/// Sizes of files.
enum StoreTestFiles {
    static func size(_ path: String) -> Int64 {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        return (attributes?[.size] as? NSNumber)?.int64Value ?? 0
    }
}

extension Scratch {
    /// A reader in a transaction that has begun to read, as a sqlite3 shell that somebody forgot.
    fileprivate func openSnapshot() async throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.allowsUnsafeTransactions = true
        let reader = try DatabaseQueue(path: ticks, configuration: configuration)
        try await reader.writeWithoutTransaction { database in
            try database.execute(sql: "BEGIN")
            _ = try Int64.fetchOne(database, sql: "SELECT count(*) FROM bars")
        }
        return reader
    }

    /// A buffer of 1 MiB that is filled to within a few kilobytes with bars that wait.
    fileprivate func fill(_ policy: TickBuffer.FullPolicy) async throws -> TickBuffer {
        let buffer = try open {
            $0.maximumBytes = 1 << 20
            $0.fullPolicy = policy
        }
        for size in [500, 50] {
            for round in 0..<40 {
                try await buffer.collect(.bars(size, from: round * size))
            }
        }
        #expect(buffer.statistics.state == .full && buffer.statistics.drops > 0)
        return buffer
    }
}

extension TickBuffer {
    fileprivate func uploadAll() async throws {
        for stream in EventStream.allCases {
            while let last = try await nextBatch(of: stream, limit: 100_000)?.lastSequence {
                try await acknowledge(stream, through: last)
            }
        }
    }
}
