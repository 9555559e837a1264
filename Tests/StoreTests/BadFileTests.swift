import Foundation
import GRDB
import Logging
import MarketData
import Migrations
import Store
import TestSupport
import Testing

/// A file that can't be used is renamed and never overwritten.
@Suite(.timeLimit(.minutes(5))) struct BadFileTests {
    @Test func `garbage is set aside unchanged and a fresh file is started`() async throws {
        let scratch = try Scratch()
        let garbage = Data((0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ 7) })
        try garbage.write(to: URL(fileURLWithPath: scratch.ticks))
        let buffer = try scratch.open()
        let names = try scratch.files(beginning: "ticks-bad-")
        #expect(names.count == 1)
        #expect(buffer.statistics.setAside == names.map { scratch.path + "/" + $0 })
        #expect(try Data(contentsOf: URL(fileURLWithPath: scratch.path + "/" + names[0])) == garbage)
        #expect(buffer.offer(.bars(5)) == .accepted)
        try await buffer.flush()
        #expect(buffer.statistics[.bars].lastSequence == 5)
        #expect(try scratch.number("SELECT count(*) FROM incidents WHERE what = 'set aside at the start'") == 1)
        await buffer.close()
    }

    @Test func `another program's database is set aside unchanged`() async throws {
        let scratch = try Scratch()
        try scratch.execute("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (42)")
        let before = try Data(contentsOf: URL(fileURLWithPath: scratch.ticks))
        let report = #expect(throws: StoreError.self) { _ = try BufferReport.read(directory: scratch.path) }
        #expect(report?.reason == .foreign)
        let buffer = try scratch.open()
        let names = try scratch.files(beginning: "ticks-bad-")
        #expect(names.count == 1)
        #expect(try Data(contentsOf: URL(fileURLWithPath: scratch.path + "/" + names[0])) == before)
        #expect(buffer.previousLife == nil)
        await buffer.close()
    }

    @Test func `two bad files in one second get two names`() async throws {
        let scratch = try Scratch()
        for round in 1...3 {
            try Data("not a database \(round)".utf8).write(to: URL(fileURLWithPath: scratch.ticks))
            for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: scratch.ticks + suffix) }
            let buffer = try scratch.open()
            await buffer.close()
            #expect(try scratch.files(beginning: "ticks-bad-").count == round)
        }
    }

    /// A restored backup has no lock file beside it.
    @Test(arguments: EventStream.allCases, [false, true])
    func `of a damaged file the newest events that can be read say since when events are missed`(
        damaged: EventStream, hasLock: Bool
    ) async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        let batch = EventBatch.trades(5)
        let newest = try #require(batch.trades.last?.time)
        #expect(buffer.offer(batch) == .accepted)
        #expect(buffer.offer(.bars(5)) == .accepted)
        try await buffer.flush()
        await buffer.close()
        try scratch.damage(table: damaged.rawValue)
        if !hasLock { try FileManager.default.removeItem(atPath: scratch.ticks + ".lock") }
        let fresh = try scratch.open()
        #expect(try !scratch.files(beginning: "ticks-bad-").isEmpty)
        let life = try #require(fresh.previousLife)
        #expect(life.isUncertain)
        #expect(life.newest[.trade] == (damaged == .trades ? nil : newest))
        #expect(life.newest[.minuteBar] != nil || damaged == .bars)
        // The next start reads it from the fresh file, although nothing was collected.
        let known = try #require(life.newest.values.max())
        #expect(try scratch.number("SELECT alive_us / 1000 FROM buffer") == min(life.end, known), "\(life)")
        await fresh.close()
    }

    @Test(arguments: [true, false], [-3600, 3600])
    func `of a file without a lock of which nothing can be read its date says since when events are missed`(
        isEmpty: Bool, age: Int64
    ) async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        #expect(buffer.offer(.bars(5)) == .accepted)
        try await buffer.flush()
        await buffer.close()
        try FileManager.default.removeItem(atPath: scratch.ticks + ".lock")
        if isEmpty {
            try Data().write(to: URL(fileURLWithPath: scratch.ticks))
        } else {
            try scratch.damage(page: 1, pages: 4)
        }
        let start = now() / 1000
        let date = start + age * 1000
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: Double(date) / 1000)], ofItemAtPath: scratch.ticks)
        let fresh = try scratch.open()
        let life = try #require(fresh.previousLife)
        // A date in the future says nothing.
        #expect(
            life.isUncertain && life.newest.isEmpty
                && (min(date, start) - 1...min(date, now() / 1000)).contains(life.end))
        let what = isEmpty ? "found empty" : "set aside at the start"
        let told = try scratch.texts("SELECT detail FROM incidents WHERE what = '\(what)'")
        #expect(told.count == 1 && told[0]?.contains("the file's newest event is not known") == true, "\(told)")
        await fresh.close()
    }

    @Test func `a file of no bytes is a fresh one`() async throws {
        let scratch = try Scratch()
        try Data().write(to: URL(fileURLWithPath: scratch.ticks))
        let buffer = try scratch.open()
        #expect(try scratch.files(beginning: "ticks-bad-") == [])
        #expect(buffer.offer(.bars(5)) == .accepted)
        try await buffer.flush()
        await buffer.close()
    }

    @Test func `a log whose file was emptied is kept, not deleted`() async throws {
        let scratch = try Scratch()
        try Data().write(to: URL(fileURLWithPath: scratch.ticks))
        let log = Data(repeating: 7, count: 5000)
        try log.write(to: URL(fileURLWithPath: scratch.ticks + "-wal"))
        let buffer = try scratch.open()
        let names = try scratch.files(beginning: "ticks-bad-").filter { $0.hasSuffix("-wal") }
        #expect(names.count == 1)
        #expect(try names.map { try Data(contentsOf: URL(fileURLWithPath: scratch.path + "/" + $0)) } == [log])
        await buffer.close()
    }

    @Test func `a newer schema is refused and not a byte is changed`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        #expect(buffer.offer(.bars(5)) == .accepted)
        try await buffer.flush()
        await buffer.close()
        try scratch.execute("PRAGMA user_version = 99")
        let before = try Data(contentsOf: URL(fileURLWithPath: scratch.ticks))
        let error = #expect(throws: StoreError.self) { _ = try scratch.open() }
        guard case .schemaTooNew(found: 99, known: _)? = error?.reason else {
            Issue.record("unexpected \(String(describing: error))")
            return
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: scratch.ticks)) == before)
        #expect(try scratch.files(beginning: "ticks-bad-") == [])
        // The lock is free again.
        try scratch.execute("PRAGMA user_version = \(LocalMigrations.ticks.count)")
        let again = try scratch.open()
        #expect(again.statistics[.bars].lastSequence == 5)
        await again.close()
    }

    @Test func `the file says whose it is and in which version`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        await buffer.close()
        #expect(try scratch.number("PRAGMA application_id") == 0x4554_7431)
        #expect(try scratch.number("PRAGMA user_version") == LocalMigrations.ticks.last.map { Int64($0.version) })
        #expect(try scratch.rows("PRAGMA journal_mode")[0][0] == "wal")
        #expect(try scratch.rows("SELECT id FROM buffer")[0][0] == buffer.id)
    }

    @Test func `damage found while uploading keeps what stands before it and starts a fresh file`() async throws {
        let scratch = try Scratch()
        let first = try scratch.open()
        #expect(first.offer(.bars(20_000)) == .accepted)
        try await first.flush()
        await first.close()
        try scratch.damageMiddle()

        let buffer = try scratch.open()
        let id = buffer.id
        let made = try scratch.number("SELECT created_us FROM buffer")
        var after: Int64 = 0
        var failure: StoreError?
        do {
            while let batch = try await buffer.nextBatch(of: .bars, after: after, limit: 1000) {
                #expect(batch.firstSequence == after + 1)
                after = batch.lastSequence ?? after
                try await buffer.acknowledge(.bars, through: after)
            }
        } catch {
            failure = error
        }
        #expect(after > 1000 && after < 20_000)
        #expect(failure?.reason == .damaged)
        try await Waiting.until { buffer.statistics.setAside.count == 1 }
        #expect(buffer.offer(.bars(10)) == .accepted)
        try await buffer.flush()
        #expect(buffer.id == id)
        #expect(try scratch.number("SELECT created_us FROM buffer") == made)
        #expect(buffer.statistics.drops == 20_000 - after)
        let batch = try #require(try await buffer.nextBatch(of: .bars, limit: 100))
        #expect(batch.bars.map(\.sequence) == Array(20_001...20_010))
        #expect(
            try scratch.rows("SELECT count FROM drops WHERE reason = 'file_set_aside'").map { $0[0] as Int64 }
                == [20_000 - after])
        #expect(try scratch.files(beginning: "ticks-bad-").count >= 1)
        await buffer.close()
        let again = try scratch.open()
        #expect(again.line.predecessors.map(\.id).last == id)
        #expect(again.statistics[.bars].pending == 10)
        await again.close()
    }

    /// The upload, the backfill and the other box of a pair read them; a commit that adds none does not.
    @Test(arguments: ["sqlite_autoindex_dead_letters_1", "drops", "gaps", "gap_fills"])
    func `damage of what the file says of its rows has a fresh file started by who meets it`(table: String) async throws
    {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        let gap = Gap(
            connection: "primary", symbols: [Symbol("IBM")!], events: [.trade], from: 1, to: 2, cause: .disconnected)
        buffer.record(GapChange(gaps: [gap]))
        #expect(buffer.offer(.trades(5)) == .accepted)
        try await buffer.flush()
        try await Waiting.until("the log is in the file") { try scratch.moveLog() }
        try scratch.damage(table: table)
        let read: () async throws -> Void = {
            if table.hasPrefix("gap") {
                _ = try await buffer.gaps(limit: 10)
            } else {
                _ = try await buffer.refusedRows(of: .trades, after: 0, through: 5)
            }
        }
        let error = await #expect(throws: StoreError.self) { try await read() }
        #expect(error?.reason == .damaged)
        try await Waiting.until { buffer.statistics.setAside.count == 1 }
        #expect(buffer.offer(.trades(2)) == .accepted)
        try await buffer.flush()
        try await read()
        #expect(try await buffer.nextBatch(of: .trades, limit: 10)?.firstSequence == 6)
        #expect(
            try scratch.rows("SELECT count FROM drops WHERE reason = 'file_set_aside'").map { $0[0] as Int64 } == [5])
        await buffer.close()
    }

    @Test func `a file that is removed under the buffer is noticed, counted and made again`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        #expect(buffer.offer(.bars(10)) == .accepted)
        try await buffer.flush()
        for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: scratch.ticks + suffix) }
        try await Waiting.until { FileManager.default.fileExists(atPath: scratch.ticks) }
        #expect(buffer.offer(.bars(5)) == .accepted)
        try await Waiting.until { buffer.statistics[.bars].lastSequence == 15 }
        #expect(try scratch.number("SELECT min(seq) FROM bars") == 11)
        #expect(try scratch.number("SELECT sum(count) FROM drops WHERE reason = 'vanished'") == 10)
        #expect(buffer.statistics[.bars].pending == 5)
        await buffer.close()
    }

    @Test func `a directory that can't be one is named in the error`() throws {
        let scratch = try Scratch()
        try Data("x".utf8).write(to: URL(fileURLWithPath: scratch.path + "/plain"))
        let error = #expect(throws: StoreError.self) {
            _ = try TickBuffer.open(
                directory: scratch.path + "/plain", options: .init(collector: "tests"), logger: .init(label: "tests"))
        }
        #expect(error?.reason == .notDirectory)
        #expect(error?.description.contains(scratch.path + "/plain") == true)
    }
}
