import MarketData

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
                && field.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "\"") }
            bytes += (isPlain ? field : "\"\(field.escaping("\"", with: "\""))\"").utf8
        }
        bytes.append(UInt8(ascii: "\n"))
    }
}
