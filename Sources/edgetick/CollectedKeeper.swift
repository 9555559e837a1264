import Dispatch
import Feed
import FoundationEssentials
import Glibc
import Logging
import Store
import Synchronization

/// Keeps since when symbols have been collected in a small file, for the next collector of the directory.
final class CollectedKeeper: Sendable {
    /// What the previous collector left; `nil` if there is no such file, or it can't be read.
    let previous: CollectedTimes?
    private let path: String
    private let logger: Logger
    private let state = Mutex(State())
    /// The disk may hang; nothing else waits on this queue.
    private let queue = DispatchQueue(label: "edgetick.collected")

    private struct State {
        /// What is to be written.
        var waiting: CollectedTimes?
        var isQueued = false
        var isRetrying = false
        var isFailing = false
    }

    /// How many seconds after a failure the file is written again. Until then it may name symbols that were given up.
    private static let pause = 30

    /// Reads what an earlier process left in the directory.
    init(directory: String, logger: Logger) {
        let path = directory + "/collected.since"
        self.path = path
        self.logger = logger
        let text = try? String(contentsOfFile: path, encoding: .utf8)
        previous = text.flatMap { CollectedTimes($0) }
        guard text != nil, previous == nil else { return }
        logger.warning(
            "the file that says since when symbols are collected is damaged: the relay takes them as collected before",
            metadata: ["file": "\(path)"])
    }

    /// Has the times written; returns at once.
    func keep(_ times: CollectedTimes) {
        let isQueued = state.withLock { state in
            defer { (state.waiting, state.isQueued) = (times, true) }
            return state.isQueued
        }
        if !isQueued { queue.async { [self] in write() } }
    }

    private func write() {
        let times = state.withLock { state in
            state.isQueued = false
            return state.waiting
        }
        guard let times else { return }
        let failure = PrivateFile.replace(path, with: Array(times.text.utf8)) ? nil : String(cString: strerror(errno))
        let (isNews, isRetried) = state.withLock { state -> (Bool, Bool) in
            let isFailing = failure != nil
            if !isFailing, !state.isQueued { state.waiting = nil }
            defer { (state.isFailing, state.isRetrying) = (isFailing, state.isRetrying || isFailing) }
            return (isFailing && !state.isFailing, isFailing && !state.isRetrying)
        }
        if isRetried {
            queue.asyncAfter(deadline: .now() + .seconds(Self.pause)) { [weak self] in self?.retry() }
        }
        guard isNews, let failure else { return }
        logger.warning(
            "the file that says since when symbols are collected can't be written: after a restart, the relay may not know",
            metadata: ["file": "\(path)", "error": "\(failure)"])
    }

    private func retry() {
        state.withLock { $0.isRetrying = false }
        write()
    }
}
