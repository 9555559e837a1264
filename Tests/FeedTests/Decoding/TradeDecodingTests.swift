import MarketData
import Testing

@testable import Feed

@Suite(.timeLimit(.minutes(3))) struct TradeDecodingTests {
    @Test func `a trade keeps every field`() throws {
        let decoded = Decoded.event(
            """
            {"ev":"T","sym":"MSFT","x":4,"i":"12345","z":3,"p":114.125,"s":100,"ds":"100.5","c":[0,12],\
            "t":1536036818784,"q":3681328,"trfi":202,"trft":1536036818700,"pt":1536036818690}
            """)
        let trade = try decoded.trade()
        #expect(trade.symbol.description == "MSFT")
        #expect(trade.exchange == 4)
        #expect(trade.tradeID.map { decoded.batch.text[$0] } == "12345")
        #expect(trade.tape == 3)
        #expect(trade.price.decimal == "114.125")
        #expect(trade.size.decimal == "100.5")
        #expect(trade.conditions.map { decoded.batch.text[$0] } == "[0,12]")
        #expect(trade.time == 1_536_036_818_784)
        #expect(trade.sequence == 3_681_328)
        #expect(trade.trfID == 202)
        #expect(trade.trfTime == 1_536_036_818_700)
        #expect(trade.participantTime == 1_536_036_818_690)
    }

    @Test(
        arguments: [
            ("1536036818690", 1_536_036_818_690), ("1536036818690123456", 1_536_036_818_690), ("0", 0), ("-1", nil),
            ("null", nil), ("\"soon\"", nil),
        ] as [(String, Int64?)])
    func `the exchange's own time is taken in milliseconds and in nanoseconds`(sent: String, kept: Int64?) throws {
        let trade = try Decoded.event(#"{"ev":"T","sym":"SPY","p":1,"s":1,"t":1000,"pt":\#(sent)}"#).trade()
        #expect(trade.participantTime == kept)
        let reported = try Decoded.event(#"{"ev":"T","sym":"SPY","p":1,"s":1,"t":1000,"trft":\#(sent)}"#).trade()
        #expect(reported.trfTime == kept)
        let quote = try Decoded.event(#"{"ev":"Q","sym":"SPY","bp":1,"ap":2,"t":1000,"pt":\#(sent)}"#).quote()
        #expect(quote.participantTime == kept)
    }

    @Test(arguments: [#""s":2"#, #""ds":"2""#, #""s":null,"ds":"2""#, #""s":2,"ds":null"#])
    func `a trade may hold what is required alone`(size: String) throws {
        let trade = try Decoded.event("{\"ev\":\"T\",\"sym\":\"SPY\",\"p\":1,\(size),\"t\":1000}").trade()
        #expect(trade == Trade(symbol: Symbol("SPY")!, time: 1000, price: 1, size: 2))
    }

    @Test(arguments: ["sym", "p", "s", "t"])
    func `a trade without a required field is rejected`(name: String) {
        let fields = ["sym": "\"SPY\"", "p": "1", "s": "1", "t": "1000"]
        let rest = fields.filter { $0.key != name }.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",")
        let decoded = Decoded.event("{\"ev\":\"T\",\(rest)}")
        #expect(decoded.reasons == [.missingField: 1])
        #expect(decoded.rejects.samples.first?.field == name)
    }

    @Test(arguments: [
        ("[]", "[]"), ("[0]", "[0]"), ("[ 0 , 12 ]", "[0,12]"), ("[14,37,41]", "[14,37,41]"),
        ("[14,37,41,100,2147483647,-2147483648]", "[14,37,41,100,2147483647,-2147483648]"), ("[\n]", "[]"),
        ("[1.0,2e1,300E-2,-0]", "[1,20,3,0]"), ("[1234567]", "[1234567]"), ("[12345678]", "[12345678]"),
        ("[0,0,0,0]", "[0,0,0,0]"),
    ])
    func `conditions are kept as an array without spaces`(sent: String, kept: String) throws {
        let decoded = Decoded.event(
            "{\"ev\":\"T\",\"sym\":\"SPY\",\"p\":1,\"s\":1,\"c\":\(sent),\"t\":1000}")
        #expect(try decoded.trade().conditions.map { decoded.batch.text[$0] } == kept)
    }

    @Test(arguments: [
        ("100001", "100001"), ("0", "0"), ("-5", "-5"), ("1e2", "100"), ("7.0", "7"),
        ("9223372036854775807", "9223372036854775807"),
    ])
    func `an id that is sent as a number is kept as text`(sent: String, kept: String) throws {
        let decoded = Decoded.event("{\"ev\":\"T\",\"sym\":\"SPY\",\"p\":1,\"s\":1,\"t\":1000,\"i\":\(sent),\"c\":[3]}")
        let trade = try decoded.trade()
        #expect(trade.tradeID.map { decoded.batch.text[$0] } == kept)
        #expect(trade.conditions.map { decoded.batch.text[$0] } == "[3]")
        #expect(decoded.rejects.fields.total == 0)
    }

    @Test(arguments: [("12", "[12]"), ("0", "[0]"), ("-2147483648", "[-2147483648]"), ("3e1", "[30]")])
    func `a condition that is sent alone is an array of one`(sent: String, kept: String) throws {
        let decoded = Decoded.event("{\"ev\":\"T\",\"sym\":\"SPY\",\"p\":1,\"s\":1,\"t\":1000,\"c\":\(sent)}")
        #expect(try decoded.trade().conditions.map { decoded.batch.text[$0] } == kept)
        #expect(decoded.rejects.fields.total == 0)
    }

    @Test(arguments: [
        ("c", "1.5", DecodeRejects.Reason.badNumber), ("c", "[\"1\"]", .wrongType), ("c", "[null]", .wrongType),
        ("c", "[[1]]", .wrongType), ("c", "[{}]", .wrongType), ("c", "{}", .wrongType), ("c", "\"[1]\"", .wrongType),
        ("c", "[1.5]", .badNumber), ("c", "[2147483648]", .badNumber), ("c", "2147483648", .badNumber),
        ("c", "[1e999]", .badNumber), ("i", "0.5", .badNumber), ("i", "9223372036854775808", .badNumber),
        ("i", "[1]", .wrongType), ("i", "true", .wrongType), ("x", "2147483648", .badNumber),
        ("x", "1.5", .badNumber), ("x", "\"1\"", .wrongType), ("z", "1e30", .badNumber),
        ("q", "9223372036854775808", .badNumber), ("q", "0.5", .badNumber), ("trfi", "-2147483649", .badNumber),
        ("trft", "-1", .badTime), ("trft", "1.5", .badTime), ("trft", "253402300800000", .badTime),
        ("ds", "\"1,5\"", .badNumber),
    ])
    func `an optional field in an odd form costs the field and not the trade`(
        name: String, value: String, reason: DecodeRejects.Reason
    ) throws {
        let fields = "\"sym\":\"SPY\",\"p\":1,\"s\":1,\"t\":1000"
        let decoded = Decoded.event("{\"ev\":\"T\",\(fields),\"\(name)\":\(value)}")
        #expect(try decoded.trade() == Decoded.event("{\"ev\":\"T\",\(fields)}").trade())
        #expect(try #require(decoded.leftOut(of: .trade)) == (reason, name))
        #expect(decoded.batch.text.bytes == [])
    }

    @Test func `fields that are left out are counted one by one, and what follows is whole`() throws {
        let decoded = Decoded.event(#"{"ev":"T","sym":"SPY","p":1,"s":1,"t":1,"x":"4","z":"1","q":[],"i":"ok"}"#)
        #expect(try decoded.trade().tradeID.map { decoded.batch.text[$0] } == "ok")
        #expect(decoded.rejects.fields[.trade] == 3)
        let pair = Decoded(
            #"[{"ev":"T","sym":"A","p":1,"s":1,"t":1,"x":"4"},{"ev":"T","sym":"B","p":1,"s":1,"t":2,"x":4}]"#)
        #expect(pair.batch.trades.map(\.exchange) == [nil, 4])
        #expect(pair.rejects.fields[.trade] == 1)
    }

    @Test(arguments: [
        ("t", "0", DecodeRejects.Reason.badTime), ("p", "1e400", .badNumber), ("p", "\"1\"", .wrongType),
        ("s", "-1e400", .badNumber),
    ])
    func `a required field that the trade can't have rejects it`(
        name: String, value: String, reason: DecodeRejects.Reason
    ) {
        let fields = "\"sym\":\"SPY\",\"p\":1,\"s\":1,\"t\":1000,\"i\":\"7\""
        let decoded = Decoded.event("{\"ev\":\"T\",\(fields),\"\(name)\":\(value)}")
        #expect(decoded.events == [])
        #expect(decoded.reasons == [reason: 1])
        #expect(decoded.rejects.samples.first?.field == name)
        #expect(decoded.rejects.events[.trade] == 1)
        #expect(decoded.rejects.events.sample(of: .trade)?.field == name)
        #expect(decoded.batch.text.bytes == [], "a rejected trade leaves no text behind")
    }

    @Test func `the texts of several trades stay apart`() {
        let decoded = Decoded(
            """
            [{"ev":"T","sym":"A","p":1,"s":1,"t":1,"i":"one","c":[1]},{"ev":"T","sym":"B","p":1,"s":1,"t":2},\
            {"ev":"T","sym":"C","p":1,"s":1,"t":3,"i":"","c":[3]},{"ev":"T","sym":"D","p":1,"s":1,"t":4,"i":"fo\\u0075r"}]
            """)
        #expect(decoded.batch.trades.map { $0.tradeID.map { decoded.batch.text[$0] } } == ["one", nil, "", "four"])
        #expect(decoded.batch.trades.map { $0.conditions.map { decoded.batch.text[$0] } } == ["[1]", nil, "[3]", nil])
    }

    @Test func `texts stop where their offsets would no longer fit`() {
        let trade = #"{"ev":"T","sym":"A","p":1,"s":1,"t":1,"i":"0123456789"}"#
        let escaped = #"{"ev":"T","sym":"A","p":1,"s":1,"t":1,"i":"012345678\u0039"}"#
        let conditions = #"{"ev":"T","sym":"A","p":1,"s":1,"t":1,"c":[1, 2, 3, 4]}"#
        let small = #"{"ev":"T","sym":"A","p":1,"s":1,"t":1,"i":"01234"}"#
        let decoded = Decoded("[\(trade),\(trade),\(escaped),\(conditions),\(small)]", textLimit: 15)
        #expect(decoded.batch.trades.count == 2)
        #expect(decoded.batch.text.bytes.count == 15)
        #expect(decoded.reasons == [.textOverflow: 3])
    }
}
