import Foundation
import Glibc
import Logging
import MarketData
import Synchronization
import TestSupport
import Testing

@testable import Store

/// A disk that syncs slowly, fails to sync, or takes no writes: the connections are never held up, and what was
/// reported durable is there, once.
@Suite(.blocking, .serialized, .timeLimit(.minutes(5)))
struct BrokenDiskTests {
    @Test func `syncs of two seconds hold up no connection, and memory stays bounded`() async throws {
        let scratch = try Scratch()
        let path = scratch.path
        await #expect(processExitsWith: .success) { [path = path as String] in
            let buffer = try BrokenDiskTests.open(path)
            DiskFault.syncDelay.store(2_000_000, ordering: .relaxed)
            var (accepted, refused) = (0, 0)
            // Offers that began and returned within one sync. A clock would also count a pause of the whole machine.
            var passed = 0
            let end = ContinuousClock.now + .seconds(60)
            while passed < 1000 || refused == 0 || DiskFault.hits.load(ordering: .relaxed) < 3 {
                guard ContinuousClock.now < end else { exit(32) }
                let sync = DiskFault.slowSync.load(ordering: .sequentiallyConsistent)
                let admission = buffer.offer(.bars(100, from: accepted))
                if admission == .refused { refused += 100 } else { accepted += 100 }
                let statistics = buffer.statistics
                guard statistics.queuedBytes <= 1 << 20 else { exit(30) }
                if sync > 0, DiskFault.slowSync.load(ordering: .sequentiallyConsistent) == sync {
                    passed += 1
                    guard admission == .refused || statistics[.bars].marks.last < accepted else { exit(33) }
                }
                usleep(1000)
            }
            DiskFault.syncDelay.store(0, ordering: .relaxed)
            try await BrokenDiskTests.expect(accepted, in: buffer)
            guard buffer.statistics.drops == refused else { exit(34) }
            await buffer.close()
            exit(0)
        }
        #expect(try FileVerifier.verify(scratch.ticks, as: .ticks).findings == [])
    }

    @Test(arguments: [1, 2, 5])
    func `after syncs that failed the file is opened again and the batch is there once`(failures: Int) async throws {
        let scratch = try Scratch()
        let path = scratch.path
        await #expect(processExitsWith: .success) { [path = path as String, failures = failures as Int] in
            // Nothing is written before a flush asks for it, so that the flush hears of the first attempt.
            let buffer = try BrokenDiskTests.open(path, commitInterval: .fixed(.seconds(60)))
            var accepted = 0
            for _ in 0..<20 {
                _ = buffer.offer(.bars(100, from: accepted))
                accepted += 100
                try await buffer.flush()
            }
            DiskFault.failingSyncs.store(failures, ordering: .relaxed)
            _ = buffer.offer(.bars(100, from: accepted))
            accepted += 100
            let error = await buffer.flushError()
            guard error?.reason == .inputOutput else { exit(40) }
            guard DiskFault.hits.load(ordering: .relaxed) > 0 else { exit(41) }
            for _ in 0..<5 {
                _ = buffer.offer(.bars(100, from: accepted))
                accepted += 100
            }
            try await BrokenDiskTests.expect(accepted, in: buffer, flushing: true)
            guard DiskFault.hits.load(ordering: .relaxed) == failures else { exit(42) }
            guard (try? await Waiting.until("the state", { buffer.statistics.state == .writing })) != nil else {
                exit(43)
            }
            guard buffer.statistics.drops == 0, buffer.statistics.setAside.isEmpty else { exit(44) }
            await buffer.close()
            exit(0)
        }
        #expect(try scratch.number("SELECT count(*) FROM bars") == 2600)
        #expect(try FileVerifier.verify(scratch.ticks, as: .ticks).findings == [])
    }

    @Test(arguments: [3, 8, 12, 15])
    func `a sync that fails while a file that is gone is replaced costs no later row and counts no loss twice`(
        passing: Int
    ) async throws {
        let scratch = try Scratch()
        let path = scratch.path
        await #expect(processExitsWith: .success) { [path = path as String, passing = passing as Int] in
            let buffer = try BrokenDiskTests.open(path)
            _ = buffer.offer(.bars(100))
            try await buffer.flush()
            DiskFault.passingSyncs.store(passing, ordering: .relaxed)
            DiskFault.failingSyncs.store(3, ordering: .relaxed)
            for suffix in ["", "-wal", "-shm"] { unlink(path + "/ticks.sqlite" + suffix) }
            // The writer looks once a second.
            guard (try? await Waiting.until("the fault", { DiskFault.hits.load(ordering: .relaxed) > 0 })) != nil
            else { exit(70) }
            var accepted = 100
            for _ in 0..<20 {
                _ = buffer.offer(.bars(10, from: accepted))
                accepted += 10
                _ = await buffer.flushError()
            }
            let expected = Int64(accepted)
            guard (try? await Waiting.until("the rows", { buffer.statistics[.bars].marks.last == expected })) != nil
            else { exit(71) }
            try await buffer.flush()
            guard buffer.statistics.drops == 100, buffer.statistics.setAside.isEmpty else { exit(72) }
            await buffer.close()
            exit(0)
        }
        #expect(try scratch.number("SELECT count(*) FROM bars") == 200)
        #expect(try scratch.number("SELECT sum(count) FROM drops") == 100)
        #expect(try scratch.number("SELECT count(*) FROM incidents WHERE what = 'file changed'") == 1)
    }

    @Test(arguments: [EROFS, EIO])
    func `a file system that takes no writes any more is named, and everything is written when it does`(
        number: Int32
    ) async throws {
        let scratch = try Scratch()
        let path = scratch.path
        await #expect(processExitsWith: .success) { [path = path as String, number = number as Int32] in
            let buffer = try BrokenDiskTests.open(path)
            _ = buffer.offer(.bars(100))
            try await buffer.flush()
            var accepted = 100
            DiskFault.writeError.store(number, ordering: .relaxed)
            var refused = 0
            while refused == 0 {
                if buffer.offer(.bars(100, from: accepted)) == .refused { refused += 100 } else { accepted += 100 }
            }
            guard await buffer.flushError() != nil else { exit(50) }
            guard DiskFault.hits.load(ordering: .relaxed) > 0 else { exit(51) }
            guard case .failing(let message) = buffer.statistics.state else { exit(52) }
            guard message.contains(path), message.contains("SQLite") else { exit(53) }
            guard buffer.statistics[.bars].marks.last == 100 else { exit(54) }
            guard buffer.statistics.queuedBytes <= 1 << 20 else { exit(55) }
            DiskFault.writeError.store(0, ordering: .relaxed)
            try await BrokenDiskTests.expect(accepted, in: buffer)
            guard buffer.statistics.drops == refused, buffer.statistics.setAside.isEmpty else { exit(56) }
            await buffer.close()
            exit(0)
        }
        #expect(try FileVerifier.verify(scratch.ticks, as: .ticks).findings == [])
    }

    @Test func `what a closing buffer gives up stays counted, although the file can still be opened and read`()
        async throws
    {
        let scratch = try Scratch()
        let path = scratch.path
        await #expect(processExitsWith: .success) { [path = path as String] in
            DiskFault.install()
            let log = CapturedLog()
            let options = TickBuffer.Options(collector: "child", commitInterval: .fixed(.milliseconds(5)))
            let buffer = try TickBuffer.open(directory: path, options: options, logger: log.logger)
            _ = buffer.offer(.bars(100))
            try await buffer.flush()
            DiskFault.writeError.store(EIO, ordering: .relaxed)
            _ = buffer.offer(.bars(100, from: 100))
            guard await buffer.flushError() != nil else { exit(100) }
            // They wait while the writer tries the others, and are given up after those.
            _ = buffer.offer(.bars(50, from: 200))
            await buffer.close()
            guard log.lines(with: "events were lost").count == 2 else { exit(101) }
            guard buffer.statistics.drops == 150 else { exit(102) }
            guard log.lines(with: "works again").isEmpty else { exit(103) }
            exit(0)
        }
        #expect(try scratch.number("SELECT count(*) FROM bars") == 100)
    }

    @Test(.enabled(if: geteuid() != 0, "root may write every file"))
    func `a file that may only be read is named, and no collector starts that could not write it`() async throws {
        let (scratch, buffer) = try await Scratch.opened(with: .bars(10))
        await buffer.close()
        chmod(scratch.ticks, 0o400)
        let error = #expect(throws: StoreError.self) { _ = try scratch.open() }
        #expect(error?.reason == .notWritable && error?.path == scratch.ticks)
        chmod(scratch.ticks, 0o600)
        try await scratch.open().close()
    }

    @Test func `what a COMMIT upstream relies on is synced even where commits are not`() async throws {
        let scratch = try Scratch()
        let path = scratch.path
        await #expect(processExitsWith: .success) { [path = path as String] in
            let buffer = try BrokenDiskTests.open(
                path, commitInterval: .fixed(.seconds(60)), synchronous: .normal)
            _ = buffer.offer(.bars(100))
            try await buffer.flush()
            let isWritten: @Sendable () async -> Bool = { await buffer.flushError() == nil }

            DiskFault.failingSyncs.store(1, ordering: .relaxed)
            _ = buffer.offer(.bars(100, from: 100))
            guard await isWritten(), DiskFault.hits.load(ordering: .relaxed) == 0 else { exit(80) }
            let letter = DeadLetter(stream: .bars, sequence: 7, sqlState: "23514", reason: "check", row: "{}")
            do throws(StoreError) {
                try await buffer.addDeadLetters([letter])
                exit(81)
            } catch {
                guard error.reason == .inputOutput, DiskFault.hits.load(ordering: .relaxed) == 1 else { exit(82) }
            }
            guard (try? await Waiting.until("the letter", isWritten)) != nil else { exit(83) }

            DiskFault.failingSyncs.store(1, ordering: .relaxed)
            do throws(StoreError) {
                try await buffer.prepare(UploadMove(stream: .bars, token: "a", through: 100, settled: nil))
                exit(84)
            } catch {
                guard error.reason == .inputOutput, DiskFault.hits.load(ordering: .relaxed) == 2 else { exit(85) }
            }
            guard (try? await Waiting.until("the move", isWritten)) != nil else { exit(86) }
            await buffer.close()
            exit(0)
        }
        #expect(try scratch.number("SELECT count(*) FROM bars") == 200)
        #expect(try scratch.number("SELECT count(*) FROM dead_letters") == 1)
        #expect(try scratch.number("SELECT count(*) FROM moves") == 1)
    }

    @Test func `what a full disk keeps out of the file is not taken for stored when a deletion after it fails`()
        async throws
    {
        let scratch = try Scratch()
        let path = scratch.path
        await #expect(processExitsWith: .success) { [path = path as String] in
            let buffer = try BrokenDiskTests.open(path)
            _ = buffer.offer(.bars(1000))
            try await buffer.flush()
            await buffer.close()

            let gap = Gap(
                connection: "primary", symbols: [], events: [.minuteBar], from: 1000, to: 2000, cause: .stalled)
            var carried = CarriedLosses()
            carried.gaps = [gap]
            carried.incidents = [Incident("file changed", detail: "tests")]
            let (writer, board) = try BrokenDiskTests.writer(path, carrying: carried)
            // The upkeep opens the file again and has to store them.
            writer.file.closeAfterFailure()
            DiskFault.writeError.store(ENOSPC, ordering: .relaxed)
            _ = writer.keepUp()
            guard DiskFault.hits.load(ordering: .relaxed) > 0 else { exit(90) }
            guard board.current.state == .diskFull else { exit(91) }
            DiskFault.writeError.store(0, ordering: .relaxed)

            // It begins the log, so that the deletion needs one sync.
            try writer.signLife()
            // The second one fails as the connection closes, so that the log stays and the deletion is found in it.
            DiskFault.failingSyncs.store(2, ordering: .relaxed)
            do throws(StoreError) {
                _ = try writer.deleteStep(50)
                exit(92)
            } catch {
                guard error.reason == .inputOutput else { exit(93) }
            }
            writer.file.closeAfterFailure()
            guard DiskFault.failingSyncs.load(ordering: .relaxed) == 0 else { exit(94) }
            _ = try writer.file.reopen()
            guard board.current[.bars].marks.deleted == 50 else { exit(95) }
            guard writer.file.carried.gaps == [gap], writer.file.carried.incidents.count == 1 else { exit(96) }
            try writer.file.storeCarried()
            writer.file.closeAfterFailure()
            exit(0)
        }
        #expect(try scratch.number("SELECT count(*) FROM gaps") == 1)
        #expect(try scratch.number("SELECT count(*) FROM incidents WHERE what = 'file changed'") == 1)
        #expect(try scratch.number("SELECT sum(count) FROM drops") == 50)
        #expect(try scratch.number("SELECT count(*) FROM bars") == 950)
    }

    /// The writer of a buffer without its thread: a test takes each of its steps.
    private static func writer(
        _ path: String, carrying carried: CarriedLosses
    ) throws -> (writer: TickWriter, board: Board) {
        var options = TickBuffer.Options(collector: "child")
        options.isCollecting = false
        let logger = Logger(label: "child")
        let file = StoreFile(.ticks, in: path)
        let lock = try FileLock.acquire(file.path + ".lock", locksDirectory: true, isCollecting: false)
        let opened = try OpenedTicks.open(file, lock: lock, options: options, logger: logger)
        let losing = OpenedTicks(
            connection: opened.connection, identity: opened.identity, contents: opened.contents, totals: opened.totals,
            previousLife: opened.previousLife, greatestReceipt: opened.greatestReceipt, line: opened.line,
            carried: carried)
        let board = Board(losing, setAside: [])
        let writer = TickWriter(
            file: file, lock: lock, options: options, opened: losing,
            handOver: HandOver(limit: 1 << 20, interval: .fixed(.seconds(60))), board: board, logger: logger)
        return (writer, board)
    }

    private static func open(
        _ path: String, commitInterval: CommitInterval = .fixed(.milliseconds(5)),
        synchronous: TickBuffer.Synchronous = .full
    ) throws -> TickBuffer {
        DiskFault.install()
        var options = TickBuffer.Options(collector: "child", commitInterval: commitInterval)
        options.synchronous = synchronous
        options.queueBytes = 1 << 20
        // A sign of life could meet the fault in place of the events.
        options.isCollecting = false
        return try TickBuffer.open(directory: path, options: options, logger: Logger(label: "child"))
    }

    /// Waits until all rows are durable, and ends the process if one is missing, doubled or wrong.
    ///
    /// - Parameter flushing: Asks for each attempt to write, where the buffer would make none by itself for long.
    private static func expect(_ rows: Int, in buffer: TickBuffer, flushing: Bool = false) async throws {
        let isThere: @Sendable () async -> Bool = {
            if flushing { _ = await buffer.flushError() }
            return buffer.statistics[.bars].marks.last == Int64(rows)
        }
        guard (try? await Waiting.until("the rows", within: .seconds(60), isThere)) != nil else { exit(20) }
        var after: Int64 = 0
        while let batch = try await buffer.nextBatch(of: .bars, after: after, limit: 1000) {
            for row in batch.bars {
                after += 1
                guard row.sequence == after, row.event.volume == Double(after - 1) else { exit(21) }
            }
        }
        guard after == rows else { exit(22) }
        try await buffer.flush()
    }
}
