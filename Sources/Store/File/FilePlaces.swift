import Glibc

/// Notices when the names of a connection's open files no longer lead to those files.
///
/// SQLite continues to write to a file that was removed, and everything that it reports durable is gone when it closes
/// the file. If the log was truncated, SQLite continues after a hole, and what comes after the hole is lost. Reads only
/// the file system; checked between writes.
struct FilePlaces: Sendable, Equatable {
    /// What somebody did to the files, with the text for an error.
    enum Fault: String {
        case missing = "it was removed or renamed"
        case replaced = "another file took its place"
        case shortened = "it became shorter"
        case logMissing = "its write-ahead log was removed or renamed"
        case logReplaced = "another file took the place of its write-ahead log"
        case logShortened = "its write-ahead log became shorter"
    }

    /// A file that a name leads to.
    struct Entry: Sendable, Equatable {
        var inode: UInt64
        var bytes: Int64

        /// `nil` if there is no file.
        init?(_ path: String) {
            var information = stat()
            guard stat(path, &information) == 0 else { return nil }
            inode = UInt64(information.st_ino)
            bytes = Int64(information.st_size)
        }
    }

    /// What was there last; at first, what the connection has just opened.
    private(set) var file: Entry?
    private(set) var log: Entry?

    /// Compares what is there with what was there before.
    ///
    /// - Parameter logBytes: The length of the log that the connection relies on, at least.
    mutating func look(file: Entry?, log: Entry?, logBytes: Int64) -> Fault? {
        guard let file else { return .missing }
        if let before = self.file {
            if before.inode != file.inode { return .replaced }
            if file.bytes < before.bytes { return .shortened }
        }
        self.file = file
        guard let log else { return self.log == nil && logBytes == 0 ? nil : .logMissing }
        if let before = self.log, before.inode != log.inode { return .logReplaced }
        if log.bytes < logBytes { return .logShortened }
        self.log = log
        return nil
    }
}

extension FilePlaces {
    /// The files that a connection has just opened.
    init(_ file: StoreFile) { self.init(file: Entry(file.path), log: Entry(file.path + "-wal")) }
}

extension StoreFile {
    /// The file's inode number; `nil` if there is no file.
    var inode: UInt64? { FilePlaces.Entry(path)?.inode }
}
