import Foundation
import GRDB
import MarketData
import Synchronization

/// Records, every few milliseconds, the highest sequence numbers that the buffer's file shows to a reader.
///
/// Everything that a reader sees has been synced (see ``BufferFile/lastSequences()``), so it must survive a kill.
final class DurableWatch: Sendable {
    private struct State {
        var last: [EventStream: Int64] = [:]
        var looks = 0
        var isOver = false
    }

    private let state = Mutex(State())
    private let file: BufferFile

    /// The highest sequence number of each stream seen so far.
    var reported: [EventStream: Int64] { state.withLock { $0.last } }

    /// Records sequence numbers that another source reported durable.
    func note(_ last: [EventStream: Int64]) {
        state.withLock { $0.last.merge(last) { max($0, $1) } }
    }

    init(_ file: BufferFile) { self.file = file }

    /// Watches while `body` runs.
    func watching<Value>(_ body: () async throws -> Value) async throws -> Value {
        state.withLock { $0.isOver = false }
        let ended = DispatchSemaphore(value: 0)
        Thread.detachNewThread { [self] in
            look()
            ended.signal()
        }
        let result: Result<Value, any Error>
        do {
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        state.withLock { $0.isOver = true }
        // The wait lasts at most one more query.
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                ended.wait()
                continuation.resume()
            }
        }
        return try result.get()
    }

    private func look() {
        var queue: DatabaseQueue?
        defer { try? queue?.close() }
        while !state.withLock({ $0.isOver }) {
            do {
                if queue == nil, FileManager.default.fileExists(atPath: file.path) {
                    var configuration = Configuration()
                    configuration.readonly = true
                    queue = try DatabaseQueue(path: file.path, configuration: configuration)
                }
                if let last = try queue?.read({ try BufferFile.lastSequences($0) }) { note(last) }
            } catch {
                // Being made, recovered or replaced right now.
                try? queue?.close()
                queue = nil
            }
            usleep(2000)
        }
    }
}
