import Foundation
import MarketData
import TestSupport
import Testing

@testable import Upstream

/// Where a unique key tells events apart, an event is there once, whoever sends it and however often.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct TickIdentityTests {
    private func box(_ sandbox: Sandbox, _ name: String, needsIdentity: Bool = false) throws -> Uploader {
        let configuration = try UpstreamConfiguration(
            uri: sandbox.cluster.uri(sandbox.database), collector: name, connectTimeout: .seconds(60),
            needsIdentity: needsIdentity)
        return Uploader(configuration: configuration, bufferID: UUID().uuidString, logger: quiet)
    }

    /// A new database in which each table of ticks has its identity.
    private func identified() async throws -> Sandbox {
        let sandbox = try await Sandbox.migrated()
        for finding in try await IdentityMaker.look(sandbox.configuration(), for: Set(EventKind.allCases)) {
            #expect(finding.state == .missing && finding.doubledRows == 0 && !finding.locks)
            #expect(try await IdentityMaker.make(finding, sandbox.configuration(), removingDoubles: false) == 0)
        }
        return sandbox
    }

    @Test(arguments: EventStream.allCases.filter { $0 != .bars })
    func `of two boxes that send the same events one copy is stored`(stream: EventStream) async throws {
        let sandbox = try await identified()
        let rows = BufferedBatch(stream.fullAndBareEvents(), of: stream)
        let first = try await box(sandbox, "nyc-a").upload(rows)
        #expect(first.inserted == rows.count && first.path == .staging && first.unchanged == 0)
        let second = try await box(sandbox, "nyc-b").upload(rows)
        #expect(second.inserted == 0 && second.unchanged == rows.count && second.refused == 0)
        #expect(
            try sandbox.run("SELECT count(*), string_agg(DISTINCT collector, ' ') FROM \(stream.rawValue)")
                == "\(rows.count)|nyc-a")
        #expect(
            try sandbox.run("SELECT collector, rows FROM edgetick_uploads ORDER BY 1")
                == "nyc-a|\(rows.count)\nnyc-b|\(rows.count)")
    }

    @Test func `events go up by symbol, time and sequence, in one order however they came`() {
        let ids = ["9", "7", "8"]
        var events: [(Trade, String)] = []
        for (symbol, exchange) in [("MSFT", 4), ("AAPL", 11), ("AAPL", 4)] as [(String, Int32)] {
            for (number, id) in ids.enumerated() {
                let (time, sequence) = (opening + Int64(number / 2), Int64(number % 2))
                events.append(
                    (
                        Trade(
                            symbol: Symbol(symbol)!, time: time, price: 1, size: 1, exchange: exchange,
                            sequence: sequence), id
                    ))
            }
        }
        /// The order in which events go up that came in this one.
        func order(_ events: [(Trade, String)]) -> [String] {
            var batch = BufferedBatch(stream: .trades)
            for (place, (trade, id)) in events.enumerated() {
                var event = trade
                event.tradeID = batch.text.append(id)
                batch.trades.append(
                    Buffered(
                        sequence: Int64(place), event: event, receivedMicroseconds: 0, connection: 0, source: .stream))
            }
            return TickOrder.places(of: batch.trades, in: 0..<batch.count, batch.text).map { place in
                let trade = batch.trades[Int(place)].event
                let id = trade.tradeID.map { batch.text[$0] } ?? ""
                return "\(trade.symbol) \(trade.time - opening) \(trade.sequence ?? -1) \(trade.exchange ?? 0) \(id)"
            }
        }
        let expected = order(events)
        #expect(expected.first?.hasPrefix("AAPL 0 0 ") == true && expected.last == "MSFT 1 0 4 8")
        var random = SeededRandom(seed: 7)
        for _ in 0..<50 { #expect(order(events.shuffled(using: &random)) == expected) }
    }

    @Test func `an event that a batch has twice is kept twice without an identity and once with it`() async throws {
        var twice = trades(3)
        let again = twice.trades[1]
        twice.trades.append(
            Buffered(
                sequence: 4, event: again.event, receivedMicroseconds: again.receivedMicroseconds + 1, connection: 0,
                source: .stream))
        let plain = try await Sandbox.migrated()
        #expect(try await box(plain, "box").upload(twice).path == .direct)
        #expect(try plain.run("SELECT count(*) FROM trades") == "4")
        let sandbox = try await identified()
        let outcome = try await box(sandbox, "box").upload(twice)
        #expect(outcome.inserted == 3 && outcome.unchanged == 1)
        #expect(try sandbox.run("SELECT count(*) FROM trades") == "3")
    }

    @Test func `trades without identifier and sequence are one event where everything else is equal`() async throws {
        let sandbox = try await identified()
        var bare = trades(3)
        for index in bare.trades.indices {
            bare.trades[index].event.sequence = nil
            bare.trades[index].event.tradeID = nil
        }
        bare.trades[2].event.exchange = 12
        bare.trades[2].event.time = bare.trades[1].event.time
        #expect(try await box(sandbox, "nyc-a").upload(bare).inserted == 3)
        #expect(try await box(sandbox, "nyc-b").upload(bare).unchanged == 3)
    }

    @Test(arguments: [
        "CREATE UNIQUE INDEX ON trades (symbol, time, sequence, exchange, trade_id)",
        "ALTER TABLE trades ADD PRIMARY KEY (symbol, time, sequence)",
        "ALTER TABLE trades ADD UNIQUE NULLS NOT DISTINCT (symbol, trade_id)",
    ])
    func `a unique key that a person made counts too, and the second box has no dead letters`(
        key: String
    ) async throws {
        let sandbox = try await Sandbox.migrated()
        try sandbox.run(key)
        #expect(try await box(sandbox, "nyc-a").upload(trades(500)).inserted == 500)
        let second = try await box(sandbox, "nyc-b").upload(trades(600))
        #expect((second.inserted, second.unchanged, second.refused) == (100, 500, 0))
        #expect(try sandbox.run("SELECT count(*) FROM trades") == "600")
    }

    @Test func `a quote with one side that another box has brought is known by a narrower key too`() async throws {
        let sandbox = try await Sandbox.migrated(then: "ALTER TABLE quotes ADD UNIQUE (symbol, time, sequence)")
        var rows = quotes(3)
        for index in rows.quotes.indices { rows.quotes[index].event.ask = nil }
        #expect(try await box(sandbox, "nyc-a").upload(rows).inserted == 3)
        let second = try await box(sandbox, "nyc-b").upload(rows)
        #expect((second.inserted, second.unchanged, second.refused) == (0, 3, 0))
    }

    @Test func `an event whose place in a narrower key another one has becomes a dead letter`() async throws {
        let sandbox = try await Sandbox.migrated(then: "ALTER TABLE trades ADD UNIQUE (symbol, time)")
        var rows = trades(40)
        rows.trades[7].event.time = rows.trades[6].event.time
        rows.trades[30].event = rows.trades[29].event
        let letters = DeadLetterBox()
        let outcome = try await box(sandbox, "box").upload(rows) { await letters.add($0) }
        #expect((outcome.inserted, outcome.unchanged, outcome.refused) == (38, 1, 1))
        #expect(await letters.rows.map(\.sequence) == [8])
        #expect(await letters.rows.first?.sqlState == "23505")
    }

    /// Two imbalances, and a third that differs from the first in its exchange alone.
    private func imbalancesOfTwoExchanges() -> BufferedBatch {
        var rows = BufferedBatch(EventStream.imbalances.fullAndBareEvents(), of: .imbalances)
        rows.imbalances[0].event.exchange = 1
        var other = rows.imbalances[0]
        other.sequence = 3
        other.event.exchange = 2
        rows.imbalances.append(other)
        return rows
    }

    @Test func `imbalances of two exchanges are two events, though all else is equal`() async throws {
        let sandbox = try await identified()
        let rows = imbalancesOfTwoExchanges()
        let first = try await box(sandbox, "nyc-a").upload(rows)
        #expect((first.inserted, first.unchanged, first.refused) == (3, 0, 0))
        #expect(try await box(sandbox, "nyc-b").upload(rows).unchanged == 3)
    }

    @Test func `an identity of imbalances that lacks the exchange goes on, loses no event, and is reported`()
        async throws
    {
        let sandbox = try await Sandbox.migrated()
        // As earlier versions made it.
        try sandbox.run(
            """
            CREATE UNIQUE INDEX imbalances_identity ON imbalances (symbol, time, auction_time, auction_type, sequence)
            NULLS NOT DISTINCT
            """)
        let letters = DeadLetterBox()
        let outcome = try await box(sandbox, "nyc-a", needsIdentity: true).upload(imbalancesOfTwoExchanges()) {
            await letters.add($0)
        }
        #expect((outcome.inserted, outcome.unchanged, outcome.refused) == (2, 0, 1))
        #expect(await letters.rows.map(\.sqlState) == ["23505"])
        func look() async throws -> [IdentityFinding.State] {
            try await IdentityMaker.look(sandbox.configuration(), for: [.imbalance]).map(\.state)
        }
        #expect(try await look() == [.present])
        let table = try await UpstreamSchema.check(sandbox.configuration()).first { $0.table == "imbalances" }
        #expect(table?.stopsUpload == false)
        #expect(table?.warnings.contains { $0.hasPrefix("a unique key lacks exchange") } == true)

        // What the warning says to do.
        try sandbox.run("DROP INDEX imbalances_identity")
        let finding = try #require(try await IdentityMaker.look(sandbox.configuration(), for: [.imbalance]).first)
        #expect(try await IdentityMaker.make(finding, sandbox.configuration(), removingDoubles: false) == 0)
        #expect(try await look() == [.present])
        #expect(try await box(sandbox, "nyc-b").upload(imbalancesOfTwoExchanges()).inserted == 1)
        let whole = try await UpstreamSchema.check(sandbox.configuration()).first { $0.table == "imbalances" }
        #expect(whole?.warnings == [])
    }

    /// Trades as the REST API brings them for a gap: their times are cut off where the stream rounds.
    private func backfilled(_ count: Int) -> BufferedBatch {
        var rows = trades(count)
        rows.connections = ["backfill"]
        for index in rows.trades.indices { rows.trades[index].event.time -= 1 }
        return rows
    }

    @Test func `a trade of the REST API is the stream's when it differs by a millisecond alone`() async throws {
        let sandbox = try await identified()
        _ = try await box(sandbox, "nyc-a").upload(trades(50))
        var rows = backfilled(52)
        // Another time is another event, and so may be one without a sequence.
        rows.trades[7].event.time -= 1
        rows.trades[8].event.sequence = nil
        let filled = try await box(sandbox, "nyc-b").upload(rows)
        #expect((filled.inserted, filled.unchanged, filled.refused) == (4, 48, 0))
        // The stream's own times are exact.
        var again = trades(50)
        for index in again.trades.indices { again.trades[index].event.time += 1 }
        #expect(try await box(sandbox, "nyc-b").upload(again).inserted > 45)
    }

    @Test func `a trade that a box of the group has fetched is not stored again when another's stream brings it later`()
        async throws
    {
        let sandbox = try await identified()
        #expect(try await box(sandbox, "nyc-a").upload(backfilled(50)).inserted == 50)
        // Its upload was away while the other box filled its gap.
        let late = try await box(sandbox, "nyc-b", needsIdentity: true).upload(trades(52))
        #expect((late.inserted, late.unchanged, late.refused) == (2, 50, 0))
        #expect(try sandbox.run("SELECT count(*) FROM trades") == "52")
    }

    @Test func `events a millisecond off are looked up by the index, whatever the planner assumes`() async throws {
        let sandbox = try await identified()
        try sandbox.run(
            """
            INSERT INTO trades (symbol, time, price, size, exchange, trade_id, sequence)
            SELECT 'S' || i % 50, now() + i * interval '1 ms', 1, 1, 4, i, i FROM generate_series(1, 20000) i
            """)
        let connection = try PostgresConnection.connect(sandbox.configuration(), interrupt: Wakeup())
        defer { connection.finish() }
        let catalog = try connection.readCatalog(of: ["trades"])
        let target = try UploadTarget<TradeField>(.trades, in: catalog)
        let sql = try #require(
            target.leaveOutSQL(
                onlyFetched: false, times: 0...4_000_000_000_000, joins: catalog.needsJoin(with: target.table)))
        try connection.begin("", "explain")
        try connection.run("CREATE TEMPORARY TABLE edgetick_staging ON COMMIT DROP AS SELECT * FROM trades", "explain")
        let plan = try connection.run("EXPLAIN " + sql, "explain").rows.compactMap { $0[0] }
        #expect(plan.contains { $0.contains("Index") })
        #expect(
            !plan.contains { $0.contains("Join") || $0.contains("Nested Loop") || $0.contains("Seq Scan on trades") })
        #expect(try connection.run(sql, "leave out").last?.affected == 20000)
    }

    @Test func `events are known by the identity alone, not by any key that has the sequence`() async throws {
        let sandbox = try await Sandbox.migrated(
            then: """
                CREATE UNIQUE INDEX ON trades (symbol, time, sequence, received_at);
                CREATE UNIQUE INDEX ON quotes (symbol, time, sequence) WHERE sequence > 0;
                """)
        #expect(try await box(sandbox, "box").identifiedStreams() == [])
        let known = try await box(try await identified(), "box").identifiedStreams()
        #expect(known == Set(EventStream.allCases.filter { $0 != .bars }))
    }

    @Test func `a key over a number of the table's own tells rows and not events, and they go directly`() async throws {
        let sandbox = try await Sandbox.migrated()
        try sandbox.run(
            "ALTER TABLE trades ADD id bigserial PRIMARY KEY; CREATE UNIQUE INDEX ON trades (symbol, time, received_at)"
        )
        #expect(try await box(sandbox, "box").upload(trades(3)).path == .direct)
        #expect(
            try await IdentityMaker.lacking(sandbox.configuration(), for: [.trade], within: .seconds(60)).identity
                == ["trades"])
    }

    @Test func `doubled events are counted, shown, and all but the first received removed`() async throws {
        let sandbox = try await Sandbox.migrated()
        for box in [try box(sandbox, "nyc-a"), try box(sandbox, "nyc-b"), try box(sandbox, "nyc-c")] {
            var rows = trades(50)
            if try sandbox.run("SELECT count(*) FROM trades") == "0" {
                for index in rows.trades.indices { rows.trades[index].receivedMicroseconds += 1000 }
            }
            _ = try await box.upload(rows)
        }
        try sandbox.run(
            """
            UPDATE trades SET sequence = NULL, trade_id = NULL WHERE trade_id = '7';
            DELETE FROM trades WHERE trade_id = '9' AND collector <> 'nyc-b';
            """)
        let found = try #require(
            try await IdentityMaker.look(sandbox.configuration(), for: [.trade, .minuteBar]).first)
        #expect(found.table == "trades" && found.state == .missing && found.doubledRows == 98 && found.locks)
        #expect(found.sample.count == 5 && found.sample.allSatisfy { $0.count == 3 && $0.identity.contains("MSFT") })
        #expect(try sandbox.run("SELECT count(*) FROM trades") == "148")
        // Nobody has allowed rows to be removed.
        await #expect(throws: UpstreamError.self) {
            try await IdentityMaker.make(found, sandbox.configuration(), removingDoubles: false)
        }
        #expect(try sandbox.run("SELECT count(*) FROM trades") == "148")
        #expect(try await IdentityMaker.make(found, sandbox.configuration(), removingDoubles: true) == 98)
        #expect(
            try sandbox.run("SELECT count(*), count(*) FILTER (WHERE collector = 'nyc-a') FROM trades") == "50|0")
        #expect(try await IdentityMaker.look(sandbox.configuration(), for: [.trade]).map(\.state) == [.present])
        #expect(try await box(sandbox, "nyc-d").upload(trades(50)).inserted == 1)
    }

    @Test func `a table that lacks what tells events apart can't have an identity, and says so`() async throws {
        let sandbox = try await Sandbox.prepared(
            "CREATE TABLE trades (symbol text, time timestamptz, price numeric, size numeric)")
        let found = try await IdentityMaker.look(sandbox.configuration(), for: [.trade, .quote])
        #expect(found.map(\.table) == ["trades", "quotes"])
        let why = "without the columns exchange, trade_id, sequence events can't be told apart"
        #expect(found.first?.state == .unusable(why))
    }

    @Test func `a list kept as json can't be in an identity, and is compared by its text where a key lacks it`()
        async throws
    {
        let sandbox = try await Sandbox.migrated(
            then: "ALTER TABLE luld ALTER indicators TYPE json USING indicators::json")
        let found = try await IdentityMaker.look(sandbox.configuration(), for: Set(EventKind.allCases))
        #expect(found.count { $0.state == .missing } == 4)
        let why = "the column indicators has the type json, which can't be compared: use jsonb or text"
        #expect(found.first { $0.table == "luld" }?.state == .unusable(why))
        try sandbox.run("ALTER TABLE luld ADD UNIQUE NULLS NOT DISTINCT (symbol, time, sequence)")
        let rows = BufferedBatch(EventStream.luld.fullAndBareEvents(), of: .luld)
        #expect(try await box(sandbox, "nyc-a").upload(rows).inserted == rows.count)
        let second = try await box(sandbox, "nyc-b").upload(rows)
        #expect((second.inserted, second.unchanged, second.refused) == (0, rows.count, 0))
    }

    @Test func `a table that may not be read keeps no other from being looked at`() async throws {
        let sandbox = try await Sandbox.migrated()
        let user = "owner_\(sandbox.database)"
        try sandbox.run(
            """
            CREATE ROLE \(user) LOGIN; GRANT SELECT ON quotes TO \(user); GRANT INSERT ON trades TO \(user)
            """)
        let found = try await IdentityMaker.look(sandbox.configuration(user: user), for: [.trade, .quote])
        #expect(found.map(\.state) == [.unusable("permission denied for table trades"), .missing])
    }

    @Test func `an index may take longer to make than the role's own limits allow`() async throws {
        let sandbox = try await Sandbox.migrated()
        let user = "owner_\(sandbox.database)"
        try sandbox.run("CREATE ROLE \(user) LOGIN SUPERUSER")
        let configuration = try sandbox.configuration(user: user)
        let finding = try #require(try await IdentityMaker.look(configuration, for: [.trade]).first)
        #expect(finding.state == .missing && !finding.locks)
        try sandbox.run(
            "ALTER ROLE \(user) SET statement_timeout = '500ms'; ALTER ROLE \(user) SET lock_timeout = '500ms'")
        // The index waits until all who have written to the table are done.
        let holder = try await sandbox.cluster.holder(
            of: sandbox.database, "DELETE FROM trades WHERE false", seconds: 1)
        #expect(try await IdentityMaker.make(finding, configuration, removingDoubles: false) == 0)
        #expect(try await holder.exit() == 0, "\(holder.output)")
        #expect(try await IdentityMaker.look(sandbox.configuration(), for: [.trade]).map(\.state) == [.present])
    }

    @Test(arguments: [false, true])
    func `the invalid index that an attempt leaves which was broken off is in nobody's way`(
        hasDoubles: Bool
    ) async throws {
        let sandbox = try await Sandbox.migrated()
        _ = try await box(sandbox, "nyc-a").upload(trades(5))
        if hasDoubles { _ = try await box(sandbox, "nyc-b").upload(trades(5)) }
        #expect(throws: PostgresCluster.Failure.self) {
            try sandbox.run("CREATE UNIQUE INDEX CONCURRENTLY trades_identity ON trades (symbol)")
        }
        let invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
        #expect(try sandbox.run(invalid) == "1")
        let finding = try #require(try await IdentityMaker.look(sandbox.configuration(), for: [.trade]).first)
        #expect(finding.state == .missing && finding.locks == hasDoubles)
        let removed = try await IdentityMaker.make(finding, sandbox.configuration(), removingDoubles: hasDoubles)
        #expect(removed == (hasDoubles ? 5 : 0))
        #expect(try await IdentityMaker.look(sandbox.configuration(), for: [.trade]).map(\.state) == [.present])
        #expect(try sandbox.run(invalid) == "0")
    }

    @Test func `an index that somebody makes part by part is left to them, and they are told before any work is done`()
        async throws
    {
        let sandbox = try await Sandbox.prepared(
            """
            CREATE TABLE trades (symbol text, time timestamptz, price numeric, size numeric, exchange integer,
                trade_id text, sequence bigint) PARTITION BY RANGE (time);
            CREATE TABLE trades_rest PARTITION OF trades DEFAULT;
            CREATE UNIQUE INDEX trades_identity ON ONLY trades (symbol, time, exchange, trade_id, sequence)
                NULLS NOT DISTINCT
            """)
        let finding = try #require(try await IdentityMaker.look(sandbox.configuration(), for: [.trade]).first)
        guard case .unusable(let why) = finding.state else {
            Issue.record("\(finding.state)")
            return
        }
        #expect(why.hasPrefix("the index public.trades_identity is incomplete") && why.contains("ATTACH PARTITION"))
        #expect(try sandbox.run("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == "1")
        // One of the two things that it says to do.
        try sandbox.run(
            """
            CREATE UNIQUE INDEX trades_rest_identity ON trades_rest (symbol, time, exchange, trade_id, sequence)
                NULLS NOT DISTINCT;
            ALTER INDEX trades_identity ATTACH PARTITION trades_rest_identity
            """)
        #expect(try await IdentityMaker.look(sandbox.configuration(), for: [.trade]).map(\.state) == [.present])
    }

    @Test(arguments: [
        "CREATE INDEX trades_identity ON trades (symbol)",
        "CREATE UNIQUE INDEX trades_identity ON trades (symbol, time, exchange, trade_id, sequence) WHERE sequence > 0",
        "CREATE TABLE trades_identity (a integer)",
    ])
    func `what has the name of the index and identifies nothing is named before any work is done`(
        sql: String
    ) async throws {
        let sandbox = try await Sandbox.migrated()
        try sandbox.run(sql)
        let state = try await IdentityMaker.look(sandbox.configuration(), for: [.trade]).first?.state
        let why =
            "public.trades_identity exists and does not identify every event: drop or rename it, and run this again"
        #expect(state == .unusable(why))
    }

    @Test func `an index that a session is making is not taken for one that was left, though the role can't see it`()
        async throws
    {
        let sandbox = try await Sandbox.migrated()
        let user = "owner_\(sandbox.database)"
        try sandbox.run("CREATE ROLE \(user) LOGIN")
        let connection = try PostgresConnection.connect(sandbox.configuration(), interrupt: Wakeup())
        let sql = try IdentitySQL(.trades, in: connection.readCatalog(of: ["trades"]))
        connection.finish()
        let psql = ["psql", "-X", "-q", "-t", sandbox.cluster.uri(sandbox.database)]
        let holder = try ChildProcess(
            "/usr/bin/env",
            psql + [
                "-c", "BEGIN", "-c", "DELETE FROM trades WHERE false", "-c", "SELECT 'held'", "-c",
                "SELECT pg_sleep(600)",
            ])
        try await holder.line(containing: "held")
        // It waits for the session that has written to the table.
        let maker = try ChildProcess("/usr/bin/env", psql + ["-c", sql.indexSQL(isConcurrent: true)])
        try await Waiting.until("the index that is being made") {
            try sandbox.run("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == "1"
        }
        for role in ["", "SET ROLE \(user); "] { #expect(try sandbox.run(role + sql.invalidSQL(isOwn: false)) == "f") }
        // The index's session first: it would finish the index once the other is gone.
        try sandbox.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CREATE UNIQUE INDEX%'")
        try await maker.exit()
        try await sandbox.endSessions()
        try await holder.exit()
        #expect(try sandbox.run(sql.invalidSQL(isOwn: false)) == "t")
    }

    @Test func `ticks of a box in a group wait for an identity, and the bars go on`() async throws {
        let sandbox = try await Sandbox.migrated()
        let uploader = try box(sandbox, "nyc-a", needsIdentity: true)
        let error = await #expect(throws: UpstreamError.self) {
            try await uploader.upload(trades(3))
        }
        #expect(error?.description.contains("edgetick migrate --tick-identity") == true && error?.reason == .schema)
        #expect(try await uploader.upload(batch([bar()])).inserted == 1)
        let checked = try await UpstreamSchema.check(
            UpstreamConfiguration(
                uri: sandbox.cluster.uri(sandbox.database), collector: "nyc-a", needsIdentity: true),
            for: [.minuteBar, .trade])
        #expect(checked.filter(\.stopsUpload).map(\.table) == ["trades"])
        let recipe = SchemaChange.recipe(checked)
        #expect(recipe.count == 1)
        try sandbox.run(recipe.joined())
        #expect(try await box(sandbox, "nyc-b", needsIdentity: true).upload(trades(3)).inserted == 3)
    }

    @Test func `an identity that somebody drops under a running upload is missed at once, and nothing is doubled`()
        async throws
    {
        let sandbox = try await identified()
        let second = try box(sandbox, "nyc-b", needsIdentity: true)
        #expect(try await box(sandbox, "nyc-a", needsIdentity: true).upload(trades(5)).inserted == 5)
        #expect(try await second.upload(trades(2)).unchanged == 2)
        try sandbox.run("DROP INDEX trades_identity")
        // Rows that follow those that are upstream; otherwise the tables would be read again anyway.
        var rest = trades(5)
        rest.trades.removeFirst(2)
        for word in ["unique", "edgetick migrate --tick-identity"] {
            let error = await #expect(throws: UpstreamError.self) { try await second.upload(rest) }
            #expect(
                error?.reason == .schema && error?.description.contains(word) == true, "\(error?.description ?? "")")
        }
        #expect(try sandbox.run("SELECT count(*) FROM trades") == "5")
    }

    @Test func `doubles are not removed where a trigger keeps out what is put back`() async throws {
        let sandbox = try await Sandbox.migrated()
        for name in ["nyc-a", "nyc-b"] { _ = try await box(sandbox, name).upload(trades(5)) }
        let finding = try #require(try await IdentityMaker.look(sandbox.configuration(), for: [.trade]).first)
        #expect(finding.doubledRows == 5)
        try sandbox.run(
            """
            CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
            CREATE TRIGGER skip BEFORE INSERT ON trades FOR EACH ROW EXECUTE FUNCTION skip()
            """)
        let error = await #expect(throws: UpstreamError.self) {
            try await IdentityMaker.make(finding, sandbox.configuration(), removingDoubles: true)
        }
        #expect(error?.text.contains("trigger") == true)
        #expect(try sandbox.run("SELECT count(*) FROM trades") == "10")
    }

    @Test(.enabled(if: PostgresCluster.offersTimescale, "TimescaleDB is not installed on this machine"))
    func `a hypertable with compressed chunks has each event once, in them too`() async throws {
        let cluster = try PostgresCluster(settings: ["shared_preload_libraries": "timescaledb"])
        let sandbox = try Sandbox.empty(on: cluster)
        try sandbox.run("CREATE EXTENSION timescaledb")
        _ = try await UpstreamSchema.migrate(sandbox.configuration())
        var bare = trades(300)
        for index in bare.trades.indices where index % 7 == 0 {
            bare.trades[index].event.sequence = nil
            bare.trades[index].event.tradeID = nil
        }
        let compress = "SELECT count(compress_chunk(c, if_not_compressed => true)) FROM show_chunks('trades') c"
        try sandbox.run("ALTER TABLE trades SET (timescaledb.compress, timescaledb.compress_segmentby = 'symbol')")
        _ = try await box(sandbox, "nyc-a").upload(bare)
        try sandbox.run(compress)
        _ = try await box(sandbox, "nyc-b").upload(bare)
        try sandbox.run(compress)
        let found = try #require(try await IdentityMaker.look(sandbox.configuration(), for: [.trade]).first)
        #expect(found.doubledRows == 300 && found.locks)
        #expect(try await IdentityMaker.make(found, sandbox.configuration(), removingDoubles: true) == 300)
        try sandbox.run(compress)
        let third = try await box(sandbox, "nyc-c").upload(bare)
        #expect((third.inserted, third.unchanged, third.refused) == (0, 300, 0))
        #expect(try sandbox.run("SELECT count(*) FROM trades") == "300")
    }

    @Test func `check and migrate say whether an event is stored once`() async throws {
        let changes = try await UpstreamSchema.check(try await identified().configuration())
        #expect(changes.filter { $0.rule == "each event once" }.count == 5)
        #expect(changes.first { $0.table == "trades" }?.description == "trades: present; each event once")
        let plain = try await UpstreamSchema.check(try Sandbox.migrated().configuration())
        #expect(plain.allSatisfy { $0.rule != "each event once" })
        #expect(
            plain.first { $0.table == "quotes" }?.description.hasSuffix("an event that arrives twice is stored twice")
                == true)
    }
}
