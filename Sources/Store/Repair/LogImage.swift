import Glibc

/// A write-ahead log as it is on the disk: where the newest committed version of each page is.
///
/// SQLite ends its recovery at the first frame whose checksum is wrong. Here the frames after a damaged one count too,
/// if they continue the checksum that the damaged frame carries (sqlite.org/fileformat2.html, section 4).
struct LogImage {
    private static let headerBytes = 32
    private static let frameHeaderBytes = 24

    /// The offset of a page's newest committed content.
    private(set) var places: [UInt32: Int64] = [:]
    /// The file's size in pages after the last commit; 0 if there is none.
    private(set) var pageCount: UInt32 = 0
    /// The number of committed frames.
    private(set) var frames = 0
    /// The number of damaged frames before the last commit: each is a lost version of a page.
    private(set) var brokenFrames = 0

    init() {}

    /// Reads the log that is open as `descriptor`.
    init(descriptor: Int32, size: Int64, pageSize: Int) {
        let frameBytes = Int64(Self.frameHeaderBytes + pageSize)
        guard size >= Int64(Self.headerBytes) + frameBytes else { return }
        var header = [UInt8](repeating: 0, count: Self.headerBytes)
        guard pread(descriptor, &header, header.count, 0) == header.count else { return }
        let magic = header.bigEndian32(at: 0)
        let isBigEndian = magic == 0x377F_0683
        var salts = (header.bigEndian32(at: 16), header.bigEndian32(at: 20))
        var sum: (UInt32, UInt32)? = Self.checksum(header[0..<24], (0, 0), isBigEndian)
        let isSound =
            (magic == 0x377F_0682 || isBigEndian) && header.bigEndian32(at: 8) == UInt32(pageSize)
            && sum?.0 == header.bigEndian32(at: 24) && sum?.1 == header.bigEndian32(at: 28)
        if !isSound { sum = nil }

        var pending: [UInt32: Int64] = [:]
        var pendingFrames = 0
        var pendingBroken = 0
        var frame = [UInt8](repeating: 0, count: Int(frameBytes))
        var offset = Int64(Self.headerBytes)
        while offset + frameBytes <= size {
            defer { offset += frameBytes }
            guard pread(descriptor, &frame, frame.count, off_t(offset)) == frame.count else {
                pendingBroken += 1
                sum = nil
                continue
            }
            let found = (frame.bigEndian32(at: 8), frame.bigEndian32(at: 12))
            if !isSound, offset == Int64(Self.headerBytes) { salts = found }
            let stored = (frame.bigEndian32(at: 16), frame.bigEndian32(at: 20))
            let computed = sum.map { seed in
                Self.checksum(
                    frame[Self.frameHeaderBytes...], Self.checksum(frame[0..<8], seed, isBigEndian), isBigEndian)
            }
            sum = stored
            let page = frame.bigEndian32(at: 0)
            guard found == salts, let computed, computed == stored, page > 0 else {
                // A damaged frame only leaves a hole. Frames of an older generation come after the log's end: no commit
                // follows that would count them.
                pendingBroken += 1
                continue
            }
            pending[page] = offset + Int64(Self.frameHeaderBytes)
            pendingFrames += 1
            let size = frame.bigEndian32(at: 4)
            guard size > 0 else { continue }
            places.merge(pending) { $1 }
            pageCount = size
            frames += pendingFrames
            brokenFrames += pendingBroken
            (pending, pendingFrames, pendingBroken) = ([:], 0, 0)
        }
    }

    /// The log's running checksum over whole pairs of words.
    private static func checksum(
        _ bytes: ArraySlice<UInt8>, _ seed: (UInt32, UInt32), _ isBigEndian: Bool
    ) -> (UInt32, UInt32) {
        bytes.withUnsafeBytes { raw in
            var (first, second) = seed
            for offset in stride(from: 0, to: raw.count - raw.count % 8, by: 8) {
                let left = raw.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
                let right = raw.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
                first = first &+ (isBigEndian ? left.bigEndian : left.littleEndian) &+ second
                second = second &+ (isBigEndian ? right.bigEndian : right.littleEndian) &+ first
            }
            return (first, second)
        }
    }
}
