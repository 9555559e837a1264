import CZlib
import Glibc

/// Reads the bytes of a capture in order, decompressing them if necessary; every call may block.
final class CaptureBytes {
    private let file: gzFile
    private let path: String

    /// Opens a capture; throws when the file is missing or can't be read.
    init(_ path: String) throws(SimulatorError) {
        guard let file = gzopen(path, "rbe") else { throw .cannotOpen(path, errno) }
        self.file = file
        self.path = path
        gzbuffer(file, 256 << 10)
        if path.hasSuffix(".gz"), gzdirect(file) != 0 { throw .notDecompressed(path, "it is not in gzip format") }
    }

    deinit { gzclose(file) }

    /// Reads up to `buffer.count` bytes; 0 means the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(SimulatorError) -> Int {
        let count = gzread(file, buffer.baseAddress, UInt32(buffer.count))
        guard count <= 0 else { return Int(count) }
        var code: CInt = Z_OK
        let words = gzerror(file, &code).map { String(cString: $0) } ?? ""
        switch code {
        case Z_OK, Z_STREAM_END: return 0
        case Z_ERRNO: throw .cannotRead(path, errno)
        case Z_BUF_ERROR: throw .notDecompressed(path, words, isTruncated: true)
        default: throw .notDecompressed(path, words)
        }
    }
}

extension SimulatorError {
    fileprivate static func cannotOpen(_ path: String, _ code: Int32) -> SimulatorError {
        let isMissing = code == ENOENT || code == ENOTDIR
        return SimulatorError(
            reason: isMissing ? .captureMissing : .captureUnreadable, operation: "opening the capture \(path)",
            underlying: String(cString: strerror(code)),
            advice: isMissing
                ? "name an existing .ndjson or .ndjson.gz file"
                : "make the file readable for this user, or name another")
    }

    fileprivate static func cannotRead(_ path: String, _ code: Int32) -> SimulatorError {
        SimulatorError(
            reason: .captureUnreadable, operation: "reading the capture \(path)",
            underlying: String(cString: strerror(code)), advice: "name a regular file; if it is one, check its disk")
    }

    fileprivate static func notDecompressed(
        _ path: String, _ underlying: String, isTruncated: Bool = false
    ) -> SimulatorError {
        SimulatorError(
            reason: isTruncated ? .captureTruncated : .captureUnreadable,
            operation: "decompressing the capture \(path)", underlying: underlying,
            advice: isTruncated ? "copy or download the whole file again" : "name a file that 'gzip -t' accepts")
    }
}
