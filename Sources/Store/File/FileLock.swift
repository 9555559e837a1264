import Glibc
import MarketData
import Synchronization

/// Keeps other processes away from a file with `flock(2)` on a lock file beside it.
///
/// The kernel drops the lock when its holder ends, however it ends: a killed process leaves no stale lock. The lock
/// file itself stays, because removing it would let two processes lock two different files of the same name. Somebody
/// may remove it all the same, so the directory can be locked as well. A holder whose lock file is gone takes the lock
/// again, or leaves the files to a process that was quicker: see ``renew()``.
public final class FileLock: Sendable {
    /// Who holds a lock.
    public struct Holder: Sendable, Equatable {
        /// The process.
        public let processID: Int32
        /// When it took the lock, in seconds since the Unix epoch.
        let since: Int64
        /// Whether it collects; `false` for another command that works on the files.
        public let isCollecting: Bool
        /// When a collector is known to have held the lock, in seconds since the Unix epoch: when this one took it, or,
        /// for a command, when an earlier one held it. 0 if none is known.
        let collected: Int64
    }

    /// The lock file.
    public let path: String
    /// When a collector is known to have held the lock before, in seconds since the Unix epoch: when it released the
    /// lock, or, if it didn't, when it took it. `nil` if none is known. Commands leave it as it was.
    let lastHeld: Int64?
    private let isCollecting: Bool
    private let descriptors: Mutex<Descriptors?>

    private struct Descriptors {
        var file: Int32
        var directory: Int32?

        /// Unlocks explicitly: a child that another thread has forked would keep the locks until it execs.
        func close() {
            for descriptor in [file, directory].compactMap(\.self) {
                flock(descriptor, LOCK_UN)
                Glibc.close(descriptor)
            }
        }
    }

    private init(path: String, _ descriptors: Descriptors, isNew: Bool, isCollecting: Bool) {
        self.path = path
        self.isCollecting = isCollecting
        var status = stat()
        // Text is left by a holder that did not release the lock: it was killed, or the machine went down.
        let wasAbandoned = fstat(descriptors.file, &status) == 0 && status.st_size > 0
        let known = wasAbandoned ? Self.readHolder(descriptors.file)?.collected : Int64(status.st_mtim.tv_sec)
        lastHeld = isNew || known == 0 ? nil : known
        self.descriptors = Mutex(descriptors)
    }

    deinit { release() }

    /// Takes the lock, and writes this process's id, the time and what it does into the lock file.
    ///
    /// - Parameters:
    ///   - path: The lock file; created with mode 0600.
    ///   - patience: How long to wait for a holder. Processes that only ask, with ``holder(of:)``, get more time,
    ///     because a loaded machine may suspend them while they ask.
    ///   - locksDirectory: Whether to lock the directory too, so that the lock holds even if the lock file is removed.
    ///   - isCollecting: Whether it is taken by a collector, for those who ask who holds it.
    public static func acquire(
        _ path: String, patience: Duration = .milliseconds(60), locksDirectory: Bool = false, isCollecting: Bool = false
    ) throws(StoreError) -> FileLock {
        let deadline = MonotonicTime.now().advanced(by: patience)
        let isNew = access(path, F_OK) != 0
        var descriptors = Descriptors(file: try lock(path, until: deadline))
        if locksDirectory {
            do throws(StoreError) {
                descriptors.directory = try lockDirectory(of: path, until: deadline)
            } catch {
                descriptors.close()
                throw error
            }
        }
        let lock = FileLock(path: path, descriptors, isNew: isNew, isCollecting: isCollecting)
        try lock.writeHolder(descriptors.file)
        return lock
    }

    /// How many more tries to make after the deadline, 5 ms apart, while others only look at the lock. Tries are counted
    /// instead of time: a machine that is suspended also suspends those who look, but the clock runs on.
    private static let mostLooks = 1000

