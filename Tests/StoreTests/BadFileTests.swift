import Foundation
import GRDB
import Logging
import MarketData
import Migrations
import TestSupport
import Testing

@testable import Store

/// A file that can't be used is renamed and never overwritten.
@Suite(.blocking, .timeLimit(.minutes(5))) struct BadFileTests {
    @Test func `garbage is set aside unchanged and a fresh file is started`() async throws {
        let scratch = try Scratch()
        let garbage = Data((0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ 7) })
        try garbage.write(to: URL(fileURLWithPath: scratch.ticks))
        let buffer = try scratch.open()
        let names = try scratch.files(beginning: "ticks-bad-")
        #expect(names.count == 1)
        #expect(buffer.statistics.setAside == names.map { scratch.path + "/" + $0 })
        #expect(try Data(contentsOf: URL(fileURLWithPath: scratch.path + "/" + names[0])) == garbage)
        try await buffer.collect(.bars(5))
        #expect(buffer.statistics[.bars].marks.last == 5)
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

    @Test func `who collects nothing leaves a bad file as it is, and makes none where rows should be`() throws {
        let scratch = try Scratch()
        let file = URL(fileURLWithPath: scratch.ticks)
        func refusal() -> StoreError.Reason? {
            let error = #expect(throws: StoreError.self) {
                _ = try scratch.open {
                    $0.isCollecting = false
                    $0.makesFile = false
                }
            }
            return error?.reason
        }
        #expect(refusal() == .missing)
        #expect(try scratch.files(beginning: "ticks") == [])
        let bad: [(Data, StoreError.Reason)] = [(Data(), .missing), (Data("not a database".utf8), .damaged)]
        for (bytes, reason) in bad {
            try bytes.write(to: file)
            #expect(refusal() == reason)
            #expect(try Data(contentsOf: file) == bytes)
        }
        try FileManager.default.removeItem(at: file)
        try scratch.execute("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (42)")
        #expect(refusal() == .foreign)
        // Not even a lock, whose date would say that somebody used the file.
        #expect(try scratch.files(beginning: "ticks") == ["ticks.sqlite"])
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
        let (scratch, buffer) = try Scratch.opened()
        let batch = EventBatch.trades(5)
        let newest = try #require(batch.trades.last?.time)
        #expect(buffer.offer(batch) == .accepted)
        try await buffer.collect(.bars(5))
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
        let (scratch, buffer) = try await Scratch.opened(with: .bars(5))
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
        try await buffer.collect(.bars(5))
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

    /// Who read a file that a crash had left without its log.
    enum Onlooker: CaseIterable, Sendable {
        case nobody
        /// A program that has ended.
        case before
        /// A program that has the file open.
        case still
    }

    @Test(arguments: Onlooker.allCases)
    func `a file that a crash left without its log, while another was to take its place, gets it back`(
        onlooker: Onlooker
    ) async throws {
        let (scratch, buffer) = try await Scratch.opened(with: .bars(5))
        await buffer.close()
        // A commit that only the log has.
        let log = scratch.ticks + "-wal"
        try Command.sqlite(
            scratch.ticks, ".dbconfig no_ckpt_on_close on", "UPDATE streams SET acknowledged = 3 WHERE stream = 'bars'")
        #expect(try Data(contentsOf: URL(fileURLWithPath: log)).count > 0)
        for suffix in ["", "-wal"] {
            try Command.run([
                "/bin/ln", scratch.ticks + suffix, scratch.path + "/ticks-bad-20261127T100000Z.sqlite" + suffix,
            ])
        }
        for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: scratch.ticks + suffix) }
        var reader: ChildProcess?
        defer { reader?.send(SIGKILL) }
        switch onlooker {
        case .nobody: break
        case .before: try Data().write(to: URL(fileURLWithPath: log))
        case .still:
            let program = """
                import sqlite3, sys, time
                file = sqlite3.connect(sys.argv[1])
                print("bars:", file.execute("SELECT count(*) FROM bars").fetchall(), flush=True)
                time.sleep(600)
                """
            let started = try ChildProcess("/usr/bin/env", ["python3", "-c", program, scratch.ticks])
            reader = started
            try await started.line(containing: "bars: [(5,)]")
        }
        let again = try scratch.open()
        #expect(again.statistics[.bars].marks.acknowledged == 3 && again.statistics[.bars].marks.last == 5)
        #expect(try scratch.files(beginning: "ticks-bad-") == [])
        #expect(again.statistics.setAside == [])
        await again.close()
        #expect(try FileVerifier.verify(scratch.ticks, as: .ticks).findings == [])
    }

    @Test func `a file that is set aside has its log beside one of its names at every moment`() throws {
        let scratch = try Scratch()
        for suffix in ["", "-wal"] { try Data("x".utf8).write(to: URL(fileURLWithPath: scratch.ticks + suffix)) }
        // The kernel reports each change of the directory in its order.
        let watch = inotify_init()
        defer { close(watch) }
        let changes = UInt32(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
        #expect(inotify_add_watch(watch, scratch.path, changes) >= 0)
        _ = try StoreFile(path: scratch.ticks, kind: .ticks).setAside(now: 1_790_000_000)
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = read(watch, &bytes, bytes.count)
        var names: Set<String> = ["ticks.sqlite", "ticks.sqlite-wal"]
        var place = 0
        while place < count {
            // The fields of an inotify_event; its name follows.
            let fields = bytes.withUnsafeBytes { bytes in
                (0..<4).map { bytes.loadUnaligned(fromByteOffset: place + $0 * 4, as: UInt32.self) }
            }
            let (mask, length) = (Int32(fields[1]), Int(fields[3]))
            let name = String(decoding: bytes[(place + 16)...].prefix(length).prefix { $0 != 0 }, as: UTF8.self)
            place += 16 + length
            if mask & (IN_CREATE | IN_MOVED_TO) != 0 { names.insert(name) } else { names.remove(name) }
            // The other half of a renaming follows at once.
            guard mask & IN_MOVED_FROM == 0 else { continue }
            #expect(names.contains { names.contains($0 + "-wal") }, "\(names)")
        }
        #expect(names.count == 2 && !names.contains("ticks.sqlite"), "\(names)")
    }

    @Test func `a log of a file that was written since a crash stays beside the file's second name`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        await buffer.close()
        let second = scratch.path + "/ticks-bad-20261127T100000Z.sqlite"
        try Command.run(["/bin/ln", scratch.ticks, second])
        try Data(repeating: 7, count: 5000).write(to: URL(fileURLWithPath: second + "-wal"))
        // The file system may count time in steps of some milliseconds.
        usleep(50_000)
        try scratch.execute("UPDATE buffer SET created_us = created_us + 1")
        let again = try scratch.open()
        let names = try scratch.files(beginning: "ticks-bad-")
        #expect(
            names == [
                "ticks-bad-20261127T100000Z.sqlite", "ticks-bad-20261127T100000Z.sqlite-wal",
            ])
        await again.close()
    }

    @Test func `a newer schema is refused and not a byte is changed`() async throws {
        let (scratch, buffer) = try await Scratch.opened(with: .bars(5))
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
        #expect(again.statistics[.bars].marks.last == 5)
        await again.close()
    }

    @Test func `the file says whose it is and in which version`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        await buffer.close()
        #expect(try scratch.number("PRAGMA application_id") == 0x4554_7431)
        #expect(try scratch.number("PRAGMA user_version") == LocalMigrations.ticks.last.map { Int64($0.version) })
        #expect(try scratch.rows("PRAGMA journal_mode")[0][0] == "wal")
        #expect(try scratch.rows("SELECT id FROM buffer")[0][0] == buffer.id)
    }

    @Test func `damage found while uploading keeps what stands before it and starts a fresh file`() async throws {
        let (scratch, first) = try await Scratch.opened(with: .bars(20_000))
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
        try await buffer.collect(.bars(10))
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
        let (scratch, buffer) = try Scratch.opened()
        let gap = Gap(
            connection: "primary", symbols: [Symbol("IBM")!], events: [.trade], from: 1, to: 2, cause: .disconnected)
        buffer.record(GapChange(gaps: [gap]))
        try await buffer.collect(.trades(5))
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
        try await buffer.collect(.trades(2))
        try await read()
        #expect(try await buffer.nextBatch(of: .trades, limit: 10)?.firstSequence == 6)
        #expect(
            try scratch.rows("SELECT count FROM drops WHERE reason = 'file_set_aside'").map { $0[0] as Int64 } == [5])
        await buffer.close()
    }

    @Test func `a file that is removed under the buffer is noticed, counted and made again`() async throws {
        let (scratch, buffer) = try await Scratch.opened(with: .bars(10))
        for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: scratch.ticks + suffix) }
        try await Waiting.until { FileManager.default.fileExists(atPath: scratch.ticks) }
        #expect(buffer.offer(.bars(5)) == .accepted)
        try await Waiting.until { buffer.statistics[.bars].marks.last == 15 }
        #expect(try scratch.number("SELECT min(seq) FROM bars") == 11)
        #expect(try scratch.number("SELECT sum(count) FROM drops WHERE reason = 'vanished'") == 10)
        #expect(buffer.statistics[.bars].pending == 5)
        await buffer.close()
    }

    /// SQLite keeps the log where the link leads, so each commit would look as if the log had been removed.
    @Test(arguments: [true, false])
    func `a link in the buffer's place is refused and left alone, a link to its directory is not`(
        leadsToFile: Bool
    ) async throws {
        let scratch = try Scratch()
        let target = try Scratch()
        if leadsToFile { try await target.open().close() }
        try FileManager.default.createSymbolicLink(atPath: scratch.ticks, withDestinationPath: target.ticks)
        let error = #expect(throws: StoreError.self) { _ = try scratch.open() }
        #expect(error?.reason == .linked && error?.isRetryable == false)
        #expect(error?.description.contains("EDGETICK_DATA_DIR") == true)
        #expect(try scratch.files(beginning: "ticks.sqlite.lock") == [])
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: scratch.ticks) == target.ticks)

        let directory = scratch.path + "/data"
        try FileManager.default.createSymbolicLink(atPath: directory, withDestinationPath: target.path)
        let buffer = try TickBuffer.open(
            directory: directory, options: .init(collector: "tests"), logger: .init(label: "tests"))
        try await buffer.collect(.bars(5))
        #expect(buffer.statistics[.bars].marks.last == 5)
        #expect(try target.number("SELECT count(*) FROM incidents WHERE what = 'file changed'") == 0)
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
