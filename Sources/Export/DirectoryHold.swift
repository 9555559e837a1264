import Glibc

/// Keeps a second export out of a directory: two that write one file would mix their rows. The system releases the lock
/// when the process ends, however it ends.
final class DirectoryHold {
    private let descriptor: Int32

    /// Locks a directory, which is created if it is missing.
    init(_ path: String) throws(ExportError) {
        try ExportError.makeDirectory(path)
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ExportError.last(path) }
        // On a file system without locks, the export goes on without one.
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
            close(descriptor)
            throw ExportError(
                path: path, cause: "another export is writing there; run this one again when it has ended",
                isHeld: true)
        }
        self.descriptor = descriptor
    }

    deinit {
        // Until it calls exec, a child that another thread started shares the descriptor, and would keep the lock.
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }
}
