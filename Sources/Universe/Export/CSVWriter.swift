/// Writes CSV that distinguishes NULL from an empty text; `SeparatedRows(archive:)` reads it.
struct CSVWriter {
    private(set) var bytes: [UInt8] = []

    init(columns: [String]) { add(columns) }

    mutating func add(_ fields: [String?]) {
        for (index, field) in fields.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            guard let field else { continue }
            let isPlain =
                !field.isEmpty
                && field.utf8.allSatisfy { byte in
                    byte > 0x20 && byte != UInt8(ascii: ",") && byte != UInt8(ascii: "\"")
                }
            if isPlain {
                bytes.append(contentsOf: field.utf8)
            } else {
                bytes.append(UInt8(ascii: "\""))
                for byte in field.utf8 {
                    if byte == UInt8(ascii: "\"") { bytes.append(byte) }
                    bytes.append(byte)
                }
                bytes.append(UInt8(ascii: "\""))
            }
        }
        bytes.append(UInt8(ascii: "\n"))
    }
}
