import Glibc

/// Keeps a second export out of a directory: two that write one file would mix their rows. The system gives it up when the
/// process ends, however it ends.
final class DirectoryHold {
    private let descriptor: Int32

    /// Holds a directory, which is made where it isn't there.
    init(_ path: String) throws(ExportError) {
        try ExportError.makeDirectory(path)
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ExportError.last(path) }
        // Where a file system has no locks there is nothing to hold.
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
            close(descriptor)
            throw ExportError(
                path: path, cause: "another export is writing there; run this one again when it has ended",
                isHeld: true)
        }
        self.descriptor = descriptor
    }

    deinit {
        // Another thread's child has the descriptor too until it becomes another program, and would hold on to the lock.
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }
}
