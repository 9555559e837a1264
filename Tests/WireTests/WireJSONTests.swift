import Foundation
import Testing

@testable import Wire

@Suite(.timeLimit(.minutes(1))) struct WireJSONTests {
    private struct Part: WireObject {
        var b: Int64
        var a: Double?
    }

    private struct Whole: WireObject {
        var text: String
        var number: Double
        var count: Int64
        var flag: Bool
        var missing: String?
        var infinite: Double
        var parts: [Part]
        var none: Part?
        var byName: [String: Part]
    }

    /// Two objects written into one.
    private struct Joined: Encodable {
        func encode(to encoder: any Encoder) throws {
            try Part(b: 1, a: 2).encode(to: encoder)
            var members = encoder.container(keyedBy: Key.self)
            try members.encode("x", forKey: .c)
        }

        enum Key: CodingKey { case c }
    }

    @Test func `JSON is written so that any reader gets the same values`() throws {
        let nasty = "<img src=x onerror=alert(1)> \"q\" \\ \n\t\u{1}\u{7F} é 🦊"
        let whole = Whole(
            text: nasty, number: 0.4372, count: .max, flag: true, missing: nil, infinite: .infinity,
            parts: [Part(b: 1, a: 1.5), Part(b: -2, a: nil)], none: nil, byName: ["a \"key\"": Part(b: 3, a: nil)])
        let bytes = WireJSON.bytes(of: whole)
        let read = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
        #expect(read["text"] as? String == nasty)
        #expect(read["number"] as? Double == 0.4372)
        #expect(read["count"] as? Int64 == .max)
        #expect(read["flag"] as? Bool == true)
        #expect(read["missing"] is NSNull && read["infinite"] is NSNull && read["none"] is NSNull)
        #expect((read["parts"] as? [Any])?.count == 2)
        #expect((read["byName"] as? [String: [String: Any]])?["a \"key\""]?["b"] as? Int == 3)
    }

    @Test func `members come in the order of their declaration, dictionaries by key, and nothing is left out`() {
        #expect(WireJSON.text(of: Part(b: 7, a: nil)) == #"{"b":7,"a":null}"#)
        #expect(WireJSON.text(of: ["z": [1, 2], "a": []]) == #"{"a":[],"z":[1,2]}"#)
        #expect(WireJSON.text(of: Joined()) == #"{"b":1,"a":2,"c":"x"}"#)
        #expect(WireJSON.text(of: [UInt8(3), 4]) == "[3,4]")
    }

    @Test func `what was written is read as it was`() throws {
        let text = WireJSON.bytes(of: Part(b: 7, a: 0.1))
        let part = try JSONDecoder().decode(Part.self, from: Data(text))
        #expect(part.b == 7 && part.a == 0.1)
    }

    @Test func `a type's form is what it decodes`() {
        guard case .object(let object) = Schema.of(Whole.self) else {
            Issue.record("no object")
            return
        }
        #expect(object.members.map(\.name).prefix(4) == ["text", "number", "count", "flag"])
        #expect(object.members.first { $0.name == "missing" }?.schema == .nullable(.text(Bounds())))
        guard case .list(.object(let part), _)? = object.members.first(where: { $0.name == "parts" })?.schema else {
            Issue.record("no list of objects")
            return
        }
        #expect(part.members.map(\.name) == ["b", "a"])
    }
}
