import Glibc

/// Files and directories that only their owner may use, whatever the umask is: it can only take rights away at first,
/// so they are set once more.
///
/// The owner is whoever makes them; but what root makes in another user's directory gets that directory's owner, as
/// SQLite's own logs do. A command of root's, run beside a service, so leaves nothing that the service can't open.
public enum PrivateFile {
    /// Opens a file for writing, and makes it with mode 0600 where there is none; -1 with `errno` set on failure,
    /// `ELOOP` where the name is a symbolic link.
    public static func open(_ path: String, _ flags: Int32) -> Int32 {
        let flags = flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW
        var descriptor = Glibc.open(path, flags | O_EXCL, 0o600)
        if descriptor >= 0 {
            giveToOwner(of: parent(path), descriptor)
        } else if errno == EEXIST, flags & O_EXCL == 0 {
            descriptor = Glibc.open(path, flags, 0o600)
        }
        // The descriptor is open as asked for, also where the umask took the owner's own rights.
        if descriptor >= 0 { fchmod(descriptor, 0o600) }
        return descriptor
    }

    /// Makes a directory with mode 0700; -1 with `errno` set on failure.
    static func makeDirectory(_ path: String) -> Int32 {
        guard mkdir(path, 0o700) == 0, chmod(path, 0o700) == 0 else { return -1 }
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return -1 }
        giveToOwner(of: parent(path), descriptor)
        close(descriptor)
        return 0
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

    /// Whether users other than owner and group may read or write a file, or put others' files in the place of those in a
    /// directory, which are private even where it can be listed; `false` of what is neither.
    public static func isOpenToAll(_ path: String) -> Bool {
        var information = stat()
        guard stat(path, &information) == 0 else { return false }
        return switch information.st_mode & S_IFMT {
        case S_IFREG: information.st_mode & (S_IROTH | S_IWOTH) != 0
        case S_IFDIR: information.st_mode & S_IWOTH != 0
        default: false
        }
    }

    /// Only of what was just made: a file that was there may be another's, put in its place to be given away.
    private static func giveToOwner(of directory: String, _ descriptor: Int32) {
        var information = stat()
        guard geteuid() == 0, stat(directory, &information) == 0, information.st_uid != 0 else { return }
        fchown(descriptor, information.st_uid, information.st_gid)
    }

    private static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
