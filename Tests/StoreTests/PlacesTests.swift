import Foundation
import GRDB
import Logging
import MarketData
import TestSupport
import Testing

@testable import Store

/// Somebody removes, replaces or cuts off the files of a running buffer.
@Suite(.timeLimit(.minutes(3))) struct PlacesTests {
    private func open(_ scratch: Scratch, events: Int = 100) async throws -> TickBuffer {
        let buffer = try scratch.open()
        try await buffer.collect(.bars(events))
        return buffer
    }

    private func incidents(_ scratch: Scratch) -> [String] {
        (try? scratch.texts("SELECT what || ': ' || detail FROM incidents").compactMap(\.self)) ?? []
    }

    /// Offers more events and checks that all durable ones are in the file, as another program sees it.
    private func goesOn(_ buffer: TickBuffer, _ scratch: Scratch, rows: Int64) async throws {
        try await buffer.collect(.bars(10))
        #expect(try scratch.number("SELECT count(*) FROM bars") == rows)
        await buffer.close()
        #expect(try scratch.number("SELECT count(*) FROM bars") == rows)
        #expect(try FileVerifier.verify(scratch.ticks, as: .ticks).isSound)
    }

    /// Removes the directory in one step: while it was being emptied, the buffer could make a file in it again.
    private func removeDirectory(_ scratch: Scratch) throws {
        let gone = scratch.path + "-gone"
        try #require(rename(scratch.path, gone) == 0)
        try FileManager.default.removeItem(atPath: gone)
    }

    /// Waits until the writer has looked at the log as it is now.
    private func logIsSeen(_ buffer: TickBuffer, _ scratch: Scratch) async throws {
        let length = StoreFile.size(of: scratch.ticks + "-wal")
        try #require(length > 0)
        try await Waiting.until { buffer.statistics.walBytes >= length }
    }

    @Test func `a second opener finds the holder though the lock file was removed, and the lock is made again`()
        async throws
    {
        let scratch = try Scratch()
        let buffer = try await open(scratch)
        let lock = scratch.ticks + ".lock"
        try FileManager.default.removeItem(atPath: lock)
        let start = ContinuousClock.now
        let error = #expect(throws: StoreError.self) { _ = try scratch.open() }
        var took = ContinuousClock.now - start
        #expect(error?.reason == .inUse(holder: getpid()))
        // A loaded machine may stand still for a while, but hardly three times.
        for _ in 0..<2 where took >= .seconds(4) {
            let start = ContinuousClock.now
            #expect(throws: StoreError.self) { _ = try scratch.open() }
            took = min(took, ContinuousClock.now - start)
        }
        #expect(took < .seconds(4))
        try await Waiting.until { FileLock.holder(of: lock)?.processID == getpid() }
        try await Waiting.until { incidents(scratch).contains { $0.hasPrefix("lock replaced") } }
        try await goesOn(buffer, scratch, rows: 110)
        // The directory is free again.
        let again = try scratch.open()
        await again.close()
    }

    @Test func `where another process has the new lock file nothing is written`() async throws {
        let scratch = try Scratch()
        let buffer = try await open(scratch)
        let lock = scratch.ticks + ".lock"
        // As a program would that doesn't lock the directory. The file is locked before it takes its place, or the
        // buffer might be quicker.
        let other = try FileLock.acquire(lock + "-other")
        try #require(rename(lock + "-other", lock) == 0)
        try await Waiting.until {
            if case .failing(let message) = buffer.statistics.state { return message.contains("in use") }
            return false
        }
        other.release()
        try await Waiting.until { buffer.statistics.state == .writing }
        try await goesOn(buffer, scratch, rows: 110)
    }

    @Test func `a directory that is removed is made again, and what was in it is counted`() async throws {
        let scratch = try Scratch()
        let buffer = try await open(scratch)
        try removeDirectory(scratch)
        try await Waiting.until { FileLock.holder(of: scratch.ticks + ".lock")?.processID == getpid() }
        // Nobody else can open it.
        #expect(throws: StoreError.self) { _ = try scratch.open() }
        try FileManager.default.removeItem(atPath: scratch.ticks + ".lock")
        #expect(throws: StoreError.self) { _ = try scratch.open() }
        try await goesOn(buffer, scratch, rows: 10)
        #expect(try scratch.number("SELECT sum(count) FROM drops WHERE reason = 'vanished'") == 100)
    }

    @Test func `whose directory was removed and made again by another collector leaves that one alone`() async throws {
        let scratch = try Scratch()
        let first = try await open(scratch)
        var opened: TickBuffer?
        for _ in 0..<10 where opened == nil {
            try removeDirectory(scratch)
            do {
                opened = try scratch.open()
            } catch let error as StoreError {
                // If the first one was quicker, it is removed once more.
                guard case .inUse = error.reason else { throw error }
            }
        }
        let second = try #require(opened)
        try await second.collect(.bars(20))
        try await Waiting.until {
            if case .failing(let message) = first.statistics.state { return message.contains("in use") }
            return false
        }
        _ = first.offer(.bars(5))
        for _ in 0..<3 {
            await #expect(throws: StoreError.self) { try await first.flush() }
            try await second.collect(.bars(10))
        }
        #expect(try scratch.number("SELECT count(*) FROM bars") == 50)
        #expect(try scratch.files(beginning: "ticks-bad-") == [])
        await second.close()
        // Once that one is gone, its file is set aside, and what waited in memory is written.
        try await Waiting.until(within: .seconds(60)) { first.statistics.state == .writing }
        try await first.flush()
        #expect(try scratch.number("SELECT count(*) FROM bars") == 5)
        let kept = try #require(try scratch.files(beginning: "ticks-bad-").first { $0.hasSuffix(".sqlite") })
        #expect(try FileVerifier.verify(scratch.path + "/" + kept, as: .ticks).streams[.bars]?.rows == 50)
        await first.close()
    }

    @Test func `a log that is removed is written into the file, and another one is begun`() async throws {
        let scratch = try Scratch()
        let buffer = try await open(scratch)
        // After the removal, a reader may make an empty log; the writer must have seen this one by then.
        try await logIsSeen(buffer, scratch)
        try FileManager.default.removeItem(atPath: scratch.ticks + "-wal")
        try await Waiting.until { incidents(scratch).contains { $0.contains("write-ahead log") } }
        try await goesOn(buffer, scratch, rows: 110)
    }

    @Test func `a log that another took the place of is not taken for the file's own`() async throws {
        let scratch = try Scratch()
        let buffer = try await open(scratch)
        let older = try Data(contentsOf: URL(fileURLWithPath: scratch.ticks + "-wal"))
        try await buffer.collect(.bars(50))
        try await logIsSeen(buffer, scratch)
        // In one step, or the log could be found missing in between.
        try older.write(to: URL(fileURLWithPath: scratch.ticks + "-wal"), options: .atomic)
        try await Waiting.until { incidents(scratch).contains { $0.contains("took the place of its write") } }
        try await goesOn(buffer, scratch, rows: 160)
        #expect(try scratch.files(beginning: "ticks-bad-").map { $0.hasSuffix(".sqlite-wal") } == [true])
    }

    @Test func `what a log lacks that was cut off is counted, and is not moved into the file`() async throws {
        let scratch = try Scratch()
        let buffer = try await open(scratch, events: 4000)
        let length = StoreFile.size(of: scratch.ticks + "-wal")
        truncate(scratch.ticks + "-wal", Int(length / 2))
        try await Waiting.until { incidents(scratch).contains { $0.contains("log became shorter") } }
        try await buffer.collect(.bars(10))
        let rows = try #require(try scratch.number("SELECT count(*) FROM bars"))
        let lost = try #require(
            try scratch.number("SELECT coalesce(sum(count), 0) FROM drops WHERE reason = 'vanished'"))
        #expect(rows + lost == 4010 && lost > 0)
        await buffer.close()
        #expect(try FileVerifier.verify(scratch.ticks, as: .ticks).isSound)
    }

    @Test func `a file that is cut off is set aside, and what waited in it is counted`() async throws {
        let scratch = try Scratch()
        await (try await open(scratch, events: 4000)).close()
        let buffer = try scratch.open()
        truncate(scratch.ticks, 8192)
        try await Waiting.until { buffer.statistics.setAside.count == 1 }
        try await buffer.collect(.bars(10))
        #expect(try scratch.number("SELECT sum(count) FROM drops WHERE reason = 'file_set_aside'") == 4000)
        await buffer.close()
    }

    @Test func `a file that is removed is noticed, and another one is begun`() async throws {
        let scratch = try Scratch()
        let buffer = try await open(scratch)
        try FileManager.default.removeItem(atPath: scratch.ticks)
        try await Waiting.until { incidents(scratch).contains { $0.contains("it was removed or renamed") } }
        try await buffer.collect(.bars(10))
        #expect(try scratch.number("SELECT sum(count) FROM drops") == 100)
        await buffer.close()
    }

    @Test func `the kernel's list tells who holds a lock`() {
        let list = """
            1: FLOCK  ADVISORY  WRITE 4711 fe:00:12345 0 EOF
            1: -> FLOCK  ADVISORY  WRITE 4712 fe:00:12345 0 EOF
            2: POSIX  ADVISORY  READ 815 fe:00:777 128 128
            """
        #expect(SystemLocks.holder(of: 12345, in: list) == 4711)
        #expect(SystemLocks.holder(of: 777, in: list) == nil && SystemLocks.holder(of: 1, in: "") == nil)
    }
}