    /// Opens and locks the file; if it is removed meanwhile, creates it again.
    private static func lock(_ path: String, until deadline: MonotonicTime) throws(StoreError) -> Int32 {
        var looks = 0
        while true {
            let descriptor = PrivateFile.open(path, O_RDWR)
            guard descriptor >= 0 else { throw StoreError(systemError: errno, operation: "lock", path: path) }
            while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
                let number = errno
                guard number == EWOULDBLOCK || number == EINTR else {
                    close(descriptor)
                    throw StoreError(systemError: number, operation: "lock", path: path)
                }
                if MonotonicTime.now() >= deadline { looks += 1 }
                guard looks == 0 || looks <= mostLooks && isOnlyLookedAt(descriptor) else {
                    let holder = readHolder(descriptor)
                    close(descriptor)
                    throw StoreError(
                        .inUse(holder: holder?.processID), operation: "lock", path: path,
                        underlying: holder.map { "since \(WallClock.text(seconds: $0.since))" })
                }
                usleep(5000)
            }
            if isSame(descriptor, path) { return descriptor }
            close(descriptor)
        }
    }

    /// Whether all locks on the file are shared ones, such as those who ask for the holder take.
    private static func isOnlyLookedAt(_ descriptor: Int32) -> Bool {
        guard flock(descriptor, LOCK_SH | LOCK_NB) == 0 else { return false }
        flock(descriptor, LOCK_UN)
        return true
    }

    /// Locks the directory of a lock file; returns `nil` if the file system can't lock directories.
    private static func lockDirectory(of path: String, until deadline: MonotonicTime) throws(StoreError) -> Int32? {
        let directory = PrivateFile.parent(path)
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw StoreError(systemError: errno, operation: "lock", path: directory) }
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else {
                close(descriptor)
                return nil
            }
            guard MonotonicTime.now() < deadline else {
                let holder = SystemLocks.holder(of: descriptor)
                close(descriptor)
                throw StoreError(
                    .inUse(holder: holder), operation: "lock", path: directory,
                    underlying: "the lock file \(path) was removed while it was held")
            }
            usleep(5000)
        }
        return descriptor
    }

    /// Whether the lock file is still the one that is locked; if not, this process must not write or move any file.
    var isInPlace: Bool { descriptors.withLock { $0.map { FileLock.isSame($0.file, path) } ?? false } }

    /// Locks the lock file that is there now, after somebody removed or replaced the one that was locked. Its directory
    /// is created again if it is gone, and locked again if it was replaced.
    ///
    /// - Throws: `.inUse` if another process was quicker, and whatever keeps the directory from being created.
    func renew() throws(StoreError) {
        let deadline = MonotonicTime.now().advanced(by: .milliseconds(60))
        let directory = PrivateFile.parent(path)
        try StoreFile.makeDirectory(directory)
        var renewed = Descriptors(file: try FileLock.lock(path, until: deadline))
        do throws(StoreError) {
            let held = descriptors.withLock { $0?.directory }
            if let held, !FileLock.isSame(held, directory) {
                renewed.directory = try FileLock.lockDirectory(of: path, until: deadline)
            }
            try writeHolder(renewed.file)
        } catch {
            renewed.close()
            throw error
        }
        descriptors.withLock { [renewed] held in
            var old = held
            held = Descriptors(file: renewed.file, directory: renewed.directory ?? old?.directory)
            if renewed.directory == nil { old?.directory = nil }
            old?.close()
        }
    }

    /// Returns who holds the lock at `path`; `nil` if nobody does.
    ///
    /// Tests the lock by taking a shared one for a moment, so it needs only the right to read the file.
    public static func holder(of path: String) -> Holder? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        if flock(descriptor, LOCK_SH | LOCK_NB) == 0 {
            flock(descriptor, LOCK_UN)
            return nil
        }
        return readHolder(descriptor) ?? Holder(processID: 0, since: 0, isCollecting: true, collected: 0)
    }

    /// Releases the lock; a second call does nothing.
    public func release() {
        descriptors.withLock { descriptors in
            guard let held = descriptors else { return }
            ftruncate(held.file, 0)
            // The file's date records until when a collector held the lock; a command keeps it.
            if !isCollecting {
                let time = timespec(tv_sec: Int(lastHeld ?? 0), tv_nsec: 0)
                futimens(held.file, [time, time])
            }
            held.close()
            descriptors = nil
        }
    }

    private func writeHolder(_ descriptor: Int32) throws(StoreError) {
        let role = isCollecting ? Self.collector : "command \(lastHeld ?? 0)"
        let text = Array("\(getpid()) \(WallClock.seconds()) \(role)\n".utf8)
        // A full disk must not keep a collector from starting: the lock holds without the text.
        try StoreError.check(ftruncate(descriptor, 0), "lock", path)
        _ = pwrite(descriptor, text, text.count, 0)
    }

    private static func isSame(_ descriptor: Int32, _ path: String) -> Bool {
        var held = stat()
        var there = stat()
        return fstat(descriptor, &held) == 0 && stat(path, &there) == 0 && held.st_ino == there.st_ino
            && held.st_dev == there.st_dev
    }

    /// What a collector writes as its role.
    private static let collector = "collector"

    /// Reads what the holder wrote. A holder writes it just after it takes the lock, so the read is tried a few times.
    private static func readHolder(_ descriptor: Int32) -> Holder? {
        for _ in 0..<10 {
            var bytes = [UInt8](repeating: 0, count: 64)
            let count = pread(descriptor, &bytes, bytes.count, 0)
            let words = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
                .split(whereSeparator: { $0 == " " || $0 == "\n" })
            // Earlier versions wrote no role; most of those that hold a lock for long collect.
            if (2...4).contains(words.count), let processID = Int32(words[0]), let since = Int64(words[1]) {
                return Holder(
                    processID: processID, since: since, isCollecting: words.count == 2 || words[2] == collector,
                    collected: words.count == 4 ? Int64(words[3]) ?? 0 : since)
            }
            usleep(2000)
        }
        return nil
    }
}

/// The kernel's list of locks, `/proc/locks`.
enum SystemLocks {
    /// Returns the process that holds a lock on the open file or directory; `nil` if the list doesn't show it.
    static func holder(of descriptor: Int32) -> Int32? {
        var status = stat()
        guard fstat(descriptor, &status) == 0, let list = PrivateFile.beginning(of: "/proc/locks", 4 << 20)
        else { return nil }
        return holder(of: UInt64(status.st_ino), in: String(decoding: list, as: UTF8.self))
    }

    /// A line is `1: FLOCK  ADVISORY  WRITE 4711 fe:00:12345 0 EOF`, with `->` after the number of one that waits.
    static func holder(of inode: UInt64, in list: String) -> Int32? {
        for line in list.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 5, words[1] == "FLOCK",
                words[5].split(separator: ":").last.flatMap({ UInt64($0) }) == inode,
                let process = Int32(words[4]), process > 0
            else { continue }
            return process
        }
        return nil
    }
}
