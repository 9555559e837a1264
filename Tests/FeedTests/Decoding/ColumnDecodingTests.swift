import MarketData
import TestSupport
import Testing

@testable import Feed

/// The decoder is the hot path, so it names the fields by hand; it must agree with the table of columns.
@Suite(.timeLimit(.minutes(5))) struct ColumnDecodingTests {
    @Test(arguments: EventStream.allCases)
    func `each field of a message comes out in the column that the table names for it`(stream: EventStream) throws {
        let sent = stream.fullAndBareEvents()
        var event: AnyMarketEvent?
        sent.forEachNewest(2) { event = event ?? $0 }
        let full = try #require(event)
        let values = full.values(in: sent.text)
        // A time in nanoseconds is sent in the same field as one in milliseconds.
        var fields: [String: String] = [:]
        for (column, value) in values {
            if let field = column.fields.first { fields[field] = value.wire(column) }
        }
        let members = fields.sorted { $0.key < $1.key }.map { "\"\($0)\":\($1)" }
        let decoded = Decoded.event("{\"ev\":\"\(full.head.kind.rawValue)\",\(members.joined(separator: ","))}")
        #expect(decoded.reasons == [:])
        var found: [String: ColumnValue] = [:]
        decoded.batch.forEachNewest(1) { event in
            for (column, value) in event.values(in: decoded.batch.text) { found[column.name] = value }
        }
        for (column, value) in values { #expect(found[column.name] == value, "\(column.name)") }
        #expect(found.count == values.count)
    }

    @Test(arguments: EventStream.allCases)
    func `a message lacks only what its columns can be without`(stream: EventStream) throws {
        let sent = stream.fullAndBareEvents()
        var event: AnyMarketEvent?
        sent.forEachNewest(2) { event = event ?? $0 }
        let full = try #require(event)
        let values = full.values(in: sent.text).filter { !$0.column.fields.isEmpty }
        for (missing, _) in values where missing.follows == nil && missing.content != .nanoseconds {
            let members = values.filter { $0.column.fields != missing.fields && $0.column.content != .nanoseconds }.map
            { column, value in
                "\"\(column.fields[0])\":\(value.wire(column))"
            }
            let decoded = Decoded.event("{\"ev\":\"\(full.head.kind.rawValue)\",\(members.joined(separator: ","))}")
            #expect(decoded.batch.count == (missing.isRequired ? 0 : 1), "\(missing.name)")
            #expect(decoded.reasons == (missing.isRequired ? [.missingField: 1] : [:]), "\(missing.name)")
        }
    }
}

extension ColumnValue {
    /// The value as the feed writes it: exact numbers in quotes, lists as arrays, flags in words.
    fileprivate func wire(_ column: Column) -> String {
        switch (column.content, self) {
        case (.flag, .integer(let value)): value == 0 ? "false" : "true"
        case (.list, .text(let text)): text
        case (.quantity, .real) where column.fields.count > 1: "\"\(json)\""
        default: json
        }
    }
}
