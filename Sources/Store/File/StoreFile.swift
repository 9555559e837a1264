import FoundationEssentials
import GRDB
import Glibc
import MarketData

/// A local SQLite file on disk: checks what it is before it is opened, and sets a bad one aside.
struct StoreFile: Sendable {
    let path: String
    let kind: LocalFile

    /// What is at the path.
    enum Condition: Equatable {
        /// No file, or one without content.
        case fresh
        /// One of ours, of a version that can be opened.
        case ours(version: Int)
        /// Not a file of ours, or one that can't be read; the text is the reason.
        case bad(String)
    }

    var directory: String { PrivateFile.parent(path) }

    /// Examines the file without changing it. Goes through SQLite alone: closing a plain descriptor would drop the
    /// locks that another connection of this process holds on the file.
    ///
    /// - Throws: `.schemaTooNew`, and whatever keeps the file from being read at all.
    func inspect() throws(StoreError) -> Condition {
        guard let size = try size(), size > 0 else {
            return StoreFile.size(of: path + "-wal") > 0 ? .bad("empty or gone, beside a write-ahead log") : .fresh
        }
        return try probe()
    }

    /// Checks that the file can be opened, without changing it; returns its version, 0 if there need be no file yet.
    ///
    /// - Parameters:
    ///   - operation: What is to be done with it, for the error.
    ///   - mayBeFresh: Whether there need be no file yet.
    /// - Throws: `.missing`, `.damaged`, `.foreign`, and what ``inspect()`` throws.
    @discardableResult
    func check(to operation: String, mayBeFresh: Bool = false) throws(StoreError) -> Int {
        switch try inspect() {
        case .ours(let version): return version
        case .fresh:
            guard mayBeFresh else { throw StoreError(.missing, operation: operation, path: path) }
            return 0
        case .bad(let why): throw unusable(why, to: operation)
        }
    }

    /// Refuses a name that is a symbolic link: SQLite keeps its log beside the file that the link leads to, where a log
    /// that is removed isn't noticed and no lock keeps another collector away.
    ///
    /// - Throws: `.linked`.
    func refuseLink() throws(StoreError) {
        if isLink { throw StoreError(.linked, operation: "open", path: path) }
    }

    /// The file that the name leads to if it is a symbolic link: the log is there. Otherwise, this one.
    var followed: StoreFile {
        guard isLink, let whole = StoreFile.wholePath(path) else { return self }
        return StoreFile(path: whole, kind: kind)
    }

    /// The path without symbolic links; `nil`, with `errno` set, if it leads nowhere.
    static func wholePath(_ path: String) -> String? {
        guard let whole = realpath(path, nil) else { return nil }
        defer { free(whole) }
        return String(cString: whole)
    }

    private var isLink: Bool {
        var information = stat()
        return lstat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFLNK
    }

    /// The error for a bad file.
    func unusable(_ why: String, to operation: String) -> StoreError {
        StoreError(why == StoreFile.foreign ? .foreign : .damaged, operation: operation, path: path, underlying: why)
    }

    /// Whether another path leads to this file too: one file may have several.
    func isSame(as other: StoreFile) -> Bool { StoreFile.areSame(path, other.path) }

    /// Whether this file's name has a log that is not also the log of the other file's name.
    func hasLog(besides other: StoreFile) -> Bool {
        StoreFile.size(of: path + "-wal") > 0 && !StoreFile.areSame(path + "-wal", other.path + "-wal")
    }

    private static func areSame(_ first: String, _ second: String) -> Bool {
        var (one, other) = (stat(), stat())
        return stat(first, &one) == 0 && stat(second, &other) == 0 && one.st_ino == other.st_ino
            && one.st_dev == other.st_dev
    }

    /// Creates an empty file that only its owner may use, unless there is one; SQLite gives its companions the same mode.
    func create() throws(StoreError) {
        let descriptor = PrivateFile.open(path, O_RDWR | O_EXCL)
        guard descriptor >= 0 else {
            guard errno == EEXIST else { throw StoreError(systemError: errno, operation: "create", path: path) }
            return
        }
        close(descriptor)
        syncDirectory()
    }

    /// The part of a set-aside file's name that follows the name of its kind.
    private static let badMark = "-bad-"

