import Glibc
import MarketData
import Testing

@testable import Feed

@Suite(.timeLimit(.minutes(3))) struct RejectTests {
    static let bar = FrameShapeTests.bar
    static let trade = FrameShapeTests.trade

    @Test(arguments: [
        "{bad}", #"{"ev":"AM","v":}"#, #"{"ev":"AM" "v":1}"#, #"{"ev":"AM",}"#, #"{"ev":"AM",,"v":1}"#,
        #"{"ev":"AM","v":[1,2}"#, #"{"ev":"AM","v":01}"#, #"{"ev":"AM","v":tru}"#, #"{"ev":"AM","v":nul}"#, "bad", "",
        #"{"ev":"AM","x":[1,]}"#, #"{"ev":"AM","x":{"a"}}"#, #"{"ev":"AM","x":{"a":1,}}"#, #"{"ev":"AM","x":{,}}"#,
        #"{'ev':'AM'}"#, #"{"ev":"AM",5:1}"#, #"{"ev":"AM"}}"#, #"{"ev":"AM","v":1.2.3,"x":"},{"}"#, "5 5", "tru",
        #"{"ev":"AM","x":"a\q"}"#, "-", "}", #"{"ev":"AM","sym":"SPY","x":[[[}"#, #"{"ev":"AM","v":1"x":2}"#,
        #"{"ev":"T","sym":"SPY","p":1,"s":1,"t":1,"c":[1,,2]}"#, #"{"ev":"T","c":[01]}"#, #"{"ev":"T","c":[1 2]}"#,
        #"{"ev":"T","c":[,1]}"#, #"{"ev":"T","c":[1,]}"#, #"{"ev":"T","c":[.5]}"#, #"{"ev":"T","c":[00]}"#,
    ])
    func `the frame goes on behind an event that is not JSON`(piece: String) {
        let decoded = Decoded("[\(RejectTests.bar),\(piece),\(RejectTests.trade),\(RejectTests.trade)]")
        #expect(decoded.batch.bars.count == 1)
        #expect(decoded.batch.trades.count == 2)
        #expect(decoded.rejects[.malformedJSON] == 1)
    }

    @Test(arguments: [
        #"{"ev":"AM","sym":"SPY,"v":1}"#, #"{"ev":"AM","sym":"SPY","v":1"#, #"{"ev":"AM","sym":"SPY"#,
        #"{"ev":"AM","x":[{"a":1}"#, #"{"ev":"AM","x":"\"#,
    ])
    func `an event that was cut off costs itself and at most its neighbour`(piece: String) {
        let decoded = Decoded(
            "[\(RejectTests.bar),\(piece),\(RejectTests.bar),\(RejectTests.trade),\(RejectTests.trade)]")
        #expect(decoded.batch.bars.count >= 1)
        #expect(decoded.batch.trades.count == 2)
        #expect(decoded.rejects.total + decoded.batch.count == 5)
    }

    @Test func `a frame that is cut anywhere keeps its whole events and counts the broken one`() {
        let frame = "[\(RejectTests.bar),\(RejectTests.trade),\(BarDecodingTests.full)]"
        let bytes = Array(frame.utf8)
        let ends = [RejectTests.bar, RejectTests.trade].reduce(into: [0]) { $0.append($0.last! + 1 + $1.utf8.count) }
        for count in 1..<bytes.count {
            let decoded = Decoded(Array(bytes[..<count]))
            let whole = count == bytes.count - 1 ? 3 : ends.dropFirst().count { $0 <= count }
            #expect(decoded.batch.count == whole, "\(count)")
            #expect(decoded.rejects.total == 1, "\(count)")
        }
        #expect(Decoded(bytes).rejects.total == 0)
    }

    @Test func `events behind a lost one are counted where they can't be told apart`() {
        let decoded = Decoded(#"[{"ev":"T","x":"a,{"ev":"T"},{"ev" :"Q"},{"x":{"ev":"T"}"#)
        #expect(decoded.batch.isEmpty)
        #expect(decoded.rejects.total >= 2)
    }

    @Test(arguments: ["", " ", "x", "[", "{", "\"", "null", "5", "[[", "]", "}", "[}", "{]", "\u{0}", "\u{FEFF}[]"])
    func `a frame that is nothing is counted once`(frame: String) {
        let decoded = Decoded(frame)
        #expect(decoded.batch.isEmpty)
        #expect(decoded.rejects.total == 1)
    }

    @Test(arguments: ["]", "x", "[]", "{}", ",{\"ev\":\"T\"}", "[{\"ev\":\"T\"}]"])
    func `what stands behind the frame's end is counted`(rest: String) {
        #expect(Decoded("[\(RejectTests.bar)]\(rest)").batch.bars.count == 1)
        #expect(Decoded("[\(RejectTests.bar)]\(rest)").reasons == [.malformedJSON: 1])
        #expect(Decoded("\(RejectTests.bar) \(rest)").batch.bars.count == 1)
        #expect(Decoded("\(RejectTests.bar) \(rest)").reasons == [.malformedJSON: 1])
    }

    @Test func `a frame full of rejects keeps one sample of each kind`() {
        let decoded = Decoded("[" + Array(repeating: #"{},{"ev":"T"},5"#, count: 500).joined(separator: ",") + "]")
        #expect(decoded.reasons == [.missingEvent: 500, .missingField: 500, .notAnObject: 500])
        #expect(decoded.rejects.samples.map(\.reason) == [.missingField, .missingEvent])
    }

    @Test func `a kind's first reject is kept as its sample, and then one of every 64th frame`() {
        var decoder = FrameDecoder()
        var batch = EventBatch(connection: "test", receivedMicroseconds: 0)
        var statuses: [FeedStatus] = []
        for number in 0..<132 {
            let frame = Array("[\(number),{\"ev\":\"X\(number)\"}]".utf8)
            frame.withUnsafeBytes { decoder.decode($0, into: &batch, statuses: &statuses) }
            #expect(decoder.rejects.samples.map(\.text) == ["\(number / 64 * 64)"])
        }
        #expect(decoder.rejects[.notAnObject] == 132)
        #expect(decoder.rejects.total == 264)
    }

    @Test func `a sample names the reason and the field`() throws {
        let decoded = Decoded(#"[{"ev":"T","sym":"SPY","p":"x","s":1,"t":1}]"#)
        let sample = try #require(decoded.rejects.samples.first)
        #expect(sample.description == #"wrong_type (p): {"ev":"T","sym":"SPY","p":"x","s":1,"t":1}"#)
    }

    @Test func `every reason has a place of its own`() {
        #expect(DecodeRejects.Reason.allCases.map(\.index) == Array(0..<DecodeRejects.Reason.allCases.count))
    }

    @Test func `hostile frames take time in proportion to their length`() {
        let count = 200_000
        let frames = [
            String(repeating: "{", count: count), String(repeating: "[", count: count),
            String(repeating: "{\"ev\":\"},", count: count / 8), "[" + String(repeating: "\"", count: count),
            "[" + String(repeating: "},{\"ev\"", count: count / 8),
            "[" + String(repeating: "{\"ev\":[{\"ev\":1},", count: count / 16),
            "[{\"x\":\"" + String(repeating: "\\", count: count), "[" + String(repeating: ",", count: count),
            "[" + String(repeating: "{\"ev\":\"T\"", count: count / 10),
            "[" + String(repeating: "{},", count: count / 3),
            "[" + String(repeating: "1 ", count: count / 2),
            "[\"" + String(repeating: "},{\"ev\":\"", count: count / 9),
            "[{\"ev\":\"T\",\"p\":" + String(repeating: "1", count: count) + "}]",
            "[" + String(repeating: "{\"ev\":\"T\",\"i\":\"\\", count: count / 16),
        ]
        for frame in frames {
            let before = Self.processorSeconds
            let decoded = Decoded(frame)
            #expect(decoded.rejects.total > 0)
            // In this thread's own time: far more than linear work takes, and far less than quadratic work would.
            #expect(Self.processorSeconds - before < 5, "\(frame.prefix(40))")
        }
    }

    private static var processorSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    @Test(arguments: [
        (#"{"ev":"T","sym":"SPY","p":"x","s":1,"t":1}"#, "T SPY"), (#"{"ev":"T","p":1,"s":1,"t":1}"#, "T any"),
        (#"{"ev":"LULD","T":"SPY","h":"x"}"#, "LULD SPY"), (#"{"ev":"A","sym":"SPY"}"#, "A SPY"),
        (#"{"event":"T","sym":"SPY"}"#, "any"), (#"{"ev":5}"#, "any"), ("[[{}]]", "any"), (#"{"ev":"T","x":}"#, "any"),
        (#"{"ev":"T","x":"#, "any"), (#"{"ev":"T","sym":"a b","p":1}"#, ""), (#"{"ev":"OTHER"}"#, ""), ("5", ""),
        ("x", ""), (#"{"ev":"status","status":5}"#, ""), ("[1]", ""),
    ])
    func `of what can't be decoded it is known which events it may have been`(piece: String, lost: String) {
        for frame in [piece, "[\(RejectTests.trade),\(piece)]"] {
            var decoder = FrameDecoder()
            var batch = EventBatch(connection: "test", receivedMicroseconds: 1)
            var statuses: [FeedStatus] = []
            Array(frame.utf8).withUnsafeBytes { decoder.decode($0, into: &batch, statuses: &statuses) }
            let found = decoder.takeUnreadable()
            let kinds = EventKind.allCases.compactMap { kind -> String? in
                guard let extent = found?[kind] else { return nil }
                return "\(kind.rawValue) " + (extent.isWhole ? "any" : extent.symbols.map(\.description).joined())
            }
            #expect((found?.isOfAnyKind == true ? ["any"] : kinds) == (lost.isEmpty ? [] : [lost]), "\(frame)")
            #expect(decoder.takeUnreadable() == nil && decoder.rejects.total > 0)
        }
    }

    @Test func `more symbols than can be told apart are any`() {
        var extent = UnreadableEvents.Extent()
        for number in 0..<UnreadableEvents.Extent.mostSymbols { extent.add(Symbol("S\(number)")) }
        #expect(!extent.isWhole && extent.symbols.count == UnreadableEvents.Extent.mostSymbols)
        extent.add(Symbol("S0"))
        #expect(!extent.isWhole)
        extent.add(Symbol("T"))
        #expect(extent.isWhole && extent.symbols.isEmpty)
    }
}
