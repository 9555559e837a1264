import GRDB
import MarketData
import Synchronization

/// `universe.sqlite`: the local copy of groups and memberships, which resolves universes without the database.
///
/// Reading never waits for a writer. A write opens the one writing connection, does its work in one transaction,
/// empties the log into the file and closes, all under the file's lock, so that any number of processes may share the
/// mirror. All calls block on the disk; a whole universe of 3,000 symbols reads in about a millisecond.
public final class UniverseMirror: Sendable {
    /// What a caller may do.
    public enum Access: Sendable {
        /// Read and write; creates the directory and the file if they are missing.
        case readWrite
        /// Read an existing file.
        case readOnly
    }

    let file: StoreFile
    let access: Access
    /// The file's path.
    public var path: String { file.path }
    private let reader: Mutex<Reader>

    /// The reading connection and the file that it has open.
    private struct Reader {
        var queue: DatabaseQueue
        var inode: UInt64?
        /// The number of files that were open before this one.
        var generation: Int64 = 0

        init(_ file: StoreFile) throws(StoreError) {
            // Read before the file is opened, so that a file that takes its place in between is noticed.
            inode = file.inode
            queue = try StoreConnection.openReader(file.path)
        }
    }

    /// The new path of a bad file that was found on opening and set aside; `nil` if there was none.
    public let setAside: String?

    private init(file: StoreFile, access: Access, setAside: String?) throws(StoreError) {
        self.file = file
        self.access = access
        reader = Mutex(try Reader(file))
        self.setAside = setAside
    }

    /// Opens the mirror in a data directory.
    ///
    /// With `.readWrite` a file that is damaged or belongs to another program is renamed and a fresh one is started:
    /// see ``setAside``. With `.readOnly` nothing is changed, except that a file of an older version is migrated.
    ///
    /// - Throws: `.missing` (read-only), `.damaged`, `.foreign`, `.schemaTooNew`, `.notWritable`, `.inUse`.
    public static func open(directory: String, access: Access) throws(StoreError) -> UniverseMirror {
        let file = StoreFile(.universe, in: directory)
        var setAside: String?
        switch access {
        case .readWrite:
            try StoreFile.makeDirectory(directory)
            try locked(file) { () throws(StoreError) in
                try file.undoReplacement()
                if case .bad = try file.inspect() { setAside = try file.setAside(now: WallClock.seconds()) }
                try withWriter(file) { _ in }
            }
        case .readOnly: try check(file)
        }
        return try UniverseMirror(file: file, access: access, setAside: setAside)
    }

    /// Returns a number that changes whenever any process has written to the file, or another file has taken its place;
    /// it says nothing about what changed. Takes a few microseconds.
    ///
    /// - Throws: `.missing`, `.damaged` and other errors of the file that is there now; the file opened before stays
    ///   readable.
    public func changeCounter() throws(StoreError) -> Int64 {
        try follow()
        let generation = reader.withLock { $0.generation }
        return try read("look for changes in") { database in
            // `data_version` has 32 bits and counts for this connection only.
            generation << 32 | (try Int64.fetchOne(database, sql: "PRAGMA data_version") ?? 0)
        }
    }

    /// Opens the file that is there now, if it isn't the one that is open.
    func follow() throws(StoreError) {
        guard file.inode != reader.withLock({ $0.inode }) else { return }
        try Self.check(file)
        let fresh = try Reader(file)
        reader.withLock { reader in
            let generation = reader.generation + 1
            reader = fresh
            reader.generation = generation
        }
    }

    /// The groups of an environment, or all of them, by name, type and environment.
    public func groups(environment: String?) throws(StoreError) -> [UniverseGroup] {
        try withSnapshot { try $0.groups(environment: environment) }
    }

    /// Reads in one snapshot of the file.
    func read<Result>(_ operation: String, _ body: (Database) throws -> Result) throws(StoreError) -> Result {
        try StoreError.translating(operation, path: file.path) { try reader.withLock { $0.queue }.read(body) }
    }

    /// Writes in one transaction; rolled back when `body` throws.
    func write<Result>(_ operation: String, _ body: (Database) throws -> Result) throws(StoreError) -> Result {
        guard access == .readWrite else {
            throw StoreError(.notWritable, operation: operation, path: file.path, underlying: "it was opened read-only")
        }
        return try UniverseMirror.locked(file) { () throws(StoreError) in
            try UniverseMirror.commit(operation, to: file, body)
        }
    }

    /// Writes a file that nobody else writes, in one transaction; rolled back when `body` throws.
    static func commit<Result>(
        _ operation: String, to file: StoreFile, _ body: (Database) throws -> Result
    ) throws(StoreError) -> Result {
        try withWriter(file) { database in
            var result: Result?
            try database.inTransaction(.immediate) {
                result = try body(database)
                return .commit
            }
            guard let result else { throw StoreError(.statement, operation: operation, path: file.path) }
            return result
        }
    }

    static func locked<Result>(
        _ file: StoreFile, _ body: () throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        let lock = try FileLock.acquire(file.path + ".lock", patience: .seconds(5))
        defer { lock.release() }
        return try body()
    }

    /// Checks that the file is a mirror, and migrates one that an older version made; any other is only read.
    private static func check(_ file: StoreFile) throws(StoreError) {
        guard try file.check(to: "open") < file.kind.newest else { return }
        try locked(file) { () throws(StoreError) in try withWriter(file) { _ in } }
    }

    /// Opens the writing connection only for `body`, and leaves no frame in the log that a later writer must move.
    private static func withWriter<Result>(
        _ file: StoreFile, _ body: (Database) throws -> Result
    ) throws(StoreError) -> Result {
        try file.create()
        let writer = try StoreConnection.openWriter(file.path, synchronous: "FULL")
        return try StoreError.translating("write", path: file.path) {
            let result = try writer.writeWithoutTransaction { database in
                _ = try file.kind.migrate(database)
                try StoreConnection.turnOnWAL(database)
                let result = try body(database)
                _ = try database.checkpoint(.passive)
                return result
            }
            try writer.close()
            return result
        }
    }
}
