import Glibc
import Synchronization

/// Keeps a second process away from a file, by `flock(2)` on a lock file beside it.
///
/// The kernel drops the lock when its holder ends, however it ends: a killed process leaves no stale lock. The lock
/// file itself stays, because removing it would let two processes lock two different files of the same name.
public final class FileLock: Sendable {
    /// Who holds a lock.
    public struct Holder: Sendable, Equatable {
        /// The process.
        public let processID: Int32
        /// When it took the lock, in seconds since the Unix epoch.
        public let since: Int64
    }

    /// The lock file.
    public let path: String
    /// Whether the holder before did not give the lock up: it was killed, or the machine went down.
    public let wasAbandoned: Bool
    private let descriptor: Mutex<Int32?>

    private init(path: String, descriptor: Int32) {
        self.path = path
        var status = stat()
        wasAbandoned = fstat(descriptor, &status) == 0 && status.st_size > 0
        self.descriptor = Mutex(descriptor)
    }

    deinit {
        release()
    }

    /// Takes the lock, and writes this process's id and the time into the lock file.
    ///
    /// - Parameters:
    ///   - path: The lock file; created with mode 0600.
    ///   - patience: How long to wait for a holder. The default only outlasts the blink of ``holder(of:)``.
    /// - Throws: `.inUse` with the holder's process id; `.notWritable`.
    public static func acquire(
        _ path: String, patience: Duration = .milliseconds(60)
    ) throws(StoreError) -> FileLock {
        let descriptor = PrivateFile.open(path, O_RDWR)
        guard descriptor >= 0 else { throw StoreError(systemError: errno, operation: "lock", path: path) }
        let deadline = MonotonicTime.now().advanced(by: patience)
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            let number = errno
            guard number == EWOULDBLOCK || number == EINTR else {
                close(descriptor)
                throw StoreError(systemError: number, operation: "lock", path: path)
            }
            guard MonotonicTime.now() < deadline else {
                let holder = readHolder(descriptor)
                close(descriptor)
                throw StoreError(
                    .inUse(holder: holder?.processID), operation: "lock", path: path,
                    underlying: holder.map { "since \(WallClock.text(seconds: $0.since))" })
            }
            usleep(5000)
        }
        let lock = FileLock(path: path, descriptor: descriptor)
        try lock.writeHolder(descriptor)
        return lock
    }

    /// Who holds the lock at `path`; `nil` when nobody does.
    ///
    /// Looks by taking a shared lock for a blink, so it needs the right to read the file alone.
    public static func holder(of path: String) -> Holder? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        if flock(descriptor, LOCK_SH | LOCK_NB) == 0 {
            flock(descriptor, LOCK_UN)
            return nil
        }
        return readHolder(descriptor) ?? Holder(processID: 0, since: 0)
    }

    /// Gives the lock up; a second call does nothing.
    public func release() {
        descriptor.withLock { descriptor in
            guard let open = descriptor else { return }
            ftruncate(open, 0)
            close(open)
            descriptor = nil
        }
    }

    private func writeHolder(_ descriptor: Int32) throws(StoreError) {
        let text = Array("\(getpid()) \(time(nil))\n".utf8)
        // A full disk must not keep a collector from starting: the lock holds without the text.
        guard ftruncate(descriptor, 0) == 0 else {
            throw StoreError(systemError: errno, operation: "lock", path: path)
        }
        _ = pwrite(descriptor, text, text.count, 0)
    }

    /// What the holder wrote; it may be a moment away from writing it.
    private static func readHolder(_ descriptor: Int32) -> Holder? {
        for _ in 0..<10 {
            var bytes = [UInt8](repeating: 0, count: 64)
            let count = pread(descriptor, &bytes, bytes.count, 0)
            let words = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
                .split(whereSeparator: { $0 == " " || $0 == "\n" })
            if words.count == 2, let processID = Int32(words[0]), let since = Int64(words[1]) {
                return Holder(processID: processID, since: since)
            }
            usleep(2000)
        }
        return nil
    }
}
