import Glibc
import MarketData

/// A file that is written under a temporary name, and renamed when it is complete.
final class PartitionFile<Encoder: RowEncoder> {
    let stream: EventStream
    let day: TradingDay
    let path: String
    private(set) var encoder: Encoder
    private(set) var rows = 0
    private(set) var bytes: Int64 = 0
    /// The bytes that the encoder held when it was last measured.
    private(set) var heldBytes = 0
    private let temporary: String
    private var isBegun = false

    init(_ stream: EventStream, _ day: TradingDay, path: String, encoder: Encoder) {
        self.stream = stream
        self.day = day
        self.path = path
        self.encoder = encoder
        temporary = path.hiddenNeighbour("partial")
    }

    /// Appends a row, and writes what is ready once there is enough of it.
    ///
    /// - Returns: how many more bytes are held now.
    func append(_ row: some ExportRow) throws(ExportError) -> Int {
        encoder.append(row)
        rows += 1
        if encoder.readyBytes >= 4 << 20 { try write(encoder.takeReady()) }
        return measure()
    }

    private func measure() -> Int {
        let before = heldBytes
        heldBytes = encoder.heldBytes
        return heldBytes - before
    }

    /// Writes what is held.
    ///
    /// - Returns: how many fewer bytes are held now.
    func flush() throws(ExportError) -> Int {
        try write(encoder.takeBytes())
        return -measure()
    }

    /// Ends the file and gives it its name.
    func finish() throws(ExportError) {
        try write(encoder.finish(), isLast: true)
        guard rename(temporary, path) == 0 else { throw ExportError.last(path) }
    }

    func abandon() {
        if isBegun { unlink(temporary) }
    }

    /// The file is opened for each piece, because there may be more files than a process may have open.
    private func write(_ piece: [UInt8], isLast: Bool = false) throws(ExportError) {
        if !isBegun {
            try ExportError.makeDirectory(path.folder)
        }
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (isBegun ? 0 : O_TRUNC), 0o644)
        guard descriptor >= 0 else { throw ExportError.last(temporary) }
        defer { close(descriptor) }
        isBegun = true
        var start = 0
        while start < piece.count {
            let count = piece[start...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno != EINTR { throw ExportError.last(temporary) }
            start += max(0, count)
        }
        bytes += Int64(piece.count)
        if isLast, fdatasync(descriptor) != 0 { throw ExportError.last(temporary) }
    }
}

extension String {
    /// The directory of the file with this path.
    fileprivate var folder: String { String(self[..<(lastIndex(of: "/") ?? startIndex)]) }

    /// The path of the hidden file beside the one with this path that has its name and a suffix.
    func hiddenNeighbour(_ suffix: String) -> String { "\(folder)/.\(dropFirst(folder.count + 1)).\(suffix)" }
}
