import GRDBSQLite
import Glibc
import Synchronization

/// A disk that is slow or broken on request, between SQLite and the system: a VFS that wraps the usual one.
///
/// Only for exit tests, which run in a process of their own: it becomes the default of all connections.
enum DiskFault {
    /// How long a sync takes, in microseconds.
    static let syncDelay = Atomic<Int>(0)
    /// The number of the slow sync that is under way, from 1 on; 0 while there is none.
    static let slowSync = Atomic<Int>(0)
    /// How many syncs succeed before some fail.
    static let passingSyncs = Atomic<Int>(0)
    /// How many syncs fail from then on.
    static let failingSyncs = Atomic<Int>(0)
    /// What a write fails with; 0 lets it through.
    static let writeError = Atomic<Int32>(0)
    /// How many calls were slowed or failed.
    static let hits = Atomic<Int>(0)

    /// The usual VFS; set before the first file is opened, and not changed afterwards.
    nonisolated(unsafe) private static var system: UnsafeMutablePointer<sqlite3_vfs>?
    /// The original functions and those that replace them; files with locks have other functions than files without.
    private static let patched = Mutex<[Patch]>([])

    private struct Patch: @unchecked Sendable {
        let original: UnsafePointer<sqlite3_io_methods>
        let faulty: UnsafePointer<sqlite3_io_methods>
    }

    /// Makes every connection that is opened from now on go through it.
    static func install() {
        guard let found = sqlite3_vfs_find(nil) else { exit(60) }
        system = found
        let copy = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
        copy.initialize(to: found.pointee)
        copy.pointee.zName = UnsafePointer(strdup("faulty"))
        copy.pointee.pNext = nil
        copy.pointee.xOpen = { vfs, name, file, flags, outFlags in
            guard let open = DiskFault.system?.pointee.xOpen else { return SQLITE_CANTOPEN }
            let code = open(vfs, name, file, flags, outFlags)
            if code == SQLITE_OK, let file { DiskFault.patch(file) }
            return code
        }
        sqlite3_vfs_register(copy, 1)
    }

    private static func patch(_ file: UnsafeMutablePointer<sqlite3_file>) {
        guard let methods = file.pointee.pMethods else { return }
        let address = UInt(bitPattern: methods)
        let patch = patched.withLock { patches in
            if let known = patches.first(where: { UInt(bitPattern: $0.original) == address }) { return known }
            guard let methods = UnsafePointer<sqlite3_io_methods>(bitPattern: address) else { exit(61) }
            let copy = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
            copy.initialize(to: methods.pointee)
            copy.pointee.xSync = { file, flags in DiskFault.sync(file, flags) }
            copy.pointee.xWrite = { file, bytes, count, offset in DiskFault.write(file, bytes, count, offset) }
            let patch = Patch(original: methods, faulty: UnsafePointer(copy))
            patches.append(patch)
            return patch
        }
        file.pointee.pMethods = patch.faulty
    }

    private static func original(
        _ file: UnsafeMutablePointer<sqlite3_file>?
    ) -> UnsafePointer<sqlite3_io_methods>? {
        let address = UInt(bitPattern: file?.pointee.pMethods)
        return patched.withLock { $0.first { UInt(bitPattern: $0.faulty) == address } }?.original
    }

    private static func sync(_ file: UnsafeMutablePointer<sqlite3_file>?, _ flags: Int32) -> Int32 {
        let delay = syncDelay.load(ordering: .relaxed)
        if delay > 0 {
            slowSync.store(hits.add(1, ordering: .relaxed).newValue, ordering: .sequentiallyConsistent)
            usleep(UInt32(delay))
            slowSync.store(0, ordering: .sequentiallyConsistent)
        }
        if passingSyncs.load(ordering: .relaxed) > 0 {
            passingSyncs.subtract(1, ordering: .relaxed)
        } else if failingSyncs.load(ordering: .relaxed) > 0 {
            failingSyncs.subtract(1, ordering: .relaxed)
            hits.add(1, ordering: .relaxed)
            errno = EIO
            return SQLITE_IOERR | 4 << 8
        }
        return original(file)?.pointee.xSync(file, flags) ?? SQLITE_IOERR
    }

    private static func write(
        _ file: UnsafeMutablePointer<sqlite3_file>?, _ bytes: UnsafeRawPointer?, _ count: Int32, _ offset: Int64
    ) -> Int32 {
        let error = writeError.load(ordering: .relaxed)
        if error != 0 {
            hits.add(1, ordering: .relaxed)
            errno = error
            // As the usual VFS returns it.
            return error == ENOSPC ? SQLITE_FULL : SQLITE_IOERR | 3 << 8
        }
        return original(file)?.pointee.xWrite(file, bytes, count, offset) ?? SQLITE_IOERR
    }
}
