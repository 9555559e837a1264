import FoundationEssentials
import SystemPackage

/// Runs `body` with a fresh directory that is removed afterwards.
func withDirectory(_ body: (FilePath) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "edgetick-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    try body(FilePath(directory.path))
}

/// Writes a text file.
func write(_ text: String, to path: FilePath) throws {
    let file = try FileDescriptor.open(
        path, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: .ownerReadWrite)
    try file.closeAfter { _ = try file.writeAll(text.utf8) }
}
