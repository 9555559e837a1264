import MarketData

/// Writes and reads CSV in which NULL and an empty text differ, byte for byte.
struct CSVText {
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

    struct Row {
        let file: String
        let line: Int
        var fields: [String?]

        func fault(_ text: String) -> UniverseArchiveError {
            UniverseArchiveError(.malformed, "\(file): line \(line): \(text)")
        }

        func text(_ column: Int) throws(UniverseArchiveError) -> String {
            guard let text = fields[column] else { throw fault("column \(column + 1) is missing") }
            return text
        }

        func integer(_ column: Int) throws(UniverseArchiveError) -> Int64? {
            guard let text = fields[column] else { return nil }
            guard let value = Int64(text) else { throw fault("column \(column + 1) is no whole number") }
            return value
        }

        func number(_ column: Int) throws(UniverseArchiveError) -> Double? {
            guard let text = fields[column] else { return nil }
            guard let value = Double(text), value.isFinite else { throw fault("column \(column + 1) is no number") }
            return value
        }

        func identity() throws(UniverseArchiveError) -> GroupRecord.Identity {
            GroupRecord.Identity(name: try text(2), type: try text(1), environment: try text(0))
        }
    }

    /// Reads all rows; the first fault ends it.
    static func rows(of bytes: [UInt8], file: String) throws(UniverseArchiveError) -> [Row] {
        var rows: [Row] = []
        var line = 1
        var position = 0
        while position < bytes.count {
            var row = Row(file: file, line: line, fields: [])
            field: while true {
                row.fields.append(try field(bytes, &position, &line, row))
                guard position < bytes.count else { break }
                switch bytes[position] {
                case UInt8(ascii: ","):
                    position += 1
                    if position == bytes.count { row.fields.append(nil) }
                case UInt8(ascii: "\r") where position + 1 < bytes.count && bytes[position + 1] == 0x0A:
                    position += 2
                    break field
                case 0x0A:
                    position += 1
                    break field
                default: throw row.fault("text follows a closing quote")
                }
                if position == bytes.count { break }
            }
            line += 1
            rows.append(row)
        }
        return rows
    }

    private static func field(
        _ bytes: [UInt8], _ position: inout Int, _ line: inout Int, _ row: Row
    ) throws(UniverseArchiveError) -> String? {
        guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
            let start = position
            while position < bytes.count, ![UInt8(ascii: ","), 0x0A].contains(bytes[position]),
                !(bytes[position] == 0x0D && position + 1 < bytes.count && bytes[position + 1] == 0x0A)
            { position += 1 }
            return start == position ? nil : String(decoding: bytes[start..<position], as: UTF8.self)
        }
        var value: [UInt8] = []
        position += 1
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "\"") {
                guard position < bytes.count, bytes[position] == byte else {
                    return String(decoding: value, as: UTF8.self)
                }
                position += 1
            } else if byte == 0x0A {
                line += 1
            }
            value.append(byte)
        }
        throw row.fault("a quote is not closed")
    }
}
