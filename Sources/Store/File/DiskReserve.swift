import Glibc

/// A file that reserves a little disk space, to be released when the disk is full.
///
/// Moving the log into the file makes the file longer, and deleting rows takes a few pages of log before it frees any.
/// On a full disk both use the space that this file held.
struct DiskReserve {
    let directory: String
    private(set) var isHeld = false
    var path: String { "\(directory)/ticks.reserve" }

    /// Reserves the space if four times as much is free: 8 MiB, or an eighth of a file system smaller than 64 MiB.
    mutating func hold() {
        guard !isHeld, let space = DiskReserve.space(in: directory) else { return }
        let size = min(8 << 20, space.total / 8) & ~4095
        guard size > 0, space.free >= size * 4 else { return }
        let descriptor = PrivateFile.open(path, O_RDWR)
        guard descriptor >= 0 else { return }
        isHeld = posix_fallocate(descriptor, 0, off_t(size)) == 0
        if !isHeld { ftruncate(descriptor, 0) }
        close(descriptor)
    }

    mutating func release() {
        isHeld = false
        unlink(path)
    }

    /// Returns the file system's size and how much of it may still be used, in bytes.
    static func space(in directory: String) -> (total: Int64, free: Int64)? {
        var information = statvfs()
        guard statvfs(directory, &information) == 0 else { return nil }
        let unit = Int64(information.f_frsize)
        return (Int64(information.f_blocks) * unit, Int64(information.f_bavail) * unit)
    }
}
