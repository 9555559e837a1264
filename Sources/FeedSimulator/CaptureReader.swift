import Glibc

/// Reads a capture line by line, with a bounded buffer; every call may block.
final class CaptureReader {
    /// The maximum length of a frame, in bytes.
    static let maximumFrameBytes = 64 << 20

    /// The path of the capture being read.
    let path: String
    /// The number of the line last returned, from 1.
    private(set) var line = 0

    private var bytes: CaptureBytes
    private var buffer: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0
    private var isAtEnd = false

    /// Opens the capture.
    init(_ path: String) throws(SimulatorError) {
        self.path = path
        bytes = try CaptureBytes(path)
        buffer = .allocate(byteCount: 512 << 10, alignment: 16)
    }

    deinit { buffer.deallocate() }

    /// Goes back to the first line.
    func rewind() throws(SimulatorError) {
        bytes = try CaptureBytes(path)
        (start, end, line, isAtEnd) = (0, 0, 0, false)
    }

    /// Returns the next line that isn't blank, without surrounding spaces, or `nil` at the end. It is valid until the
    /// next call.
    func nextLine() throws(SimulatorError) -> UnsafeRawBufferPointer? {
        while let raw = try nextRawLine() {
            line += 1
            var (low, high) = (0, raw.count)
            while high > low, ObjectFields.isSpace(raw[high - 1]) { high -= 1 }
            while low < high, ObjectFields.isSpace(raw[low]) { low += 1 }
            if low < high { return UnsafeRawBufferPointer(rebasing: raw[low..<high]) }
        }
        return nil
    }

    /// Returns the error to throw when the line last returned can't be parsed.
    func malformed(_ frame: UnsafeRawBufferPointer) -> SimulatorError {
        let isCut = isAtEnd && start == end && frame.last != UInt8(ascii: "]")
        return SimulatorError(
            reason: isCut ? .captureTruncated : .captureMalformed,
            operation: "reading the capture \(path), line \(line)",
            underlying: isCut ? "the file ends in the middle of a frame" : "the line isn't a JSON array of events",
            advice: isCut
                ? "copy the whole file again, or remove the last line"
                : "each line must be one frame as the feed sent it"
        )
    }

    private func nextRawLine() throws(SimulatorError) -> UnsafeRawBufferPointer? {
        var searched = start
        while true {
            if searched < end, let base = buffer.baseAddress,
                let found = memchr(base + searched, Int32(UInt8(ascii: "\n")), end - searched)
            {
                let newline = UnsafeRawPointer(found) - UnsafeRawPointer(base)
                defer { start = newline + 1 }
                return UnsafeRawBufferPointer(rebasing: buffer[start..<newline])
            }
            searched = end
            if isAtEnd {
                guard start < end else { return nil }
                defer { start = end }
                return UnsafeRawBufferPointer(rebasing: buffer[start..<end])
            }
            searched -= makeRoom()
            let count: Int
            do {
                count = try bytes.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[end...]))
            } catch {
                throw withLine(error)
            }
            end += count
            isAtEnd = count == 0
            guard end - start <= Self.maximumFrameBytes else {
                throw SimulatorError(
                    reason: .captureMalformed, operation: "reading the capture \(path), line \(line + 1)",
                    underlying: "the line is longer than \(Self.maximumFrameBytes >> 20) MiB",
                    advice: "each line must be one frame as the feed sent it: a JSON array of events")
            }
        }
    }

    /// Makes room at the buffer's end: moves the unread bytes to the front, or grows the buffer when they fill it.
    ///
    /// Returns the number of bytes by which they moved.
    private func makeRoom() -> Int {
        guard end == buffer.count else { return 0 }
        let moved = start
        if start > 0 {
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[start..<end]))
        } else {
            let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: buffer.count * 2, alignment: 16)
            larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[..<end]))
            buffer.deallocate()
            buffer = larger
        }
        (start, end) = (0, end - moved)
        return moved
    }

    private func withLine(_ error: SimulatorError) -> SimulatorError {
        SimulatorError(
            reason: error.reason, operation: "\(error.operation), after line \(line)", underlying: error.underlying,
            advice: error.advice)
    }
}
