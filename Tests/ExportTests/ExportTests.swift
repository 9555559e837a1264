import Foundation
import GRDB
import Logging
import MarketData
import Store
import TestSupport
import Testing

@testable import Export

/// What was collected, in files for other programs.
@Suite(.blocking, .timeLimit(.minutes(5))) struct ExportTests {
    private static let day = TradingDay("2026-01-05")!

    /// Fills a buffer with two events of every stream, a bar in two versions, and a bar of the day after.
    private static func fill(_ workspace: Workspace) async throws -> [StoredEvent] {
        let buffer = try TickBuffer.scratch(in: workspace.path)
        for stream in EventStream.allCases { _ = buffer.offer(stream.fullAndBareEvents()) }
        var batch = EventBatch(connection: "primary", receivedMicroseconds: 1_767_700_000_000_000)
        let bar = { (minute: Int64, close: Double) in
            Bar(
                symbol: Symbol("AAPL")!, interval: .minute, start: 1_767_623_400_000 + minute * 60_000,
                end: 1_767_623_460_000 + minute * 60_000, open: 0.4372, high: 2, low: 0.1, close: close, volume: 12.5,
                vwap: nil)
        }
        batch.bars = [bar(0, 1), bar(1, 1.5), bar(0, 1.25), bar(24 * 60, 2)]
        try await buffer.collect(batch)
        await buffer.close()
        var events: [StoredEvent] = []
        let history = TickHistory(directory: workspace.path)
        for stream in EventStream.allCases { events += try history.events(of: stream, after: 0, limit: 100).events }
        return events
    }

    private func export(
        _ workspace: Workspace, _ format: ExportOptions.Format, days: ClosedRange<TradingDay> = day...day,
        streams: [EventStream] = EventStream.allCases, symbols: Set<Symbol>? = nil, layout: ExportOptions.Layout = .day,
        isCompressed: Bool = false
    ) throws -> ExportReport {
        try Exporter(
            ExportOptions(
                streams: streams, days: days, symbols: symbols, format: format, isCompressed: isCompressed,
                layout: layout, directory: workspace.path + "/out")
        ).export(fileIn: workspace.path)
    }

    private func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

    private func files(_ workspace: Workspace) throws -> [String] {
        let all = FileManager.default.enumerator(atPath: workspace.path + "/out")?.compactMap { $0 as? String } ?? []
        return all.filter { $0.contains(".") && !$0.hasSuffix("05") && !$0.hasSuffix("06") }.sorted()
    }

    /// Fills a buffer with five trades, of which three are cancelled, corrected and wrong.
    private static func collectAdjusted(_ workspace: Workspace) async throws {
        let buffer = try TickBuffer.scratch(in: workspace.path)
        var batch = EventBatch(connection: "primary", receivedMicroseconds: 1_767_700_000_000_000)
        for (place, conditions) in [nil, "[12,37]", "[44]", "[0,46]", "[54]"].enumerated() {
            batch.trades.append(
                Trade(
                    symbol: Symbol("AAPL")!, time: 1_767_623_400_000 + Int64(place), price: 1, size: 1,
                    conditions: conditions.map { batch.text.append($0) }))
        }
        try await buffer.collect(batch)
        await buffer.close()
    }

    @Test func `trades that are cancelled, corrected or wrong are marked`() async throws {
        let workspace = try Workspace()
        try await Self.collectAdjusted(workspace)
        _ = try export(workspace, .csv, streams: [.trades])
        let lines = try text(workspace.path + "/out/trades/day=2026-01-05/trades.csv").split(separator: "\n")
        let marks = lines.map { $0.split(separator: ",", omittingEmptySubsequences: false).last.map(String.init) }
        #expect(marks == ["adjustment", "", "", "cancelled", "corrected", "wrong"])
    }

    @Test(.enabled(if: PythonData.interpreter != nil, "\(PythonData.need)"))
    func `trades that are cancelled, corrected or wrong are marked for Python too`() async throws {
        let workspace = try Workspace()
        try await Self.collectAdjusted(workspace)
        _ = try export(workspace, .parquet, streams: [.trades])
        let read = try PythonData.run(
            "import sys, pyarrow.parquet as p; print(p.read_table(sys.argv[1], partitioning=None)['adjustment'].to_pylist())",
            workspace.path + "/out/trades/day=2026-01-05/trades.parquet")
        #expect(read.contains("[None, None, 'cancelled', 'corrected', 'wrong']"))
    }

    @Test func `days are written one after another, so that no more than one is in memory`() async throws {
        let workspace = try Workspace()
        _ = try await Self.fill(workspace)
        let days = Self.day...Self.day.after
        let options = ExportOptions(
            streams: [.bars], days: days, format: .csv, directory: workspace.path + "/out")
        var seen: [Set<String>] = []
        _ = try Exporter(options).export(fileIn: workspace.path) { _, _, _ in
            let names = (try? FileManager.default.contentsOfDirectory(atPath: workspace.path + "/out/bars")) ?? []
            seen.append(Set(names))
        }
        #expect(seen == [[], ["day=2026-01-05"]])
        #expect(try files(workspace) == ["bars/day=2026-01-05/bars.csv", "bars/day=2026-01-06/bars.csv"])
    }

    @Test func `a file's first row counts as memory`() {
        for format in [ExportOptions.Format.parquet, .csv] {
            func held<Encoder: RowEncoder>(_: Encoder.Type) -> [Int] {
                var encoder = Encoder(.fairValues, format: format, isCompressed: false)
                return (0..<3).map { _ in
                    encoder.append(ValueRow(values: EventStream.fairValues.columns.map { _ in nil }))
                    return encoder.heldBytes
                }
            }
            let sizes = format == .parquet ? held(ParquetEncoder.self) : held(TextEncoder.self)
            #expect(sizes[0] > 0 && sizes[1] > sizes[0] && sizes[2] > sizes[1], "\(format)")
        }
    }

    @Test func `a version of a bar that arrives while bars are read is left out, and the one before it is not`()
        async throws
    {
        let (workspace, buffer) = try TickBuffer.scratch()
        func send(_ close: Double) async throws {
            var batch = EventBatch(connection: "primary", receivedMicroseconds: 1_767_700_000_000_000)
            batch.bars = [
                Bar(
                    symbol: Symbol("AAPL")!, interval: .minute, start: 1_767_623_400_000, end: 1_767_623_460_000,
                    open: 1, high: 2, low: 1, close: close, volume: 1)
            ]
            try await buffer.collect(batch)
        }
        try await send(1)
        try await send(1.5)
        let history = TickHistory(directory: workspace.path)
        let rows = try #require(try history.sequences(of: .bars))
        var superseded = try history.supersededBars(among: rows, starts: Self.day.span)
        try await send(2)
        #expect(superseded == (try history.supersededBars(among: rows, starts: Self.day.span)))
        var closes: [Double?] = []
        let place = Int32(EventStream.bars.columns.firstIndex { $0.name == "close" } ?? 0)
        _ = try history.rows(of: .bars, among: rows, times: Self.day.span) { row in
            if superseded.remove(row.integer(0) ?? 0) == nil { closes.append(row.number(place)) }
            return true
        }
        #expect(closes == [1.5] && superseded.isEmpty)
        await buffer.close()
    }

    @Test func `an export that watches knows the last day that it wrote, by streams, form and symbols`() throws {
        let workspace = try Workspace()
        func mark(
            _ streams: [EventStream], _ format: ExportOptions.Format, of wish: String? = nil
        ) -> WatchMark {
            WatchMark(
                ExportOptions(
                    streams: streams, days: Self.day...Self.day, format: format, directory: workspace.path + "/new"),
                of: wish)
        }
        #expect(mark([.trades], .csv).day == nil)
        try mark([.trades], .csv).note(Self.day)
        #expect(mark([.trades], .csv).day == Self.day)
        #expect(mark([.bars], .csv).day == nil && mark([.trades], .json).day == nil)
        #expect(mark([.trades], .csv, of: "AAPL").day == nil)
        try mark([.trades], .csv, of: "AAPL").note(Self.day.after)
        #expect(mark([.trades], .csv, of: "AAPL").day == Self.day.after && mark([.trades], .csv).day == Self.day)
        #expect(mark([.trades], .csv, of: "IBM").day == nil)
        // Marks of earlier versions stay.
        #expect(try text(workspace.path + "/new/.written-trades.csv") == "\(Self.day)\n")
        #expect(throws: ExportError.self) {
            try WatchMark(ExportOptions(days: Self.day...Self.day, directory: "/proc/none"), of: nil).note(Self.day)
        }
    }

    @Test(arguments: [ExportOptions.Layout.day, .symbol])
    func `a mark that exports shared counts for the symbols that its day has, and no other leaves out a day by it`(
        layout: ExportOptions.Layout
    ) async throws {
        let workspace = try Workspace()
        _ = try await Self.fill(workspace)
        func options(_ symbol: String?) -> ExportOptions {
            let symbols: Set<Symbol>? = symbol.map { Set([$0].compactMap { Symbol($0) }) }
            return ExportOptions(
                streams: [.trades], days: Self.day...Self.day, symbols: symbols, format: .csv, layout: layout,
                directory: workspace.path + "/out")
        }
        let (early, late) = try (#require(TradingDay("2025-12-01")), #require(TradingDay("2026-01-09")))
        func first(_ symbol: String?, from: TradingDay? = nil, lastFinal: TradingDay? = nil) -> TradingDay {
            WatchMark(options(symbol), of: symbol).first(from: from, lastFinal: lastFinal ?? late)
        }
        #expect(first("IBM") == late && first("IBM", from: early) == early)
        #expect(try Exporter(options("IBM")).export(fileIn: workspace.path).rows == 1)
        try WatchMark(options(nil), of: nil).note(Self.day)

        let next = Self.day.after
        #expect(first(nil) == next && first(nil, from: early) == next)
        #expect(first("IBM") == next && first("IBM", from: early) == next && first("IBM", from: late) == late)
        #expect(first("BRK.B", from: early) == early)
        #expect(first("BRK.B") == next && first("BRK.B", lastFinal: Self.day) == Self.day)
        try WatchMark(options("BRK.B"), of: "BRK.B").note(late)
        #expect(first("BRK.B", from: early) == late.after && first("IBM") == next)
    }

    @Test func `every stream has a file a day, with all columns under their own names`() async throws {
        let workspace = try Workspace()
        let events = try await Self.fill(workspace)
        let report = try export(workspace, .json)
        #expect(report.files.map(\.stream) == [.bars, .trades, .quotes, .luld, .imbalances, .fairValues])
        #expect(report.partial.isEmpty && report.unreadable == 0)
        for stream in EventStream.allCases {
            let path = workspace.path + "/out/\(stream.rawValue)/day=2026-01-05/\(stream.rawValue).json"
            let lines = try text(path).split(separator: "\n")
            var read: [[String: Any]] = []
            for line in lines {
                read.append(try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]))
            }
            let names = stream.columns.map(\.name) + (stream == .trades ? ["adjustment"] : [])
            for line in read { #expect(Set(line.keys) == Set(names), "\(stream)") }
            let own = events.filter { $0.kind.stream == stream && $0.symbol.description == "BRK.B" }
            let event = try #require(own.first)
            let line = try #require(read.first { $0["symbol"] as? String == "BRK.B" })
            for (column, value) in event.event.values(in: event.texts) {
                switch value {
                case .integer(let number): #expect(line[column.name] as? Int64 == number, "\(column.name)")
                case .real(let number): #expect(line[column.name] as? Double == number, "\(column.name)")
                case .text(let text): #expect(line[column.name] as? String == text, "\(column.name)")
                }
            }
        }
    }

    @Test func `a bar comes once, in its newest version, on the day of its own time`() async throws {
        let workspace = try Workspace()
        _ = try await Self.fill(workspace)
        let report = try export(
            workspace, .csv, days: Self.day...Self.day.after, streams: [.bars], symbols: [try #require(Symbol("AAPL"))])
        #expect(report.files.map(\.rows) == [2, 1] && report.files.map(\.day) == [Self.day, Self.day.after])
        let lines = try text(report.files[0].path).split(separator: "\n").map { $0.split(separator: ",") }
        let titles = lines[0].map(String.init)
        #expect(titles == EventStream.bars.columns.map(\.name))
        let close = try #require(titles.firstIndex(of: "close"))
        #expect(lines[1...].map { $0[close] } == ["1.5", "1.25"])
        #expect(lines[1].contains("0.4372"))
    }

    @Test func `with a partition by symbol each symbol has a folder, and a strange one stays a name`() async throws {
        let workspace = try Workspace()
        _ = try await Self.fill(workspace)
        let report = try export(workspace, .csv, streams: [.bars, .trades], layout: .symbol)
        let places = report.files.map { $0.path.dropFirst(workspace.path.count + 5) }
        #expect(
            places == [
                "bars/day=2026-01-05/symbol=AAPL/bars.csv", "bars/day=2026-01-05/symbol=BRK.B/bars.csv",
                "bars/day=2026-01-05/symbol=IBM/bars.csv", "trades/day=2026-01-05/symbol=BRK.B/trades.csv",
                "trades/day=2026-01-05/symbol=IBM/trades.csv",
            ])
        let options = ExportOptions(days: Self.day...Self.day, directory: "out")
        #expect(
            options.path(of: .trades, Self.day, Symbol("A/../B"))
                == "out/trades/day=2026-01-05/symbol=A%2F..%2FB/trades.parquet")
    }

    @Test(arguments: [ExportOptions.Layout.day, .symbol])
    func `a day that has files of the other layout is refused, since its rows would be read twice`(
        layout: ExportOptions.Layout
    ) async throws {
        let workspace = try Workspace()
        _ = try await Self.fill(workspace)
        _ = try export(workspace, .csv, streams: [.trades], layout: layout == .day ? .symbol : .day)
        let before = try files(workspace)
        let error = #expect(throws: ExportError.self) {
            try export(workspace, .csv, streams: [.trades], layout: layout)
        }
        #expect(error?.cause.contains("write to another directory") == true)
        #expect(try files(workspace) == before)
        // There are no such files of another format or stream.
        #expect(try export(workspace, .json, streams: [.trades], layout: layout).rows > 0)
        #expect(try export(workspace, .csv, streams: [.quotes], layout: layout).rows > 0)
    }

    @Test func `an export of some symbols replaces no day's file that has others, unless it is told to`() async throws {
        let workspace = try Workspace()
        _ = try await Self.fill(workspace)
        let (one, other) = try (#require(Symbol("IBM")), #require(Symbol("BRK.B")))
        func rows(_ symbols: Set<Symbol>?, replacesWhole: Bool = false) throws -> Int {
            try Exporter(
                ExportOptions(
                    streams: [.trades], days: Self.day...Self.day, symbols: symbols, format: .csv,
                    replacesWhole: replacesWhole, directory: workspace.path + "/out")
            ).export(fileIn: workspace.path).rows
        }
        #expect(try rows([one]) == 1)
        #expect(try rows([one]) == 1)
        let error = #expect(throws: ExportError.self) { try rows([other]) }
        #expect(error?.cause.contains("holds 1 other symbol: --force") == true, "\(error?.cause ?? "")")
        #expect(try rows([one, other]) == 2)
        #expect(throws: ExportError.self) { try rows([one]) }
        #expect(try rows([other], replacesWhole: true) == 1)
        #expect(try rows([other]) == 1)
        #expect(try rows(nil) == 2)
        let whole = #expect(throws: ExportError.self) { try rows([one]) }
        #expect(whole?.cause.contains("holds all symbols") == true)
        #expect(try rows(nil) == 2)
    }

    @Test func `compressed text is gzip that others read`() async throws {
        let workspace = try Workspace()
        _ = try await Self.fill(workspace)
        let plain = try export(workspace, .csv, streams: [.trades])
        let zipped = try export(workspace, .csv, streams: [.trades], isCompressed: true)
        #expect(zipped.files[0].path == plain.files[0].path + ".gz")
        #expect(try Command.run(["/bin/zcat", zipped.files[0].path]) == (try text(plain.files[0].path)))
    }

    @Test func `files are whole or not there, and an export that fails leaves nothing`() async throws {
        let workspace = try Workspace()
        _ = try await Self.fill(workspace)
        let first = try export(workspace, .csv, streams: [.trades])
        let before = try text(first.files[0].path)
        // A directory has the name that the quotes' file would get, so the last step fails.
        let place = workspace.path + "/out/quotes/day=2026-01-05/quotes.csv/x"
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        #expect(throws: ExportError.self) { try export(workspace, .csv, streams: [.quotes]) }
        try FileManager.default.removeItem(atPath: workspace.path + "/out/quotes")
        #expect(try files(workspace) == ["trades/day=2026-01-05/trades.csv"])
        // Cancelled: what was there stays as it was.
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try export(workspace, .csv, streams: [.trades])
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try files(workspace) == ["trades/day=2026-01-05/trades.csv"])
        #expect(try text(first.files[0].path) == before)
        #expect(try export(workspace, .csv, streams: [.trades]).files == first.files)
    }

    @Test func `two exports never write into one directory at once`() async throws {
        let workspace = try Workspace()
        _ = try await Self.fill(workspace)
        let before = try export(workspace, .csv, streams: [.trades])
        let text = try text(before.files[0].path)
        var hold: DirectoryHold? = try DirectoryHold(workspace.path + "/out")
        let error = #expect(throws: ExportError.self) { try export(workspace, .csv, streams: [.trades]) }
        #expect(error?.isHeld == true && error?.cause.contains("another export is writing there") == true)
        #expect(try self.text(before.files[0].path) == text)
        #expect(try files(workspace) == ["trades/day=2026-01-05/trades.csv"])
        // Once the other one has ended, nothing is in the way.
        withExtendedLifetime(hold) {}
        hold = nil
        #expect(try export(workspace, .csv, streams: [.trades]).files == before.files)
    }

    @Test func `an export that has ended holds its directory no longer, whatever programs other threads start`()
        async throws
    {
        let workspace = try Workspace()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { for _ in 0..<100 { try Command.run(["/bin/true"]) } }
            for _ in 0..<20_000 { _ = try DirectoryHold(workspace.path + "/out") }
            try await group.waitForAll()
        }
    }

    @Test func `more files than may be held are written in pieces, each row once`() async throws {
        let (workspace, buffer) = try TickBuffer.scratch()
        for part in 0..<20 {
            var batch = EventBatch(connection: "primary", receivedMicroseconds: 1_767_700_000_000_000)
            for number in 0..<2000 {
                batch.trades.append(
                    Trade(
                        symbol: try #require(Symbol("S\(number % 40)")),
                        time: 1_767_623_400_000 + Int64(part * 2000 + number), price: 1.5, size: 100))
            }
            try await buffer.collect(batch)
        }
        await buffer.close()
        let options = ExportOptions(
            streams: [.trades], days: Self.day...Self.day, format: .csv, isCompressed: true, layout: .symbol,
            directory: workspace.path + "/out")
        var exporter = Exporter(options)
        exporter.mostBytes = 1 << 18
        let report = try exporter.export(fileIn: workspace.path)
        #expect(report.files.count == 40 && report.rows == 40_000)
        let lines = try Command.run(["/bin/zcat"] + report.files.map(\.path)).split(separator: "\n")
        let rows = lines.filter { !$0.hasPrefix("seq") }
        #expect(rows.count == 40_000 && Set(rows).count == 40_000 && lines.count == 40_040)
    }

    @Test func `rows that the file has let go are told of`() async throws {
        let workspace = try Workspace()
        _ = try await Self.fill(workspace)
        let queue = try DatabaseQueue(path: workspace.path + "/ticks.sqlite")
        try await queue.write { database in
            try database.execute(sql: "DELETE FROM trades WHERE seq = 1")
            try database.execute(sql: "UPDATE streams SET deleted_through = 1 WHERE stream = 'trades'")
        }
        try queue.close()
        let report = try export(workspace, .csv)
        #expect(report.partial == [.trades: [Self.day]])
    }

    @Test(arguments: [ExportOptions.Layout.day, .symbol])
    func `what was written of a day stays where the file has let rows of it go`(layout: ExportOptions.Layout)
        async throws
    {
        let workspace = try Workspace()
        _ = try await Self.fill(workspace)
        let first = try export(workspace, .csv, streams: [.trades, .quotes], layout: layout)
        let before = try first.files.filter { $0.stream == .trades }.map { try text($0.path) }
        let queue = try DatabaseQueue(path: workspace.path + "/ticks.sqlite")
        try await queue.write { database in
            try database.execute(sql: "DELETE FROM trades WHERE seq = 1")
            try database.execute(sql: "UPDATE streams SET deleted_through = 1 WHERE stream = 'trades'")
        }
        try queue.close()
        let second = try export(workspace, .csv, streams: [.trades, .quotes], layout: layout)
        #expect(second.kept == [.trades: [Self.day]] && second.files.allSatisfy { $0.stream == .quotes })
        #expect(try first.files.filter { $0.stream == .trades }.map { try text($0.path) } == before)
        var options = ExportOptions(
            streams: [.trades], days: Self.day...Self.day, format: .csv, layout: layout,
            directory: workspace.path + "/out")
        options.replacesWhole = true
        let third = try Exporter(options).export(fileIn: workspace.path)
        #expect(third.kept.isEmpty && third.partial == [.trades: [Self.day]] && third.rows == 1)
    }

    @Test func `an export that stopped amid a day's symbols is completed, also where rows were let go meanwhile`()
        async throws
    {
        let (workspace, buffer) = try TickBuffer.scratch()
        var batch = EventBatch(connection: "primary", receivedMicroseconds: 1_767_700_000_000_000)
        for (place, name) in ["AAPL", "AAPL", "MSFT"].enumerated() {
            batch.trades.append(
                Trade(
                    symbol: try #require(Symbol(name)), time: 1_767_623_400_000 + Int64(place), price: 1.5, size: 100))
        }
        try await buffer.collect(batch)
        await buffer.close()
        let folder = workspace.path + "/out/trades/day=2026-01-05"
        let (first, second) = ("\(folder)/symbol=AAPL/trades.csv", "\(folder)/symbol=MSFT/trades.csv")
        // The second file can't get its name.
        try FileManager.default.createDirectory(atPath: second, withIntermediateDirectories: true)
        #expect(throws: ExportError.self) { try export(workspace, .csv, streams: [.trades], layout: .symbol) }
        let written = try text(first)
        try FileManager.default.removeItem(atPath: second)
        try Command.sqlite(
            workspace.path + "/ticks.sqlite",
            """
            DELETE FROM trades WHERE seq = 1;
            UPDATE streams SET acknowledged = 1, deleted_through = 1 WHERE stream = 'trades';
            """)
        let report = try export(workspace, .csv, streams: [.trades], layout: .symbol)
        #expect(report.files.map(\.path) == [second])
        #expect(report.kept == [.trades: [Self.day]] && report.partial == [.trades: [Self.day]])
        #expect(try text(first) == written)
    }

    @Test(arguments: [false, true])
    func `a day of which rows are deleted while it is written is told of, and replaces no file`(isWritten: Bool)
        async throws
    {
        let (workspace, buffer) = try TickBuffer.scratch()
        let symbol = try #require(Symbol("AAPL"))
        // More than are read in one step.
        for part in 0..<35 {
            var batch = EventBatch(connection: "primary", receivedMicroseconds: 1_767_700_000_000_000)
            batch.trades = (0..<2000).map { number in
                Trade(symbol: symbol, time: 1_767_623_400_000 + Int64(part * 2000 + number), price: 1.5, size: 100)
            }
            try await buffer.collect(batch)
        }
        await buffer.close()
        let path = workspace.path + "/out/trades/day=2026-01-05/trades.csv"
        if isWritten { _ = try export(workspace, .csv, streams: [.trades]) }
        let before = try? text(path)
        let options = ExportOptions(
            streams: [.trades], days: Self.day...Self.day, format: .csv, directory: workspace.path + "/out")
        var isDeleted = false
        let report = try Exporter(options).export(fileIn: workspace.path) { _, _, _ in
            guard !isDeleted else { return }
            isDeleted = true
            do {
                try Command.sqlite(
                    workspace.path + "/ticks.sqlite",
                    """
                    DELETE FROM trades WHERE seq <= 69000;
                    UPDATE streams SET acknowledged = 69000, deleted_through = 69000 WHERE stream = 'trades';
                    """)
            } catch {
                Issue.record(error)
            }
        }
        #expect(isDeleted)
        if isWritten {
            #expect(report.kept == [.trades: [Self.day]] && report.files.isEmpty)
            #expect(try text(path) == before)
        } else {
            #expect(report.partial == [.trades: [Self.day]] && report.rows < 70_000)
        }
        #expect(try files(workspace) == ["trades/day=2026-01-05/trades.csv"])
    }

    @Test func `a day's rows wait until they are uploaded, whatever other days and streams have`() async throws {
        let (workspace, buffer) = try TickBuffer.scratch()
        let symbol = try #require(Symbol("AAPL"))
        var batch = EventBatch(connection: "primary", receivedMicroseconds: 1_767_700_000_000_000)
        batch.trades = [1_767_623_400_000, 1_767_623_400_001, 1_767_709_800_000].map {
            Trade(symbol: symbol, time: $0, price: 1.5, size: 100)
        }
        try await buffer.collect(batch)
        _ = try await buffer.nextBatch(of: .trades, limit: 10)
        let history = TickHistory(directory: workspace.path)
        let (day, after) = (Self.day.span, Self.day.after.span)
        #expect(try history.hasWaiting(.trades, times: day))
        #expect(try history.hasWaiting(.trades, times: after))
        #expect(try !history.hasWaiting(.quotes, times: day))
        try await buffer.acknowledge(.trades, through: 2)
        // What was acknowledged is stored with the next commit.
        try await Waiting.until("the first day") { try !history.hasWaiting(.trades, times: day) }
        #expect(try history.hasWaiting(.trades, times: after))
        try await buffer.acknowledge(.trades, through: 3)
        try await Waiting.until("the second day") { try !history.hasWaiting(.trades, times: after) }
        await buffer.close()
    }

    @Test(.enabled(if: PythonData.interpreter != nil, "\(PythonData.need)"), arguments: [false, true])
    func `Parquet has exact decimals and UTC timestamps, and DuckDB finds the partitions`(isCompressed: Bool)
        async throws
    {
        let workspace = try Workspace()
        _ = try await Self.fill(workspace)
        let report = try export(
            workspace, .parquet, days: Self.day...Self.day.after, layout: .symbol, isCompressed: isCompressed)
        #expect(report.rounded == 0 && report.leftOut == 0)
        let script = """
            import sys, sqlite3, decimal, datetime, duckdb, pyarrow.dataset
            out, ticks = sys.argv[1] + '/out', sqlite3.connect('file:%s/ticks.sqlite?mode=ro' % sys.argv[1], uri=True)
            utc = datetime.timezone.utc
            duckdb.sql("set timezone = 'UTC'")
            for stream in ['bars', 'trades', 'quotes', 'luld', 'imbalances', 'fair_values']:
                files = f"read_parquet('{out}/{stream}/**/*.parquet', hive_partitioning = true)"
                table = 'bars_latest' if stream == 'bars' else stream
                names = [row[1] for row in ticks.execute(f'pragma table_info({stream})')]
                rows = ticks.execute(f"select {', '.join(names)} from {table} order by seq").fetchall()
                found = duckdb.sql(f"select {', '.join(chr(34) + n + chr(34) for n in names)} from {files} order by seq").fetchall()
                assert len(rows) == len(found) and rows, (stream, len(rows), len(found))
                for old, new in zip(rows, found):
                    for name, a, b in zip(names, old, new):
                        if name.endswith('_ms') or name.endswith('_us'):
                            unit = 1000 if name.endswith('_ms') else 1
                            if b is not None:
                                b = (b - datetime.datetime(1970, 1, 1, tzinfo=utc)) // datetime.timedelta(microseconds=unit)
                        elif name.endswith('_ns'):
                            continue
                        elif isinstance(b, decimal.Decimal):
                            a, b = decimal.Decimal(repr(a)), b
                        elif isinstance(b, bool):
                            a = bool(a)
                        assert a == b, (stream, name, a, b)
            days = duckdb.sql(f"select day, count(*) from read_parquet('{out}/bars/**/*.parquet', hive_partitioning = true) group by day order by day").fetchall()
            assert [str(d) for d, _ in days] == ['2026-01-05', '2026-01-06'], days
            data = pyarrow.dataset.dataset(out + '/trades', format='parquet', partitioning=None)
            assert str(data.schema.field('price').type) == 'decimal128(18, 9)', data.schema
            print('same')
            """
        #expect(try PythonData.run(script, workspace.path).contains("same"))
    }

    @Test func `a number becomes the decimal that was sent, or is counted`() {
        var decimal = FixedDecimal()
        #expect(decimal.units(of: 0.4372, scale: 9) == 437_200_000)
        #expect(decimal.units(of: -181.27, scale: 9) == -181_270_000_000)
        #expect(decimal.units(of: 0.000_000_001, scale: 9) == 1)
        #expect(decimal.units(of: 123_456_789.25, scale: 9) == 123_456_789_250_000_000)
        #expect(decimal.units(of: 4_000_000_000.125, scale: 6) == 4_000_000_000_125_000)
        #expect(decimal.rounded == 0)
        #expect(decimal.units(of: 1.0 / 3, scale: 9) == 333_333_333 && decimal.rounded == 1)
        #expect(decimal.units(of: 0.000_000_4, scale: 6) == 0 && decimal.rounded == 2)
        #expect(decimal.units(of: 1e9, scale: 9) == nil && decimal.units(of: 1e300, scale: 6) == nil)
        #expect(decimal.units(of: 999_999_999, scale: 9) == 999_999_999_000_000_000)
    }

    @Test func `on a delayed feed a day is over only when its last events have come`() throws {
        let day = try #require(TradingDay("2026-11-25"))
        var plan = WatchPlan(from: day, delay: 16 * 60_000)
        let over = day.moment(minuteOfDay: 20 * 60 + 31)
        let early = plan.step(at: over - 1)
        #expect(early == .wait(until: over))
        let due = plan.step(at: over)
        #expect(due == .write(day))
    }

    @Test func `watching waits for the end of each trading day, and writes it once`() throws {
        var plan = WatchPlan(from: try #require(TradingDay("2026-11-25")))
        func at(_ day: String, _ minute: Int) throws -> Int64 {
            try #require(TradingDay(day)).moment(minuteOfDay: minute)
        }
        let wednesday = try #require(TradingDay("2026-11-25"))
        let friday = try #require(TradingDay("2026-11-27"))
        #expect(try plan.step(at: at("2026-11-25", 20 * 60)) == .wait(until: at("2026-11-25", 20 * 60 + 15)))
        #expect(try plan.step(at: at("2026-11-25", 20 * 60 + 15)) == .write(wednesday))
        plan.wrote(wednesday)
        // The market is closed on Thanksgiving and closes early on the day after.
        #expect(try plan.step(at: at("2026-11-25", 21 * 60)) == .wait(until: at("2026-11-27", 17 * 60 + 15)))
        #expect(try plan.step(at: at("2026-12-01", 12 * 60)) == .write(friday))
        plan.wrote(friday)
        #expect(try plan.step(at: at("2026-12-01", 12 * 60)) == .write(try #require(TradingDay("2026-11-30"))))
    }
}
