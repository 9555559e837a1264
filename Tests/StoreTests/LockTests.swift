import Foundation
import Glibc
import Logging
import MarketData
import Store
import TestSupport
import Testing

/// One process holds a buffer; whoever comes second is told who.
@Suite(.timeLimit(.minutes(5))) struct LockTests {
    @Test func `a second opener in the same process is refused at once with the holder's id`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        let start = ContinuousClock.now
        let error = #expect(throws: StoreError.self) { _ = try scratch.open() }
        #expect(ContinuousClock.now - start < .seconds(4))
        #expect(error?.reason == .inUse(holder: getpid()))
        #expect(error?.description.contains("process \(getpid())") == true)
        #expect(error?.description.contains("EDGETICK_DATA_DIR") == true)
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
        #expect(buffer.statistics[.bars].lastSequence == 100)
        await buffer.close()
    }

    @Test func `looking at the holder does not keep a collector from starting`() async throws {
        let scratch = try Scratch()
        let lock = scratch.path + "/looked-at.lock"
        try FileLock.acquire(lock).release()
        let looking = Task.detached {
            while !Task.isCancelled { _ = FileLock.holder(of: lock) }
        }
        for _ in 0..<200 { try FileLock.acquire(lock).release() }
        looking.cancel()
    }
}
