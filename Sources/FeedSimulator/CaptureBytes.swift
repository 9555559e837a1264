import Glibc

/// The decompressed bytes of a capture, read in turn; every call may block.
enum CaptureBytes: ~Copyable {
    case file(FileDescriptor, path: String)
    case gzip(GzipProcess)

    /// A descriptor that is closed with its owner.
    struct FileDescriptor: ~Copyable {
        let number: Int32
        init(_ number: Int32) { self.number = number }
        deinit { close(number) }
    }

    /// Opens a capture; throws when the file is missing or can't be read.
    static func open(_ path: String) throws(SimulatorError) -> CaptureBytes {
        let number = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { throw .cannotOpen(path, errno) }
        let descriptor = FileDescriptor(number)
        var magic: (UInt8, UInt8) = (0, 0)
        let count = withUnsafeMutableBytes(of: &magic) { pread(number, $0.baseAddress, 2, 0) }
        if count < 0, errno != ESPIPE { throw .cannotOpen(path, errno) }
        let isCompressed = (count == 2 && magic == (0x1F, 0x8B)) || path.hasSuffix(".gz")
        return isCompressed ? .gzip(try GzipProcess(input: descriptor, path: path)) : .file(descriptor, path: path)
    }

    /// Reads up to `buffer.count` bytes; 0 means the end.
    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(SimulatorError) -> Int {
        switch consume self {
        case .file(let descriptor, let path):
            let count = readFully(descriptor.number, buffer)
            let code = errno
            self = .file(descriptor, path: path)
            guard count >= 0 else { throw .cannotRead(path, code) }
            return count
        case .gzip(let process):
            self = .gzip(process)
            return try process.read(into: buffer)
        }
    }
}

/// `read(2)`, again after a signal; -1 and `errno` on failure.
func readFully(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    while true {
        let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        if count >= 0 || errno != EINTR { return count }
    }
}

extension SimulatorError {
    static func cannotOpen(_ path: String, _ code: Int32) -> SimulatorError {
        let isMissing = code == ENOENT || code == ENOTDIR
        return SimulatorError(
            reason: isMissing ? .captureMissing : .captureUnreadable, operation: "opening the capture \(path)",
            underlying: systemText(code),
            advice: isMissing
                ? "name an existing .ndjson or .ndjson.gz file"
                : "make the file readable for this user, or name another")
    }

    static func cannotRead(_ path: String, _ code: Int32) -> SimulatorError {
        SimulatorError(
            reason: .captureUnreadable, operation: "reading the capture \(path)", underlying: systemText(code),
            advice: "name a regular file on a disk that works")
    }

    /// The system's words for an error number.
    static func systemText(_ code: Int32) -> String { String(cString: strerror(code)) }
}
