import Dispatch
import GRDBSQLite
import Glibc
import Synchronization

/// SQLite's own check of every page of a file, limited in how long it keeps its snapshot.
///
/// `PRAGMA integrity_check` reads each page once for the trees and each row once more for the values: about twice the
/// file. All of it is one snapshot, which keeps a running collector from emptying its log; so the check is given up
/// when that log has grown by ``mostLog``.
struct StructureCheck {
    /// How much the log of a running collector may grow meanwhile, in bytes.
    static let mostLog: Int64 = 32 << 20
    /// The number of faults that are reported individually.
    static let mostFaults = 50

    private struct Target: @unchecked Sendable {
        let database: OpaquePointer
    }

    /// The result of a check.
    struct Outcome {
        var messages: [String] = []
        var wasGivenUp = false
    }

    /// Runs the check; `progress` is called with the number of bytes read so far.
    static func run(
        on handle: ReadHandle, progress: @escaping @Sendable (Int64) -> Void
    ) throws(StoreError) -> Outcome {
        let log = handle.path + "-wal"
        let allowed = StoreFile.size(of: log) + mostLog
        let target = Target(database: handle.database)
        let start = bytesRead()
        let timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "EdgeTick.verify"))
        timer.schedule(deadline: .now() + .milliseconds(200), repeating: .milliseconds(200))
        let ended = DispatchSemaphore(value: 0)
        let flag = GivenUp()
        timer.setEventHandler {
            progress(bytesRead() - start)
            guard StoreFile.size(of: log) > allowed else { return }
            flag.value.store(true, ordering: .relaxed)
            sqlite3_interrupt(target.database)
        }
        timer.setCancelHandler { ended.signal() }
        timer.activate()
        defer {
            timer.cancel()
            // The connection must stay open as long as the handler may use it.
            ended.wait()
        }
        var outcome = Outcome()
        do throws(StoreError) {
            try handle.rows("PRAGMA integrity_check(\(mostFaults))") { row in
                let text = row.text(0)
                if text != "ok" { outcome.messages += text.split(separator: "\n").map(String.init) }
            }
        } catch {
            guard flag.value.load(ordering: .relaxed) else { throw error }
            outcome.wasGivenUp = true
        }
        return outcome
    }

    private final class GivenUp: Sendable {
        let value = Atomic<Bool>(false)
    }

    /// The number of bytes that this process has read so far, as counted by the kernel; 0 if that is not available.
    private static func bytesRead() -> Int64 {
        let descriptor = open("/proc/self/io", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return 0 }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = read(descriptor, &bytes, bytes.count)
        let line = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).prefix { $0 != "\n" }
        return line.split(separator: " ").last.flatMap { Int64($0) } ?? 0
    }
}
