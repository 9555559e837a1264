import Foundation
import MarketData
import TestSupport
import Testing

@testable import Feed

@Suite(.timeLimit(.minutes(3))) struct BarDecodingTests {
    static let full = """
        {"ev":"AM","sym":"GTE","v":4110,"dv":"4110.25","av":9470157,"dav":"9470157.5","op":0.4372,"vw":0.4488,\
        "o":0.4481,"c":0.4482,"h":0.4493,"l":0.4474,"a":0.4352,"z":685,"s":1610144640000,"e":1610144700000,"otc":true}
        """

    @Test func `a minute bar keeps every field`() throws {
        let bar = try Decoded.event(BarDecodingTests.full).bar()
        #expect(bar.symbol.description == "GTE")
        #expect(bar.interval == .minute)
        #expect(bar.volume.decimal == "4110.25")
        #expect(bar.dayVolume?.decimal == "9470157.5")
        #expect(bar.dayOpen?.decimal == "0.4372")
        #expect(bar.vwap?.decimal == "0.4488")
        #expect(bar.open.decimal == "0.4481")
        #expect(bar.close.decimal == "0.4482")
        #expect(bar.high.decimal == "0.4493")
        #expect(bar.low.decimal == "0.4474")
        #expect(bar.dayVWAP?.decimal == "0.4352")
        #expect(bar.averageSize?.decimal == "685")
        #expect(bar.start == 1_610_144_640_000)
        #expect(bar.end == 1_610_144_700_000)
        #expect(bar.isOTC == true)
    }

    @Test func `the fields may come in any order`() throws {
        let expected = Decoded.event(BarDecodingTests.full)
        let object = try #require(
            JSONSerialization.jsonObject(with: Data(BarDecodingTests.full.utf8)) as? [String: Any])
        let names = Array(object.keys).sorted()
        var random = SeededRandom(seed: 11)
        for _ in 0..<200 {
            let fields = names.shuffled(using: &random).map { name in
                "\"\(name)\":" + BarDecodingTests.rawValue(of: name)
            }
            let decoded = Decoded.event("{" + fields.joined(separator: ",") + "}")
            #expect(decoded.events == expected.events)
        }
    }

    /// A field's value as ``full`` has it.
    static func rawValue(of name: String) -> String {
        let start = full.range(of: "\"\(name)\":")!.upperBound
        return String(full[start...].prefix { $0 != "," && $0 != "}" })
    }

    @Test func `a second bar may hold what is required alone`() throws {
        let bar = try Decoded.event(#"{"ev":"A","sym":"SPY","v":1,"o":1,"c":1.5,"h":2,"l":0.5,"s":1000}"#).bar()
        #expect(
            bar
                == Bar(
                    symbol: Symbol("SPY")!, interval: .second, start: 1000, end: 2000, open: 1, high: 2, low: 0.5,
                    close: 1.5, volume: 1))
    }

    @Test func `a minute bar without an end ends a minute after its start`() throws {
        let bar = try Decoded.event(#"{"ev":"AM","sym":"SPY","v":1,"o":1,"c":1,"h":1,"l":1,"s":60000}"#).bar()
        #expect(bar.end == 120_000)
    }

    @Test(arguments: ["sym", "s", "o", "h", "l", "c", "v"])
    func `a bar without a required field is rejected`(name: String) {
        let fields = ["sym": "\"SPY\"", "s": "1000", "o": "1", "h": "1", "l": "1", "c": "1", "v": "1"]
        let rest = fields.filter { $0.key != name }.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",")
        for event in ["{\"ev\":\"AM\",\(rest)}", "{\"ev\":\"AM\",\(rest),\"\(name)\":null}"] {
            let decoded = Decoded.event(event)
            #expect(decoded.events == [])
            #expect(decoded.reasons == [.missingField: 1])
            #expect(decoded.rejects.samples.first?.field == name)
        }
    }

    @Test func `the exact volume stands in for the rounded one`() throws {
        let bar = try Decoded.event(
            #"{"ev":"AM","sym":"SPY","dv":"12345678.125","dav":"80000000.5","o":1,"c":1,"h":1,"l":1,"s":1000}"#
        ).bar()
        #expect(bar.volume.decimal == "12345678.125")
        #expect(bar.dayVolume?.decimal == "80000000.5")
    }

    @Test(arguments: [
        #""v":4,"dv":"4.5""#, #""dv":"4.5","v":4"#, #""v":4,"dv":"45e-1""#, #""v":4,"dv":4.5"#,
        #""v":4,"dv":"\u0034.5""#, #""v":null,"dv":"4.50000000000000000000000000000""#, #""v":4.5,"dv":null"#,
    ])
    func `the exact volume wins wherever it stands`(fields: String) throws {
        let bar = try Decoded.event("{\"ev\":\"AM\",\"sym\":\"SPY\",\(fields),\"o\":1,\"c\":1,\"h\":1,\"l\":1,\"s\":1}")
            .bar()
        #expect(bar.volume == 4.5)
    }

    @Test(arguments: [#""""#, #""x""#, #""4.""#, #"".5""#, #"" 4""#, #""4 ""#, #""+4""#, #""1e999""#, #""NaN""#])
    func `an exact volume that is no decimal gives way to the rounded one`(text: String) throws {
        let fields = "\"dv\":\(text),\"o\":1,\"c\":1,\"h\":1,\"l\":1,\"s\":1}"
        let decoded = Decoded.event("{\"ev\":\"AM\",\"sym\":\"SPY\",\"v\":4,\(fields)")
        #expect(try decoded.bar().volume == 4)
        #expect(try #require(decoded.leftOut(of: .minuteBar)) == (.badNumber, "dv"))
        let alone = Decoded.event("{\"ev\":\"AM\",\"sym\":\"SPY\",\(fields)")
        #expect(alone.reasons == [.missingField: 1])
        #expect(alone.rejects.fields.total == 0, "a rejected bar is counted as that alone")
    }

    @Test func `null for an optional field is as if it were absent`() throws {
        let bar = try Decoded.event(
            """
            {"ev":"AM","sym":"SPY","v":1,"dv":null,"av":null,"dav":null,"op":null,"vw":null,"o":1,"c":1,"h":1,"l":1,\
            "a":null,"z":null,"s":60000,"e":null,"otc":null}
            """
        ).bar()
        #expect(
            bar
                == Bar(
                    symbol: Symbol("SPY")!, interval: .minute, start: 60000, end: 120_000, open: 1, high: 1, low: 1,
                    close: 1, volume: 1))
    }

    @Test(arguments: [
        ("av", "\"1\""), ("op", "false"), ("vw", "[]"), ("a", "\"\""), ("z", "{\"a\":1}"), ("otc", "1"),
        ("otc", "\"true\""), ("otc", "[0]"), ("e", "\"1000\""), ("dv", "true"), ("dav", "[1]"),
    ])
    func `an optional field of another type costs the field and not the bar`(name: String, value: String) throws {
        let fields = "\"sym\":\"SPY\",\"s\":60000,\"o\":1,\"h\":1,\"l\":1,\"c\":1,\"v\":1"
        let decoded = Decoded.event("{\"ev\":\"AM\",\(fields),\"\(name)\":\(value)}")
        #expect(try decoded.bar() == Decoded.event("{\"ev\":\"AM\",\(fields)}").bar())
        #expect(try #require(decoded.leftOut(of: .minuteBar)) == (.wrongType, name))
        #expect(decoded.rejects.fields.sample(of: .minuteBar)?.text.contains("\"\(name)\":") == true)
    }

    @Test(arguments: [
        ("o", "\"1\""), ("h", "true"), ("l", "[1]"), ("c", "{}"), ("v", "\"1\""), ("s", "\"1000\""), ("sym", "5"),
        ("sym", "true"), ("sym", "[]"),
    ])
    func `a required field of another type rejects the bar`(name: String, value: String) {
        let fields = "\"sym\":\"SPY\",\"s\":1000,\"o\":1,\"h\":1,\"l\":1,\"c\":1,\"v\":1"
        let decoded = Decoded.event("{\"ev\":\"AM\",\(fields),\"\(name)\":\(value)}")
        #expect(decoded.events == [])
        #expect(decoded.reasons == [.wrongType: 1])
        #expect(decoded.rejects.samples.first?.field == name)
        #expect(decoded.rejects.events[.minuteBar] == 1)
    }

    @Test(arguments: ["0", "-1", "1.5", "1e-3", "9223372036854775808", "1e19", "-1e3", "1381219200135.25"])
    func `a start that is no time rejects the bar`(time: String) {
        let fields = "\"sym\":\"SPY\",\"o\":1,\"h\":1,\"l\":1,\"c\":1,\"v\":1"
        let decoded = Decoded.event("{\"ev\":\"AM\",\(fields),\"s\":\(time)}")
        #expect(decoded.reasons == [.badTime: 1])
        #expect(decoded.rejects.samples.first?.field == "s")
    }

    @Test(arguments: ["0", "-1", "1.5", "1e-3", "9223372036854775808", "1e19", "-1e3", "1381219200135.25"])
    func `an end that is no time is the window's length after the start`(time: String) throws {
        let fields = "\"sym\":\"SPY\",\"o\":1,\"h\":1,\"l\":1,\"c\":1,\"v\":1,\"s\":60000"
        let decoded = Decoded.event("{\"ev\":\"AM\",\(fields),\"e\":\(time)}")
        #expect(try decoded.bar().end == 120_000)
        #expect(try #require(decoded.leftOut(of: .minuteBar)) == (.badTime, "e"))
    }

    @Test(
        arguments: [
            ("AM", "60000", 120_000), ("AM", "59999", 120_000), ("A", "60000", 61_000), ("A", "1", 61_000),
        ] as [(String, String, Int64)])
    func `an end that is not after the start is the window's length after it`(
        kind: String, sent: String, end: Int64
    ) throws {
        let prices = #""v":1,"av":1,"op":1,"vw":1,"o":1,"c":1,"h":1,"l":1,"a":1,"z":1"#
        let decoded = Decoded.event(#"{"ev":"\#(kind)","sym":"SPY",\#(prices),"s":60000,"e":\#(sent)}"#)
        #expect(try decoded.bar().end == end)
        #expect(decoded.rejects.total == 0 && decoded.rejects.fields.total == 1)
    }

    @Test func `a start so late that the end would not fit rejects the bar`() {
        let decoded = Decoded.event(
            #"{"ev":"AM","sym":"SPY","v":1,"o":1,"c":1,"h":1,"l":1,"s":9223372036854775807}"#)
        #expect(decoded.reasons == [.badTime: 1])
    }

    @Test(arguments: [
        ("1381219200135", 1_381_219_200_135), ("1.381219200135E12", 1_381_219_200_135),
        ("1381219200135.000", 1_381_219_200_135), ("1381219200135000e-3", 1_381_219_200_135),
        ("1381219200135e0", 1_381_219_200_135), ("0.0000001e7", 1), ("9223372036854775807", Int64.max),
        ("9223372036854775807000000000000000000000e-21", Int64.max), ("12e+3", 12000),
    ])
    func `a time may be written in every form that is exactly an integer`(text: String, time: Int64) throws {
        let decoded = Decoded.event(
            "{\"ev\":\"AM\",\"sym\":\"SPY\",\"v\":1,\"o\":1,\"c\":1,\"h\":1,\"l\":1,\"s\":1,\"e\":\(text)}")
        #expect(try decoded.bar().end == (time > 1 ? time : 60_001))
        let trade = Decoded.event("{\"ev\":\"T\",\"sym\":\"SPY\",\"p\":1,\"s\":1,\"t\":\(text)}")
        #expect(try trade.trade().time == time)
    }
}
