import FoundationEssentials
import Store
import Universe

/// What the files and directories of an import hold.
enum UniverseFiles {
    /// Lists of symbols and holdings, by path.
    case lists([UniverseImporter.File])
    /// A backup of a whole mirror.
    case backup(MirrorContents)

    /// A file larger than this is no list of symbols.
    static let maximumBytes = 256 << 20

    /// Reads what the paths name.
    ///
    /// - Throws: `CommandFailure` and `UniverseArchiveError`.
    init(_ paths: [String]) throws {
        if paths.count == 1 {
            let path = paths[0]
            if Self.isDirectory(path), FileManager.default.fileExists(atPath: path + "/" + UniverseArchive.csvFiles[0])
            {
                self = .backup(
                    try UniverseArchive.contents { name in
                        let file = path + "/" + name
                        return FileManager.default.fileExists(atPath: file) ? try Self.bytes(of: file) : nil
                    })
                return
            }
            if !Self.isDirectory(path) {
                let bytes = try Self.bytes(of: path)
                if UniverseArchive.isJSON(bytes) {
                    self = .backup(try UniverseArchive.contents(json: bytes))
                } else {
                    self = .lists([.init(name: Self.name(of: path), bytes: bytes)])
                }
                return
            }
        }
        var lists: [UniverseImporter.File] = []
        for path in paths {
            for file in Self.isDirectory(path) ? try Self.lists(in: path) : [path] {
                let bytes = try Self.bytes(of: file)
                guard !UniverseArchive.isJSON(bytes) else {
                    throw CommandFailure(.usage, "\(file) is a backup: import it alone")
                }
                lists.append(.init(name: Self.name(of: file), bytes: bytes))
            }
        }
        self = .lists(lists)
    }

    private static func lists(in directory: String) throws -> [String] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: directory)
        } catch {
            throw CommandFailure(.ioError, "\(directory) can't be read: \(error.systemText)")
        }
        let files = names.filter { name in
            !name.hasPrefix(".") && [".csv", ".tsv", ".txt", ".xlsx"].contains { name.lowercased().hasSuffix($0) }
        }.sorted()
        guard !files.isEmpty else {
            throw CommandFailure(.badData, "\(directory) has no .csv, .tsv, .txt or .xlsx file in it")
        }
        return files.map { "\(directory)/\($0)" }
    }

    private static func bytes(of file: String) throws -> [UInt8] {
        do {
            let attributes = try FileManager.default.attributesOfItem(atPath: file)
            if let size = attributes[.size] as? Int, size > maximumBytes {
                throw CommandFailure(.badData, "\(file) has \(size) bytes: that is no list of symbols")
            }
            return [UInt8](try Data(contentsOf: URL(fileURLWithPath: file)))
        } catch let error as CommandFailure {
            throw error
        } catch {
            throw CommandFailure(.ioError, "\(file) can't be read: \(error.systemText)")
        }
    }

    private static func isDirectory(_ path: String) -> Bool {
        var isDirectory = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory
    }

    private static func name(of path: String) -> String { URL(fileURLWithPath: path).lastPathComponent }
}

extension GroupType {
    /// Reads a type as typed, whatever its case.
    init(argument: String) throws {
        guard let type = GroupType(rawValue: argument.uppercased()) else {
            let known = GroupType.allCases.map(\.rawValue).joined(separator: ", ")
            throw CommandFailure(.usage, "--type \(argument): use one of \(known)")
        }
        self = type
    }
}
