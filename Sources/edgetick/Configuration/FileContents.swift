import FoundationEssentials
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
        // What has a length is not read up to the limit first.
        guard size(ofFile: path) ?? 0 <= limit else { throw TooLarge() }
        let file = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
        return try file.closeAfter { try bytes(of: file, atMost: limit) }
    }

    /// Whether a path is a directory, a pipe or a device.
    static func isOtherThanFile(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: path) && size(ofFile: path) == nil
    }

    /// A file's size in bytes; `nil` for anything else.
    private static func size(ofFile path: String) -> UInt64? {
        let target = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: target),
            attributes[.type] as? FileAttributeType == .typeRegular
        else { return nil }
        return attributes[.size] as? UInt64
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
