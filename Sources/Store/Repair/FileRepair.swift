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
        /// Only find out what would be done, in a temporary file.
        public var isDryRun = false
        /// Repair a file that has no fault, such as an older copy.
        public var isForced = false
        /// The damaged file's identifier, for when it can't be read.
        public var id: String?
        /// Send every row that is not known to be upstream, although the identifier is lost.
        public var sendsAgain = false
        /// The kinds of events that are collected, which the file may not show for a stream with nothing left.
        public var events: Set<EventKind> = []

        /// Makes the default options.
        public init() {}
    }

    /// Called with the number of pages read and the number of all pages.
    public typealias Progress = (_ done: Int, _ total: Int) -> Void

    /// Repairs a file: in its place if it is the one in use, also under another name in its directory or through a
    /// symbolic link. Blocks on the disk; needs room for the fresh file beside the old one.
    ///
    /// - Throws: `.inUse` with the process that holds the file; `.missing`, `.foreign`, `.schemaTooNew`, `.diskFull`,
    ///   `.notReadable`, `.notWritable`, `.inputOutput`. The file is then unchanged.
    public static func repair(
        _ named: String, as kind: LocalFile, options: Options = Options(), progress: @escaping Progress = { _, _ in }
    ) throws(StoreError) -> RepairReport {
        var given = StoreFile(path: named, kind: kind)
        guard given.inode != nil else { throw StoreError(.missing, operation: "repair", path: named) }
        // No collector uses a buffer through a link.
        if kind == .ticks { given = given.followed }
        // Under another name it is still the file that a collector uses, with its lock and its log.
        var live = StoreFile(kind, in: given.directory)
        if !live.isSame(as: given), let whole = StoreFile.wholePath(named) {
            given = StoreFile(path: whole, kind: kind)
            live = StoreFile(kind, in: given.directory)
        }
        let isLive = live.isSame(as: given)
        let lock = isLive ? try FileLock.acquire(live.path + ".lock", locksDirectory: kind == .ticks) : nil
        defer { lock?.release() }
        // A collector keeps the mirror open, and would go on reading the file that was replaced.
        let buffer =
            isLive && kind == .universe
            ? try FileLock.acquire("\(live.directory)/\(TickBuffer.fileName).lock", locksDirectory: true) : nil
        defer { buffer?.release() }
        if isLive, !options.isDryRun { try live.undoReplacement() }
        // If a replacement was cut short, the log beside the other name has commits that the file in use lacks.
        let isInPlace = isLive && !given.hasLog(besides: live)
        let file = isInPlace ? live : given
        let path = file.path
        var report = RepairReport(path: path, kind: kind)
        let found = try FileVerifier.verify(path, as: kind)
        try refuseForeign(found)
        // A file set aside is never uploaded by itself, sound or not, so naming one always makes a repaired copy.
        guard options.isForced || !found.isSound || !isInPlace else { return report }
        let now = WallClock.microseconds()
        let place: String? = isInPlace ? nil : try makeDirectory(beside: file, now: now / 1_000_000)
        // Removes it only if it is empty, that is, if no copy was made.
        defer { if let place { rmdir(place) } }
        let copy = options.isDryRun ? nil : place
        let target = place.map { StoreFile(kind, in: $0) } ?? file
        let draft = target.draft("repairing")
        defer { draft.remove() }
        let salvage = try fill(draft, from: path, kind, options, copy: copy, &report, now: now, progress)
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
            report.setAside = try file.replace(with: draft.path, now: now / 1_000_000)
        } else {
            try StoreError.check(rename(draft.path, target.path), "rename", draft.path)
            target.syncDirectory()
            file.syncDirectory()
        }
        report.output = target.path
        report.outcome = .repaired
        // The file that is reported as set aside from now on, if it is in a data directory.
        let damaged = StoreFile(path: report.setAside ?? path, kind: kind)
        if damaged.isSetAside {
            damaged.noteRepaired(as: target)
            report.toMoveAway = damaged.path
        }
        return report
    }

    private static func refuseForeign(_ found: FileVerification) throws(StoreError) {
        guard let header = DatabaseHeader(path: found.path) else { return }
        guard header.applicationID != 0 else { return }
        guard header.applicationID == found.kind.applicationID else {
            throw StoreError(.foreign, operation: "repair", path: found.path)
        }
        let newest = found.kind.newest
        guard header.userVersion <= newest else {
            throw StoreError(
                .schemaTooNew(found: header.userVersion, known: newest), operation: "repair", path: found.path)
        }
    }

    private static func fill(
        _ draft: StoreFile, from path: String, _ kind: LocalFile, _ options: Options, copy: String?,
        _ report: inout RepairReport, now: Int64, _ progress: @escaping Progress
    ) throws(StoreError) -> Salvage {
        let image = try DatabaseImage(path: path)
        var salvage = Salvage(image, progress: progress)
        try draft.create()
        let writer = try StoreConnection.openWriter(draft.path, synchronous: "OFF")
        try StoreError.translating("repair", path: path) {
            try writer.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA journal_mode = MEMORY; PRAGMA foreign_keys = OFF")
                _ = try kind.migrate(database)
                try salvage.readSchema()
                try database.inTransaction(.immediate) {
                    switch kind {
                    case .ticks:
                        try TicksRepair(database: database, path: path, options: options, copy: copy, now: now)
                            .fill(&salvage, &report)
                    case .universe: try UniverseRepair.fill(&salvage, database, &report)
                    }
                    return .commit
                }
                try check(database)
            }
            try writer.close()
        }
        try sync(draft.path)
        return salvage
    }

    /// Checks that the fresh file has no fault before it takes the old one's place.
    private static func check(_ database: Database) throws {
        let messages = try String.fetchAll(database, sql: "PRAGMA integrity_check(5)")
        guard messages == ["ok"] else {
            throw StoreError(.inputOutput, operation: "repair", underlying: messages.joined(separator: "; "))
        }
    }

    private static func sync(_ path: String) throws(StoreError) {
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw StoreError(systemError: errno, operation: "sync", path: path) }
        defer { close(descriptor) }
        try StoreError.check(fsync(descriptor), "sync", path)
    }

    /// Makes the directory for a repaired copy of a file that was set aside, from which `edgetick sync` sends it.
    ///
    /// - Returns: Its whole path, since the commands that name it may be run anywhere.
    private static func makeDirectory(beside file: StoreFile, now seconds: Int64) throws(StoreError) -> String {
        let stem = "\(file.directory)/repaired-\(WallClock.compactText(seconds: seconds))"
        var directory = stem
        var attempt = 1
        while PrivateFile.makeDirectory(directory) != 0 {
            guard errno == EEXIST, attempt < 1000 else {
                throw StoreError(systemError: errno, operation: "create the directory", path: directory)
            }
            attempt += 1
            directory = "\(stem)-\(attempt)"
        }
        guard let path = StoreFile.wholePath(directory) else {
            throw StoreError(systemError: errno, operation: "find", path: directory)
        }
        return path
    }
}
