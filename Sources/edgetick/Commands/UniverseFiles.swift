import FoundationEssentials
import Store
import Universe

/// The contents of the files and directories of an import.
enum UniverseFiles {
    /// Lists of symbols and holdings, in the order of the paths.
    case lists([UniverseImporter.File])
    /// A backup of a whole mirror.
    case backup(MirrorContents)

    /// A larger file can't be a list of symbols.
    static let maximumBytes = 256 << 20

    /// Reads what the paths name.
    init(_ paths: [String]) throws {
        if paths.count == 1 {
            let path = paths[0]
            if !Self.isDirectory(path) {
                let bytes = try Self.bytes(of: path)
                self =
                    UniverseArchive.isJSON(bytes)
                    ? .backup(try UniverseArchive.contents(json: bytes))
                    : .lists([.init(name: Self.name(of: path), bytes: bytes)])
                return
            }
            if FileManager.default.fileExists(atPath: path + "/" + UniverseArchive.csvFiles[0]) {
                self = .backup(
                    try UniverseArchive.contents { name in
                        let file = path + "/" + name
                        return FileManager.default.fileExists(atPath: file) ? try Self.bytes(of: file) : nil
                    })
                return
            }
        }
        var lists: [UniverseImporter.File] = []
        for path in paths {
            for file in Self.isDirectory(path) ? try Self.lists(in: path) : [path] {
                let name = Self.name(of: file)
                do {
                    let bytes = try Self.bytes(of: file)
                    lists.append(
                        UniverseArchive.isJSON(bytes)
                            ? .init(name: name, fault: "it is a backup: import it alone")
                            : .init(name: name, bytes: bytes))
                } catch {
                    // One unreadable file must not stop the others.
                    lists.append(.init(name: name, fault: error.lines.joined(separator: "; ")))
                }
            }
        }
        self = .lists(lists)
    }

    private static func lists(in directory: String) throws -> [String] {
        let names = try failing(as: "\(directory) can't be read") {
            try FileManager.default.contentsOfDirectory(atPath: directory)
        }
        let files = names.filter { name in
            !name.hasPrefix(".") && [".csv", ".tsv", ".txt", ".xlsx"].contains { name.lowercased().hasSuffix($0) }
                && !FileContents.isOtherThanFile("\(directory)/\(name)")
        }.sorted()
        guard !files.isEmpty else {
            throw CommandFailure(.badData, "\(directory) has no .csv, .tsv, .txt or .xlsx file in it")
        }
        return files.map { "\(directory)/\($0)" }
    }

    private static func bytes(of file: String) throws(CommandFailure) -> [UInt8] {
        do {
            return try FileContents.bytes(of: file, atMost: maximumBytes)
        } catch is FileContents.TooLarge {
            throw CommandFailure(
                .badData, "\(file) has more than \(maximumBytes >> 20) MiB: that is no list of symbols")
        } catch {
            throw CommandFailure(.ioError, "\(file) can't be read: \(error.systemText)")
        }
    }

    private static func isDirectory(_ path: String) -> Bool {
        var isDirectory = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory
    }

    private static func name(of path: String) -> String {
        path == "-" ? "stdin" : URL(fileURLWithPath: path).lastPathComponent
    }
}
