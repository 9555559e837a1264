import Foundation
import TestSupport
import Testing
import WebAPISupport

/// `query`, `tail`, `export` and `coverage`, run as users run them on a file that holds known rows.
@Suite(.blocking, .timeLimit(.minutes(5))) struct DataCommandTests {
    /// Returns the lines that went to standard output. What takes longer than a second, as on a busy machine, shows its
    /// progress on standard error.
    private func data(_ output: [String]) -> [String] {
        output.filter { !$0.hasPrefix("edgetick: ") && !$0.hasPrefix("reading ") && !$0.hasPrefix("asking upstream ") }
    }

    private func json(_ output: [String]) throws -> Any {
        try JSONSerialization.jsonObject(with: Data(data(output).joined(separator: "\n").utf8))
    }

    @Test func `query prints several symbols, further streams, Unix times and longer bars`() async throws {
        let box = try Box.known()
        let (status, lines) = try await box.edgetick(
            "query", "AAPL", "BRK.B", "--from", "1380000000", "--format", "csv")
        #expect(status == 0)
        #expect(
            data(lines) == [
                "symbol,start,open,high,low,close,volume,vwap",
                "AAPL,2013-09-24T05:20:00Z,68.5,68.75,68.25,0.4372,1200,68.4",
                "BRK.B,2013-09-24T05:20:00Z,113,113.5,112.5,113.25,2.5,",
            ])
        let day = try await box.edgetick("query", "AAPL", "--every", "1d", "--format", "json").1
        let object = try #require(try json(day) as? [String: Any])
        #expect(object["interval_seconds"] as? Int == 86_400 && object["count"] as? Int == 1)
        let bar = try #require((object["bars"] as? [[String: Any]])?.first)
        #expect(bar["start_ms"] as? Int == 1_379_995_200_000 && bar["volume"] as? Double == 1200)
        let both = try await box.edgetick("query", "AAPL", "BRK.B", "--format", "json").1
        #expect((try json(both) as? [[String: Any]])?.map { $0["symbol"] as? String } == ["AAPL", "BRK.B"])

        // Part of a longer bar would be mistaken for the whole, so the whole bar is printed.
        let part = try await box.edgetick(
            "query", "AAPL", "--every", "1h", "--from", "2013-09-24T05:50", "--to", "2013-09-24T05:51", "--format",
            "csv")
        #expect(data(part.1).count == 2 && data(part.1)[1].hasPrefix("AAPL,2013-09-24T05:00:00Z,68.5,"), "\(part.1)")
        // The quotes have left this file after their upload.
        for (stream, bound, isLess) in [
            ("quotes", "--from", true), ("quotes", "--to", true), ("trades", "--from", false),
            ("trades", "--to", false),
        ] {
            let process = try ChildProcess(
                Places.edgetick, ["query", "IBM", "--stream", stream, bound, "1380000000"],
                environment: box.environment, directory: box.workspace.path)
            #expect(try await process.exit(within: .seconds(60)) == 0)
            #expect(
                process.output.contains { $0.contains("the earliest of these \(stream) were deleted") } == isLess,
                "\(process.output)")
        }

        let trades = data(
            try await box.edgetick("query", "IBM", "--stream", "trades", "--to", "1380000000124", "--format", "csv").1)
        #expect(trades.count == 2 && trades[1].hasPrefix("2013-09-24T05:20:00.123Z,IBM,1380000000123,181.27,100,"))
        #expect(trades[1].contains("\"[0,12]\""))
        let before = try await box.edgetick(
            "query", "IBM", "--stream", "trades", "--to", "1380000000123", "--format", "json")
        #expect(before.0 == 0 && before.1.contains("[]"))
        let luld = data(try await box.edgetick("query", "MSFT", "--stream", "luld").1)
        #expect(luld.count == 2 && luld[0].contains("HIGH_BAND") && luld[1].contains("218.11"))
    }

    @Test func `query says what it doesn't take`() async throws {
        let box = try Box(feed: "ws://127.0.0.1:9/stocks")
        for arguments in [
            ["query"], ["query", "AAPL", "--every", "7m"], ["query", "AAPL", "--every", "5m", "--stream", "trades"],
            ["query", "AAPL", "--stream", "tirades"], ["query", "AAPL", "--from", "12"],
        ] {
            let process = try ChildProcess(
                Places.edgetick, arguments, environment: box.environment, directory: box.workspace.path)
            #expect(try await process.exit() == 64, "\(arguments) \(process.output)")
        }
    }

    @Test func `export writes a file a stream and day, again the same, and names the days that are empty`() async throws
    {
        let box = try Box.known()
        let arguments = ["export", "--date", "2013-09-24", "--format", "csv", "--output", "out"]
        for _ in 0..<2 {
            let process = try ChildProcess(
                Places.edgetick, arguments, environment: box.environment, directory: box.workspace.path)
            #expect(try await process.exit(within: .seconds(60)) == 65, "\(process.output)")
            for stream in ["bars", "trades", "luld", "imbalances", "fair_values"] {
                let path = "out/\(stream)/day=2013-09-24/\(stream).csv"
                #expect(process.output.contains { $0.hasPrefix(path) }, "\(process.output)")
                let lines = try String(contentsOfFile: box.workspace.file(path), encoding: .utf8).split(separator: "\n")
                #expect(lines.count == (stream == "bars" ? 4 : 2), "\(stream)")
            }
            // The quotes have left this file after their upload.
            #expect(process.output.contains { $0.contains("quotes of 2013-09-24 were deleted") })
        }
        let forced = try await box.edgetick(
            "export", "--date", "2013-09-24", "--format", "csv", "--output", "out", "--force")
        #expect(forced.0 == 0 && forced.1.contains { $0.contains("quotes of 2013-09-24 were deleted") }, "\(forced.1)")
        let reported = try await box.edgetick(
            "export", "--date", "2013-09-24", "--format", "csv", "--output", "out", "--force", "--json")
        let report = reported.1.compactMap {
            try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        }.first
        #expect((report?["files"] as? [[String: Any]])?.first?["path"] as? String == "out/bars/day=2013-09-24/bars.csv")
        #expect((report?["partial_days"] as? [String: [String]])?["quotes"] == ["2013-09-24"], "\(reported.1)")
        let empty = try await box.edgetick("export", "--date", "2013-09-25", "--stream", "trades", "--output", "out")
        #expect(empty.0 == 0 && empty.1.contains { $0.contains("no such events") })
        let parquet = try await box.edgetick("export", "--date", "2013-09-24", "--stream", "bars", "--output", "out")
        #expect(parquet.0 == 0, "\(parquet.1)")
        let bytes = try Data(
            contentsOf: URL(fileURLWithPath: box.workspace.file("out/bars/day=2013-09-24/bars.parquet")))
        #expect(bytes.prefix(4) == Data("PAR1".utf8) && bytes.suffix(4) == Data("PAR1".utf8))
        let wrong = try await box.edgetick("export", "--stream", "tirades", "--output", "out")
        #expect(wrong.0 == 64)
        let nowhere = try await box.edgetick("export", "--date", "2013-09-24", "--output", "/proc/none")
        #expect(nowhere.0 == 74 && nowhere.1.contains { $0.contains("/proc/none") })
        _ = try box.workspace.write("no directory", to: "file")
        let onFile = try await box.edgetick("export", "--date", "2013-09-24", "--output", "file")
        #expect(onFile.0 == 74 && onFile.1.contains { $0.contains("file can't be written: Not a directory") })
        let noDatabase = try await box.edgetick("export", "--source", "upstream", "--output", "out")
        #expect(noDatabase.0 == 78)
    }

    @Test(.enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"))
    func `an export of a database that lacks a table fails and writes no mark, or names what it did without`()
        async throws
    {
        let cluster = try PostgresCluster.shared()
        let database = try cluster.makeDatabase()
        let box = try Box(feed: "ws://127.0.0.1:9/stocks", database: cluster.uri(database))
        #expect(try await box.edgetick("migrate").0 == 0)
        _ = try cluster.psql("ALTER TABLE trades RENAME TO trades_before; DROP TABLE luld", database: database)
        let failed = try await box.edgetick(
            "export", "--source", "upstream", "--date", "2013-09-24", "--output", "out")
        #expect(failed.0 == 78 && failed.1.contains { $0.contains("table trades") }, "\(failed.1)")

        let watch = try box.start(
            "export", "--source", "upstream", "--watch", "--from", "2013-09-24", "--output", "out")
        let line = try await watch.line(containing: "a day could not be exported and is tried again")
        #expect(line.contains("2013-09-24") && line.contains("table trades"), "\(line)")
        try await watch.stop()
        #expect(!FileManager.default.fileExists(atPath: box.workspace.file("out/.written.parquet")))

        _ = try cluster.psql("ALTER TABLE trades_before RENAME TO trades", database: database)
        let done = try await box.edgetick(
            "export", "--source", "upstream", "--date", "2013-09-24", "--output", "out")
        #expect(done.0 == 0 && done.1.contains { $0.contains("no price bands were exported") }, "\(done.1)")
        let named = try await box.edgetick(
            "export", "--source", "upstream", "--date", "2013-09-24", "--stream", "luld", "--output", "out")
        #expect(named.0 == 78 && named.1.contains { $0.contains("table luld") }, "\(named.1)")
    }

    @Test(.enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"))
    func `a day of which rows wait for upload is not written from the database, and is tried again`() async throws {
        let cluster = try PostgresCluster.shared()
        let database = ["DATABASE_URI": cluster.uri(try cluster.makeDatabase())]
        let box = try Box.known()
        #expect(try await box.edgetick("migrate", environment: database).0 == 0)
        func watch() throws -> ChildProcess {
            try box.start(
                "export", "--source", "upstream", "--watch", "--from", "2013-09-24", "--output", "out",
                environment: database)
        }
        let mark = box.workspace.file("out/.written.parquet")
        let first = try watch()
        let line = try await first.line(containing: "a day could not be exported and is tried again")
        #expect(line.contains("2013-09-24"), "\(line)")
        let waiting = "bars, trades, luld, imbalances, fair_values of the day still wait for upload"
        #expect(line.contains(waiting), "\(line)")
        try await first.stop()
        #expect(!FileManager.default.fileExists(atPath: mark))

        // Nothing waits any more; what the database has of the day is nothing.
        try Command.sqlite(box.ticks, "UPDATE streams SET acknowledged = 10")
        let second = try watch()
        try await second.line(containing: "no such events on 2013-09-24")
        try await Waiting.until("the mark") { FileManager.default.fileExists(atPath: mark) }
        try await second.stop()
    }

    @Test func `tail follows a file that takes another's place`() async throws {
        let box = try Box.known()
        let spare = box.workspace.file("spare.sqlite")
        try FileManager.default.copyItem(atPath: box.ticks, toPath: spare)
        let insert = { @Sendable (symbol: String, path: String) throws in
            _ = try Command.sqlite(
                path,
                """
                INSERT INTO trades (seq, symbol, time_ms, price, size, received_us, connection)
                SELECT max(seq) + 1, '\(symbol)', 1380000000999, 1, 1, 1380000001000000, 'primary' FROM trades
                """)
        }
        let tail = try box.start("tail", "--kind", "T")
        // `tail` reads the file five times a second.
        try await Waiting.until {
            try insert("OLD", box.ticks)
            try insert("OLD", box.ticks)
            return tail.output.contains { $0.contains("OLD") }
        }
        for end in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: box.ticks + end) }
        try FileManager.default.moveItem(atPath: spare, toPath: box.ticks)
        try await Waiting.until {
            try insert("NEW", box.ticks)
            return tail.output.contains { $0.contains("NEW") }
        }
        tail.send(SIGINT)
        #expect(try await tail.exit() == 0)
        #expect(!tail.output.contains { $0.contains("no such file") }, "\(tail.output)")
    }

    @Test func `tail prints every column of a bar in JSON, also the source, which shows a correction`() async throws {
        let box = try Box.known()
        let tail = try box.start("tail", "--kind", "AM", "--json")
        // `tail` reads the file five times a second.
        try await Waiting.until {
            _ = try Command.sqlite(
                box.ticks,
                """
                INSERT INTO bars (seq, interval_s, symbol, start_ms, end_ms, open, high, low, close, volume, received_us,
                    connection, source)
                SELECT max(seq) + 1, 60, 'NEW', 1380000000000, 1380000060000, 1, 1, 1, 1, 1, 1380000060000000, 'backfill',
                    'reconcile' FROM bars
                """)
            return tail.output.contains { $0.contains("NEW") }
        }
        tail.send(SIGINT)
        #expect(try await tail.exit() == 0)
        let line = try #require(tail.output.first { $0.contains("NEW") })
        let bar = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(bar["connection"] as? String == "backfill" && bar["source"] as? String == "reconcile", "\(line)")
    }

    @Test func `reconcile needs no file that a collector made but says so, and refuses days that are none or not over`()
        async throws
    {
        let workspace = try Workspace()
        let feed = try await SimulatedFeed(captures: [try MadeDay.write(in: workspace)], options: ["--aggregates"])
        let rest = feed.url.replacing("ws://", with: "http://").replacing("/stocks", with: "")
        let box = try Box(feed: feed.url, more: ["MASSIVE_REST_URL": rest, "SYMBOLS": "AAPL,NVDA"])
        let lines = ["AAPL", "NVDA"].map { "\($0),100,10,10.5,11,9.5,1767623400000000000,3" }
        let file = try box.workspace.write(
            (["ticker,volume,open,close,high,low,window_start,transactions"] + lines).joined(separator: "\n") + "\n",
            to: "2026-01-05.csv")
        let fresh = try await box.edgetick("reconcile", "--from-file", file)
        #expect(fresh.0 == 0, "\(fresh.1)")
        #expect(fresh.1.contains { $0.contains("warning: there was no ticks.sqlite in ") }, "\(fresh.1)")
        #expect(
            fresh.1.contains { $0.contains("2 of 2 bars of the tape (100 %) in 2 symbols, 2 added") }, "\(fresh.1)")
        let done = try await box.edgetick("reconcile", "--from-file", file, "--resume", "--json")
        let report = try #require(try json(done.1.filter { $0.hasPrefix("{") }) as? [String: Any], "\(done.1)")
        #expect(!done.1.contains { $0.contains("there was no ticks.sqlite") }, "\(done.1)")
        #expect(done.0 == 0 && report["is_complete"] as? Bool == true && report["day"] as? String == "2026-01-05")
        #expect((report["symbols"] as? [Any])?.isEmpty == true)
        let told = try await box.edgetick("reconcile", "--from-file", file, "--resume")
        #expect(told.0 == 0 && told.1.contains("every symbol of 2026-01-05 is complete"), "\(told.1)")
        // No client has subscribed to the feed, so no bar has passed yet. The day is unavailable, which differs from a
        // day without trades.
        let early = try await box.edgetick("reconcile", "--date", "2026-01-05")
        #expect(early.0 == 65, "\(early.1)")
        #expect(early.1.contains { $0.contains("has no bar of any of these symbols on 2026-01-05") }, "\(early.1)")
        let nothing = try Box(feed: feed.url, more: ["MASSIVE_REST_URL": rest, "SYMBOLS": "*"])
        let nobody = try await nothing.edgetick("reconcile", "--date", "2026-01-05", "--resume")
        #expect(nobody.0 == 78 && nobody.1.contains { $0.contains("nobody knows which symbols") }, "\(nobody.1)")
        for day in ["2026-01-04", "2026-12-25", "2026-13-01", "2999-01-04"] {
            let refused = try await box.edgetick("reconcile", "--date", day)
            #expect(refused.0 == 64, "\(refused.1)")
        }
    }

    @Test func `where the settings turn the feed off, commands that need it say so, and not that symbols are missing`()
        async throws
    {
        let box = try Box(
            feed: "ws://127.0.0.1:9/stocks", more: ["SYMBOLS": "AAPL", "USE_MASSIVE_API": "false"])
        for (arguments, what) in [
            (["capture", "day.ndjson"], "there is no feed to record"),
            (["reconcile", "--date", "2026-01-05"], "there is nothing to compare"),
        ] {
            let process = try ChildProcess(
                Places.edgetick, arguments, environment: box.environment, directory: box.workspace.path)
            #expect(try await process.exit() == 78, "\(process.output)")
            let failure = process.output.first { $0.contains(what) } ?? ""
            #expect(failure.hasSuffix("set USE_MASSIVE_API=true"), "\(process.output)")
        }
    }

    @Test func `coverage says what nobody checked`() async throws {
        let box = try Box.known()
        // A minute bar of the session, 9:30 in New York.
        let writable = ["/usr/bin/sqlite3", box.ticks]
        try Command.run(
            writable + [
                """
                INSERT INTO bars (seq, interval_s, symbol, start_ms, end_ms, received_us, connection, source)
                VALUES (9, 60, 'AAPL', 1380029400000, 1380029460000, 1380029461000000, 'primary', 'stream');
                INSERT INTO gaps (connection, symbols, events, from_ms, to_ms, cause, recorded_us)
                VALUES ('primary', 'AAPL', 'AM', 1380029460000, 1380029520000, 'stalled', 1380029520000000);
                """
            ])
        let gaps = try await box.edgetick("gaps").1
        #expect(!gaps.contains { $0.contains("--limit") } && gaps.contains { $0.contains("stalled") }, "\(gaps)")
        try Command.run(
            writable + [
                "INSERT INTO gaps (connection, symbols, events, from_ms, to_ms, cause, recorded_us) "
                    + "VALUES ('primary', 'IBM', 'T', 1380029460000, 1380029520000, 'stalled', 1380029520000000)"
            ])
        let newest = try await box.edgetick("gaps", "--state", "open", "--limit", "1").1
        #expect(newest.contains { $0.contains("the newest 1 of 2 gaps: --limit shows more") }, "\(newest)")
        #expect(newest.contains { $0.contains("IBM") } && !newest.contains { $0.contains("AAPL") }, "\(newest)")
        let both = try await box.edgetick("gaps").1.filter { $0.contains("stalled") }
        #expect(both.count == 2 && both[0].contains("IBM") && both[1].contains("AAPL"), "\(both)")
        // The file had one before.
        for (limit, isComplete) in [("2", false), ("3", true)] {
            let listed = try await box.edgetick("gaps", "--json", "--limit", limit).1
            let object = try json(listed.filter { $0.hasPrefix("{") }) as? [String: Any]
            #expect(object?["is_complete"] as? Bool == isComplete, "\(listed)")
        }
        let (status, lines) = try await box.edgetick("coverage", "--date", "2013-09-24", "--symbols", "AAPL,MSFT")
        #expect(status == 0)
        #expect(lines.contains { $0.wholeMatch(of: /2013-09-24 +gaps +2 +0 of 2 +1 +0 +1 +778/) != nil }, "\(lines)")
        #expect(lines.contains { $0.wholeMatch(of: /AAPL +no +1 +0 +1 +388 +9:31/) != nil }, "\(lines)")
        let answer = try await box.edgetick("coverage", "--date", "2013-09-24", "--json").1
        let object = try #require(try json(answer) as? [String: Any])
        let rows = try #require(object["symbols"] as? [[String: Any]])
        #expect(rows.map { $0["minutes"] as? String } == ["bgu388"])
        let month = data(
            try await box.edgetick("coverage", "--from", "2013-09-23", "--to", "2013-10-02", "--by", "week").1)
        #expect(month.count == 3 && month[1].contains("gaps") && month[2].contains("unchecked"), "\(month)")
        #expect(month[1].contains("2013-09-23 – 2013-09-29"))
        #expect(try await box.edgetick("coverage", "--date", "2013-02-30").0 == 64)
        let away = try Box(
            feed: "ws://127.0.0.1:9/stocks", more: ["DATABASE_URI": "postgresql://u@127.0.0.1:9/d?sslmode=disable"])
        try FileManager.default.copyItem(atPath: box.workspace.file("data"), toPath: away.workspace.file("data"))
        for (option, expected) in [("--json", 69), ("--by=day", 69), ("--no-upstream", 0)] as [(String, Int32)] {
            let half = try await away.edgetick("coverage", "--date", "2013-09-24", option)
            #expect(half.0 == expected && half.1.contains { $0.contains("could not be asked") } == (expected == 69))
        }
        // Symbols in the settings count too, from the day on which the file was made.
        let named = try Box(feed: "ws://127.0.0.1:9/stocks", more: ["SYMBOLS": "AAPL,NVDA"])
        try FileManager.default.copyItem(atPath: box.workspace.file("data"), toPath: named.workspace.file("data"))
        for (day, symbols) in [("2013-09-24", ["AAPL", "NVDA"]), ("2013-09-23", [])] {
            let answer = try await named.edgetick("coverage", "--date", day, "--json").1
            let rows = try #require((try json(answer) as? [String: Any])?["symbols"] as? [[String: Any]])
            #expect(rows.map { $0["symbol"] as? String } == symbols)
        }
    }

    @Test(.enabled(if: PostgresCluster.isInstalled))
    func `the API's coverage of a day joins the file with the database`() async throws {
        let cluster = try PostgresCluster.shared()
        let database = try cluster.makeDatabase()
        let box = try CollectorBox(feed: "ws://127.0.0.1:9/stocks", settings: ["DATABASE_URI": cluster.uri(database)])
        try FileManager.default.createDirectory(atPath: box.data, withIntermediateDirectories: true)
        let schema = Places.repository + "/Tests/StoreTests/Schemas/ticks_v7.sql"
        let minute = """
            INSERT INTO bars (seq, interval_s, symbol, start_ms, end_ms, open, high, low, close, volume, received_us,
                connection, source)
            VALUES (5, 60, 'AAPL', 1380029400000, 1380029460000, 1, 1, 1, 1, 1, 1380029461000000, 'primary', 'stream')
            """
        try Command.run(
            ["/usr/bin/sqlite3", box.data + "/ticks.sqlite", ".read \(schema)", "PRAGMA journal_mode = WAL", minute])
        #expect(try await box.run("migrate").status == 0)
        try cluster.psql(
            """
            INSERT INTO ohlcv_1min (symbol, "timestamp", open, high, low, close, volume)
            SELECT 'MSFT', timestamptz '2013-09-24 13:30+00' + n * interval '1 minute', 1, 1, 1, 1, 1
            FROM generate_series(1, 3) n
            """, database: database)
        let (process, port) = try await box.collect()
        let http = RawHTTP(port: port)
        // Since the newest bar of the file, less the margin, no collector has run; the gap is recorded shortly after
        // the start.
        let day = try await http.until("/api/coverage?day=2013-09-24&symbols=AAPL,MSFT") { reply in
            let rows = reply.json["symbols"] as? [[String: Any]]
            return rows?.map { $0["minutes"] as? String } == ["bg389", "gb3g386"]
        }
        #expect(day.json["sources"] as? [String] == ["file", "upstream"], "\(day.text)")
        // A database that takes longer than a second to answer is left out.
        let days = try await http.until("/api/coverage?day=2013-09-29&days=7&by=week") { reply in
            reply.json["sources"] as? [String] == ["file", "upstream"]
        }.json
        #expect((days["symbols"] as? [Any])?.isEmpty == true)
        let week = try #require((days["periods"] as? [[String: Any]])?.first)
        #expect(week["state"] as? String == "gaps" && (week["minutes"] as? [String: Int])?["b"] == 4)
        try await process.stop()
    }
}
