import FoundationEssentials
import GRDB
import GRDBSQLite
import Glibc
public import MarketData

/// Makes a fresh file from what can be read in a damaged one, and puts it in its place; the damaged one is kept.
///
/// ## Identity
/// A repaired file gets its own identifier, and the rows keep their numbers. Numbers after the last readable row may
/// have been given before, so under the old identifier the upload's ledger could take new rows for ones that are
/// upstream. The old identifier is kept as a predecessor: at the first upload its mark in the ledger shows which of the
/// rows that came from there are upstream, so none is sent twice and none is left out.
public enum FileRepair {
    /// How to repair.
    public struct Options: Sendable {
        /// Find out what would be done, in a temporary file.
        public var isDryRun = false
        /// Repair a file that has no fault, such as an older copy.
        public var isForced = false
        /// The damaged file's identifier, for when it can't be read.
        public var id: String?
        /// Send every row that is not known to be upstream, although the identifier is lost.
        public var sendsAgain = false
        /// The kinds of events that are collected: if nothing is left of a stream, the file may not show that it was
        /// collected.
        public var events: Set<EventKind> = []

        /// Makes the default options.
        public init() {}
    }

    /// Called with the number of pages read and the number of all pages.
    public typealias Progress = (_ done: Int, _ total: Int) -> Void

    /// Repairs a file. Blocks on the disk; needs room for the fresh file beside the old one.
    ///
    /// - Throws: `.inUse` with the process that holds the file; `.missing`, `.foreign`, `.schemaTooNew`, `.diskFull`,
    ///   `.notWritable`, `.inputOutput`. The file is then unchanged.
    public static func repair(
        _ path: String, as kind: LocalFile, options: Options = Options(), progress: @escaping Progress = { _, _ in }
    ) throws(StoreError) -> RepairReport {
        let file = StoreFile(path: path, schema: kind.schema)
        guard file.inode != nil else { throw StoreError(.missing, operation: "repair", path: path) }
        let isInPlace = path.split(separator: "/").last.map(String.init) == kind.name
        let lock = isInPlace ? try FileLock.acquire(path + ".lock", locksDirectory: kind == .ticks) : nil
        defer { lock?.release() }
        // A collector keeps the mirror open, and would go on reading the file that was replaced.
        let isMirror = isInPlace && kind == .universe
        let buffer =
            isMirror
            ? try FileLock.acquire("\(file.directory)/\(TickBuffer.fileName).lock", locksDirectory: true) : nil
        defer { buffer?.release() }
        var report = RepairReport(path: path, kind: kind)
        let found = try FileVerifier.verify(path, as: kind)
        try refuseForeign(found)
        // A file that was set aside is never uploaded by itself, sound or not, so naming one always makes a repaired
        // copy.
        guard options.isForced || !found.isSound || !isInPlace else { return report }
        let now = WallClock.microseconds()
        let draft = "\(file.directory)/\(kind.rawValue)-repairing-\(getpid())-\(now).sqlite"
        defer { for suffix in ["", "-journal", "-wal", "-shm"] { unlink(draft + suffix) } }
        let salvage = try fill(draft, from: path, kind, options, &report, now: now, progress)
        guard report.outcome != .identityLost else { return report }
        if salvage.image.failedReads > 0 {
            report.remarks.append("the disk could not read \(salvage.image.failedReads.counted("page")); look at dmesg")
        }
        guard report.kept > 0 else {
            report.outcome = found.isSound ? .sound : .hopeless
            return report
        }
        guard !options.isDryRun else {
            report.outcome = .dryRun
            return report
        }
        if isInPlace {
            report.setAside = try file.replace(with: draft, now: now / 1_000_000)
            report.output = path
        } else {
            report.output = try moveBeside(draft, file, kind, now: now / 1_000_000)
        }
        report.outcome = .repaired
        return report
    }

    private static func refuseForeign(_ found: FileVerification) throws(StoreError) {
        guard let header = DatabaseHeader(path: found.path) else { return }
        let schema = found.kind.schema
        guard header.applicationID == schema.applicationID || header.applicationID == 0 else {
            throw StoreError(.foreign, operation: "repair", path: found.path)
        }
        guard header.userVersion <= schema.newest || header.applicationID == 0 else {
            throw StoreError(
                .schemaTooNew(found: header.userVersion, known: schema.newest), operation: "repair", path: found.path)
        }
    }

    private static func fill(
        _ draft: String, from path: String, _ kind: LocalFile, _ options: Options, _ report: inout RepairReport,
        now: Int64, _ progress: @escaping Progress
    ) throws(StoreError) -> Salvage {
        let image = try DatabaseImage(path: path)
        var salvage = Salvage(image, progress: progress)
        try StoreFile(path: draft, schema: kind.schema).create()
        let writer = try StoreConnection.openWriter(draft, synchronous: "OFF")
        var filled = report
        try StoreError.translating("repair", path: path) {
            try writer.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA journal_mode = MEMORY; PRAGMA foreign_keys = OFF")
                _ = try kind.schema.migrate(database)
                try salvage.readSchema()
                try database.inTransaction(.immediate) {
                    switch kind {
                    case .ticks:
                        try TicksRepair(database: database, path: path, options: options, now: now)
                            .fill(&salvage, &filled)
                    case .universe: try UniverseRepair.fill(&salvage, database, &filled)
                    }
                    return .commit
                }
                try check(database)
            }
            try writer.close()
        }
        report = filled
        try sync(draft)
        return salvage
    }

    /// Checks that the fresh file has no fault before it takes the old one's place.
    private static func check(_ database: Database) throws {
        let answer = try String.fetchAll(database, sql: "PRAGMA integrity_check(5)")
        guard answer == ["ok"] else {
            throw StoreError(.inputOutput, operation: "repair", underlying: answer.joined(separator: "; "))
        }
    }

    private static func sync(_ path: String) throws(StoreError) {
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw StoreError(systemError: errno, operation: "sync", path: path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw StoreError(systemError: errno, operation: "sync", path: path) }
    }

    /// Moves a repaired copy of a file that was set aside into its own directory, from which `edgetick sync` sends it.
    private static func moveBeside(
        _ draft: String, _ file: StoreFile, _ kind: LocalFile, now seconds: Int64
    ) throws(StoreError) -> String {
        let stem = "\(file.directory)/repaired-\(WallClock.compactText(seconds: seconds))"
        var directory = stem
        var attempt = 1
        while PrivateFile.makeDirectory(directory) != 0 {
            guard errno == EEXIST, attempt < 1000 else {
                throw StoreError(systemError: errno, operation: "make", path: directory)
            }
            attempt += 1
            directory = "\(stem)-\(attempt)"
        }
        let target = StoreFile(path: directory + "/" + kind.name, schema: kind.schema)
        guard rename(draft, target.path) == 0 else {
            throw StoreError(systemError: errno, operation: "rename", path: draft)
        }
        target.syncDirectory()
        file.syncDirectory()
        return target.path
    }
}
