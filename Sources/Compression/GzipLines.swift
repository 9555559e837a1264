import CZlib
import Glibc

/// The lines of a file, gzipped or not, read through a bounded buffer; every call may block.
public final class GzipLines {
    /// Why a line can't be read, in the system's or zlib's words.
    public enum Fault: Error {
        case unopened(String, isMissing: Bool)
        case unreadable(String)
        case damaged(String, isTruncated: Bool)
        /// The line with this number has more bytes than lines may have.
        case lineTooLong(Int)
    }

    /// The number of the line last returned, from 1.
    public private(set) var number = 0
    /// Whether the end was reached: a line that is returned then has no newline.
    public private(set) var isAtEnd = false

    /// How many bytes are read at once: twice zlib's own buffer, so that it unpacks straight into ours.
    private static let chunk = 512 << 10
    private let file: gzFile
    private let longest: Int
    private let buffer: UnsafeMutableRawPointer
    private var start = 0
    private var end = 0

    /// Opens a file whose lines have at most `longest` bytes.
    public init(_ path: String, longest: Int) throws(Fault) {
        guard let file = gzopen(path, "rbe") else {
            let code = errno
            throw .unopened(String(cString: strerror(code)), isMissing: code == ENOENT || code == ENOTDIR)
        }
        gzbuffer(file, UInt32(Self.chunk / 2))
        self.file = file
        self.longest = longest
        // Its pages take no memory until they are written to.
        buffer = .allocate(byteCount: longest + Self.chunk, alignment: 16)
    }

    deinit {
        gzclose(file)
        buffer.deallocate()
    }

    /// Whether the file is gzipped; an empty one is not.
    public var isGzipped: Bool { gzdirect(file) == 0 }

    /// Returns the next line without its end (LF or CRLF), valid until the next call; `nil` after the last.
    public func next() throws(Fault) -> UnsafeRawBufferPointer? {
        var searched = start
        while true {
            let newline = memchr(buffer + searched, 0x0A, end - searched).map { $0 - buffer }
            guard (newline ?? end) - start <= longest else { throw .lineTooLong(number + 1) }
            if let newline { return take(to: newline, next: newline + 1) }
            memmove(buffer, buffer + start, end - start)
            (start, end) = (0, end - start)
            searched = end
            let count = try read()
            guard count > 0 else {
                isAtEnd = true
                return end > 0 ? take(to: end, next: end) : nil
            }
            end += count
        }
    }

    private func take(to newline: Int, next: Int) -> UnsafeRawBufferPointer {
        let line = UnsafeRawBufferPointer(start: buffer + start, count: newline - start)
        (start, number) = (next, number + 1)
        return line.last == 0x0D ? UnsafeRawBufferPointer(rebasing: line.dropLast()) : line
    }

    /// Reads more bytes after the unread ones and returns how many; 0 means the end.
    private func read() throws(Fault) -> Int {
        let count = gzread(file, buffer + end, UInt32(Self.chunk))
        guard count <= 0 else { return Int(count) }
        let cause = errno
        var code = Z_OK
        let words = gzerror(file, &code).map { String(cString: $0) } ?? ""
        switch code {
        case Z_OK, Z_STREAM_END: return 0
        case Z_ERRNO: throw .unreadable(String(cString: strerror(cause)))
        default: throw .damaged(words, isTruncated: code == Z_BUF_ERROR)
        }
    }
}
