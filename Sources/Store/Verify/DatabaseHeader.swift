/// The first 100 bytes of a database file, read without SQLite (sqlite.org/fileformat2.html, section 1.3).
struct DatabaseHeader {
    let pageSize: Int
    /// Bytes at each page's end that SQLite leaves to extensions.
    let reserved: Int
    /// The file's size in pages when it was last changed, according to the file itself.
    let pageCount: UInt32
    /// The first page of the list of free pages; 0 when there is none.
    let firstFree: UInt32
    let applicationID: Int32
    let userVersion: Int

    /// `nil` if the bytes are not a database header.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= 100, bytes.starts(with: Array("SQLite format 3\0".utf8)) else { return nil }
        func number(_ offset: Int) -> UInt32 { bytes.bigEndian32(at: offset) }
        let size = Int(bytes[16]) << 8 | Int(bytes[17])
        pageSize = size == 1 ? 65_536 : size
        guard pageSize >= 512, pageSize & (pageSize - 1) == 0 else { return nil }
        reserved = Int(bytes[20])
        pageCount = number(28)
        firstFree = number(32)
        userVersion = Int(Int32(bitPattern: number(60)))
        applicationID = Int32(bitPattern: number(68))
    }

    /// Reads the header of a file that no connection of this process has open; `nil` if it can't be read.
    init?(path: String) {
        guard let bytes = PrivateFile.beginning(of: path, 100) else { return nil }
        self.init(bytes)
    }
}

extension [UInt8] {
    func bigEndian16(at offset: Int) -> Int { Int(self[offset]) << 8 | Int(self[offset + 1]) }

    func bigEndian32(at offset: Int) -> UInt32 {
        UInt32(self[offset]) << 24 | UInt32(self[offset + 1]) << 16 | UInt32(self[offset + 2]) << 8
            | UInt32(self[offset + 3])
    }
}
