import MarketData

extension UploadTarget {
    /// A row as INSERT … VALUES. If it is refused, this reports the reason on an engine that hides it for a COPY.
    func insertSQL(_ row: Buffered<Field.Event>, _ context: RowContext) -> String {
        let values = columns.map { column in
            var field = CopyText()
            column.field.write(row, as: column.form, in: context, to: &field)
            return CopyText.literal(field.bytes)
        }
        return "INSERT INTO \(table.sqlName) (\(list(columns))) VALUES (\(values.joined(separator: ", ")))"
    }
}

extension CopyText {
    /// A field of the text format as an SQL constant, which each column's own type parses.
    static func literal(_ field: [UInt8]) -> String {
        guard field != Array("\\N".utf8) else { return "NULL" }
        var plain: [UInt8] = []
        var isEscaped = false
        for byte in field {
            switch (isEscaped, byte) {
            case (false, UInt8(ascii: "\\")): isEscaped = true
            case (true, UInt8(ascii: "t")): (plain, isEscaped) = (plain + [UInt8(ascii: "\t")], false)
            case (true, UInt8(ascii: "n")): (plain, isEscaped) = (plain + [UInt8(ascii: "\n")], false)
            case (true, UInt8(ascii: "r")): (plain, isEscaped) = (plain + [UInt8(ascii: "\r")], false)
            default: (plain, isEscaped) = (plain + [byte], false)
            }
        }
        return SQLText.literal(String(decoding: plain, as: UTF8.self))
    }
}
