import GRDB
import GRDBSQLite
import MarketData
import TestSupport
import Testing

@testable import Store

/// Everything that knows a stream's columns agrees with the one table of columns.
@Suite(.timeLimit(.minutes(5))) struct ColumnTests {
    @Test(arguments: EventStream.allCases)
    func `the table in the file has the columns, in their order, with their types`(stream: EventStream) async throws {
        let scratch = try Scratch()
        await (try scratch.open()).close()
        let found = try scratch.rows("SELECT name, type, \"notnull\" FROM pragma_table_info('\(stream.rawValue)')")
        #expect(found.map { $0["name"] as String } == stream.columns.map(\.name))
        for (row, column) in zip(found, stream.columns) {
            let type = column.content.isReal ? "REAL" : column.content.isText ? "TEXT" : "INTEGER"
            #expect(row["type"] as String == type, "\(column.name)")
            // A required number may be NaN, which SQLite stores as NULL; the sequence is the primary key.
            let isNotNull = column.isRequired && !column.content.isReal && column.content != .sequence
            #expect((row["notnull"] as Int == 1) == isNotNull, "\(column.name)")
        }
    }

    @Test func `the file says of every column of every table what it means`() async throws {
        let scratch = try Scratch()
        await (try scratch.open()).close()
        let tables = try scratch.rows(
            "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        #expect(tables.count == 16)
        let names = Set(tables.map { $0["name"] as String })
        #expect(names.isSuperset(of: EventStream.allCases.map(\.rawValue)))
        for table in tables {
            let name = table["name"] as String
            let lines = (table["sql"] as String).split(separator: "\n")
            let columns = try scratch.rows("SELECT name FROM pragma_table_info('\(name)')").map { $0["name"] as String }
            #expect(lines[1].hasPrefix("    -- "), "\(name)")
            let meanings = columns.map { column in
                lines.first { $0.hasPrefix("    \(column) ") }.flatMap { line in
                    line.firstRange(of: " -- ").map { line[$0.upperBound...] }
                }
            }
            #expect(!meanings.contains(nil), "\(name): \(zip(columns, meanings).filter { $1 == nil }.map(\.0))")
            guard let stream = EventStream(rawValue: name) else { continue }
            for (column, meaning) in zip(stream.columns, meanings) {
                let list = ", as a JSON array"
                #expect(meaning?.contains(list) == (column.content == .list))
                #expect(meaning?.replacing(list, with: "") == column.meaning[...], "\(name).\(column.name)")
            }
        }
    }

    @Test(arguments: EventStream.allCases)
    func `the inserter, the upload's reader and the history have each value in its column`(
        stream: EventStream
    ) async throws {
        let scratch = try Scratch()
        let batch = stream.fullAndBareEvents()
        #expect(batch.count == 2 && batch.count(of: stream) == 2)
        var sent: [[String: ColumnValue]] = []
        batch.forEachNewest(2) { sent.append($0.byColumn(batch.text)) }
        let names = Set(stream.columns.map(\.name)).subtracting(["seq", "received_us", "connection", "source"])
        #expect(Set(sent[0].keys) == names, "the full event has a value in every column")

        let buffer = try scratch.open()
        try await buffer.collect(batch)
        let rows = try scratch.rows("SELECT \(stream.columnList) FROM \(stream.rawValue) ORDER BY seq")
        for (row, values) in zip(rows, sent) {
            for column in stream.columns where names.contains(column.name) {
                let cell = row[column.name] as DatabaseValue
                let expected = values[column.name]?.databaseValue ?? .null
                #expect(cell == expected, "\(column.name)")
            }
            #expect(row["received_us"] as Int64 == batch.receivedMicroseconds)
            #expect(row["connection"] as String == "primary")
        }

        let read = try #require(try await buffer.nextBatch(of: stream, limit: 10))
        #expect(read.values == sent)
        let stored = try TickHistory(directory: scratch.path).events(of: stream, after: 0, limit: 10).events
        #expect(stored.map { $0.event.byColumn($0.texts) } == sent)
        await buffer.close()
        #expect(try FileVerifier.verify(scratch.ticks, as: .ticks).findings == [])
    }

    @Test(arguments: EventStream.allCases)
    func `each column of a row is verified`(stream: EventStream) async throws {
        for column in stream.columns where column.content != .sequence {
            let (scratch, buffer) = try await Scratch.opened(with: stream.fullAndBareEvents())
            await buffer.close()
            try scratch.execute("UPDATE \(stream.rawValue) SET \(column.name) = x'00' WHERE seq = 1")
            let result = try FileVerifier.verify(scratch.ticks, as: .ticks)
            #expect(
                result.findings.contains { $0.check == .values && $0.place == "\(stream.rawValue) 1" },
                "\(stream.rawValue).\(column.name)")
        }
    }

    @Test(arguments: EventStream.allCases)
    func `a record of a damaged file is known for a row of its stream alone`(stream: EventStream) {
        func record(_ row: some Collection<MarketData.Column>, _ change: (MarketData.Column) -> RecordValue?)
            -> TreeWalk.Row
        {
            TreeWalk.Row(rowid: 7, values: row.map { change($0) ?? $0.record })
        }
        let right = record(stream.columns) { _ in nil }
        #expect(EventRecord.isRow(right, of: stream))
        for other in EventStream.allCases where other != stream { #expect(!EventRecord.isRow(right, of: other)) }
        for wrong in stream.columns {
            let row = record(stream.columns) { $0 == wrong ? .blob([0]) : nil }
            #expect(!EventRecord.isRow(row, of: stream), "\(wrong.name)")
        }
        if stream == .bars {
            let row = record(stream.columns) { $0.content == .interval ? .integer(1 << 32 + 60) : nil }
            #expect(!EventRecord.isRow(row, of: stream))
        }
        // As the first version wrote it, without the columns that were added since; and shorter than any version.
        let first = stream.columns.filter { $0.since == 1 }
        #expect(EventRecord.stream(of: record(first) { _ in nil }) == stream)
        #expect(EventRecord.stream(of: record(first.dropLast()) { _ in nil }) == nil)
    }
}

extension AnyMarketEvent {
    fileprivate func byColumn(_ texts: TextArena) -> [String: ColumnValue] {
        Dictionary(uniqueKeysWithValues: values(in: texts).map { ($0.column.name, $0.value) })
    }
}

extension BufferedBatch {
    fileprivate var values: [[String: ColumnValue]] {
        func values(_ rows: [Buffered<some MarketEvent>]) -> [[String: ColumnValue]] {
            rows.map { $0.event.any.byColumn(text) }
        }
        return values(bars) + values(trades) + values(quotes) + values(limitBands) + values(imbalances)
            + values(fairValues)
    }
}

extension ColumnValue {
    fileprivate var databaseValue: DatabaseValue {
        switch self {
        case .integer(let value): value.databaseValue
        case .real(let value): value.databaseValue
        case .text(let text): text.databaseValue
        }
    }
}

extension MarketData.Column {
    /// A value that a record may have in the column.
    fileprivate var record: RecordValue {
        switch content {
        case .sequence: .null
        case .symbol: .text(Array("IBM".utf8))
        case .interval: .integer(60)
        case .source: .text(Array("stream".utf8))
        case .text, .list, .name: .text(Array("[1]".utf8))
        case .price, .quantity: .real(1.5)
        default: .integer(1)
        }
    }
}
