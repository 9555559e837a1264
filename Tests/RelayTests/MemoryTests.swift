import FeedServerSupport
import Foundation
import TestSupport
import Testing

/// What bad readers cost a collector's process.
@Suite(.blocking, .timeLimit(.minutes(5))) struct `A collector whose relay has bad readers` {
    private static func mebibytes(_ name: String, of process: ChildProcess) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(process.pid)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix(name + ":") })
        return try #require(line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }) / 1024
    }

    /// The sequence numbers of each kind and symbol in the file, in its order.
    private static func rows(_ box: CollectorBox) throws -> [String: [String]] {
        let text = try Command.query(
            box.data + "/ticks.sqlite",
            """
            SELECT 'T.' || symbol, sequence FROM (SELECT * FROM trades ORDER BY seq);
            SELECT 'Q.' || symbol, sequence FROM (SELECT * FROM quotes ORDER BY seq);
            """)
        let lines = text.split(separator: "\n").map { $0.split(separator: "|").map(String.init) }
        return Dictionary(grouping: lines) { $0[0] }.mapValues { $0.map { $0[1] } }
    }

    /// The same of what a client received.
    private static func numbers(_ received: TestClient.Received) -> [String: [String]] {
        var numbers: [String: [String]] = [:]
        for object in received.objects {
            guard let match = object.firstMatch(of: /"ev":"([A-Z]+)","sym":"([A-Z]+)".*"q":([0-9]+)/) else { continue }
            numbers["\(match.1).\(match.2)", default: []].append(String(match.3))
        }
        return numbers
    }

    @Test func `takes bounded memory, and the other readers miss nothing`() async throws {
        let symbols = (0..<16).map { "S\(UnicodeScalar(UInt8(65 + $0)))" }
        let market = try await SimulatedMarket(symbols: symbols.joined(separator: ","), rate: 120)
        let box = try CollectorBox(
            feed: market.url,
            settings: [
                "SYMBOLS": symbols.joined(separator: ","), "FEED_EVENTS": "T,Q", "RELAY_PORT": "0",
                "RELAY_CLIENT_BUFFER": "2MiB",
            ])
        let (collector, api) = try await box.collect()
        let line = try await collector.line(containing: "the relay is listening", within: .seconds(60))
        let port = try #require(line.firstMatch(of: /port"?[=:]"?([0-9]+)/).flatMap { Int($0.1) })
        var clients: [TestClient] = []
        for symbol in symbols {
            clients.append(try await TestClient.connect(port: port, subscribingTo: "T.\(symbol),Q.\(symbol)"))
        }
        let others = clients
        for client in others { try await client.wait { $0.eventCount >= 300 } }
        let before = try Self.mebibytes("VmRSS", of: collector)
        let silent = try await TestClient.connect(port: port, subscribingTo: "T.*,Q.*")
        try await silent.setReads(false)
        // They answer no pings, and would be closed after a minute, the silent one before too much waits for it.
        let living = Task {
            while !Task.isCancelled {
                for client in others + [silent] { try? await client.ping("") }
                try await Task.sleep(for: .seconds(10))
            }
        }
        defer { living.cancel() }
        let slow = Task {
            let socket = try RawSocket(port: port)
            try socket.shakeHands(port: port)
            socket.frame(1, #"{"action":"auth","params":"any"}"#)
            socket.frame(1, #"{"action":"subscribe","params":"T.*,Q.*"}"#)
            while true {
                socket.dropByte()
                socket.frame(9, "")
                try await Task.sleep(for: .seconds(1))
            }
        }
        defer { slow.cancel() }
        let stranger = try await TestClient.connect(port: port)
        let flood = try await TestClient.connect(port: port)
        try await flood.login()
        try await flood.setReads(false)
        let channels = (0..<2000).map { "A.X\($0)" }.joined(separator: ",")
        let flooding = Task {
            while !Task.isCancelled { try await flood.send(#"{"action":"subscribe","params":"\#(channels)"}"#) }
        }
        defer { flooding.cancel() }

        // The two that read too little, and the two that are cut off.
        try await Waiting.until("the end of the bad ones", within: .seconds(150)) {
            let relay = try Command.run(["/usr/bin/curl", "-s", "http://127.0.0.1:\(api)/api/relay"])
            return relay.contains(#""slow_clients":2,"#)
                && relay.split(separator: #""connected_since_ms""#).count - 1 == symbols.count
        }
        try await stranger.wait { !$0.messages("auth_timeout").isEmpty }
        let counts = others.map { $0.snapshot.eventCount }
        for (client, count) in zip(others, counts) { try await client.wait { $0.eventCount >= count + 300 } }
        let peak = try Self.mebibytes("VmHWM", of: collector)
        // For each of three as much as may wait, and what it takes to render and to send it.
        #expect(peak < before + 40, "\(before) before, \(peak) at most")

        try await market.kill()
        try await Waiting.until("all that is in the file", within: .seconds(60)) {
            let rows = try Self.rows(box)
            return zip(symbols, others).allSatisfy { symbol, client in
                let came = Self.numbers(client.snapshot)
                return ["T.\(symbol)", "Q.\(symbol)"].allSatisfy { channel in
                    guard let rows = rows[channel], let came = came[channel] else { return false }
                    return Array(rows.suffix(came.count)) == came
                }
            }
        }
        try await collector.stop()
    }
}
