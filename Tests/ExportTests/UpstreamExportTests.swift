import Foundation
import Logging
import MarketData
import Store
import TestSupport
import Testing
import Upstream

@testable import Export

/// An export of the database is the same as one of the file.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled), .timeLimit(.minutes(5))) struct UpstreamExportTests {
    private static let day = TradingDay("2026-01-05")!

    /// The lines without the row's sequence, which the database doesn't have.
    private func rows(_ directory: String) throws -> [String: [String]] {
        var found: [String: [String]] = [:]
        for stream in EventStream.allCases {
            let path = "\(directory)/\(stream.rawValue)/day=2026-01-05/\(stream.rawValue).json"
            found[stream.rawValue] = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map {
                String($0.replacing(#/^\{"seq":[^,]*,/#, with: ""))
            }.sorted()
        }
        return found
    }

    @Test(arguments: [BarTimestamp.start, .end])
    func `an export of the database is an export of the file`(barTimestamp: BarTimestamp) async throws {
        let workspace = try Workspace()
        let cluster = try PostgresCluster.shared()
        let logger = Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() }
        let configuration = try UpstreamConfiguration(
            uri: cluster.uri(try cluster.makeDatabase()), collector: "tests", connectTimeout: .seconds(60),
            barTimestamp: barTimestamp)
        let buffer = try TickBuffer.scratch(in: workspace.path, logger: logger)
        for stream in EventStream.allCases { _ = buffer.offer(stream.fullAndBareEvents()) }
        try await buffer.flush()
        try await UploadedBuffer.upload(buffer, to: configuration)
        await buffer.close()

        func options(_ name: String, _ symbols: Set<Symbol>? = nil) -> ExportOptions {
            ExportOptions(
                days: Self.day...Self.day, symbols: symbols, format: .json, directory: workspace.path + "/" + name)
        }
        let reader = UpstreamReader(configuration: configuration)
        let readers = Dictionary(uniqueKeysWithValues: EventStream.allCases.map { ($0, reader) })
        _ = try Exporter(options("file")).export(fileIn: workspace.path)
        let report = try await Exporter(options("upstream")).export(upstream: readers)
        #expect(report.rows == EventStream.allCases.count * 2)
        #expect(try rows(workspace.path + "/upstream") == rows(workspace.path + "/file"))
        let some = try await Exporter(options("some", [try #require(Symbol("IBM"))])).export(upstream: readers)
        #expect(some.rows == EventStream.allCases.count)

        let minutes = try await reader.minuteBars(starts: Self.day.span, symbols: nil)
        let file = try TickHistory(directory: workspace.path).events(of: .bars, after: 0, limit: 10).events
        #expect(!file.isEmpty && Set(minutes.map(\.symbol)) == Set(file.map(\.symbol)))
        for event in file {
            let own = try #require(minutes.first { $0.symbol == event.symbol })
            guard case .bar(let bar) = event.event else { continue }
            let start = barTimestamp == .end ? bar.end - 60_000 : bar.start
            #expect(own.starts == [start / 60_000 * 60_000])
        }
        let none = try await reader.minuteBars(starts: Self.day.after.span, symbols: nil)
        #expect(none.isEmpty)
        let uploader = Uploader(configuration: configuration, bufferID: buffer.id, logger: logger)
        #expect(try await uploader.symbols(withMinuteBars: Self.day.span) == Set(file.map(\.symbol)))
        #expect(try await uploader.symbols(withMinuteBars: Self.day.after.span).isEmpty)
        await uploader.disconnect()
        await reader.disconnect()
    }

    @Test func `a table that is missing ends an export, unless the export may do without it`() async throws {
        let workspace = try Workspace()
        let cluster = try PostgresCluster.shared()
        let database = try cluster.makeDatabase()
        let configuration = try UpstreamConfiguration(
            uri: cluster.uri(database), collector: "tests", connectTimeout: .seconds(60))
        _ = try await UpstreamSchema.migrate(configuration)
        _ = try cluster.psql(
            """
            INSERT INTO quotes (symbol, time, bid) VALUES ('AAPL', '2026-01-05 15:00+00', 1);
            ALTER TABLE trades RENAME TO trades_before; DROP TABLE luld
            """, database: database)
        let reader = UpstreamReader(configuration: configuration)
        let readers = Dictionary(uniqueKeysWithValues: EventStream.allCases.map { ($0, reader) })
        func options(_ optional: Set<EventKind>) -> ExportOptions {
            ExportOptions(
                optional: optional, days: Self.day...Self.day, format: .csv, directory: workspace.path + "/out")
        }
        let needed = Exporter(options([.limitBand]))
        let error = await #expect(throws: UpstreamError.self) { _ = try await needed.export(upstream: readers) }
        #expect(error?.isOfMissingTable == true)
        #expect(error?.description.contains("table trades") == true, "\(String(describing: error))")
        #expect(error?.description.contains("edgetick migrate") == true)
        let report = try await Exporter(options([.limitBand, .trade])).export(upstream: readers)
        #expect(report.rows == 1)
        #expect(Set(report.missing.keys) == [.limitBand, .trade])
        #expect(report.missing[.limitBand]?.contains("table luld") == true)
        _ = try cluster.psql("ALTER TABLE trades_before RENAME TO trades", database: database)
        #expect(try await needed.export(upstream: readers).missing.keys.map(\.rawValue) == ["LULD"])
        let bars = try await reader.minuteBars(starts: Self.day.span, symbols: nil)
        #expect(bars.isEmpty)
        _ = try cluster.psql("ALTER TABLE ohlcv_1min RENAME TO ohlcv_1min_before", database: database)
        let another = await #expect(throws: UpstreamError.self) {
            _ = try await reader.minuteBars(starts: Self.day.span, symbols: nil)
        }
        #expect(another?.isOfMissingTable == true)
        await reader.disconnect()
    }

    @Test func `a day's rows may take longer than a statement's limit`() async throws {
        let workspace = try Workspace()
        let cluster = try PostgresCluster.shared()
        let database = try cluster.makeDatabase()
        _ = try cluster.psql(
            """
            CREATE VIEW fair_values AS SELECT 'AAPL' AS symbol, timestamptz '2026-01-05 15:00+00' AS time,
                1.5::numeric AS value, current_setting('statement_timeout') AS connection
            """, database: database)
        let reader = UpstreamReader(
            configuration: try UpstreamConfiguration(
                uri: cluster.uri(database), collector: "tests", connectTimeout: .seconds(60)))
        let options = ExportOptions(
            streams: [.fairValues], days: Self.day...Self.day, format: .csv, directory: workspace.path + "/out")
        _ = try await Exporter(options).export(upstream: [.fairValues: reader])
        await reader.disconnect()
        let text = try String(contentsOfFile: options.path(of: .fairValues, Self.day, nil), encoding: .utf8)
        let lines = text.split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
        let place = try #require(lines.first?.firstIndex(of: "connection"))
        #expect(lines.dropFirst().map { $0[place] } == ["0"])
    }

    @Test func `the values of CHAR columns come out without the blanks that pad them`() async throws {
        let workspace = try Workspace()
        let cluster = try PostgresCluster.shared()
        let database = try cluster.makeDatabase()
        let configuration = try UpstreamConfiguration(
            uri: cluster.uri(database), collector: "tests", connectTimeout: .seconds(60))
        _ = try await UpstreamSchema.migrate(configuration)
        _ = try cluster.psql(
            """
            ALTER TABLE trades ALTER symbol TYPE char(12), ALTER trade_id TYPE char(20), ALTER sequence TYPE char(20);
            INSERT INTO trades (symbol, time, price, size, trade_id, sequence)
            VALUES ('AAPL', '2026-01-05 15:00+00', 1, 1, 'x7', '5'), ('MSFT', '2026-01-05 15:00+00', 1, 1, 'x8', '6')
            """, database: database)
        let reader = UpstreamReader(configuration: configuration)
        let options = ExportOptions(
            streams: [.trades], days: Self.day...Self.day, symbols: [try #require(Symbol("AAPL"))], format: .csv,
            directory: workspace.path + "/out")
        let report = try await Exporter(options).export(upstream: [.trades: reader])
        await reader.disconnect()
        #expect(report.rows == 1 && report.leftOut == 0)
        let lines = try String(contentsOfFile: options.path(of: .trades, Self.day, nil), encoding: .utf8)
            .split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
        for (name, value) in [("symbol", "AAPL"), ("trade_id", "x7"), ("sequence", "5")] {
            let place = try #require(lines.first?.firstIndex(of: name))
            #expect(lines.dropFirst().map { $0[place] } == [value])
        }
    }

    @Test
    func `what others make of a table comes out too: infinite times as none, and what is no number as left out`()
        async throws
    {
        let workspace = try Workspace()
        let cluster = try PostgresCluster.shared()
        let database = try cluster.makeDatabase()
        let configuration = try UpstreamConfiguration(
            uri: cluster.uri(database), collector: "tests", connectTimeout: .seconds(60))
        _ = try await UpstreamSchema.migrate(configuration)
        _ = try cluster.psql(
            """
            ALTER TABLE trades ALTER COLUMN sequence TYPE numeric(20, 2);
            INSERT INTO trades (symbol, time, price, size, sequence, received_at, trf_time)
            VALUES ('AAPL', '2026-01-05 15:00+00', 'NaN', 1, 9007199254740993, 'infinity', '-infinity'),
                ('AAPL', '2026-01-05 15:01+00', 1, 1, 5.25, '294276-12-31', '4713-01-01 BC');
            """, database: database)
        let reader = UpstreamReader(configuration: configuration)
        let options = ExportOptions(
            streams: [.trades], days: Self.day...Self.day, format: .csv, directory: workspace.path + "/out")
        let report = try await Exporter(options).export(upstream: [.trades: reader])
        await reader.disconnect()
        let lines = try String(contentsOfFile: options.path(of: .trades, Self.day, nil), encoding: .utf8)
            .split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
        func values(_ name: String) throws -> [String] {
            let place = try #require(lines.first?.firstIndex(of: name))
            return lines.dropFirst().map { $0[place] }.sorted()
        }
        #expect(report.rows == 2 && report.leftOut == 2)
        #expect(try values("sequence") == ["", "9007199254740993"])
        #expect(try values("price") == ["", "1"])
        #expect(try values("received_us") == ["", ""] && values("trf_time_ms") == ["", ""])
    }
}
