import GRDB
import GRDBSQLite
import Glibc

/// What went wrong with a local file, in one line that says what to do.
public struct StoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kinds of failure that callers treat differently.
    public enum Reason: Sendable, Equatable {
        /// Another process holds the file; its process id, if known.
        case inUse(holder: Int32?)
        /// The file or its directory can't be written: rights, or a read-only file system.
        case notWritable
        /// This user may not read the file.
        case notReadable
        /// A file is where the data directory should be.
        case notDirectory
        /// The file's name is a symbolic link.
        case linked
        /// The file system has no room.
        case diskFull
        /// The buffer has no room and takes nothing new.
        case full
        /// A read, write or sync failed.
        case inputOutput
        /// The file's content is damaged.
        case damaged
        /// The file belongs to another program.
        case foreign
        /// The file was written by a newer EdgeTick.
        case schemaTooNew(found: Int, known: Int)
        /// Another program holds SQLite's write lock.
        case busy
        /// The file was changed each time before the work on it was done.
        case changing
        /// A reader's open snapshot keeps the write-ahead log from being emptied.
        case pinned
        /// There is no such file.
        case missing
        /// The buffer is closed.
        case closed
        /// The upload's ledger is ahead of the file.
        case sequenceAhead
        /// The caller's value can't be stored.
        case invalid
        /// SQLite refused a statement.
        case statement
    }

    /// The kind of failure.
    public let reason: Reason
    /// What was being done, such as `open`.
    let operation: String
    /// The file or directory concerned.
    public let path: String?
    /// The message of the system or of SQLite.
    let underlying: String?

    /// Makes an error.
    public init(_ reason: Reason, operation: String, path: String? = nil, underlying: String? = nil) {
        self.reason = reason
        self.operation = operation
        self.path = path
        self.underlying = underlying
    }

    /// Whether the same call may succeed later without anybody changing the file or the program.
    public var isRetryable: Bool {
        switch reason {
        case .inUse, .notWritable, .notReadable, .diskFull, .full, .inputOutput, .busy, .changing, .pinned: true
        case .notDirectory, .linked, .damaged, .foreign, .schemaTooNew, .missing, .closed, .sequenceAhead, .invalid,
            .statement:
            false
        }
    }

    /// One line: what failed, where, why, and what to do.
    public var description: String {
        var line = "cannot \(operation)"
        if let path { line += " \(path)" }
        line += ": \(cause)"
        if let underlying, !underlying.isEmpty { line += " (\(underlying))" }
        return line + "; " + advice
    }

    private var cause: String {
        switch reason {
        case .inUse(let holder):
            holder.map { "it is in use by process \($0)" } ?? "it is in use by another process"
        case .notWritable: "it is not writable"
        case .notReadable: "this user may not read it"
        case .notDirectory: "it is not a directory"
        case .linked: "it is a symbolic link"
        case .diskFull: "the disk is full"
        case .full: "it has no room and takes nothing new (BUFFER_FULL_POLICY=reject-new)"
        case .inputOutput: "the disk reports an error"
        case .damaged: "the file is damaged"
        case .foreign: "the file belongs to another program"
        case .schemaTooNew(let found, let known):
            "its schema is version \(found), and this EdgeTick knows versions up to \(known)"
        case .busy: "another program holds a write lock on it"
        case .changing: "it keeps changing"
        case .pinned: "a reader keeps an old snapshot open, so the write-ahead log can't be emptied"
        case .missing: "there is no such file"
        case .closed: "it is closed"
        case .sequenceAhead: "the upload's ledger is ahead of the file"
        case .invalid: "the value is not valid"
        case .statement: "SQLite refused it"
        }
    }

    private var advice: String {
        switch reason {
        case .inUse: "stop that process, or set another EDGETICK_DATA_DIR for this one"
        case .notWritable: "check the owner, permissions and mount options of the file or directory"
        case .notReadable: "run the command as the collector's user, or with sudo"
        case .notDirectory: "set EDGETICK_DATA_DIR to the directory that holds the files"
        case .linked:
            "set EDGETICK_DATA_DIR to the directory of the file itself, or make a link to that directory instead"
        case .diskFull: "make room on the file system, or lower BUFFER_MAX_BYTES"
        case .full: "upload what waits in it, make room on the disk, or raise BUFFER_MAX_BYTES"
        case .inputOutput: "check the disk and the kernel's log"
        case .damaged: "run edgetick verify, then edgetick repair"
        case .foreign: "move it away, or set another EDGETICK_DATA_DIR"
        case .schemaTooNew: "nothing was changed; use the EdgeTick version that wrote it, or a newer one"
        case .busy: "stop that program; while a collector runs, other programs may only read the file"
        case .changing: "try again"
        case .pinned: "close long-running readers such as sqlite3 shells"
        case .missing:
            path?.hasSuffix("/\(LocalFile.universe.name)") == true
                ? "import a group, edgetick universe import FILE.csv --name NAME, or pull them, edgetick universe pull"
                : "check EDGETICK_DATA_DIR; the file may have been moved or removed, or no collector has run here yet"
        case .closed: "open it again"
        case .sequenceAhead:
            "the file is an older copy: stop the collector, run edgetick repair --force, and start it again"
        case .invalid: "correct the value"
        case .statement: "this looks like a bug in EdgeTick: please report this message"
        }
    }
}

