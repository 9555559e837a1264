import Glibc

/// Notices when the files that a connection has open are no longer the ones that their names lead to.
///
/// SQLite goes on in a file that was removed, and all that it reports durable is gone at its end; in a log that was cut
/// off it goes on behind a hole, and what comes after the hole is lost. Reads the file system alone; looked at between
/// writes.
struct FilePlaces: Sendable, Equatable {
    /// What somebody did to the files.
    enum Fault: Sendable, Equatable {
        case missing
        case replaced
        case shortened
        case logMissing
        case logReplaced
        case logShortened

        /// In words, for an error.
        var text: String {
            switch self {
            case .missing: "it was removed or renamed"
            case .replaced: "another file took its place"
            case .shortened: "it became shorter"
            case .logMissing: "its write-ahead log was removed or renamed"
            case .logReplaced: "another file took the place of its write-ahead log"
            case .logShortened: "its write-ahead log became shorter"
            }
        }
    }

    /// A file that a name leads to.
    struct Entry: Sendable, Equatable {
        var inode: UInt64
        var bytes: Int64

        /// `nil` when there is none.
        init?(_ path: String) {
            var information = stat()
            guard stat(path, &information) == 0 else { return nil }
            inode = UInt64(information.st_ino)
            bytes = Int64(information.st_size)
        }
    }

    private var file: Entry?
    private var log: Entry?

    /// Takes what is there for what the connection, opened just now, has open.
    init(file: Entry?, log: Entry?) {
        self.file = file
        self.log = log
    }

    /// Compares what is there with what was.
    ///
    /// - Parameter logBytes: the least length of the log that the connection relies on.
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

extension StoreFile {
    /// The number of the file on its file system; `nil` when there is none.
    var inode: UInt64? { FilePlaces.Entry(path)?.inode }
}