/// A file that was found bad at the start.
@Suite(.timeLimit(.minutes(3))) struct LostFileTests {
    private func trade(at milliseconds: Int64) -> EventBatch {
        var batch = EventBatch(connection: "primary", receivedMicroseconds: milliseconds * 1000)
        batch.trades = [Trade(symbol: Symbol("A")!, time: milliseconds, price: 1, size: 1)]
        return batch
    }

    @Test func `what waited in it and the downtime before are told, also when the next start is stopped at once`()
        async throws
    {
        let now = now() / 1000
        let scratch = try Scratch()
        var buffer = try scratch.open()
        for offset in [90_000, 60_000, 30_000] as [Int64] { _ = buffer.offer(trade(at: now - offset)) }
        try await buffer.flush()
        _ = try await buffer.nextBatch(of: .trades, limit: 1)
        try await buffer.acknowledge(.trades, through: 1)
        try await buffer.flush()
        await buffer.close()
        try scratch.execute("UPDATE buffer SET created_us = 0, alive_us = NULL")
        // A page that is read at each start.
        let page = try #require(try scratch.number("SELECT rootpage FROM sqlite_master WHERE name = 'gaps'"))
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: scratch.ticks))
        try file.seek(toOffset: UInt64(page - 1) * 4096)
        try file.write(contentsOf: Data(repeating: 0xA5, count: 4096))
        try file.close()

        buffer = try scratch.open()
        #expect(buffer.statistics.setAside.count == 1)
        #expect(
            buffer.previousLife == PreviousLife(end: now - 30_000, newest: [.trade: now - 30_000], isUncertain: true))
        await buffer.close()
        let drop = try #require(
            try scratch.rows("SELECT stream, symbol, reason, count, from_ms, to_ms FROM drops").first)
        #expect([drop[0], drop[1], drop[2]] as [String] == ["trades", "*", "file_set_aside"])
        #expect([drop[3], drop[4], drop[5]] as [Int64] == [2, now - 60_000, now - 30_000])
        let detail = try #require(try scratch.texts("SELECT detail FROM incidents").first ?? nil)
        #expect(
            detail.contains("2 rows waited")
                && detail.contains("its unfilled gaps can't be read: use edgetick backfill"))
        #expect(try FileVerifier.verify(scratch.ticks, as: .ticks).findings == [])
    }

    @Test func `of one without bytes the lock tells since when nothing was collected`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        _ = buffer.offer(trade(at: now() / 1000))
        await buffer.close()
        for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: scratch.ticks + suffix) }
        try Data().write(to: URL(fileURLWithPath: scratch.ticks))
        // Its holder took the lock at this time and was killed later.
        try Data("4711 1767600000\n".utf8).write(to: URL(fileURLWithPath: scratch.ticks + ".lock"))
        let again = try scratch.open()
        #expect(again.previousLife == PreviousLife(end: 1_767_600_000_000, isUncertain: true))
        await again.close()
        #expect(try scratch.texts("SELECT what FROM incidents") == ["found empty"])
    }

    @Test(arguments: [false, true])
    func `of one whose log is gone with all that was in the file, the lock shows since when, too`(
        hasTables: Bool
    ) async throws {
        let scratch = try Scratch()
        // Before the log is first moved into the file, the file has only a header, or tables without rows.
        if hasTables {
            try await scratch.open().close()
            try scratch.execute("DELETE FROM buffer")
        } else {
            try scratch.execute("PRAGMA journal_mode = WAL")
        }
        try Data("4711 1767600000\n".utf8).write(to: URL(fileURLWithPath: scratch.ticks + ".lock"))
        let again = try scratch.open()
        #expect(again.previousLife == PreviousLife(end: 1_767_600_000_000, isUncertain: true))
        await again.close()
        #expect(try scratch.texts("SELECT what FROM incidents") == ["found empty"])
    }
}
