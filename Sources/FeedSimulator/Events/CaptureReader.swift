import Compression

/// Reads a capture line by line, decompressing it if necessary, with a bounded buffer; every call may block.
final class CaptureReader {
    /// The maximum length of a frame, in bytes.
    static let maximumFrameBytes = 64 << 20

    private let path: String
    private let lines: GzipLines

    init(_ path: String) throws(SimulatorError) {
        self.path = path
        do { lines = try GzipLines(path, longest: Self.maximumFrameBytes) } catch { throw SimulatorError(error, path) }
        guard !path.hasSuffix(".gz") || lines.isGzipped else {
            throw SimulatorError(.damaged("it is not in gzip format", isTruncated: false), path)
        }
    }

    /// Returns the next line that isn't blank, without surrounding spaces, or `nil` at the end. It is valid until the
    /// next call.
    func nextLine() throws(SimulatorError) -> UnsafeRawBufferPointer? {
        do {
            while let raw = try lines.next() {
                var (low, high) = (0, raw.count)
                while high > low, ObjectFields.isSpace(raw[high - 1]) { high -= 1 }
                while low < high, ObjectFields.isSpace(raw[low]) { low += 1 }
                if low < high { return UnsafeRawBufferPointer(rebasing: raw[low..<high]) }
            }
            return nil
        } catch {
            throw SimulatorError(error, path, after: lines.number)
        }
    }

    /// Returns the error to throw when the line last returned can't be parsed.
    func malformed(_ frame: UnsafeRawBufferPointer) -> SimulatorError {
        let isCut = lines.isAtEnd && frame.last != UInt8(ascii: "]")
        return SimulatorError(
            reason: isCut ? .captureTruncated : .captureMalformed,
            operation: "reading the capture \(path), line \(lines.number)",
            underlying: isCut ? "the file ends in the middle of a frame" : "the line isn't a JSON array of events",
            advice: isCut
                ? "copy the whole file again, or remove the last line"
                : "each line must be one frame as the feed sent it"
        )
    }
}

extension SimulatorError {
    fileprivate init(_ fault: GzipLines.Fault, _ path: String, after line: Int? = nil) {
        let place = line.map { "\(path), after line \($0)" } ?? path
        switch fault {
        case .unopened(let words, let isMissing):
            self.init(
                reason: isMissing ? .captureMissing : .captureUnreadable, operation: "opening the capture \(place)",
                underlying: words,
                advice: isMissing
                    ? "name an existing .ndjson or .ndjson.gz file"
                    : "make the file readable for this user, or name another")
        case .unreadable(let words):
            self.init(
                reason: .captureUnreadable, operation: "reading the capture \(place)", underlying: words,
                advice: "name a regular file; if it is one, check its disk")
        case .damaged(let words, let isTruncated):
            self.init(
                reason: isTruncated ? .captureTruncated : .captureUnreadable,
                operation: "decompressing the capture \(place)", underlying: words,
                advice: isTruncated ? "copy or download the whole file again" : "name a file that 'gzip -t' accepts")
        case .lineTooLong(let number):
            self.init(
                reason: .captureMalformed, operation: "reading the capture \(path), line \(number)",
                underlying: "the line is longer than \(CaptureReader.maximumFrameBytes >> 20) MiB",
                advice: "each line must be one frame as the feed sent it: a JSON array of events")
        }
    }
}
