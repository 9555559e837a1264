import MarketData
import Testing

@testable import Feed

@Suite(.timeLimit(.minutes(3))) struct FrameShapeTests {
    static let bar = #"{"ev":"AM","sym":"SPY","v":1,"o":1,"c":1,"h":1,"l":1,"s":1000}"#
    static let trade = #"{"ev":"T","sym":"SPY","p":1,"s":1,"t":1}"#

    @Test func `a single object is taken as a frame of one event`() {
        #expect(Decoded(FrameShapeTests.bar).batch.bars.count == 1)
        #expect(Decoded(" \n" + FrameShapeTests.bar + "\r\n\t").batch.bars.count == 1)
    }

    @Test func `an empty array is a frame without events`() {
        for frame in ["[]", " [ ] ", "[\n]"] {
            #expect(Decoded(frame).batch.isEmpty)
            #expect(Decoded(frame).rejects.total == 0)
        }
    }

    @Test func `space may stand wherever JSON allows it`() throws {
        for space in [" ", "\n", "\t", "\r", "  ", " \r\n\t "] {
            let spaced = BarDecodingTests.full.replacing(":", with: "\(space):\(space)")
                .replacing(",", with: "\(space),\(space)").replacing("{", with: "{\(space)")
                .replacing("}", with: "\(space)}")
            #expect(Decoded("[\(space)\(spaced)\(space),\(spaced)]").batch.bars.count == 2)
            #expect(Decoded.event(spaced).events == Decoded.event(BarDecodingTests.full).events)
        }
    }

    @Test func `a frame may hold events of all kinds, many of them`() {
        let events = (1...1000).map { number in
            switch number % 3 {
            case 0: #"{"ev":"A","sym":"B\#(number)","v":\#(number),"o":1,"c":1,"h":1,"l":1,"s":\#(number)}"#
            case 1: #"{"ev":"T","sym":"T\#(number)","p":\#(number).5,"s":1,"t":\#(number),"i":"\#(number)"}"#
            default: #"{"ev":"Q","sym":"Q\#(number)","bp":\#(number),"t":\#(number)}"#
            }
        }
        let decoded = Decoded("[" + events.joined(separator: ",") + "]")
        #expect(decoded.rejects.total == 0)
        #expect(decoded.batch.bars.map(\.start) == stride(from: 3, through: 999, by: 3).map { $0 })
        #expect(decoded.batch.trades.map(\.time) == stride(from: 1, through: 1000, by: 3).map { $0 })
        #expect(decoded.batch.quotes.map(\.time) == stride(from: 2, through: 998, by: 3).map { $0 })
    }

    @Test(arguments: [
        #""new":1"#, #""new":-1.5e-7"#, #""new":"text""#, #""new":"with \"escapes\" \\ \u00e9 ]}""#, #""new":null"#,
        #""new":true"#, #""b":false"#, #""new":[]"#, #""new":{}"#, #""new":[1,[2,{"a":[3]}],"x]"]"#, #""zz":1"#,
        #""new":{"ev":"T","v":9,"o":9,"sym":"NO","nested":{"c":[{"h":9}]}}"#, #""b":1,"d":2,"f":"x","g":[1,2]"#,
        #""":1"#, #""a_much_longer_name_than_any_that_we_know":"x""#, #""é":"é""#, #""V":7,"O":7,"Ev":"T""#,
    ])
    func `fields that are new are skipped whatever their shape`(field: String) {
        let known = Decoded.event(BarDecodingTests.full).events
        let full = BarDecodingTests.full
        #expect(Decoded.event(String(full.dropLast()) + "," + field + "}").events == known)
        #expect(Decoded.event("{" + field + "," + full.dropFirst()).events == known)
        #expect(Decoded.event(full.replacing(",\"op\"", with: "," + field + ",\"op\"")).events == known)
    }

    @Test func `of two fields of one name the last wins`() throws {
        let fields = #""sym":"SPY","v":1,"o":1,"c":1,"h":1,"l":1,"s":1000"#
        let bar = try Decoded.event(
            #"{"ev":"T","ev":"AM","sym":5,"o":"x","vw":3,"v":9,\#(fields),"otc":1,"otc":true,"vw":null,"c":2,"c":3.5}"#
        ).bar()
        #expect(bar.symbol.description == "SPY")
        #expect(bar.volume == 1)
        #expect(bar.close == 3.5)
        #expect(bar.vwap == nil)
        #expect(bar.isOTC == true)
        let last = Decoded.event(#"{"ev":"AM",\#(fields),"o":"x"}"#)
        #expect(last.reasons == [.wrongType: 1])
        let quote = try Decoded.event(#"{"ev":"AM",\#(fields),"t":7,"ev":"Q","c":null}"#).quote()
        #expect(quote.time == 7)
    }

    @Test(arguments: [
        (#"{"ev":"XQ","sym":"SPY"}"#, DecodeRejects.Reason.unknownEvent), (#"{"ev":""}"#, .unknownEvent),
        (#"{"ev":"am"}"#, .unknownEvent), (#"{"ev":"AMX"}"#, .unknownEvent), (#"{"ev":"\ud800"}"#, .unknownEvent),
        (#"{"ev":"a name that is longer than any event has"}"#, .unknownEvent), (#"{}"#, .missingEvent),
        (#"{"sym":"SPY"}"#, .missingEvent), (#"{"ev":null}"#, .missingEvent), (#"{"ev":5}"#, .wrongType),
        (#"{"ev":["AM"]}"#, .wrongType), (#"{"ev":true}"#, .wrongType), ("5", .notAnObject), ("\"AM\"", .notAnObject),
        ("null", .notAnObject), ("true", .notAnObject), ("[]", .notAnObject), (#"[{"ev":"T"}]"#, .notAnObject),
    ])
    func `an element that is no event of ours is counted and the next one decoded`(
        element: String, reason: DecodeRejects.Reason
    ) {
        let decoded = Decoded("[\(FrameShapeTests.bar),\(element),\(FrameShapeTests.trade)]")
        #expect(decoded.batch.bars.count == 1)
        #expect(decoded.batch.trades.count == 1)
        #expect(decoded.reasons == [reason: 1])
        #expect(decoded.rejects.samples.first?.text == element.replacing("\\", with: "\\"))
    }

    @Test func `arrays and objects may be nested up to the limit`() {
        func nested(_ depth: Int, _ open: String, _ close: String) -> Decoded {
            let value = String(repeating: open, count: depth) + String(repeating: close, count: depth)
            return Decoded(
                "[{\"ev\":\"T\",\"sym\":\"S\",\"p\":1,\"s\":1,\"t\":1,\"new\":\(value)},\(FrameShapeTests.trade)]")
        }
        let room = FrameDecoder.maximumDepth - 2
        #expect(nested(room, "[", "]").batch.trades.count == 2)
        for (depth, open, close) in [(room + 1, "[", "]"), (100_000, "[", "]")] {
            let decoded = nested(depth, open, close)
            #expect(decoded.batch.trades.count == 1)
            #expect(decoded.reasons == [.tooDeep: 1])
        }
        let objects = Decoded(
            "[{\"ev\":\"T\",\"x\":" + String(repeating: "{\"a\":", count: 1000) + "1"
                + String(repeating: "}", count: 1001) + ",\(FrameShapeTests.trade)]")
        #expect(objects.batch.trades.count == 1)
        #expect(objects.reasons == [.tooDeep: 1])
    }
}
