/// The file that has what could be read of a damaged file.
public struct RepairedFile: Sendable, Equatable {
    /// Where it is.
    public var path: String
    /// Which of the two files it is.
    public var kind: LocalFile
    /// Whether it is the one in its data directory that a collector uses, rather than a copy in a directory of its own.
    public var isInUse: Bool

    /// Makes a description of a repaired file.
    public init(path: String, kind: LocalFile = .ticks, isInUse: Bool) {
        self.path = path
        self.kind = kind
        self.isInUse = isInUse
    }

    /// What became of the damaged file, and what to do, after words such as "it was damaged and".
    public var advice: String {
        if isInUse { return "repaired, and \(path) has its rows: move the damaged file away" }
        guard kind == .ticks else { return "repaired as \(path): move the damaged file away" }
        return "repaired as \(path): upload what waits in the copy with EDGETICK_DATA_DIR=\(PrivateFile.parent(path)) "
            + "edgetick sync, then move the damaged file away"
    }
}

extension StoreFile {
    /// The end of the name of a note beside a damaged file: the path of the repaired one, from the same directory, so that
    /// the directory may be moved.
    private static let repairedMark = "-repaired"

    /// Notes that this damaged file was repaired as `repaired`, which is in this file's directory or below it. If that
    /// fails, the file is reported as one that is still to be repaired.
    func noteRepaired(as repaired: StoreFile) {
        let place =
            repaired.directory == directory ? "" : "\(repaired.directory.split(separator: "/").last ?? "")/"
        _ = PrivateFile.replace(path + StoreFile.repairedMark, with: Array((place + repaired.kind.name).utf8))
    }

    /// The repaired files of those that were set aside, by these files' paths: only those that are still there.
    func repairedFiles(of paths: [String]) -> [String: RepairedFile] {
        var found: [String: RepairedFile] = [:]
        for path in paths {
            let file = StoreFile(path: path, kind: kind)
            guard let note = PrivateFile.beginning(of: path + StoreFile.repairedMark, 1024) else { continue }
            let name = String(decoding: note, as: UTF8.self)
            // By its name alone: to open and close the file here would drop the locks that this process holds on it.
            guard let which = LocalFile.allCases.first(where: { name.hasSuffix($0.name) }) else { continue }
            let repaired = StoreFile(path: "\(file.directory)/\(name)", kind: which)
            guard repaired.inode != nil else { continue }
            found[path] = RepairedFile(
                path: repaired.path, kind: which, isInUse: repaired.directory == file.directory)
        }
        return found
    }
}
