import Dispatch
import FoundationEssentials
import Glibc
import Synchronization

/// Writes log lines on a thread of its own, so that a reader that stands still (Ctrl-S in a terminal, a stuck journal),
/// one that is gone, and a full disk stop nobody but the log.
///
/// What waits is bounded; lines beyond it, and lines that could not be written, are counted, and told of as soon as
/// writing works again.
final class LogWriter: Sendable {
    /// The log of this process.
    static let standardError = LogWriter(descriptor: 2)

    private struct State {
        var waiting: [UInt8] = []
        var isWriting = false
        /// Lines that nobody will read.
        var lost = 0
    }

    private let descriptor: Int32
    private let limit: Int
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "EdgeTick.log")

    /// A writer to an open descriptor, of which at most `limit` bytes wait.
    init(descriptor: Int32, limit: Int = 256 << 10) {
        self.descriptor = descriptor
        self.limit = limit
    }

    /// Takes a line that ends with a line feed; never blocks. `notice` makes the line that tells of lost ones.
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

    /// Waits until everything taken is written, but not for ever.
    func flush(within limit: DispatchTimeInterval = .seconds(1)) {
        // One of its own: the signal of a flush that gave up must not end the next.
        let isDone = DispatchSemaphore(value: 0)
        queue.async { isDone.signal() }
        _ = isDone.wait(timeout: .now() + limit)
    }

    private func drain(_ notice: (Int) -> String) {
        while let (lost, lines) = next() {
            let told = lost > 0 ? Array(notice(lost).utf8) : []
            let written = StandardStream.write(told + lines, to: descriptor).written
            let unwritten = lines[max(0, written - told.count)...].count { $0 == UInt8(ascii: "\n") }
            state.withLock { $0.lost += unwritten - (written < told.count ? 0 : lost) }
        }
    }

    /// What waits, and how many lines were lost before it.
    private func next() -> (lost: Int, lines: [UInt8])? {
        state.withLock { state in
            defer { state.waiting = [] }
            state.isWriting = !state.waiting.isEmpty
            return state.isWriting ? (state.lost, state.waiting) : nil
        }
    }
}
