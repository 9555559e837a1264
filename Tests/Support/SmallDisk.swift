import Foundation

/// A file system of a few megabytes in memory, to test full disks.
public final class SmallDisk: Sendable {
    /// The mount point.
    public let path: String

    /// Whether this process may mount a file system.
    public static let isAvailable: Bool = {
        guard geteuid() == 0, let place = try? Workspace() else { return false }
        return (try? SmallDisk(at: place.file("disk"), megabytes: 1)) != nil
    }()

    /// Mounts the file system at `path`.
    public init(at path: String, megabytes: Int) throws {
        self.path = path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard mount("tmpfs", path, "tmpfs", 0, "size=\(megabytes)m") == 0 else {
            throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EPERM)
        }
    }

    deinit { umount2(path, 2) }

    /// Fills all free space.
    public func fill() {
        let descriptor = open(path + "/ballast", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        let block = [UInt8](repeating: 1, count: 4096)
        while write(descriptor, block, block.count) > 0 {}
        close(descriptor)
    }

    /// Frees the space that ``fill()`` took.
    public func empty() { unlink(path + "/ballast") }
}
