import Dispatch
import GRDBSQLite
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

    /// What the timer's handler uses; any thread may interrupt a connection.
    private final class Target: @unchecked Sendable {
        let database: OpaquePointer
        let isGivenUp = Atomic<Bool>(false)

        init(_ database: OpaquePointer) { self.database = database }
    }

    /// Runs the check; `progress` is called with the number of bytes read so far.
    static func run(
        on handle: ReadHandle, progress: @escaping @Sendable (Int64) -> Void
    ) throws(StoreError) -> (messages: [String], wasGivenUp: Bool) {
        let log = handle.path + "-wal"
        let allowed = StoreFile.size(of: log) + mostLog
        let target = Target(handle.database)
        let start = bytesRead()
        let timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "EdgeTick.verify"))
        timer.schedule(deadline: .now() + .milliseconds(200), repeating: .milliseconds(200))
        let ended = DispatchSemaphore(value: 0)
        timer.setEventHandler {
            progress(bytesRead() - start)
            guard StoreFile.size(of: log) > allowed else { return }
            target.isGivenUp.store(true, ordering: .relaxed)
            sqlite3_interrupt(target.database)
        }
        timer.setCancelHandler { ended.signal() }
        timer.activate()
        defer {
            timer.cancel()
            // The connection must stay open as long as the handler may use it.
            ended.wait()
        }
        var messages: [String] = []
        do throws(StoreError) {
            try handle.rows("PRAGMA integrity_check(\(mostFaults))") { row in
                let text = row.text(0)
                if text != "ok" { messages += text.split(separator: "\n").map(String.init) }
            }
        } catch {
            guard target.isGivenUp.load(ordering: .relaxed) else { throw error }
            return (messages, true)
        }
        return (messages, false)
    }

    /// The number of bytes that this process has read so far, as counted by the kernel; 0 if that is not available.
    private static func bytesRead() -> Int64 {
        let text = PrivateFile.beginning(of: "/proc/self/io", 256) ?? []
        let line = String(decoding: text, as: UTF8.self).prefix { $0 != "\n" }
        return line.split(separator: " ").last.flatMap { Int64($0) } ?? 0
    }
}
