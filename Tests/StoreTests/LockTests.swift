import Foundation
import Glibc
import Logging
import MarketData
import Synchronization
import TestSupport
import Testing

@testable import Store

/// One process holds a buffer; whoever comes second is told who.
@Suite(.timeLimit(.minutes(5))) struct LockTests {
    @Test func `a second opener in the same process is refused at once with the holder's id`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        // A loaded machine may stand still for a while, but hardly three times.
        var took = Duration.seconds(60)
        for _ in 0..<3 where took >= .seconds(4) {
            let start = ContinuousClock.now
            let error = #expect(throws: StoreError.self) { _ = try scratch.open() }
            took = min(took, ContinuousClock.now - start)
            #expect(error?.reason == .inUse(holder: getpid()))
            #expect(error?.description.contains("process \(getpid())") == true)
            #expect(error?.description.contains("EDGETICK_DATA_DIR") == true)
        }
        #expect(took < .seconds(4))
        await buffer.close()
        let again = try scratch.open()
        await again.close()
    }

    @Test func `another process is refused with this one's id`() async throws {
        let scratch = try Scratch()
        let path = scratch.path
        let buffer = try scratch.open()
        let holder = getpid()
        await #expect(processExitsWith: .success) { [path = path as String, holder = holder as Int32] in
            do throws(StoreError) {
                _ = try TickBuffer.open(
                    directory: path, options: .init(collector: "child"), logger: Logger(label: "child"))
                exit(2)
            } catch {
                exit(error.reason == .inUse(holder: holder) ? 0 : 3)
            }
        }
        await buffer.close()
    }

    @Test func `a killed holder leaves no stale lock and nothing durable is lost`() async throws {
        let scratch = try Scratch()
        let path = scratch.path
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let buffer = try TickBuffer.open(
                directory: path, options: .init(collector: "child"), logger: Logger(label: "child"))
            _ = buffer.offer(.bars(100))
            try await buffer.flush()
            kill(getpid(), SIGKILL)
        }
        let text = try String(contentsOfFile: scratch.ticks + ".lock", encoding: .utf8)
        #expect(text.isEmpty == false)
        #expect(FileLock.holder(of: scratch.ticks + ".lock") == nil)
        let buffer = try scratch.open()
        #expect(FileLock.holder(of: scratch.ticks + ".lock")?.processID == getpid())
        #expect(buffer.statistics[.bars].marks.last == 100)
        await buffer.close()
    }

    @Test func `a command leaves in the lock file until when a collector is known to have held it`() throws {
        let scratch = try Scratch()
        let path = scratch.path + "/some.lock"
        let first = try FileLock.acquire(path)
        #expect(first.lastHeld == nil)
        first.release()
        let collector = try FileLock.acquire(path, isCollecting: true)
        #expect(collector.lastHeld == nil)
        collector.release()
        let stopped = Date(timeIntervalSince1970: 1_700_000_000)
        try FileManager.default.setAttributes([.modificationDate: stopped], ofItemAtPath: path)
        let command = try FileLock.acquire(path)
        #expect(command.lastHeld == 1_700_000_000)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        command.release()
        // A command that is killed leaves its text.
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        for isCollecting in [false, true] {
            let next = try FileLock.acquire(path, isCollecting: isCollecting)
            #expect(next.lastHeld == 1_700_000_000)
            next.release()
        }
        let last = try FileLock.acquire(path, isCollecting: true)
        #expect(try #require(last.lastHeld) > 1_700_000_000)
        last.release()
    }

    @Test func `a lock that was given up holds no longer, also where a child has its descriptors still`() throws {
        let scratch = try Scratch()
        let path = scratch.path + "/some.lock"
        let lock = try FileLock.acquire(path, locksDirectory: true)
        // As in a forked child that has not called exec yet.
        let copies = try Self.descriptors(of: [path, scratch.path]).map { dup($0) }
        defer { for copy in copies { close(copy) } }
        #expect(copies.count == 2)
        lock.release()
        try FileLock.acquire(path, patience: .zero, locksDirectory: true).release()
    }

    @Test func `a directory that is gone is made again with those above it, and an error says where that can't be`()
        throws
    {
        let scratch = try Scratch()
        let above = scratch.path + "/above"
        try FileManager.default.createDirectory(atPath: above + "/data", withIntermediateDirectories: true)
        let lock = try FileLock.acquire(above + "/data/some.lock", locksDirectory: true)
        try FileManager.default.removeItem(atPath: above)
        try lock.renew()
        #expect(lock.isInPlace)
        try FileManager.default.removeItem(atPath: above)
        _ = try scratch.write("", to: "above")
        let error = #expect(throws: StoreError.self) { try lock.renew() }
        #expect(
            error?.description.contains("cannot make the data directory \(above)/data: it is not a directory") == true)
        lock.release()
    }

    @Test func `who asks for the holder learns whether it collects`() async throws {
        let scratch = try Scratch()
        for isCollecting in [true, false] {
            let buffer = try scratch.open { $0.isCollecting = isCollecting }
            let report = try BufferReport.read(directory: scratch.path)
            #expect(report.holder?.processID == getpid() && report.holder?.isCollecting == isCollecting)
            #expect((report.collectorProcess == nil) == !isCollecting)
            await buffer.close()
        }
        // As an earlier version wrote it.
        let path = scratch.ticks + ".lock"
        let lock = try FileLock.acquire(path)
        let file = try #require(FileHandle(forWritingAtPath: path))
        try file.truncate(atOffset: 0)
        try file.write(contentsOf: Data("4711 1767600000\n".utf8))
        try file.close()
        let holder = FileLock.holder(of: path)
        #expect(holder?.processID == 4711 && holder?.since == 1_767_600_000 && holder?.isCollecting == true)
        lock.release()
    }

    @Test func `looking at the holder does not keep a collector from starting`() async throws {
        let scratch = try Scratch()
        let lock = scratch.path + "/looked-at.lock"
        try FileLock.acquire(lock).release()
        let met = Atomic(false)
        let looking = Task.detached {
            while !Task.isCancelled {
                if FileLock.holder(of: lock) != nil { met.store(true, ordering: .relaxed) }
                await Task.yield()
            }
        }
        defer { looking.cancel() }
        var rounds = 0
        while rounds < 200 || !met.load(ordering: .relaxed) {
            try FileLock.acquire(lock).release()
            rounds += 1
            await Task.yield()
        }
    }

    @Test func `one who is held up while looking at the holder does not keep a collector from starting either`()
        async throws
    {
        let scratch = try Scratch()
        let lock = scratch.path + "/looked-at.lock"
        try FileLock.acquire(lock).release()
        let looking = open(lock, O_RDONLY | O_CLOEXEC)
        defer { close(looking) }
        #expect(flock(looking, LOCK_SH | LOCK_NB) == 0)
        let thread = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self")
        let ending = Task.detached {
            // One that found the lock taken sleeps between its tries, with the file open.
            try await Waiting.until("a collector that waits for the lock") {
                guard try Self.descriptors(of: [lock]).count == 2 else { return false }
                return try String(contentsOfFile: "/proc/\(thread)/stat", encoding: .utf8).contains(") S ")
            }
            flock(looking, LOCK_UN)
        }
        try FileLock.acquire(lock, patience: .zero).release()
        try await ending.value
    }

    /// Returns this process's descriptors of files and directories.
    private static func descriptors(of paths: [String]) throws -> [Int32] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap { name in
            let place = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(name)")
            return place.flatMap { paths.contains($0) ? Int32(name) : nil }
        }
    }
}
