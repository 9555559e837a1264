import FoundationEssentials
import Glibc
import SystemPackage

/// Reads whole files of any kind; a pipe has no length to check first.
enum FileContents {
    struct TooLarge: Error {}

    /// Nobody wrote to a pipe for the time allowed.
    struct Silent: Error {}

    /// Returns a file's bytes; `-` is standard input. Blocks.
    ///
    /// - Parameter patience: How long to wait for the next bytes from a named pipe; `nil` waits for ever. The shell's
    ///   `<(…)` pipes, below `/dev`, always have a writer and are waited for without limit.
    /// - Throws: `Errno`, ``Silent``, and ``TooLarge`` as soon as there are more than `limit` bytes.
    static func bytes(of path: String, atMost limit: Int, patience: Duration? = nil) throws -> [UInt8] {
        guard path != "-" else { return try bytes(of: .standardInput, atMost: limit, patience: nil) }
        // Check the size of a regular file first, so that an oversized one is not read at all.
        guard size(ofFile: path) ?? 0 <= limit else { throw TooLarge() }
        let patience = path.hasPrefix("/dev/") || path.hasPrefix("/proc/") ? nil : patience
        // Without `nonBlocking`, the open itself would wait for a writer.
        let file = try FileDescriptor.open(
            FilePath(path), .readOnly, options: patience == nil ? .closeOnExec : [.closeOnExec, .nonBlocking])
        return try file.closeAfter { try bytes(of: file, atMost: limit, patience: patience) }
    }

    /// Whether a path is a directory, a pipe or a device.
    static func isOtherThanFile(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: path) && size(ofFile: path) == nil
    }

    /// A file's size in bytes; `nil` for anything else.
    private static func size(ofFile path: String) -> Int? {
        let target = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: target),
            attributes[.type] as? FileAttributeType == .typeRegular
        else { return nil }
        return (attributes[.size] as? UInt64).map { Int(clamping: $0) }
    }

    private static func bytes(of file: FileDescriptor, atMost limit: Int, patience: Duration?) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            if let patience {
                var event = pollfd(fd: file.rawValue, events: Int16(POLLIN), revents: 0)
                let count = poll(&event, 1, Int32(patience / .milliseconds(1)))
                guard count != 0 else { throw Silent() }
                // A signal interrupted the poll.
                if count < 0 { continue }
            }
            let count = try chunk.withUnsafeMutableBytes { try file.read(into: $0) }
            guard count > 0 else { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= limit else { throw TooLarge() }
        }
    }
}
