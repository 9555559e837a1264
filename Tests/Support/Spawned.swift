import Foundation
import Synchronization

/// A child process and the read ends of its two outputs.
///
/// It is made without Foundation's `Process`, so that no open descriptor leaks into a child, even when several start at
/// once; an output therefore ends when its process does.
final class Spawned: Sendable {
    let pid: pid_t
    private let outputs: [Int32]
    private let end = End()

    /// The process's status once it has ended. It is reaped at once, even while something that it started holds its
    /// outputs open.
    private final class End: Sendable {
        let status = Mutex<Int32?>(nil)
        let isKnown = DispatchSemaphore(value: 0)
    }

    /// Starts a command, its path first, in `directory`, or in the current one.
    init(_ command: [String], environment: [String: String], directory: String?) throws(Command.Failure) {
        let pipes = [try Command.privatePair(), try Command.privatePair()]
        defer { for pipe in pipes { close(pipe[1]) } }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, pipes[0][1], 1)
        posix_spawn_file_actions_adddup2(&actions, pipes[1][1], 2)
        let place = directory.map { ["/usr/bin/env", "-C", $0] } ?? []
        do {
            pid = try Command.spawn(place + command, &actions, environment: environment)
        } catch {
            for pipe in pipes { close(pipe[0]) }
            throw error
        }
        outputs = pipes.map { $0[0] }
        Thread.detachNewThread { [pid, end] in Self.reap(pid, end) }
    }

    /// Reads both outputs until they end; blocks. An empty slice means that the output has ended.
    func read(_ received: (_ bytes: ArraySlice<UInt8>, _ output: Int) -> Void) {
        var open = outputs.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while open.contains(where: { $0.fd >= 0 }) {
            guard poll(&open, nfds_t(open.count), -1) > 0 else { continue }
            for index in open.indices where open[index].fd >= 0 && open[index].revents != 0 {
                let count = Glibc.read(open[index].fd, &buffer, buffer.count)
                if count < 0, errno == EINTR { continue }
                received(buffer[..<max(0, count)], index)
                guard count <= 0 else { continue }
                close(open[index].fd)
                open[index].fd = -1
            }
        }
    }

    /// Waits for the process to end and returns its exit status, or the negated signal number if a signal ended it.
    func wait() -> Int32 {
        end.isKnown.wait()
        defer { end.isKnown.signal() }
        let status = end.status.withLock { $0 ?? 0 }
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : -signal
    }

    /// Sends a signal, unless the process has ended.
    func signal(_ signal: Int32) {
        end.status.withLock { if $0 == nil { kill(pid, signal) } }
    }

    private static func reap(_ pid: pid_t, _ end: End) {
        // It stays a zombie until the lock is held, so `signal` can never reach another process with the same id.
        var information = siginfo_t()
        while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) < 0, errno == EINTR {}
        end.status.withLock {
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            $0 = status
        }
        end.isKnown.signal()
    }
}
