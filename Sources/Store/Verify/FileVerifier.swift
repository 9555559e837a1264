import GRDBSQLite
import MarketData

/// Verifies a local file without changing it: one that a collector is using, one that is not in use, or one that was
/// set aside.
///
/// SQLite pages carry no checksums, so a flipped bit that turns one possible value into another can't be found. What is
/// found: pages that don't fit together, numbers that are missing or out of order, values that no feed event has, and
/// accounts that don't add up.
public enum FileVerifier {
    /// How far a verification has come.
    public enum Progress: Sendable {
        /// Bytes read by SQLite's own check, and about how many there are.
        case structure(read: Int64, total: Int64)
        /// Rows looked at, and how many there are.
        case rows(read: Int64, total: Int64)
    }

    /// What to do with a file that can't be read whole.
    static let repairAdvice = "run edgetick repair"

    /// Verifies a file. Blocks on the disk, and reads the file about three times; `isQuick` skips the individual events
    /// and the check of every page.
    ///
    /// - Throws: `.missing`, `.notReadable` if this user may not read it, `.inputOutput`. Damage is not an error but a
    ///   finding.
    public static func verify(
        _ named: String, as kind: LocalFile, isQuick: Bool = false,
        progress: @escaping @Sendable (Progress) -> Void = { _ in }
    ) throws(StoreError) -> FileVerification {
        let given = StoreFile(path: named, kind: kind)
        let file = kind == .ticks ? given.followed : given
        let path = file.path
        var result = FileVerification(path: path, kind: kind)
        guard file.inode != nil else { throw StoreError(.missing, operation: "verify", path: path) }
        result.holder = FileLock.holder(of: path + ".lock")?.processID
        let logBytes = StoreFile.size(of: path + "-wal")
        guard StoreFile.size(of: path) > 0 else {
            if logBytes > 0 {
                result.find(
                    .fault, .structure, at: "the file", "it is empty, and a write-ahead log lies beside it",
                    advice: repairAdvice)
            } else {
                result.find(.note, .structure, at: "the file", "it is empty: a collector will recreate it")
            }
            return result
        }
        let isAtRest = result.holder == nil && logBytes == 0
        do throws(StoreError) {
            try examine(file, into: &result, isAtRest: isAtRest, isQuick, progress)
        } catch {
            guard error.reason == .damaged || error.reason == .statement else { throw error }
            result.find(.fault, .structure, at: "the file", error.underlying ?? "damaged", advice: repairAdvice)
        }
        // What was read without locks can't be trusted if somebody began to write meanwhile.
        let mayHaveChanged = FileLock.holder(of: path + ".lock") != nil || StoreFile.size(of: path + "-wal") > 0
        if isAtRest, mayHaveChanged { return try verify(path, as: kind, isQuick: isQuick, progress: progress) }
        return result
    }

    private static func examine(
        _ file: StoreFile, into result: inout FileVerification, isAtRest: Bool, _ isQuick: Bool,
        _ progress: @escaping @Sendable (Progress) -> Void
    ) throws(StoreError) {
        let handle = try ReadHandle(path: file.path, isAtRest: isAtRest)
        guard try isOurs(handle, file.kind, &result) else { return }
        switch result.kind {
        case .ticks:
            var checks = TicksChecks(handle: handle, result: result)
            defer { result = checks.result }
            try checks.run(isQuick: isQuick) { progress(.rows(read: $0, total: $1)) }
        case .universe:
            var checks = UniverseChecks(handle: handle, result: result)
            defer { result = checks.result }
            try checks.run()
        }
        guard !isQuick else { return }
        try checkStructure(handle, &result, progress)
    }

    private static func isOurs(
        _ handle: ReadHandle, _ kind: LocalFile, _ result: inout FileVerification
    ) throws(StoreError) -> Bool {
        let application = try handle.number("PRAGMA application_id") ?? 0
        let version = Int(try handle.number("PRAGMA user_version") ?? 0)
        let objects = try handle.number("SELECT count(*) FROM sqlite_master") ?? 0
        if application == 0, version == 0, objects == 0 {
            result.find(.note, .schema, at: "the file", "it has no tables: a collector will create them")
            return false
        }
        guard application == Int64(kind.applicationID) else {
            result.find(
                .fault, .schema, at: "the file's header", "it belongs to another program",
                advice: "move it away, or let a collector set it aside")
            return false
        }
        result.schemaVersion = version
        guard version <= kind.newest else {
            result.find(
                .fault, .schema, at: "the file's header",
                "its schema is version \(version), and this EdgeTick knows versions up to \(kind.newest)",
                advice: "use the EdgeTick version that wrote it, or a newer one")
            return false
        }
        if version < kind.newest {
            result.find(
                .note, .schema, at: "the file's header",
                "its schema is version \(version); the next start brings it to \(kind.newest)")
        }
        return true
    }

    private static func checkStructure(
        _ handle: ReadHandle, _ result: inout FileVerification, _ progress: @escaping @Sendable (Progress) -> Void
    ) throws(StoreError) {
        let total = 2 * (StoreFile.size(of: handle.path) + StoreFile.size(of: handle.path + "-wal"))
        let outcome = try StructureCheck.run(on: handle) { progress(.structure(read: min($0, total), total: total)) }
        for message in outcome.messages {
            result.find(.fault, .structure, at: "the file", message, advice: repairAdvice)
        }
        if outcome.messages.count >= StructureCheck.mostFaults {
            result.find(.note, .structure, at: "the file", "there may be more faults than are listed here")
        }
        if outcome.wasGivenUp {
            result.find(
                .note, .structure, at: "the file",
                "the page check was stopped, because it kept the running collector from emptying its write-ahead log",
                advice: "verify again while no collector is running; the rows themselves were read")
        }
    }
}
