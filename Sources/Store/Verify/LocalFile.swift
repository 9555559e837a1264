/// One of the two files that EdgeTick keeps.
public enum LocalFile: String, Sendable, CaseIterable {
    /// `ticks.sqlite`, the buffer.
    case ticks
    /// `universe.sqlite`, the mirror of groups.
    case universe

    /// The file's name in the data directory.
    public var name: String {
        switch self {
        case .ticks: TickBuffer.fileName
        case .universe: UniverseMirror.fileName
        }
    }

    var schema: StoreSchema {
        switch self {
        case .ticks: .ticks
        case .universe: .universe
        }
    }

    /// Determines which file is at `path` by its header, or else by its name: `ticks-bad-….sqlite` is a `ticks.sqlite`
    /// that was set aside. `nil` if neither shows it.
    public init?(at path: String) {
        if let header = DatabaseHeader(path: path),
            let found = LocalFile.allCases.first(where: { $0.schema.applicationID == header.applicationID })
        {
            self = found
            return
        }
        let name = path.split(separator: "/").last.map(String.init) ?? path
        guard let found = LocalFile.allCases.first(where: { name.hasPrefix($0.rawValue) }) else { return nil }
        self = found
    }
}
