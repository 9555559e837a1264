import Glibc

/// A file descriptor that another thread can make readable, to end a poll(2) from outside.
final class Wakeup: Sendable {
    /// The end to wait on; -1 if the process has no descriptors left, which poll(2) ignores.
    let descriptor: Int32
    private let writing: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        let made = socketpair(AF_UNIX, Int32(type), 0, &ends) == 0
        descriptor = made ? ends[0] : -1
        writing = made ? ends[1] : -1
    }

    deinit {
        guard descriptor >= 0 else { return }
        close(descriptor)
        close(writing)
    }

    /// Makes the descriptor readable until ``clear()``. Any thread.
    func signal() {
        var byte: UInt8 = 1
        _ = write(writing, &byte, 1)
    }

    func clear() {
        var bytes: UInt64 = 0
        while read(descriptor, &bytes, MemoryLayout<UInt64>.size) > 0 {}
    }
}

/// How a wait ended.
enum Readiness {
    case ready(Int16)
    case deadline
    case interrupted
}

/// Waits until `descriptor` has one of `events`, `interrupt` is signalled or the deadline is past. Blocks.
func wait(for events: Int16, on descriptor: Int32, until deadline: Deadline, interrupt: Wakeup) -> Readiness {
    var polled = [
        pollfd(fd: descriptor, events: events, revents: 0),
        pollfd(fd: interrupt.descriptor, events: Int16(POLLIN), revents: 0),
    ]
    while true {
        let count = poll(&polled, nfds_t(polled.count), deadline.remainingMilliseconds)
        if count < 0, errno == EINTR { continue }
        if polled[1].revents & Int16(POLLIN) != 0 { return .interrupted }
        if count == 0 { return .deadline }
        return .ready(polled[0].revents)
    }
}