extension StoreError {
    /// Translates SQLite's result code.
    init(code: Int32, message: String?, systemError: Int32 = 0, operation: String, path: String?) {
        let outOfSpace = systemError == ENOSPC || systemError == EDQUOT
        let reason: Reason =
            switch code & 0xFF {
            case SQLITE_FULL: .diskFull
            // After a failed sync it isn't known what is on the disk, whatever the system's reason.
            case SQLITE_IOERR:
                outOfSpace && code != SQLITE_IOERR | 4 << 8 && code != SQLITE_IOERR | 5 << 8 ? .diskFull : .inputOutput
            case SQLITE_NOMEM, SQLITE_PROTOCOL: .inputOutput
            case SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH: systemError == EIO ? .inputOutput : .notWritable
            case SQLITE_CANTOPEN: outOfSpace ? .diskFull : .notWritable
            case SQLITE_CORRUPT, SQLITE_NOTADB: .damaged
            case SQLITE_BUSY, SQLITE_LOCKED: .busy
            default: .statement
            }
        var words = message ?? ""
        if code & 0xFF != SQLITE_FULL, systemError != 0 { words += ", " + StoreError.text(ofSystemError: systemError) }
        self.init(reason, operation: operation, path: path, underlying: "\(words), SQLite \(code)")
    }

    /// Translates a system error number.
    init(systemError: Int32, operation: String, path: String?) {
        let reason: Reason =
            switch systemError {
            case ENOSPC, EDQUOT: .diskFull
            case EACCES, EPERM, EROFS: .notWritable
            case ENOTDIR: .notDirectory
            case ENOENT: .missing
            default: .inputOutput
            }
        self.init(reason, operation: operation, path: path, underlying: StoreError.text(ofSystemError: systemError))
    }

    /// Throws the system's error if a call did not return 0.
    static func check(_ code: Int32, _ operation: String, _ path: @autoclosure () -> String) throws(StoreError) {
        guard code == 0 else { throw StoreError(systemError: errno, operation: operation, path: path()) }
    }

    /// Translates what GRDB throws.
    init(_ error: any Error, operation: String, path: String?) {
        if let error = error as? StoreError {
            self = error
        } else if let error = error as? DatabaseError {
            self.init(code: error.extendedResultCode.rawValue, message: error.message, operation: operation, path: path)
        } else if error is RowDecodingError {
            self.init(.damaged, operation: operation, path: path, underlying: "\(error)")
        } else {
            self.init(.statement, operation: operation, path: path, underlying: "\(error)")
        }
    }

    /// Returns the system's message for an error number.
    static func text(ofSystemError number: Int32) -> String { String(cString: strerror(number)) }

    /// Runs `body` and translates what it throws.
    static func translating<Result>(
        _ operation: String, path: String?, _ body: () throws -> Result
    ) throws(StoreError) -> Result {
        do {
            return try body()
        } catch {
            throw StoreError(error, operation: operation, path: path)
        }
    }
}
