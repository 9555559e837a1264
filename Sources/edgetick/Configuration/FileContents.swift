import Glibc
import SystemPackage

/// Reads files whole, of whatever kind they are: a pipe has no length to ask for first.
enum FileContents {
    /// A file is larger than what it is taken for can be.
    struct TooLarge: Error {}

    /// A file's bytes; `-` is the standard input. Blocks.
    ///
    /// - Throws: `Errno`, and ``TooLarge`` as soon as there are more than `limit` bytes.
    static func bytes(of path: String, atMost limit: Int) throws -> [UInt8] {
        guard path != "-" else { return try bytes(of: .standardInput, atMost: limit) }
        let file = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
        return try file.closeAfter {
            // What has a length is not read up to the limit first.
            var status = stat()
            let hasLength = fstat(file.rawValue, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
            guard !hasLength || status.st_size <= limit else { throw TooLarge() }
            return try bytes(of: file, atMost: limit)
        }
    }

    /// Whether a path is a directory, a pipe or a device.
    static func isOtherThanFile(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFREG
    }

    private static func bytes(of file: FileDescriptor, atMost limit: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = try chunk.withUnsafeMutableBytes { try file.read(into: $0) }
            guard count > 0 else { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= limit else { throw TooLarge() }
        }
    }
}
