import Dispatch
import Synchronization

/// Writes log lines on its own thread, so that a stalled reader (Ctrl-S in a terminal, a stuck journal), a closed pipe
/// or a full disk holds up only the log.
///
/// The queue is bounded. Lines that don't fit or that can't be written are counted, and the count is logged as soon as
/// writing works again.
final class LogWriter: Sendable {
    static let standardError = LogWriter(descriptor: 2)

    private struct State {
        var waiting: [UInt8] = []
        var isWriting = false
        /// The number of lines lost since the last notice.
        var lost = 0
    }

    private let descriptor: Int32
    private let limit: Int
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "EdgeTick.log")

    /// Writes to an open descriptor; at most `limit` bytes wait.
    init(descriptor: Int32, limit: Int = 256 << 10) {
        self.descriptor = descriptor
        self.limit = limit
    }

    /// Queues a line that ends with a line feed; never blocks. `notice` returns the line that reports lost ones.
    func write(_ line: String, notice: @escaping @Sendable (_ lost: Int) -> String) {
        let mustStart = state.withLock { state in
            guard state.waiting.count + line.utf8.count <= limit else {
                state.lost += 1
                return false
            }
            state.waiting += line.utf8
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if mustStart { queue.async { self.drain(notice) } }
    }

    /// Waits until everything queued is written, but no longer than `limit`.
    func flush(within limit: DispatchTimeInterval = .seconds(1)) {
        // Each flush has its own semaphore: a late signal of one that timed out must not end the next.
        let isDone = DispatchSemaphore(value: 0)
        queue.async { isDone.signal() }
        _ = isDone.wait(timeout: .now() + limit)
    }

    private func drain(_ notice: (Int) -> String) {
        while let (lost, lines) = next() {
            let report = lost > 0 ? Array(notice(lost).utf8) : []
            let written = StandardStream.write(report + lines, to: descriptor).written
            let unwritten = lines[max(0, written - report.count)...].count { $0 == UInt8(ascii: "\n") }
            state.withLock { $0.lost += unwritten - (written < report.count ? 0 : lost) }
        }
    }

    /// The waiting lines, and how many were lost before them.
    private func next() -> (lost: Int, lines: [UInt8])? {
        state.withLock { state in
            defer { state.waiting = [] }
            state.isWriting = !state.waiting.isEmpty
            return state.isWriting ? (state.lost, state.waiting) : nil
        }
    }
}
