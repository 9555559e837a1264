import Glibc

/// Files and directories that only their owner may use, whatever the umask is: it can only take rights away at first,
/// so they are set once more.
public enum PrivateFile {
    /// Opens a file for writing, and makes it with mode 0600 where there is none; -1 with `errno` set on failure.
    public static func open(_ path: String, _ flags: Int32) -> Int32 {
        let descriptor = Glibc.open(path, flags | O_CREAT | O_CLOEXEC, 0o600)
        // The descriptor is open as asked for, also where the umask took the owner's own rights.
        if descriptor >= 0 { fchmod(descriptor, 0o600) }
        return descriptor
    }

    /// Makes a directory with mode 0700; -1 with `errno` set on failure.
    public static func makeDirectory(_ path: String) -> Int32 {
        guard mkdir(path, 0o700) == 0 else { return -1 }
        return chmod(path, 0o700)
    }

    /// Puts a file with these bytes into the place of the one at `path`, at once; `false` with `errno` set on failure.
    public static func replace(_ path: String, with bytes: [UInt8]) -> Bool {
        let temporary = "\(path).\(getpid())"
        let descriptor = open(temporary, O_WRONLY | O_TRUNC)
        guard descriptor >= 0 else { return false }
        let written = write(descriptor, bytes, bytes.count)
        close(descriptor)
        guard written == bytes.count, rename(temporary, path) == 0 else {
            unlink(temporary)
            return false
        }
        return true
    }
}
