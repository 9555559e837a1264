import Foundation
import TestSupport
import Testing

/// A day with a bad feed and a collector that is sometimes frozen ends complete, and one command proves it.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(10)))
struct CompleteDayTests {
    /// Returns the capture of a day; `nil` if it is absent.
    static func capture(of day: String) -> String? { Places.sharedData("captures/\(day).AM.ndjson.gz") }

    @Test
    func `every bar, trade and quote is there in the end, and what is altered upstream is found, named and corrected`()
        async throws
    {
        let workspace = try Workspace()
        try await expectComplete("2026-01-05", [try MadeDay.write(in: workspace)])
    }

    @Test(
        .enabled(if: capture(of: "2013-10-07") != nil, "the captured days are not beside the package"),
        arguments: ["2013-10-07", "2013-10-08"])
    func `every minute bar of a captured day is there in the end`(day: String) async throws {
        try await expectComplete(day, [try #require(Self.capture(of: day))])
    }

    @Test(.enabled(if: ticks != nil, "the captured trades and quotes are not beside the package"))
    func `every minute bar, trade and quote of a captured day is there in the end`() async throws {
        let workspace = try Workspace()
        let parts = try (Self.ticks ?? []).enumerated().map { place, path in
            if CapturedDay.isWhole { return path }
            let part = workspace.file("part\(place).ndjson")
            try Command.run(["/usr/bin/env", "python3", "-c", Self.cut, path, part])
            return part
        }
        let captures = [try #require(Self.capture(of: "2013-10-08"))] + parts
        if CapturedDay.isWhole {
            try await expectComplete("2013-10-08", captures, within: 90, dropEvery: 5000)
        } else {
            try await expectComplete("2013-10-08", captures)
        }
    }

    /// The captured day's trades and quotes; `nil` if they are absent.
    static let ticks: [String]? = {
        let paths = ["T", "Q"].compactMap { Places.sharedData("captures/2013-10-08.\($0).ndjson.gz") }
        return paths.count == 2 ? paths : nil
    }()

    /// Keeps a thirtieth of a capture's events, spread over the day, which is what a debug build can handle.
    private static let cut = """
        import gzip, json, sys
        with gzip.open(sys.argv[1], "rt") as lines, open(sys.argv[2], "w") as part:
            for line in lines:
                events = [event for event in json.loads(line) if event["t"] % 60000 < 2000]
                if events: part.write(json.dumps(events, separators=(",", ":")) + "\\n")
        """

    /// - Parameters:
    ///   - seconds: How long the day takes.
    ///   - frames: After how many frames the feed drops a connection.
    private func expectComplete(
        _ day: String, _ captures: [String], within seconds: Double = 15, dropEvery frames: Int = 120
    ) async throws {
        let sent = try SentDay(captures)
        let database = try Database(in: .shared())
        let span = Double(sent.lastMinute - sent.firstMinute) / 1000
        let feed = try await SimulatedFeed(
            captures: captures,
            options: [
                "--speed", "\((span / seconds).rounded())", "--aggregates", "--fault", "drop-every=\(frames)",
            ])
        let rest = feed.url.replacing("ws://", with: "http://").replacing("/stocks", with: "")
        var more = [
            "USE_MULTI_CONNECTION": "true", "SYMBOLS": "", "MASSIVE_REST_URL": rest,
            "BACKFILL_REQUESTS_PER_MINUTE": "0",
            "BACKFILL_ENABLED": "false",
        ]
        for (place, symbols) in sent.thirds.enumerated() {
            more["WEBSOCKET_CONNECTION_\(place + 1)_ENABLED"] = "true"
            more["WEBSOCKET_CONNECTION_\(place + 1)_SYMBOLS"] = symbols
        }
        let box = try Box(feed: feed.url, events: "AM,T,Q", database: database.uri, more: more)
        try #require(try await box.edgetick("migrate").0 == 0)
        let collector = try box.start("run")
        for share in [0.3, 0.6] {
            try await sent.passed(share, at: rest)
            collector.send(SIGSTOP)
            try await sent.passed(share + 0.1, at: rest)
            collector.send(SIGCONT)
        }
        try await sent.passed(1, at: rest)
        try await collector.stop()
        let missed = try await box.sqlite("select count(*) from (select distinct symbol, start_ms from bars)")
        #expect(Int(missed.first ?? "") ?? 0 < sent.bars.count, "the faults made nothing missing")

        let filled = try await box.edgetick("backfill")
        #expect(filled.0 == 0, "\(filled.1)")
        let pushed = try await box.edgetick("sync")
        #expect(pushed.0 == 0, "\(pushed.1)")
        let first = try await box.edgetick("reconcile", "--date", day)
        #expect(first.0 == 0, "\(first.1)")
        let all = "\(grouped(sent.bars.count)) of \(grouped(sent.bars.count)) bars of the tape (100 %)"
        #expect(first.1.contains { $0.contains(all) }, "\(first.1)")
        #expect(try sent.bars == rows(database, "select symbol || ' ' || start_ms from ohlcv_1min"))
        #expect(
            try sent.trades
                == rows(database, "select symbol || ' ' || \(Self.milliseconds) || ' ' || sequence from trades"))
        #expect(
            try sent.quotes
                == rows(database, "select symbol || ' ' || \(Self.milliseconds) || ' ' || sequence from quotes"))

        // Alter the database by hand.
        let chosen = "from ohlcv_1min order by md5(symbol || start_ms)"
        let altered = try rows(database, "select symbol || ' ' || start_ms \(chosen) limit 50")
        let removed = try rows(database, "select symbol || ' ' || start_ms \(chosen) offset 50 limit 20")
        _ = try database.value(
            "update ohlcv_1min set close = close + 0.01 where (symbol, start_ms) in (select symbol, start_ms \(chosen) limit 50)"
        )
        _ = try database.value(
            "delete from ohlcv_1min where symbol || ' ' || start_ms in (\(removed.map { "'\($0)'" }.joined(separator: ",")))"
        )
        let second = try await box.edgetick("reconcile", "--date", day, "--json")
        #expect(second.0 == 0, "\(second.1)")
        let answer = try JSONDecoder().decode(
            Answer.self, from: Data((second.1.first { $0.hasPrefix("{") } ?? "").utf8))
        #expect(Set(answer.symbols.flatMap { day in day.corrected_ms.map { "\(day.symbol) \($0)" } }) == altered)
        #expect(Set(answer.symbols.flatMap { day in day.added_ms.map { "\(day.symbol) \($0)" } }) == removed)
        #expect(answer.percent == 100 && answer.is_complete)
        #expect(try sent.bars == rows(database, "select symbol || ' ' || start_ms from ohlcv_1min"))
        let third = try await box.edgetick("reconcile", "--date", day)
        // On a slow machine, progress reports precede the total.
        let total = third.1.last { $0.hasPrefix("\(day): ") }
        #expect(total?.hasSuffix("0 open") == true && total?.contains("corrected") == false, "\(third.1)")
        #expect(try database.value("select count(*) from ohlcv_1min where source = 'reconcile'") == "70")
    }

    @Test func `a backup that is put back doubles no trade or quote that the lost box had uploaded meanwhile`()
        async throws
    {
        let workspace = try Workspace()
        let capture = try MadeDay.write(in: workspace)
        let sent = try SentDay([capture])
        let database = try Database(in: .shared())
        let speed = (Double(sent.lastMinute - sent.firstMinute) / 20_000).rounded()
        let feed = try await SimulatedFeed(captures: [capture], options: ["--speed", "\(speed)", "--aggregates"])
        let rest = feed.url.replacing("ws://", with: "http://").replacing("/stocks", with: "")
        let box = try Box(
            feed: feed.url, events: "T,Q", database: database.uri,
            more: [
                "MASSIVE_REST_URL": rest, "BACKFILL_REQUESTS_PER_MINUTE": "0", "BACKFILL_ENABLED": "false",
            ])
        try #require(try await box.edgetick("migrate").0 == 0)
        let lost = try box.start("run")
        try await sent.passed(0.3, at: rest)
        let backup = workspace.file("backup.sqlite")
        try Command.sqlite(box.ticks, ".backup \(backup)")
        let kept = try Command.sqlite(backup, "select count(*) from trades")
        let count = try #require(Int(kept.trimmingCharacters(in: .whitespacesAndNewlines)))
        try await Waiting.until("trades that the backup lacks") {
            Int(try database.value("select count(*) from trades")) ?? 0 > count + 100
        }
        lost.send(SIGKILL)
        _ = try await lost.exit()
        let data = box.workspace.file("data")
        try FileManager.default.removeItem(atPath: data)
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: false)
        try FileManager.default.copyItem(atPath: backup, toPath: box.ticks)
        let restored = try box.start("run")
        try await sent.passed(1, at: rest)
        try await restored.stop()

        let filled = try await box.edgetick("backfill")
        #expect(filled.0 == 0, "\(filled.1)")
        let pushed = try await box.edgetick("sync")
        #expect(pushed.0 == 0, "\(pushed.1)")
        for table in ["trades", "quotes"] {
            #expect(
                try database.value("select count(*) - count(distinct (symbol, time, sequence)) from \(table)") == "0")
        }
        let details = try await box.sqlite("select detail from gaps")
        #expect(details.contains { $0.contains("uploaded after it was backed up or copied") }, "\(details)")
    }

    private struct Answer: Decodable {
        struct Symbol: Decodable {
            var symbol: String
            var added_ms: [Int64]
            var corrected_ms: [Int64]
        }
        var is_complete: Bool
        var percent: Int
        var symbols: [Symbol]
    }

    private static let milliseconds = "(extract(epoch from time) * 1000)::bigint"

    /// Returns the rows of a query, and expects each of them only once.
    private func rows(_ database: Database, _ query: String) throws -> Set<String> {
        let lines = try database.value(query).split(separator: "\n").map(String.init)
        #expect(Set(lines).count == lines.count, "\(query): rows are doubled")
        return Set(lines)
    }

    private func grouped(_ number: Int) -> String {
        let digits = "\(number)"
        return number < 1000 ? digits : "\(digits.dropLast(3)),\(digits.suffix(3))"
    }
}

