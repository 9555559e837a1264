import Foundation
import GRDB
import Logging
import MarketData
import Store
import TestSupport
import Testing
import Upstream

@testable import Export

/// What docs/schema.md says is true, and every query in it runs and finds what it asks for.
@Suite(.blocking, .timeLimit(.minutes(5))) struct SchemaDocumentTests {
    private static let day = TradingDay("2026-01-05")!

    /// The blocks of a kind, in the order of the document.
    private func blocks(_ kind: String) throws -> [String] {
        let text = try String(contentsOfFile: Places.repository + "/docs/schema.md", encoding: .utf8)
        return text.components(separatedBy: "```" + kind + "\n").dropFirst().map {
            $0.components(separatedBy: "\n```")[0]
        }
    }

    /// Minute bars of two symbols from 9:30 on, one bar in two versions, and trades of another symbol.
    private func fill(_ workspace: Workspace) async throws -> TickBuffer {
        let buffer = try TickBuffer.scratch(in: workspace.path)
        let open = try #require(Self.day.session).regularOpen
        var batch = EventBatch(connection: "primary", receivedMicroseconds: (open + 3_600_000) * 1000)
        let parts: [(String, Int64)] = [("AAPL", 10), ("MSFT", 7), ("AAPL", 1)]
        for (name, count) in parts {
            let symbol = try #require(Symbol(name))
            for number in 0..<count {
                let start = open + number * 60_000
                let price = Double(number)
                batch.bars.append(
                    Bar(
                        symbol: symbol, interval: .minute, start: start, end: start + 60_000, open: 10, high: 11,
                        low: 9,
                        close: 10 + price, volume: 100.5, vwap: 10.25 + price))
            }
        }
        for number in 0..<3 {
            batch.trades.append(
                Trade(
                    symbol: Symbol("IBM")!, time: open + Int64(number) * 1000, price: 181.27, size: 100,
                    conditions: number == 2 ? batch.text.append("[12,44]") : nil))
        }
        try await buffer.collect(batch)
        buffer.record(
            Gap(
                connection: "primary", symbols: [Symbol("AAPL")!], events: [.minuteBar], from: open + 600_000,
                to: open + 660_000, cause: .stalled))
        try await buffer.flush()
        return buffer
    }

    @Test func `every query to the file runs, and the document names every table and view`() async throws {
        let workspace = try Workspace()
        try await fill(workspace).close()
        let queue = try DatabaseQueue(path: workspace.path + "/ticks.sqlite")
        let queries = try blocks("sql file")
        #expect(queries.count == 8)
        let document = try String(contentsOfFile: Places.repository + "/docs/schema.md", encoding: .utf8)
        try await queue.write { database in
            try database.execute(
                sql: "INSERT INTO drops VALUES (1, 'bars', 'AAPL', 'oldest_dropped', 1, 2, 1, 1, 1, 1767700000000000)")
            for query in queries {
                #expect(try Row.fetchAll(database, sql: query).isEmpty == false, "\(query)")
            }
            let vwap = try Row.fetchAll(database, sql: queries[1])
            #expect(vwap.map { $0["symbol"] as String } == ["AAPL", "MSFT"])
            #expect(vwap.map { $0["vwap"] as Double } == [14.75, 13.25])
            #expect(try Row.fetchAll(database, sql: queries[2]).map { $0["bars"] as Int } == [10, 7])
            for name in try String.fetchAll(
                database,
                sql: "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'")
            {
                #expect(document.contains("`\(name)`"), "docs/schema.md doesn't name \(name)")
            }
        }
    }

    @Test func `the views have every column, and the times that the numbers say`() async throws {
        let workspace = try Workspace()
        let buffer = try await fill(workspace)
        for stream in EventStream.allCases { _ = buffer.offer(stream.fullAndBareEvents()) }
        try await buffer.flush()
        await buffer.close()
        let queue = try DatabaseQueue(path: workspace.path + "/ticks.sqlite")
        try await queue.read { database in
            let latest = try database.columns(in: "bars_latest").map(\.name)
            #expect(latest == EventStream.bars.columns.map(\.name))
            for stream in EventStream.allCases {
                let names = try database.columns(in: "\(stream.rawValue)_utc").map(\.name)
                #expect(Array(names.dropFirst(2)) == stream.columns.map(\.name), "\(stream)")
                let time = stream == .bars ? "start" : "time"
                for row in try Row.fetchAll(database, sql: "SELECT * FROM \(stream.rawValue)_utc") {
                    let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
                    for (text, number) in [
                        (row["\(time)_utc"] as String, (row["\(time)_ms"] as Int64)),
                        (row["received_utc"] as String, (row["received_us"] as Int64) / 1000),
                    ] {
                        let date = try style.parse(text.replacing(" ", with: "T") + "Z")
                        #expect(Int64((date.timeIntervalSince1970 * 1000).rounded()) == number)
                    }
                }
            }
            // The second version of the first bar has replaced it.
            let bars = try Row.fetchAll(
                database, sql: "SELECT seq FROM bars_latest WHERE symbol = 'AAPL' AND interval_s = 60 ORDER BY start_ms"
            )
            #expect(bars.count == 10 && bars[0]["seq"] as Int64 == 18)
            let comments = try String.fetchAll(database, sql: "SELECT sql FROM sqlite_master WHERE type = 'view'")
            #expect(comments.allSatisfy { $0.contains("-- ") })
        }
    }

    @Test(.enabled(if: PostgresCluster.isInstalled))
    func `every query upstream runs and agrees with the file's`() async throws {
        let workspace = try Workspace()
        let cluster = try PostgresCluster.shared()
        let database = try cluster.makeDatabase()
        let buffer = try await fill(workspace)
        try await UploadedBuffer.upload(
            buffer,
            to: UpstreamConfiguration(uri: cluster.uri(database), collector: "tests", connectTimeout: .seconds(60)))
        await buffer.close()
        let queries = try blocks("sql upstream")
        #expect(queries.count == 8)
        let answers = try queries.map { query in
            try cluster.psql(query, database: database).split(separator: "\n").map(String.init)
        }
        for (query, answer) in zip(queries, answers) { #expect(!answer.isEmpty, "\(query)") }
        #expect(answers[0].map { $0.prefix(4) } == ["AAPL", "MSFT"])
        #expect(answers[1].map { $0.split(separator: "|").map { $0.prefix(5) } }[0] == ["AAPL", "14.75", "1005."])
        #expect(answers[2] == ["AAPL|10|380", "MSFT|7|383"])
        #expect(
            answers[3].count == 380 && answers[4].count == 2 && answers[5].count == 3 && answers[6] == ["primary|3"])
        #expect(answers[7].count == 1)
    }

    @Test(.enabled(if: PythonData.interpreter != nil, "\(PythonData.need)"))
    func `pandas reads the file and DuckDB the export, as the document does`() async throws {
        let workspace = try Workspace()
        try await fill(workspace).close()
        let options = ExportOptions(days: Self.day...Self.day, directory: workspace.path + "/data")
        _ = try Exporter(options).export(fileIn: workspace.path)
        let scripts = try blocks("python")
        #expect(scripts.count == 2)
        let enter = "import os; os.chdir('\(workspace.path)')\n"
        let pandas = try PythonData.run(enter + scripts[0])
        #expect(pandas.contains("AAPL") && pandas.contains("MSFT") && pandas.contains("14:39"))
        let duckdb = try PythonData.run(enter + scripts[1])
        #expect(duckdb.contains("14.75") && duckdb.contains("13.25"))
    }
}
