import MarketData
import Testing

@testable import Feed

@Suite(.timeLimit(.minutes(3))) struct QuoteDecodingTests {
    @Test func `a quote keeps every field`() throws {
        let decoded = Decoded.event(
            """
            {"ev":"Q","sym":"MSFT","bx":4,"bp":114.125,"bs":100,"ax":7,"ap":114.128,"as":160,"c":-1,"i":[604,1],\
            "t":1536036818784,"q":50385480,"z":3}
            """)
        let quote = try decoded.quote()
        #expect(quote.symbol.description == "MSFT")
        #expect(quote.bidExchange == 4)
        #expect(quote.bid?.decimal == "114.125")
        #expect(quote.bidSize == 100)
        #expect(quote.askExchange == 7)
        #expect(quote.ask?.decimal == "114.128")
        #expect(quote.askSize == 160)
        #expect(quote.condition == -1)
        #expect(quote.indicators.map { decoded.batch.text[$0] } == "[604,1]")
        #expect(quote.time == 1_536_036_818_784)
        #expect(quote.sequence == 50_385_480)
        #expect(quote.tape == 3)
    }

    @Test func `a side that is not sent stays absent and a zero stays zero`() throws {
        let quote = try Decoded.event(#"{"ev":"Q","sym":"SPY","bp":0,"bs":0,"t":1000}"#).quote()
        #expect(quote == Quote(symbol: Symbol("SPY")!, time: 1000, bid: 0, bidSize: 0))
    }

    @Test(arguments: ["sym", "t"])
    func `a quote without a required field is rejected`(name: String) {
        let fields = ["sym": "\"SPY\"", "t": "1000"]
        let rest = fields.filter { $0.key != name }.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",")
        let decoded = Decoded.event("{\"ev\":\"Q\",\(rest)}")
        #expect(decoded.reasons == [.missingField: 1])
        #expect(decoded.rejects.samples.first?.field == name)
    }

    @Test(arguments: [
        ("bp", "\"1\"", DecodeRejects.Reason.wrongType), ("bx", "true", .wrongType), ("c", "[1]", .wrongType),
        ("i", "\"604\"", .wrongType), ("as", "1e999", .badNumber), ("ax", "3000000000", .badNumber),
    ])
    func `an optional field in an odd form costs the field and not the quote`(
        name: String, value: String, reason: DecodeRejects.Reason
    ) throws {
        let decoded = Decoded.event("{\"ev\":\"Q\",\"sym\":\"SPY\",\"t\":1000,\"\(name)\":\(value)}")
        #expect(try decoded.quote() == Quote(symbol: Symbol("SPY")!, time: 1000))
        #expect(try #require(decoded.leftOut(of: .quote)) == (reason, name))
    }

    @Test func `an indicator that is sent alone is an array of one`() throws {
        let decoded = Decoded.event(#"{"ev":"Q","sym":"SPY","t":1000,"i":604}"#)
        #expect(try decoded.quote().indicators.map { decoded.batch.text[$0] } == "[604]")
    }

    @Test func `a time that is none rejects the quote`() {
        let decoded = Decoded.event(#"{"ev":"Q","sym":"SPY","t":-5}"#)
        #expect(decoded.reasons == [.badTime: 1])
        #expect(decoded.rejects.samples.first?.field == "t")
        #expect(decoded.rejects.events[.quote] == 1)
    }
}