/// What a capture holds.
private struct SentDay {
    private(set) var bars: Set<String> = []
    private(set) var trades: Set<String> = []
    private(set) var quotes: Set<String> = []
    private(set) var firstMinute = Int64.max
    private(set) var lastMinute = Int64.min
    private var lastSymbol = ""
    private var symbols: Set<String> = []

    init(_ paths: [String]) throws {
        for path in paths { try add(path) }
    }

    private mutating func add(_ path: String) throws {
        let text =
            try path.hasSuffix(".gz")
            ? Command.run(["/usr/bin/zcat", path]) : String(contentsOfFile: path, encoding: .utf8)
        for line in text.split(separator: "\n") {
            let events = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [[String: Any]] ?? []
            for event in events {
                guard let kind = event["ev"] as? String, let symbol = event["sym"] as? String else { continue }
                symbols.insert(symbol)
                switch kind {
                case "AM":
                    let start = (event["s"] as? NSNumber)?.int64Value ?? 0
                    bars.insert("\(symbol) \(start)")
                    firstMinute = min(firstMinute, start)
                    if start >= lastMinute { (lastMinute, lastSymbol) = (start, symbol) }
                case "T": trades.insert("\(symbol) \(event["t"] ?? "") \(event["q"] ?? "")")
                case "Q": quotes.insert("\(symbol) \(event["t"] ?? "") \(event["q"] ?? "")")
                default: break
                }
            }
        }
    }

