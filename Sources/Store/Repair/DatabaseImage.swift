import Glibc

/// A database file's pages as they are on the disk, overlaid with those of its write-ahead log; read without SQLite,
/// which gives up where a page is damaged.
///
/// Nobody may write the file meanwhile, and this process may have no connection to it: closing a plain descriptor drops
/// all locks that this process holds on the file.
final class DatabaseImage {
    /// The page size that EdgeTick's files have.
    static let usualPageSize = 4096

    /// The file's header; `nil` when it is damaged.
    let header: DatabaseHeader?
    let pageSize: Int
    /// The number of bytes of a page that can hold content.
    let usableBytes: Int
    /// The number of pages, in the file or in the log.
    let pageCount: UInt32
    let log: LogImage
    /// Whether the file is shorter than it should be.
    let isCut: Bool
    /// How many pages the disk could not read.
    private(set) var failedReads = 0
    private let file: Int32
    private let logFile: Int32
    private let fileBytes: Int64

    /// Opens a file.
    ///
    /// - Throws: `.missing`, `.notWritable` when this user may not read it, `.inputOutput`.
    init(path: String) throws(StoreError) {
        file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw StoreError(systemError: errno, operation: "read", path: path) }
        logFile = open(path + "-wal", O_RDONLY | O_CLOEXEC)
        fileBytes = StoreFile.size(of: path)
        let logBytes = StoreFile.size(of: path + "-wal")
        var first = [UInt8](repeating: 0, count: 100)
        var found = pread(file, &first, first.count, 0) == first.count ? DatabaseHeader(first) : nil
        let size = found?.pageSize ?? Self.usualPageSize
        log = logFile >= 0 ? LogImage(descriptor: logFile, size: logBytes, pageSize: size) : LogImage()
        // The log's version of the first page is the newer one.
        if let place = log.places[1], pread(logFile, &first, first.count, off_t(place)) == first.count,
            let newer = DatabaseHeader(first)
        {
            found = newer
        }
        header = found
        pageSize = size
        usableBytes = size - (found?.reserved ?? 0)
        let inFile = UInt32(clamping: (fileBytes + Int64(size) - 1) / Int64(size))
        let highest = max(log.places.keys.max() ?? 0, log.pageCount)
        pageCount = max(inFile, highest)
        let expected = log.pageCount > 0 ? log.pageCount : found?.pageCount ?? 0
        let missing = expected > inFile ? (inFile + 1...expected).first { [log] in log.places[$0] == nil } : nil
        isCut = missing != nil || fileBytes % Int64(size) != 0
    }

    deinit {
        close(file)
        if logFile >= 0 { close(logFile) }
    }

    /// Returns a page's content; `nil` if it lies beyond the file or the disk can't read it. A truncated page is returned
    /// as it is: padding it with zeros would make up values.
    func page(_ number: UInt32) -> [UInt8]? {
        guard number > 0, number <= pageCount else { return nil }
        var bytes = [UInt8](repeating: 0, count: pageSize)
        if let place = log.places[number] {
            if pread(logFile, &bytes, pageSize, off_t(place)) == pageSize { return bytes }
            failedReads += 1
        }
        let offset = Int64(number - 1) * Int64(pageSize)
        let count = pread(file, &bytes, pageSize, off_t(offset))
        if count < 0 { failedReads += 1 }
        guard count > 0 else { return nil }
        return count == pageSize ? bytes : Array(bytes.prefix(count))
    }
}