    /// Returns the paths of the files set aside that are still there, sorted; none if the directory can't be read.
    func filesSetAside() -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.filter { StoreFile.isNameOfSetAside($0) }.map { "\(directory)/\($0)" }.sorted()
    }

    private static func isNameOfSetAside(_ name: some StringProtocol) -> Bool {
        name.hasSuffix(".sqlite")
            && LocalFile.allCases.contains { name.hasPrefix($0.rawValue + StoreFile.badMark) }
    }

    /// Whether the file's name is that of a file set aside.
    var isSetAside: Bool { StoreFile.isNameOfSetAside(path.split(separator: "/").last ?? "") }

    /// Moves the file and its log to a new name, so that they can be examined and repaired later, and returns it.
    func setAside(now seconds: Int64) throws(StoreError) -> String {
        let target = try keep(now: seconds)
        guard unlink(path) == 0 || errno == ENOENT else {
            throw StoreError(systemError: errno, operation: "set aside", path: path)
        }
        syncDirectory()
        return target
    }

    /// Replaces this file with a finished one, keeps this one under a new name, and returns that name.
    func replace(with fresh: String, now seconds: Int64) throws(StoreError) -> String {
        guard StoreFile.size(of: fresh + "-wal") == 0 else {
            throw StoreError(.inputOutput, operation: "finish", path: fresh, underlying: "its log is not in the file")
        }
        let target = try keep(now: seconds)
        guard rename(fresh, path) == 0 else {
            let code = errno
            try undoReplacement()
            throw StoreError(systemError: code, operation: "replace", path: path)
        }
        syncDirectory()
        return target
    }

    /// Gives the file a second name, to which its log goes, and returns that name.
    ///
    /// The file keeps its first name meanwhile, so that it has one at every moment and ``undoReplacement()`` can give it
    /// its log back. The log leaves the first name, since SQLite would apply it to whatever comes there next.
    private func keep(now seconds: Int64) throws(StoreError) -> String {
        let target = freeName(now: seconds)
        let suffixes = ["", "-wal"].filter { access(path + $0, F_OK) == 0 }
        do throws(StoreError) {
            for suffix in suffixes {
                try StoreError.check(link(path + suffix, target + suffix), "set aside", path + suffix)
            }
            syncDirectory()
            if suffixes.contains("-wal") { try StoreError.check(unlink(path + "-wal"), "set aside", path + "-wal") }
        } catch {
            guard access(target, F_OK) != 0, access(target + "-wal", F_OK) != 0 else {
                for suffix in suffixes { unlink(target + suffix) }
                throw error
            }
            // Some file systems allow a file only one name. Then the log comes last: if it is left alone, the next start
            // notices it; a file without its log looks whole.
            for suffix in suffixes {
                try StoreError.check(rename(path + suffix, target + suffix), "set aside", path + suffix)
            }
        }
        // The log's index holds nothing that is not in the log: SQLite rebuilds it.
        unlink(path + "-shm")
        return target
    }

    /// Undoes ``replace(with:now:)`` or ``setAside(now:)`` if a crash cut it short: the file still has its place, but
    /// perhaps no longer its log, without which it lacks commits. Only the holder of the file's lock may call it.
    func undoReplacement() throws(StoreError) {
        let log = path + "-wal"
        for name in filesSetAside() where StoreFile.areNames(path, name) {
            let kept = name + "-wal"
            if access(kept, F_OK) == 0 {
                // Opening a file to read it creates an empty log.
                if StoreFile.size(of: log) == 0 {
                    // The log no longer fits a file that was written since then without it.
                    guard isUnchanged(since: kept) else { continue }
                    unlink(log)
                    // A reader at this moment has made an index of the empty log, which SQLite would trust.
                    unlink(path + "-shm")
                    try StoreError.check(link(kept, log), "restore", log)
                    syncDirectory()
                }
                guard StoreFile.areNames(log, kept) else { continue }
                unlink(kept)
            }
            unlink(name)
            syncDirectory()
        }
    }

    /// Whether two paths are hard links to one file, rather than symbolic links.
    private static func areNames(_ first: String, _ second: String) -> Bool {
        var (one, other) = (stat(), stat())
        return lstat(first, &one) == 0 && lstat(second, &other) == 0 && one.st_ino == other.st_ino
            && one.st_dev == other.st_dev && one.st_nlink > 1
    }

    /// Whether the file was last written before another file last got or lost a name.
    private func isUnchanged(since other: String) -> Bool {
        var (own, others) = (stat(), stat())
        return lstat(path, &own) == 0 && lstat(other, &others) == 0
            && (own.st_mtim.tv_sec, own.st_mtim.tv_nsec) < (others.st_ctim.tv_sec, others.st_ctim.tv_nsec)
    }

    /// A file beside this one that is to take its place when it is complete. What a crash left of an earlier one is
    /// removed, so only the holder of this file's lock may ask for it.
    func draft(_ purpose: String) -> StoreFile {
        let draft = StoreFile(path: "\(directory)/\(kind.rawValue)-\(purpose).sqlite", kind: kind)
        draft.remove()
        return draft
    }

    /// Removes the file and what SQLite keeps beside it.
    func remove() { for suffix in ["", "-journal", "-wal", "-shm"] { unlink(path + suffix) } }

    /// Renames a log that belongs to another file, so that SQLite doesn't apply it to this one.
    func setLogAside(now seconds: Int64) throws(StoreError) {
        try StoreError.check(rename(path + "-wal", freeName(now: seconds) + "-wal"), "set aside", path + "-wal")
        syncDirectory()
    }

    /// Returns an unused name for a bad file.
    func freeName(now seconds: Int64) -> String {
        let stem = "\(directory)/\(kind.rawValue)\(StoreFile.badMark)\(WallClock.compactText(seconds: seconds))"
        var target = stem + ".sqlite"
        var attempt = 1
        while access(target, F_OK) == 0 || access(target + "-wal", F_OK) == 0 {
            attempt += 1
            target = "\(stem)-\(attempt).sqlite"
        }
        return target
    }

    /// Makes a rename or a creation durable; does nothing on a file system that can't sync a directory.
    func syncDirectory() {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    /// Creates the directory with mode 0700 if it doesn't exist, and checks that it can be written.
    static func makeDirectory(_ path: String) throws(StoreError) {
        guard !path.isEmpty else {
            throw StoreError(.invalid, operation: "make the data directory", underlying: "its name is empty")
        }
        var information = stat()
        if stat(path, &information) == 0 {
            guard information.st_mode & S_IFMT == S_IFDIR else {
                throw StoreError(.notDirectory, operation: "use", path: path)
            }
        } else {
            if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
                let parent = String(path[..<slash])
                if access(parent, F_OK) != 0 { try makeDirectory(parent) }
            }
            guard PrivateFile.makeDirectory(path) == 0 || errno == EEXIST else {
                throw StoreError(systemError: errno, operation: "make the data directory", path: path)
            }
        }
        try StoreError.check(access(path, W_OK | X_OK), "write into", path)
    }

    /// When the file or its log was last written, whichever is longer ago, in milliseconds since the Unix epoch.
    var lastWritten: Int64? {
        ["", "-wal"].compactMap { suffix in
            var information = stat()
            guard stat(path + suffix, &information) == 0 else { return nil }
            return Int64(information.st_mtim.tv_sec) * 1000 + Int64(information.st_mtim.tv_nsec) / 1_000_000
        }.min()
    }

    /// Returns the size of the file at `path` in bytes; 0 if there is none.
    static func size(of path: String) -> Int64 { FilePlaces.Entry(path)?.bytes ?? 0 }

    private func size() throws(StoreError) -> Int64? {
        var information = stat()
        guard stat(path, &information) == 0 else {
            switch errno {
            case ENOENT: return nil
            case EACCES: throw StoreError(.notReadable, operation: "open", path: path)
            case ENOTDIR: throw StoreError(.notDirectory, operation: "use", path: directory)
            case let code: throw StoreError(systemError: code, operation: "open", path: path)
            }
        }
        guard access(path, R_OK) == 0 else { throw StoreError(.notReadable, operation: "open", path: path) }
        guard information.st_mode & S_IFMT == S_IFREG else {
            throw StoreError(.notWritable, operation: "open", path: path, underlying: "it is not a regular file")
        }
        return Int64(information.st_size)
    }

    /// Asks SQLite, which sees what is in the log too. The connection is read-only, except after a crash that left a
    /// rollback journal: it has to be played back first.
    private func probe() throws(StoreError) -> Condition {
        do {
            let unfinished = access(path + "-journal", F_OK) == 0
            let connection =
                unfinished
                ? try StoreConnection.openWriter(path, synchronous: "FULL") : try StoreConnection.openReader(path)
            return try StoreError.translating("open", path: path) {
                let (application, version, objects) = try connection.read { database in
                    (
                        try Int32.fetchOne(database, sql: "PRAGMA application_id") ?? 0,
                        try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0,
                        try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_master") ?? 0
                    )
                }
                try connection.close()
                if application == 0, version == 0, objects == 0 { return .fresh }
                guard application == kind.applicationID else { return .bad(StoreFile.foreign) }
                guard version <= kind.newest else {
                    throw StoreError(.schemaTooNew(found: version, known: kind.newest), operation: "open", path: path)
                }
                return .ours(version: version)
            }
        } catch {
            guard error.reason == .damaged else { throw error }
            return .bad(error.underlying ?? "damaged")
        }
    }

    /// Why a sound file of another program is bad.
    static let foreign = "a file of another program"
}

extension StoreFile {
    /// The file of a kind in a data directory.
    init(_ kind: LocalFile, in directory: String) { self.init(path: "\(directory)/\(kind.name)", kind: kind) }
}