    /// The symbols in three lists.
    var thirds: [String] {
        let sorted = symbols.sorted()
        return (0..<3).map { third in
            sorted.enumerated().filter { $0.offset % 3 == third }.map(\.element).joined(separator: ",")
        }
    }

    /// Waits until the feed has passed a share of the day, whether or not a client was connected.
    func passed(_ share: Double, at rest: String) async throws {
        let from = firstMinute + Int64(Double(lastMinute - firstMinute) * min(share, 1))
        try await Waiting.until(within: .seconds(180)) {
            for symbol in share < 1 ? symbols.sorted() : [lastSymbol] {
                let answer = try Command.run([
                    "/usr/bin/curl", "-s", "-H", "Authorization: Bearer integration-test-key",
                    "\(rest)/v2/aggs/ticker/\(symbol)/range/1/minute/\(from)/\(lastMinute)",
                ])
                if answer.contains(#""t":"#) { return true }
            }
            return false
        }
    }
}

/// A synthetic day: four symbols, with a bar, a trade and two quotes in every minute of the session.
enum MadeDay {
    /// 9:30 in New York on 2026-01-05.
    private static let open: Int64 = 1_767_623_400_000

    static func write(in workspace: Workspace) throws -> String {
        var lines: [String] = []
        for minute in 0..<390 {
            for (place, symbol) in ["AAPL", "BRK.B", "MSFT", "NVDA"].enumerated() {
                let start = open + Int64(minute) * 60_000
                let price = "\(100 + place).\(10 + minute % 90)"
                let sequence = minute * 3 + 1
                lines.append(
                    """
                    [{"ev":"T","sym":"\(symbol)","x":4,"i":"\(sequence)","z":3,"p":\(price),"s":100,"c":[12,37],"t":\(start + 7),"q":\(sequence)},\
                    {"ev":"Q","sym":"\(symbol)","bx":4,"bp":\(price),"bs":100,"ax":7,"ap":\(price),"as":200,"c":1,"t":\(start + 8),"q":\(sequence + 1),"z":3}]
                    """)
                lines.append(
                    """
                    [{"ev":"Q","sym":"\(symbol)","bx":4,"bp":\(price),"bs":300,"ax":7,"ap":\(price),"as":200,"c":1,"t":\(start + 30_000),"q":\(sequence + 2),"z":3},\
                    {"ev":"AM","sym":"\(symbol)","v":1\(minute),"av":1\(minute),"op":100,"vw":\(price),"o":\(price),"c":\(price),"h":\(price),"l":\(price),"a":\(price),"z":10,"s":\(start),"e":\(start + 60_000)}]
                    """)
            }
        }
        return try workspace.write(lines.joined(separator: "\n") + "\n", to: "2026-01-05.ndjson")
    }
}
