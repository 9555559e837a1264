import Foundation
import HTTPTypes
import MarketData
import Testing

@testable import WebAPI

@Suite(.timeLimit(.minutes(2))) struct TextTests {
    @Test func `JSON is written so that any reader gets the same values`() throws {
        let nasty = "<img src=x onerror=alert(1)> \"q\" \\ \n\t\u{1}\u{7F} é 🦊"
        let symbol = try #require(Symbol("BRK.B"))
        let bytes = JSONText.object { json in
            json.field("text", nasty)
            json.field("number", 0.4372)
            json.field("count", Int64.max)
            json.field("flag", true)
            json.field("missing", nil as Double?)
            json.field("infinite", Double.infinity)
            json.field("seconds", milliseconds: 1_767_600_000_123)
            json.object("nested") { json in json.member("a \"key\"", 1.5) }
            json.array("list") { json in
                json.element("x")
                json.element { json in json.field("y", 1) }
                json.element(2.5)
            }
            json.field("symbols", symbols: [symbol])
        }
        let read = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
        #expect(read["text"] as? String == nasty)
        #expect(read["number"] as? Double == 0.4372)
        #expect(read["count"] as? Int64 == .max)
        #expect(read["flag"] as? Bool == true)
        #expect(read["missing"] is NSNull && read["infinite"] is NSNull)
        #expect(read["seconds"] as? Double == 1_767_600_000.123)
        #expect((read["nested"] as? [String: Double])?["a \"key\""] == 1.5)
        #expect((read["list"] as? [Any])?.count == 3)
        #expect(read["symbols"] as? [String] == ["BRK.B"])
    }

    @Test func `metrics are escaped as the format asks`() {
        var text = MetricsText()
        text.metric("x_total", .counter, "Help.")
        text.sample(1.5, ["a": "q\"b\\c\nd"])
        #expect(
            String(decoding: text.bytes, as: UTF8.self)
                == "# HELP x_total Help.\n# TYPE x_total counter\nx_total{a=\"q\\\"b\\\\c\\nd\"} 1.5\n")
    }

    @Test func `a query is read strictly`() throws {
        let query = try Query(
            "symbol=BRK.B&limit=5&from=2026-01-05T14:30:00Z&to=1767623400.5", known: ["symbol", "limit", "from", "to"])
        #expect(try query.symbol("symbol") == Symbol("BRK.B"))
        #expect(try query.number("limit", in: 1...9, default: 1) == 5)
        #expect(try query.time("from") == 1_767_623_400_000)
        #expect(try query.time("to") == 1_767_623_400_500)
        #expect(throws: Problem.self) { try Query("limt=5", known: ["limit"]) }
        #expect(throws: Problem.self) { try Query("limit=5&limit=6", known: ["limit"]) }
        #expect(throws: Problem.self) { try Query("symbol=%zz", known: ["symbol"]) }
        #expect(throws: Problem.self) { try Query("symbol=%ff", known: ["symbol"]) }
        for text in ["limit=0", "limit=10", "limit=x", "limit=5.5", "limit=1e1"] {
            let query = try Query(text[...], known: ["limit"])
            #expect(throws: Problem.self, "\(text)") { try query.number("limit", in: 1...9, default: 1) }
        }
        for text in ["yesterday", "nan", "inf", "1e300", "2026-13-01T00:00:00Z"] {
            let query = try Query("from=\(text)", known: ["from"])
            #expect(throws: Problem.self, "\(text)") { try query.time("from") }
        }
    }

    @Test func `routes are found by path and method`() {
        let table = RouteTable([
            Route(method: .get, path: "/a/{id}", access: .data) { _ in .json([]) },
            Route(method: .post, path: "/a/{id}", access: .data) { _ in .json([]) },
            Route(method: .get, path: "/a/{id}/b", access: .data) { _ in .json([]) },
        ])
        guard case .route(_, let parameters) = table.match(.head, ["a", "x/y"]) else {
            Issue.record("no route")
            return
        }
        #expect(parameters == ["id": "x/y"])
        guard case .otherMethods(let methods) = table.match(.put, ["a", "1"]) else {
            Issue.record("no methods")
            return
        }
        #expect(methods.map(\.rawValue) == ["GET", "HEAD", "POST"])
        guard case .nothing = table.match(.get, ["a"]) else {
            Issue.record("found something")
            return
        }
    }
}
