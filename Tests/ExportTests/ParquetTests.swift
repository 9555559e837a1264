import Foundation
import Parquet
import TestSupport
import Testing

/// Our files, as other programs read them.
@Suite(.blocking, .timeLimit(.minutes(5))) struct ParquetTests {
    private static let columns = [
        ParquetColumn("flag", .flag), ParquetColumn("small", .small), ParquetColumn("whole", .whole),
        ParquetColumn("price", .decimal(scale: 9)), ParquetColumn("time", .timestamp(.milliseconds)),
        ParquetColumn("received", .timestamp(.microseconds)), ParquetColumn("exact", .timestamp(.nanoseconds)),
        ParquetColumn("symbol", .text), ParquetColumn("id", .text),
    ]

    private static func append(_ text: String, _ column: Int, to writer: inout ParquetWriter) {
        var text = text
        text.withUTF8 { writer.append(UnsafeRawBufferPointer($0), at: column) }
    }

    /// Writes rows whose values follow from the row's number; some columns are null in every 7th, 11th, … row.
    private static func write(
        rows: Int, to path: String, compression: ParquetWriter.Compression, groupsAt: Set<Int> = []
    ) throws {
        var writer = ParquetWriter(columns, compression: compression, createdBy: "tests")
        var bytes: [UInt8] = []
        for row in 0..<rows {
            let number = Int64(row)
            if row % 7 == 6 { writer.appendNull(at: 0) } else { writer.append(number % 2, at: 0) }
            if row % 11 == 10 { writer.appendNull(at: 1) } else { writer.append(-number % 1000, at: 1) }
            writer.append(number * 1_000_000_007, at: 2)
            if row % 13 == 12 { writer.appendNull(at: 3) } else { writer.append(437_200_000 + number, at: 3) }
            writer.append(1_767_623_400_000 + number, at: 4)
            writer.append(1_767_623_400_000_001 + number, at: 5)
            writer.append(1_767_623_400_000_000_001 + number, at: 6)
            if row % 5 == 4 { writer.appendNull(at: 7) } else { append("S\(row % 300)", 7, to: &writer) }
            append("trade-\(row)-é", 8, to: &writer)
            writer.endRow()
            if groupsAt.contains(row) {
                writer.endGroup()
                bytes += writer.takeBytes()
            }
        }
        writer.finish()
        bytes += writer.takeBytes()
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    @Test(
        .enabled(if: PythonData.interpreter != nil, "\(PythonData.need)"),
        arguments: [(0, "none"), (1, "gzip"), (5, "none"), (70_000, "gzip"), (300_000, "none")])
    func `pyarrow, DuckDB and pandas read every value and type back`(rows: Int, compression: String) throws {
        let workspace = try Workspace()
        let path = workspace.path + "/rows.parquet"
        try Self.write(
            rows: rows, to: path, compression: try #require(ParquetWriter.Compression(rawValue: compression)),
            groupsAt: [2, 66_000])
        let script = """
            import sys, datetime, decimal
            import pyarrow as pa, pyarrow.parquet as pq
            path, rows = sys.argv[1], int(sys.argv[2])
            table = pq.read_table(path)
            want = {
                'flag': pa.bool_(), 'small': pa.int32(), 'whole': pa.int64(), 'price': pa.decimal128(18, 9),
                'time': pa.timestamp('ms', tz='UTC'), 'received': pa.timestamp('us', tz='UTC'),
                'exact': pa.timestamp('ns', tz='UTC'), 'symbol': pa.string(), 'id': pa.string()}
            assert {f.name: f.type for f in table.schema} == want, table.schema
            assert table.num_rows == rows
            def column(name, form, skip=0):
                found = table[name]
                if name in ('time', 'received', 'exact'): found = found.cast(pa.int64())
                expected = [None if skip and r % skip == skip - 1 else form(r) for r in range(rows)]
                assert found.to_pylist() == expected, name
            column('flag', lambda r: r % 2 == 1, 7)
            column('small', lambda r: -(r % 1000), 11)
            column('whole', lambda r: r * 1000000007)
            column('price', lambda r: decimal.Decimal(437200000 + r).scaleb(-9), 13)
            column('time', lambda r: 1767623400000 + r)
            column('received', lambda r: 1767623400000001 + r)
            column('exact', lambda r: 1767623400000000001 + r)
            column('symbol', lambda r: 'S%d' % (r % 300), 5)
            column('id', lambda r: 'trade-%d-é' % r)
            meta = pq.ParquetFile(path).metadata
            for group in range(meta.num_row_groups):
                for index in range(meta.num_columns):
                    part = meta.row_group(group).column(index)
                    assert part.statistics.null_count is not None
                price = meta.row_group(group).column(2).statistics
                assert price.min <= price.max
            import duckdb
            first = duckdb.sql(f"select count(*), sum(whole), min(price), max(time) from '{path}'").fetchall()[0]
            assert first[0] == rows
            if rows:
                assert first[1] == sum(r * 1000000007 for r in range(rows))
                assert first[2] == decimal.Decimal('0.4372')
                known = [r for r in range(rows) if r % 300 == 3 and r % 5 != 4]
                found = duckdb.sql(f"select count(*) from '{path}' where symbol = 'S3'").fetchall()[0][0]
                assert found == len(known), (found, len(known))
            import pandas
            frame = pandas.read_parquet(path)
            assert len(frame) == rows and str(frame['time'].dtype) == 'datetime64[ms, UTC]', frame.dtypes
            print('read', rows)
            """
        let text = try PythonData.run(script, path, "\(rows)")
        #expect(text.contains("read \(rows)"))
    }

    @Test func `memory is bounded by a row group, and pieces join to the same file`() throws {
        let workspace = try Workspace()
        try Self.write(rows: 1000, to: workspace.path + "/one", compression: .none)
        let one = try Data(contentsOf: URL(fileURLWithPath: workspace.path + "/one"))
        var writer = ParquetWriter(Self.columns, createdBy: "tests")
        #expect(writer.takeBytes() == Array("PAR1".utf8))
        for _ in 0..<10 {
            for column in Self.columns.indices { writer.appendNull(at: column) }
            writer.endRow()
        }
        #expect(writer.heldBytes > 0)
        writer.endGroup()
        #expect(!writer.takeBytes().isEmpty && writer.heldBytes == 0)
        #expect(one.prefix(4) == Data("PAR1".utf8) && one.suffix(4) == Data("PAR1".utf8))
    }
}
