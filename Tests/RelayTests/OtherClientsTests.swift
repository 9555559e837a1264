import FeedServerSupport
import FeedSimulator
import Foundation
import LedgerSupport
import MarketData
import TestSupport
import Testing

@testable import Relay

/// What the official Go and JavaScript clients send, byte for byte, and whether they could read what they get. Neither
/// was run: their sources say what they send (client-go of July 2026 with gorilla/websocket, client-js of April 2026
/// with the package websocket).
@Suite(.blocking, .timeLimit(.minutes(2))) struct `The dialogues of other clients` {
    private static let key = "the-key-of-this-test"

    // MARK: Go

    /// The types of client-go's models: a message with a field of another type is thrown away there.
    private enum Go {
        struct Aggregate: Decodable {
            var sym: String?
            var v: Double?, av: Double?, op: Double?, vw: Double?, o: Double?, c: Double?, h: Double?, l: Double?
            var a: Double?, z: Double?
            var s: Int64?, e: Int64?
            var otc: Bool?
        }

        struct Trade: Decodable {
            var sym: String?
            var x: Int32?, z: Int32?
            var i: String?
            var p: Double?
            var s: Int64?
            var c: [Int32]?
            var t: Int64?, q: Int64?, trfi: Int64?, trft: Int64?
        }

        struct Quote: Decodable {
            var sym: String?
            var bx: Int32?, bs: Int32?, ax: Int32?, `as`: Int32?, c: Int32?, z: Int32?
            var bp: Double?, ap: Double?
            var i: [Int32]?
            var t: Int64?, q: Int64?
        }

        struct Bands: Decodable {
            var T: String?
            var h: Double?, l: Double?
            var i: [Int32]?
            var z: Int32?
            var t: Int64?, q: Int64?
        }

        struct Imbalance: Decodable {
            var T: String?
            var t: Int64?
            var at: Int32?, i: Int32?, x: Int32?, o: Int32?, p: Int32?
            var a: String?
            var b: Double?
        }

        struct FairValue: Decodable {
            var sym: String?
            var fmv: Double?
            var t: Int64?
        }

        /// The symbol of an event, read as its type.
        static func symbol(_ kind: String, _ json: Data) throws -> String? {
            let decoder = JSONDecoder()
            return switch kind {
            case "AM", "A": try decoder.decode(Aggregate.self, from: json).sym
            case "T": try decoder.decode(Trade.self, from: json).sym
            case "Q": try decoder.decode(Quote.self, from: json).sym
            case "LULD": try decoder.decode(Bands.self, from: json).T
            case "NOI": try decoder.decode(Imbalance.self, from: json).T
            case "FMV": try decoder.decode(FairValue.self, from: json).sym
            default: nil
            }
        }
    }

    @Test func `Go: key and subscriptions come at once, and every event has the types that it reads`() async throws {
        try await RelayRig.run(configured { $0.keys = [Secret(Self.key)] }) { rig in
            let wire = try RawSocket(port: rig.port)
            let head = try wire.shakeHands(port: rig.port)
            #expect(head.first == "HTTP/1.1 101 Switching Protocols")
            // gorilla compares these three, whatever their case.
            let fields = Set(head.map { $0.lowercased() })
            #expect(fields.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="))
            #expect(fields.contains("upgrade: websocket") && fields.contains("connection: upgrade"))
            // It waits for nothing between these.
            wire.frame(1, #"{"action":"auth","params":"\#(Self.key)"}"#)
            let kinds = ["AM", "A", "T", "Q", "LULD", "NOI", "FMV"]
            for kind in kinds {
                wire.frame(1, #"{"action":"subscribe","params":"\#(kind).AAPL,\#(kind).MSFT"}"#)
            }
            var statuses: [String] = []
            while statuses.count < 2 + 2 * kinds.count {
                statuses += try wire.message().compactMap { $0["status"] as? String }
            }
            #expect(statuses == ["connected", "auth_success"] + Array(repeating: "success", count: 2 * kinds.count))
            let plan = plan(["AAPL", "MSFT"])
            try rig.take(plan, 0..<700)
            var seen: [String: Int] = [:]
            while seen.values.reduce(0, +) < 700 {
                for event in try wire.message() {
                    let kind = try #require(event["ev"] as? String)
                    let symbol = try Go.symbol(kind, try JSONSerialization.data(withJSONObject: event))
                    try #require(symbol == "AAPL" || symbol == "MSFT", "\(event)")
                    seen[kind, default: 0] += 1
                }
            }
            #expect(Set(seen.keys) == Set(kinds))
            // A ping without a payload every 25 seconds; without an answer within 30 it hangs up.
            wire.frame(9, "")
            #expect(try wire.frame() == (10, []))
            wire.frame(1, #"{"action":"unsubscribe","params":"T.AAPL"}"#)
            #expect(try wire.message().first?["message"] as? String == "unsubscribed to: T.AAPL")
            // It closes with code 1000.
            wire.frame(8, "\u{03}\u{E8}")
        }
    }

    @Test func `Go: replayed events have the types that it reads`() async throws {
        try await RelayRig.run { rig in
            let plan = plan(["AAPL"])
            try rig.take(plan, 0..<700)
            let client = try await rig.client()
            let kinds = EventKind.allCases.map(\.rawValue)
            let channels = kinds.map { "\($0).*" }.joined(separator: ",")
            try await client.send(#"{"action":"subscribe","params":"\#(channels)","from":0}"#)
            let replayed = try await client.wait { $0.replaysDone > 0 }
            #expect(replayed.objects.count == 700)
            for object in replayed.objects {
                let kind = try #require(kinds.first { object.hasPrefix("{\"ev\":\"\($0)\"") })
                #expect(try Go.symbol(kind, Data(object.utf8)) == "AAPL", "\(object)")
            }
        }
    }

    @Test func `Go: a wrong key ends in auth_failed, which ends the client`() async throws {
        try await RelayRig.run(configured { $0.keys = [Secret(Self.key)] }) { rig in
            let wire = try RawSocket(port: rig.port)
            try wire.shakeHands(port: rig.port)
            wire.frame(1, #"{"action":"auth","params":"another-key-altogether"}"#)
            // By the time of the answer it has sent this too.
            wire.frame(1, #"{"action":"subscribe","params":"AM.AAPL"}"#)
            #expect(try wire.message().first?["status"] as? String == "connected")
            #expect(try wire.message().first?["status"] as? String == "auth_failed")
        }
    }

    // MARK: JavaScript

    @Test func `JavaScript: the key when the socket opens, the rest when the program likes`() async throws {
        try await RelayRig.run(configured { $0.keys = [Secret(Self.key)] }) { rig in
            let wire = try RawSocket(port: rig.port)
            wire.write(
                "GET /stocks HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nHost: 127.0.0.1:\(rig.port)\r\n\r\n")
            let head = try wire.head()
            #expect(head.first == "HTTP/1.1 101 Switching Protocols")
            let accept = head.first { $0.lowercased().hasPrefix("sec-websocket-accept:") }
            #expect(accept?.hasSuffix("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") == true)
            wire.frame(1, #"{"action":"auth","params":"\#(Self.key)"}"#)
            #expect(try wire.message().first?["status"] as? String == "connected")
            #expect(try wire.message().first?["status"] as? String == "auth_success")
            wire.frame(1, #"{"action":"subscribe","params":"AM.*"}"#)
            #expect(try wire.message().first?["message"] as? String == "subscribed to: AM.*")
            let plan = plan(["AAPL"], kinds: [.minuteBar])
            try rig.take(plan, 0..<30)
            var events: [[String: Any]] = []
            while events.count < 30 { events += try wire.message() }
            let sent = try texts(plan, 0..<30).map(fields)
            #expect(events.map { $0 as NSDictionary } == sent)
        }
    }

    @Test func `JavaScript: aggregates are asked for with the key in the query, page by page`() async throws {
        try await RelayRig.run(configured { $0.keys = [Secret(Self.key)] }) { rig in
            let plan = plan(["AAPL"], kinds: [.minuteBar])
            try rig.take(plan, 0..<30)
            func page(_ address: String) async throws -> [String: Any] {
                var answer: [String: Any] = [:]
                var status = "503"
                // After a pause of the machine, reading has taken too long.
                for _ in 0..<5 where status == "503" {
                    // Waiting for it must not hold up the thread that answers.
                    let curl = try ChildProcess("/usr/bin/curl", ["-s", "-w", "\\n%{http_code}\\n", address])
                    try await curl.exit(within: .seconds(60))
                    status = try #require(curl.output.last)
                    let text = Data(curl.output.dropLast().joined().utf8)
                    answer = try #require(try JSONSerialization.jsonObject(with: text) as? [String: Any])
                }
                #expect(status == "200" && answer["status"] as? String == "OK", "\(answer)")
                return answer
            }
            // As axios writes it; what comes next is asked for with the key behind it.
            let first = try await page(
                "http://127.0.0.1:\(rig.port)/v2/aggs/ticker/AAPL/range/1/minute/0/4102444800000"
                    + "?apiKey=\(Self.key)&adjusted=false&sort=asc&limit=20")
            let next = try #require(first["next_url"] as? String)
            let second = try await page("\(next)&apiKey=\(Self.key)")
            let bars = [first, second].flatMap { $0["results"] as? [[String: Any]] ?? [] }
            let starts = bars.compactMap { $0["t"] as? Int64 }
            #expect(starts == Set((0..<30).map { plan.event($0).time }).sorted() && second["next_url"] == nil)
        }
    }
}
