import Foundation
import HTTPTypes
import Hummingbird
import MarketData
import Testing

@testable import WebAPI

@Suite(.timeLimit(.minutes(2))) struct TextTests {
    @Test func `metrics are escaped as the format asks`() {
        var text = MetricsText()
        text.metric("x_total", "Help.")
        text.sample(1.5, ["a": "q\"b\\c\nd"])
        #expect(
            String(decoding: text.bytes, as: UTF8.self)
                == "# HELP x_total Help.\n# TYPE x_total counter\nx_total{a=\"q\\\"b\\\\c\\nd\"} 1.5\n")
    }

    @Test func `a query is read strictly`() throws {
        #expect(throws: Problem.self) { try Query.read("limt=5", known: ["limit"]) }
        #expect(throws: Problem.self) { try Query.read("limit=5&limit=6", known: ["limit"]) }
        #expect(throws: Problem.self) { try Query.read("symbol=%zz", known: ["symbol"]) }
        #expect(throws: Problem.self) { try Query.read("symbol=%ff", known: ["symbol"]) }
        let query = try Query.read("symbol=BRK.B&from=2026-01-05T14%3A30:00Z&x=", known: ["symbol", "from", "x"])
        #expect(query["symbol"] == "BRK.B" && query["from"] == "2026-01-05T14:30:00Z" && query["x"]?.isEmpty == true)
        #expect(query["y"] == nil)
    }

    @Test func `parameters are read strictly, and a blank one counts as left out`() throws {
        let limit = Parameters.number("limit", "", 1...9, standard: 3)
        #expect(try limit.value(of: "5") == 5)
        #expect(try limit.value(of: nil) == 3 && limit.value(of: "") == 3)
        for text in ["0", "10", "x", "5.5", "1e1", " 5"] {
            #expect(throws: Problem.self, "\(text)") { try limit.value(of: text) }
        }
        let from = Parameters.time("from", "")
        #expect(try from.value(of: "2026-01-05T14:30:00Z") == 1_767_623_400_000)
        #expect(try from.value(of: "1767623400.5") == 1_767_623_400_500)
        #expect(try from.value(of: "2026-01-05T09:30:00-05:00") == 1_767_623_400_000)
        #expect(try from.value(of: "2026-01-05T14:30:00.250Z") == 1_767_623_400_250)
        for text in [
            "yesterday", "nan", "inf", "1e300", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-05T25:00:00Z",
            "2026-02-30T10:00:00+01:00",
        ] {
            #expect(throws: Problem.self, "\(text)") { try from.value(of: text) }
        }
        let symbol = Parameters.symbol("symbol", .query, "")
        #expect(try symbol.value(of: "BRK.B") == Symbol("BRK.B"))
        for text in [nil, "", "A,B", "*", "ABCDEFGHIJKLMNOPQ"] {
            #expect(throws: Problem.self, "\(text ?? "nil")") { try symbol.value(of: text) }
        }
        let kinds = Parameters.words("kind", "", of: EventKind.self)
        #expect(try kinds.value(of: "AM,,T") == [.minuteBar, .trade] && kinds.value(of: "").isEmpty)
        #expect(throws: Problem.self) { try kinds.value(of: "AM,X") }
    }

    @Test func `routes are found by path and method`() throws {
        let table = RouteTable([
            Route(.get, "/a/{id}", .data, "one", "", answers: [:]) { _ in Response(status: .ok) },
            Route(.post, "/a/{id}", .data, "two", "", answers: [:]) { _ in Response(status: .ok) },
            Route(.get, "/a/{id}/b", .data, "three", "", answers: [:]) { _ in Response(status: .ok) },
        ])
        let (route, parts) = try table.match(.head, ["a", "x/y"])
        #expect(route.name == "one" && parts == ["id": "x/y"])
        let otherMethods = #expect(throws: Problem.self) { try table.match(.put, ["a", "1"]) }
        #expect(otherMethods?.status == .methodNotAllowed && otherMethods?.headers[.allow] == "GET, HEAD, POST")
        let nothing = #expect(throws: Problem.self) { try table.match(.get, ["a"]) }
        #expect(nothing?.status == .notFound)
    }
}
