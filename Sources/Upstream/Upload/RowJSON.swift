import MarketData

/// Writes a buffered row as a JSON object, with the names that the buffer's columns have.
enum RowJSON {
    static func text<Event: MarketEvent>(_ row: Buffered<Event>, _ context: RowContext) -> String {
        let connection =
            context.connections.indices.contains(Int(row.connection)) ? context.connections[Int(row.connection)] : nil
        let members =
            [("seq", .integer(row.sequence))]
            + row.event.values(in: context.text).map { ($0.column.name, $0.value) }
            + [
                ("received_us", .integer(row.receivedMicroseconds)), ("connection", connection.map { .text($0) }),
                ("source", ColumnValue.text(row.source.rawValue)),
            ]
        let texts = members.compactMap { name, value in value.map { "\"\(name)\":\($0.json)" } }
        return "{\(texts.joined(separator: ","))}"
    }
}
