import Glibc

/// Files and directories that only their owner may use, whatever the umask is: the umask can take rights away at
/// creation, so the mode is set again afterwards.
///
/// The owner is whoever creates them. But what root creates in another user's directory is given to that directory's
/// owner, as SQLite does with its logs, so a command that root runs beside a service leaves nothing that the service
/// can't open.
public enum PrivateFile {
    /// Opens a file for writing, and creates it with mode 0600 if there is none. Returns -1 with `errno` set on
    /// failure, `ELOOP` if the name is a symbolic link.
    public static func open(_ path: String, _ flags: Int32) -> Int32 {
        let flags = flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW
        var descriptor = Glibc.open(path, flags | O_EXCL, 0o600)
        if descriptor >= 0 {
            giveToOwner(of: parent(path), descriptor)
        } else if errno == EEXIST, flags & O_EXCL == 0 {
            descriptor = Glibc.open(path, flags, 0o600)
        }
        // The descriptor is already open with the access asked for, even if the umask removed the owner's own rights.
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

    /// Atomically replaces a file with one that holds these bytes; returns `false` with `errno` set on failure.
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

    /// Returns the first bytes of a small file, at most `most`; `nil` if it can't be opened.
    static func beginning(of path: String, _ most: Int) -> [UInt8]? {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: min(most, 65_536))
        while bytes.count < most {
            let count = read(descriptor, &part, min(part.count, most - bytes.count))
            guard count > 0 else { break }
            bytes += part.prefix(count)
        }
        return bytes
    }

    /// Whether users other than owner and group may read or write a file, or replace the files in a directory. A
    /// directory that others can only list is not open, since the files in it are private. `false` for anything else.
    public static func isOpenToAll(_ path: String) -> Bool {
        var information = stat()
        guard stat(path, &information) == 0 else { return false }
        return switch information.st_mode & S_IFMT {
        case S_IFREG: information.st_mode & (S_IROTH | S_IWOTH) != 0
        case S_IFDIR: information.st_mode & S_IWOTH != 0
        default: false
        }
    }

    /// Only for what was just created: an older file may be somebody else's, planted to be given away.
    private static func giveToOwner(of directory: String, _ descriptor: Int32) {
        var information = stat()
        guard geteuid() == 0, stat(directory, &information) == 0, information.st_uid != 0 else { return }
        fchown(descriptor, information.st_uid, information.st_gid)
    }

    /// The directory that holds a file.
    static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
