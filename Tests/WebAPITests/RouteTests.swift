import Collector
import Foundation
import MarketData
import Store
import TestSupport
import Testing
import Universe
import WebAPI
import WebAPISupport

@testable import Feed

@Suite(.timeLimit(.minutes(2))) struct RouteTests {
    @Test func `the connections' totals have the names that others read`() async throws {
        try await RunningServer.run { server in
            try server.feedTrades(7, symbol: "AAPL")
            server.collector.change("connection_2") {
                $0.feed.errors = 2
                $0.feed.rejects.record(
                    .malformedJSON, count: 3, piece: UnsafeRawBufferPointer(start: nil, count: 0))
                $0.feed.status = .error
            }
            let reply = try await server.reply("/api/admin/websocket-status") {
                ($0["data"] as? [String: Any])?["total_errors"] as? Int == 5
            }
            #expect(reply["status"] as? String == "success")
            #expect(try #require(reply["timestamp"] as? Double) > 1_700_000_000)
            let data = try #require(reply["data"] as? [String: Any])
            #expect(data["total_connections"] as? Int == 2)
            #expect(data["connected_count"] as? Int == 1)
            #expect(data["total_ticks_received"] as? Int == 7)
            let connections = try #require(data["connections"] as? [String: [String: Any]])
            let first = try #require(connections["connection_1"])
            #expect(first["name"] as? String == "primary")
            #expect(first["status"] as? String == "connected")
            #expect(first["assigned_tickers"] as? Int == 4)
            #expect(first["confirmed_tickers"] as? Int == 4)
            #expect(first["message_count"] as? Int == 7)
            #expect(first["error_count"] as? Int == 0)
            #expect(first["last_message_time"] as? Double == 1_767_600_000.5)
            #expect(connections["connection_2"]?["error_count"] as? Int == 5)
        }
    }

    @Test func `a fleet that can't be read is degraded, whatever its boxes last reported`() async throws {
        try await RunningServer.run { server in
            let http = RawHTTP(port: server.port)
            #expect(try await http.send("GET", "/api/fleet").json["status"] as? String == "ok")
            server.collector.change { $0.fleet?.problem = "the server is down" }
            let fleet = try await http.send("GET", "/api/fleet").json
            #expect(fleet["status"] as? String == "degraded" && fleet["problem"] as? String == "the server is down")
            #expect((fleet["headline"] as? String)?.hasSuffix(": the server is down") == true, "\(fleet)")
        }
    }

    @Test func `a connection and its symbols are shown, an unknown one is not found`() async throws {
        try await RunningServer.run { server in
            server.collector.change { state in
                state.tickers["connection_2"]?.confirmed.removeLast()
                let last = state.tickers["connection_2"]?.assigned.suffix(1) ?? []
                state.tickers["connection_2"]?.refused = Array(last)
            }
            let http = RawHTTP(port: server.port)
            let one = try await http.send("GET", "/api/websocket/connections/connection_2")
            #expect(one.json["name"] as? String == "secondary")
            let tickers = try await server.reply("/api/websocket/connections/connection_2/tickers") {
                $0["refused"] as? [String] == ["IBM"]
            }
            #expect(tickers["tickers"] as? [String] == ["AIG", "BAC", "IBM"])
            #expect(tickers["unconfirmed"] as? [String] == [])
            let none = try await http.send("GET", "/api/websocket/connections/connection_9")
            #expect(none.status == 404)
            #expect(none.json["nearest"] as? [String] == ["connection_1", "connection_2"])
        }
    }

    @Test func `symbols are added and removed while running`() async throws {
        try await RunningServer.run { server in
            let http = RawHTTP(port: server.port)
            let added = try await http.send(
                "POST", "/api/websocket/subscriptions", body: #"{"symbols":["TSLA","AAPL","TSLA"]}"#)
            #expect(added.status == 200)
            #expect(added.json["changed"] as? [String: [String]] == ["connection_2": ["TSLA"]])
            #expect(added.json["unchanged"] as? [String] == ["AAPL"])
            let listed = try await http.send("GET", "/api/websocket/connections/connection_2")
            #expect(listed.json["assigned_tickers"] as? Int == 4)
            let removed = try await http.send(
                "DELETE", "/api/websocket/subscriptions", body: #"{"symbols":["AAPL"],"connection":"connection_1"}"#)
            #expect(removed.json["changed_count"] as? Int == 1)
            #expect(
                server.collector.current.tickers["connection_1"]?.assigned.contains { $0.description == "AAPL" }
                    == false)
        }
    }

    @Test(arguments: [
        (#"{"symbols":[]}"#, 400), (#"{"symbols":["A,B"]}"#, 400), (#"{}"#, 400), (#"{"symbols":"AAPL"}"#, 400),
        (#"{"symbols":["AAPL"],"connection":"connection_7"}"#, 404), ("not json", 400), ("", 400),
    ])
    func `a subscription that makes no sense is explained`(body: String, status: Int) async throws {
        try await RunningServer.run { server in
            let reply = try await RawHTTP(port: server.port).send("POST", "/api/websocket/subscriptions", body: body)
            #expect(reply.status == status)
            #expect(reply.headers["content-type"] == "application/problem+json")
            #expect((reply.json["detail"] as? String)?.isEmpty == false)
        }
    }

    @Test func `a body of another type is refused`() async throws {
        try await RunningServer.run { server in
            let reply = try await RawHTTP(port: server.port).send(
                "POST", "/api/websocket/subscriptions", headers: ["Content-Type": "text/plain"],
                body: #"{"symbols":["AAPL"]}"#)
            #expect(reply.status == 415)
        }
    }

    @Test func `connections are added and removed while running`() async throws {
        try await RunningServer.run { server in
            let http = RawHTTP(port: server.port)
            let path = "/api/websocket/connections/connection_3"
            let added = try await http.send("POST", path, body: #"{"name":"third","symbols":["QQQ"]}"#)
            #expect(added.status == 201)
            #expect(added.headers["location"] == path)
            #expect(added.json["name"] as? String == "third")
            #expect(try await http.send("POST", path).status == 409)
            #expect(try await http.send("POST", "/api/websocket/connections/connection_4").status == 409)
            #expect(try await http.send("POST", "/api/websocket/connections/third").status == 400)
            let removed = try await http.send("DELETE", path)
            #expect(removed.json["released"] as? [String] == ["QQQ"])
            #expect(try await http.send("GET", path).status == 404)
        }
    }

    @Test func `a connection's name and priority have the settings' limits, and the document states them`() async throws
    {
        try await RunningServer.run { server in
            let http = RawHTTP(port: server.port)
            let path = "/api/websocket/connections/connection_3"
            for (body, parameter) in [
                (#"{"name":"\#(String(repeating: "a", count: 64))"}"#, "name"), (#"{"priority":0}"#, "priority"),
                (#"{"priority":101}"#, "priority"),
            ] {
                let refused = try await http.send("POST", path, body: body)
                #expect(refused.status == 400 && refused.text.contains(parameter), "\(refused.text)")
            }
            let properties = [
                "paths", "/api/websocket/connections/{id}", "post", "requestBody", "content", "application/json",
                "schema",
                "properties",
            ].reduce(try await http.send("GET", "/api/openapi.json").json as [String: Any]?) {
                $0?[$1] as? [String: Any]
            }
            #expect((properties?["name"] as? [String: Any])?["maxLength"] as? Int == 63)
            #expect((properties?["priority"] as? [String: Any])?["maximum"] as? Int == 100)
            let longest = #"{"name":"\#(String(repeating: "a", count: 63))","priority":100}"#
            #expect(try await http.send("POST", path, body: longest).status == 201)
        }
    }

    @Test func `rebalancing says what moved`() async throws {
        try await RunningServer.run { server in
            let more = (0..<7).compactMap { Symbol("N\($0)") }
            _ = try await server.collector.subscribe(more, connection: "connection_1")
            let reply = try await RawHTTP(port: server.port).send("POST", "/api/websocket/rebalance")
            #expect(reply.json["count"] as? Int == 4)
            let moved = try #require(reply.json["moved"] as? [[String: String]])
            #expect(moved.allSatisfy { $0["from"] == "connection_1" && $0["to"] == "connection_2" })
            #expect(server.collector.current.tickers["connection_1"]?.assigned.count == 7)
        }
    }

    @Test func `an upload is asked for, or refused where there is none`() async throws {
        try await RunningServer.run { server in
            try server.feedTrades(5, symbol: "AAPL")
            let http = RawHTTP(port: server.port)
            let reply = try await http.send("POST", "/api/sync")
            #expect(reply.status == 202)
            #expect(reply.json["rows_uploaded"] as? Int == 5)
            #expect(reply.json["rows_pending"] as? Int == 0)
            server.collector.change { $0.snapshot.uploads = [] }
            _ = try await server.reply("/api/sync") { $0["state"] as? String == "off" }
            #expect(try await http.send("POST", "/api/sync").status == 409)
            #expect(server.collector.current.pushes == 1)
        }
    }

    @Test func `recent events come from memory, and from the buffer beyond it`() async throws {
        let collector = StagedCollector.market()
        var old = EventBatch(connection: "primary", receivedMicroseconds: 1_000_000)
        let symbol = try #require(Symbol("AAPL"))
        for number in 0..<10 { old.trades.append(Trade(symbol: symbol, time: Int64(number), price: 1, size: 1)) }
        _ = collector.offer(old)
        try await RunningServer.run(collector: collector) { server in
            try server.feedTrades(5, symbol: "AAPL")
            try server.feedTrades(3, symbol: "IBM")
            let http = RawHTTP(port: server.port)
            let memory = try await http.send("GET", "/api/ticks/recent?symbol=AAPL&limit=5")
            #expect(memory.json["source"] as? String == "memory")
            #expect(memory.json["count"] as? Int == 5)
            let more = try await http.send("GET", "/api/ticks/recent?symbol=AAPL&limit=12")
            #expect(more.json["source"] as? String == "buffer")
            #expect(more.json["count"] as? Int == 12)
            let times = try #require(more.json["events"] as? [[String: Any]]).compactMap { $0["received_ms"] as? Int64 }
            #expect(times == times.sorted(by: >))
            let all = try await http.send("GET", "/api/ticks/recent")
            #expect(all.json["count"] as? Int == 18)
        }
    }

    @Test func `events that memory has and the buffer has not yet are not missed`() async throws {
        let collector = StagedCollector.market()
        try await RunningServer.run(collector: collector) { server in
            try server.feedTrades(2, symbol: "AAPL", received: 1_767_600_000_000_000)
            try server.feedTrades(3, symbol: "AAPL", received: 1_767_600_001_000_000)
            collector.change { $0.events.removeLast(3) }
            let reply = try await RawHTTP(port: server.port).send("GET", "/api/ticks/recent?symbol=AAPL&limit=50")
            #expect(reply.json["count"] as? Int == 5)
        }
    }

    @Test func `bars come in their newest version, oldest first, within the range`() async throws {
        let collector = StagedCollector.market()
        let symbol = try #require(Symbol("IBM"))
        var batch = EventBatch(connection: "secondary", receivedMicroseconds: 0)
        for minute in 0..<10 {
            batch.bars.append(.minute(symbol, minute: minute, close: 100 + Double(minute)))
        }
        batch.bars.append(.minute(symbol, minute: 3, close: 0.4372))
        _ = collector.offer(batch)
        try await RunningServer.run(collector: collector) { server in
            let http = RawHTTP(port: server.port)
            let all = try await http.send("GET", "/api/bars?symbol=IBM")
            #expect(all.json["count"] as? Int == 10)
            #expect(all.text.contains(#""close":0.4372,"#))
            let some = try await http.send(
                "GET", "/api/bars?symbol=IBM&from=1767600060&to=2026-01-05T08:05:00Z&limit=3")
            let bars = try #require(some.json["bars"] as? [[String: Any]])
            #expect(bars.compactMap { $0["start_ms"] as? Int } == [2, 3, 4].map { 1_767_600_000_000 + $0 * 60_000 })
            #expect(try await http.send("GET", "/api/bars?symbol=IBM&interval=1").json["count"] as? Int == 0)
            for spelling in ["ibm", "NYSE:IBM", "%20Ibm%20", "$IBM"] {
                let same = try await http.send("GET", "/api/bars?symbol=\(spelling)")
                #expect(same.json["symbol"] as? String == "IBM", "\(spelling)")
                #expect(same.json["count"] as? Int == all.json["count"] as? Int)
            }
            #expect(try await http.send("GET", "/api/bars?symbol=GLEN%20LN").status == 400)
            for query in [
                "", "?symbol=", "?symbol=A,B", "?symbol=IBM&interval=5", "?symbol=IBM&from=5&to=5",
                "?symbol=IBM&limit=0", "?symbol=IBM&x=1",
            ] {
                #expect(try await http.send("GET", "/api/bars" + query).status == 400, "\(query)")
            }
        }
    }

    @Test func `universes are listed and keys resolved`() async throws {
        try await RunningServer.run { server in
            let http = RawHTTP(port: server.port)
            #expect(try await http.send("GET", "/api/universes").json["count"] as? Int == 4)
            let union = try await http.send("GET", "/api/universes/tech%3ASPY:nope")
            #expect(union.json["count"] as? Int == 7)
            #expect((union.json["unknown"] as? [[String: Any]])?.first?["part"] as? String == "nope")
            let none = try await http.send("GET", "/api/universes/tec")
            #expect(none.status == 404)
            #expect(none.json["nearest"] as? [String] == ["tech"])
            #expect(try await http.send("GET", "/api/universes/%ff").status == 400)
        }
    }

    @Test func `stocks, ETFs, sectors and themes are answered, and a wrong name gets near ones`() async throws {
        try await RunningServer.run { server in
            let http = RawHTTP(port: server.port)
            let stock = try await http.send("GET", "/api/stocks/AAPL").json
            #expect(stock["sector"] as? String == "Energy" && stock["themes"] as? [String] == ["ai"])
            #expect(stock["connections"] as? [String] == ["connection_1"] && stock["is_known"] as? Bool == true)
            let unknown = try await http.send("GET", "/api/stocks/AAPLE").json
            #expect(unknown["sector"] as? String == "unknown" && unknown["industry"] as? String == "Unknown")
            #expect(unknown["is_known"] as? Bool == false && unknown["nearest"] as? [String] == ["AAPL"])
            let etf = try await http.send("GET", "/api/etfs/spy").json
            #expect((etf["members"] as? [[String: Any]])?.map { $0["symbol"] as? String } == ["AIG", "BAC", "IBM"])
            #expect(try await http.send("GET", "/api/themes/ai").json["description"] as? String == "Say \"AI\"")
            for (path, near) in [("/api/etfs/SPZ", "SPY"), ("/api/sectors/Enregy", "Energy"), ("/api/themes/aj", "ai")]
            {
                let reply = try await http.send("GET", path)
                #expect(reply.status == 404 && reply.json["nearest"] as? [String] == [near], "\(reply.text)")
            }
            #expect(try await http.send("GET", "/api/groups?type=theme").json["count"] as? Int == 1)
            #expect(try await http.send("GET", "/api/groups").json["count"] as? Int == 4)
        }
    }

    @Test func `any group opens by type and name, and its members have weights and sectors`() async throws {
        try await RunningServer.run { server in
            let http = RawHTTP(port: server.port)
            for (type, name) in [("universe", "tech"), ("ETF", "SPY"), ("sector", "energy"), ("Theme", "ai")] {
                let reply = try await http.send("GET", "/api/groups/\(type)/\(name)")
                #expect(reply.status == 200 && reply.json["type"] as? String == type.uppercased(), "\(reply.text)")
            }
            let members = try await http.send("GET", "/api/groups/theme/ai").json["members"] as? [[String: Any]] ?? []
            #expect(members.map { $0["symbol"] as? String } == ["AAPL", "MSFT"])
            #expect(members.map { $0["sector"] as? String } == ["Energy", nil])
            #expect(members.first?["weight"] as? Double == 2.25)
        }
    }

    @Test func `every symbol is listed with its newest event, and later only those that had one since`() async throws {
        try await RunningServer.run { server in
            let http = RawHTTP(port: server.port)
            try server.feedTrades(2, symbol: "MSFT", received: 1_767_600_000_500_000)
            try server.feedTrades(1, symbol: "AAPL", received: 1_767_600_009_000_000)
            // This symbol is not collected.
            try server.feedTrades(1, symbol: "ZZZ", received: 1_767_600_009_000_000)
            let all = try await http.send("GET", "/api/symbols").json
            let entries = all["symbols"] as? [[String: Any]] ?? []
            #expect(entries.map { $0["symbol"] as? String } == ["AAPL", "AIG", "BAC", "IBM", "MSFT", "NVDA", "SPY"])
            let trade = try #require(entries.first { $0["symbol"] as? String == "MSFT" })
            #expect(trade["last_event_ms"] as? Int == 1_767_600_000_500 && trade["last_price"] as? Double == 100.01)
            #expect(trade["connections"] as? [String] == ["connection_1"] && trade["is_confirmed"] as? Bool == true)
            #expect(entries.first { $0["symbol"] as? String == "AIG" }?["last_event_ms"] is NSNull)
            let since = try await http.send("GET", "/api/symbols?since_ms=1767600009000").json
            #expect((since["symbols"] as? [[String: Any]])?.map { $0["symbol"] as? String } == ["AAPL"])
            #expect(since["count"] as? Int == 7)
        }
    }

    @Test func `dead letters come in groups, and are sent again or given up as named`() async throws {
        let collector = StagedCollector.market()
        func letter(_ sequence: Int64, _ state: String, _ constraint: String?) -> DeadLetter {
            let reason = constraint.map { "violates check constraint \"\($0)\": (constraint \"other\")" } ?? "too long"
            return DeadLetter(
                stream: .trades, sequence: sequence, sqlState: state, reason: reason, row: "{\"n\":\(sequence)}",
                time: 1_767_600_000_000 + sequence)
        }
        collector.change { state in
            state.deadLetters = [
                letter(4, "23514", "sane"), letter(3, "22001", nil), letter(2, "23514", "sane"),
                letter(1, "23514", "old"),
            ]
        }
        try await RunningServer.run(collector: collector) { server in
            let http = RawHTTP(port: server.port)
            let groups = try await http.send("GET", "/api/dead-letters").json["groups"] as? [[String: Any]] ?? []
            #expect(groups.map { $0["count"] as? Int } == [2, 1, 1])
            #expect(groups.map { $0["constraint"] as? String } == ["sane", nil, "old"])
            for body in [
                "{}", #"{"letters":[]}"#, #"{"letters":["bars"]}"#, #"{"all":true,"stream":"bars"}"#,
                #"{"stream":"trades","constraint":"sane"}"#, #"{"sqlstate":"23514"}"#,
            ] {
                #expect(try await http.send("POST", "/api/dead-letters/discard", body: body).status == 400, "\(body)")
            }
            let named = #"{"letters":["trades:3","trades:9"]}"#
            #expect(try await http.send("POST", "/api/dead-letters/retry", body: named).status == 404)
            #expect(collector.current.deadLetters.count == 4, "nothing is changed when one is missing")
            let alike = #"{"stream":"trades","sqlstate":"23514","constraint":"sane"}"#
            let sent = try await http.send("POST", "/api/dead-letters/retry", body: alike)
            #expect(sent.status == 202 && sent.json["requeued_count"] as? Int == 2)
            let gone = try await http.send("POST", "/api/dead-letters/discard", body: #"{"letters":["trades:3"]}"#)
            #expect(gone.json["rows"] as? [String] == ["{\"n\":3}"])
            #expect(collector.current.deadLetters.map(\.sequence) == [1])
        }
    }

    @Test func `what was done with dead letters is answered together with what stopped the rest`() async throws {
        let collector = StagedCollector.market()
        collector.change { state in
            state.deadLetters = [1, 2].map { (number: Int64) in
                DeadLetter(
                    stream: .bars, sequence: number, sqlState: "23514", reason: "check", row: "{\"n\":\(number)}",
                    time: number)
            }
            state.letterFailure = "trades: the server is away"
            state.lettersWaiting = 3
        }
        try await RunningServer.run(collector: collector) { server in
            let http = RawHTTP(port: server.port)
            let gone = try await http.send("POST", "/api/dead-letters/discard", body: #"{"letters":["bars:1"]}"#)
            #expect(gone.status == 200 && gone.json["rows"] as? [String] == ["{\"n\":1}"])
            #expect(gone.json["discarded_count"] as? Int == 1 && gone.json["waiting_count"] as? Int == 3)
            #expect(gone.json["failure"] as? String == "trades: the server is away")
            let sent = try await http.send("POST", "/api/dead-letters/retry", body: #"{"all":true}"#)
            #expect(sent.status == 202 && sent.json["requeued_count"] as? Int == 1)
            #expect(sent.json["failure"] as? String == "trades: the server is away")
            collector.change { $0.letterFailure = nil }
            let none = try await http.send("POST", "/api/dead-letters/discard", body: #"{"all":true}"#)
            #expect(none.json["failure"] is NSNull)
        }
    }

    @Test func `gaps of one symbol are found among those of others`() async throws {
        let collector = StagedCollector.market()
        for (index, symbols) in [["AAPL"], ["MSFT"], []].enumerated() {
            collector.record(
                Gap(
                    connection: "primary", symbols: symbols.compactMap { Symbol($0) }, events: [.trade],
                    from: Int64(index), to: Int64(index) + 1, cause: .stalled))
        }
        try await RunningServer.run(collector: collector) { server in
            let http = RawHTTP(port: server.port)
            let found = try await http.send("GET", "/api/gaps?symbol=AAPL&limit=2").json
            #expect((found["gaps"] as? [[String: Any]])?.compactMap { $0["id"] as? Int } == [3, 1])
            #expect(found["is_complete"] as? Bool == true)
            // So many newer ones of another symbol that the search doesn't reach the old ones.
            for _ in 0..<2000 {
                collector.record(
                    Gap(
                        connection: "primary", symbols: [Symbol("MSFT")!], events: [.trade], from: 9, to: 10,
                        cause: .stalled))
            }
            let cut = try await http.send("GET", "/api/gaps?symbol=AAPL&limit=2").json
            #expect((cut["gaps"] as? [Any])?.isEmpty == true && cut["is_complete"] as? Bool == false)
        }
    }

    @Test(arguments: ["", "&symbol=AAPL"])
    func `of more gaps than fit the newest are answered, and the answer is not complete`(choice: String) async throws {
        let collector = StagedCollector.market()
        for from in 0..<3 {
            collector.record(
                Gap(
                    connection: "primary", symbols: [Symbol("AAPL")!], events: [.trade], from: Int64(from),
                    to: Int64(from) + 1, cause: .stalled))
        }
        try await RunningServer.run(collector: collector) { server in
            let http = RawHTTP(port: server.port)
            func ids(_ gaps: [String: Any]) -> [Int] {
                (gaps["gaps"] as? [[String: Any]] ?? []).compactMap { $0["id"] as? Int }
            }
            let cut = try await http.send("GET", "/api/gaps?limit=2\(choice)").json
            #expect(ids(cut) == [3, 2] && cut["is_complete"] as? Bool == false)
            let all = try await http.send("GET", "/api/gaps?limit=3\(choice)").json
            #expect(ids(all) == [3, 2, 1] && all["is_complete"] as? Bool == true)
        }
    }

    @Test func `a symbol's connection is answered, and the cache is told what to forget`() async throws {
        let collector = StagedCollector.market()
        try await RunningServer.run(collector: collector) { server in
            let http = RawHTTP(port: server.port)
            let found = try await http.send("GET", "/api/websocket/symbols/IBM").json
            #expect((found["connections"] as? [[String: Any]])?.map { $0["name"] as? String } == ["secondary"])
            let near = try await http.send("GET", "/api/websocket/symbols/IBN")
            #expect(near.status == 404 && (near.json["nearest"] as? [String])?.first == "IBM", "\(near.text)")
            for query in ["", "?type=universe", "?type=etf_holdings&key=SPY"] {
                #expect(try await http.send("POST", "/api/universes/refresh" + query).status == 200)
            }
            #expect(collector.current.refreshes == [.all, .kind(.universe), .key(.etfHoldings, "SPY")])
            for query in ["?key=a", "?type=nope"] {
                #expect(try await http.send("POST", "/api/universes/refresh" + query).status == 400)
            }
        }
    }

    @Test func `a problem of the collector keeps its kind and words`() async throws {
        try await RunningServer.run { server in
            let http = RawHTTP(port: server.port)
            for (kind, status) in [
                (CollectorProblem.Kind.notFound, 404), (.invalid, 422), (.conflict, 409), (.unavailable, 503),
                (.failed, 500),
            ] {
                server.collector.change { $0.fileProblem = CollectorProblem(kind, "the mirror is away: pull it") }
                let reply = try await http.send("GET", "/api/universes")
                #expect(reply.status == status)
                #expect(reply.json["detail"] as? String == "the mirror is away: pull it")
                #expect(reply.json["type"] as? String == "urn:edgetick:problem:\(kind.rawValue)")
            }
        }
    }

    @Test func `health follows the collector`() async throws {
        try await RunningServer.run { server in
            let http = RawHTTP(port: server.port)
            try await http.untilStatus(200, of: "/health/ready")
            server.collector.change("connection_1") { $0.feed.status = .disconnected }
            _ = try await server.reply("/health/ready") { $0["status"] as? String == "degraded" }
            try await http.untilStatus(200, of: "/health/ready")
            server.collector.change("connection_2") { $0.feed.status = .disconnected }
            _ = try await server.reply("/health/ready") { $0["status"] as? String == "failing" }
            try await http.untilStatus(503, of: "/health/ready")
            try await http.untilStatus(200, of: "/health/live")
            for id in ["connection_1", "connection_2"] { server.collector.change(id) { $0.feed.status = .connected } }
            _ = try await server.reply("/health/ready") { $0["status"] as? String == "ok" }
        }
    }

    @Test func `the page's files are kept by browsers and asked about`() async throws {
        try await RunningServer.run { server in
            let http = RawHTTP(port: server.port)
            let first = try await http.send("GET", "/assets/main.js")
            #expect(first.headers["content-type"] == "text/javascript; charset=utf-8")
            let tag = try #require(first.headers["etag"])
            let again = try await http.send("GET", "/assets/main.js", headers: ["If-None-Match": tag])
            #expect(again.status == 304)
            #expect(again.body.isEmpty)
            #expect(try await http.send("GET", "/assets/../main.js").status == 404)
            #expect(try await http.send("GET", "/assets/%2e%2e%2fmain.js").status == 404)
        }
    }

    @Test func `the page asks for its own files only, and for ones that exist`() async throws {
        try await RunningServer.run { server in
            let http = RawHTTP(port: server.port)
            let page = try await http.send("GET", "/admin/websockets").text
            let root = try await http.send("GET", "/").text
            #expect(page.replacing("\"../", with: "\"") == root)
            // Below a proxy's own path every address must be relative.
            #expect(!root.contains("href=\"/") && !root.contains("src=\"/") && !page.contains("=\"/"))
            #expect(
                !page.contains("http://") && !page.contains("https://") && !page.contains("style=")
                    && !page.contains("onclick="))
            var wanted = page.matches(of: /(?:href|src)="\.\.(\/[^"#]+)"/).map { String($0.output.1) }
            var seen: Set<String> = []
            while let target = wanted.popLast() {
                guard seen.insert(target).inserted, target.hasPrefix("/assets/") else { continue }
                let reply = try await http.send("GET", target)
                #expect(reply.status == 200, "\(target)")
                wanted += reply.text.matches(of: /from '\.\/([a-z]+\.js)'/).map { "/assets/" + $0.output.1 }
                for forbidden in ["innerHTML", "insertAdjacentHTML", "document.write", "eval(", "https://"] {
                    #expect(!reply.text.contains(forbidden), "\(target) has \(forbidden)")
                }
            }
            #expect(seen.filter { $0.hasSuffix(".js") }.count > 15)
        }
    }
}

extension RunningServer {
    /// Feeds trades through the tap.
    func feedTrades(
        _ count: Int, symbol: String, connection: String = "primary", received: Int64 = 1_767_600_000_500_000
    ) throws {
        let symbol = try #require(Symbol(symbol))
        var batch = EventBatch(connection: connection, receivedMicroseconds: received)
        for number in 0..<count {
            batch.trades.append(
                Trade(symbol: symbol, time: received / 1000 - 40, price: 100 + Double(number) / 100, size: 10))
        }
        _ = tap.offer(batch)
    }

    /// Polls a route until its answer is as wanted, and returns that.
    func reply(_ target: String, until isWanted: ([String: Any]) -> Bool) async throws -> [String: Any] {
        try await Waiting.value(target, until: isWanted) { try await RawHTTP(port: port).send("GET", target).json }
    }
}

extension RawHTTP {
    /// Polls a route until it answers with a status, and returns that answer. After a pause of the machine, health says
    /// for a moment that the status loop is stuck; so only 200 and 503 are tried again.
    @discardableResult
    func untilStatus(
        _ status: Int, of target: String, _ method: String = "GET", headers: [String: String] = [:]
    ) async throws -> Reply {
        let isOver = { (reply: Reply) in
            reply.status == status || !Set([reply.status, status]).isSubset(of: [200, 503])
        }
        let reply = try await Waiting.value("\(status) of \(target)", until: isOver) {
            try await send(method, target, headers: headers)
        }
        if reply.status != status { Issue.record("\(target) answers \(reply.status), not \(status)") }
        return reply
    }
}

extension Bar {
    /// A minute bar that starts so many minutes after 2026-01-05 08:00 UTC.
    static func minute(_ symbol: Symbol, minute: Int, close: Double) -> Bar {
        let start = 1_767_600_000_000 + Int64(minute) * 60_000
        return Bar.flat(symbol, at: start, price: close, volume: 100)
    }
}
