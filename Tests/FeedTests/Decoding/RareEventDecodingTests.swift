import MarketData
import Testing

@testable import Feed

/// Price bands, imbalances and fair values, in the forms that the provider documents and in others that it sends.
@Suite(.timeLimit(.minutes(3))) struct RareEventDecodingTests {
    @Test func `price bands keep every field, with a time in milliseconds`() throws {
        let decoded = Decoded.event(
            #"{"ev":"LULD","T":"MSFT","h":218.11,"l":209.11,"i":[17],"z":3,"t":1601317607844,"q":123}"#)
        let band = try #require(decoded.batch.limitBands.first)
        #expect(band.symbol == Symbol("MSFT") && band.time == 1_601_317_607_844 && band.timeNanoseconds == nil)
        #expect(band.high?.decimal == "218.11" && band.low?.decimal == "209.11")
        #expect(band.indicators.map { decoded.batch.text[$0] } == "[17]")
        #expect(band.tape == 3 && band.sequence == 123)
        #expect(decoded.batch.count == 1 && decoded.reasons == [:])
    }

    @Test func `an imbalance keeps every field, with a time in nanoseconds`() throws {
        let decoded = Decoded.event(
            """
            {"ev":"NOI","T":"NTEST.Q","t":1601318039223013600,"at":930,"a":"M","i":44,"x":10,"o":-480,"p":440,"b":25.03}
            """)
        let event = try #require(decoded.batch.imbalances.first)
        #expect(event.symbol == Symbol("NTEST.Q"))
        #expect(event.time == 1_601_318_039_223 && event.timeNanoseconds == 1_601_318_039_223_013_600)
        #expect(event.auctionTime == 930 && event.auctionType.map { decoded.batch.text[$0] } == "M")
        #expect(event.sequence == 44 && event.exchange == 10)
        #expect(event.imbalance == -480 && event.paired == 440 && event.clearingPrice?.decimal == "25.03")
        #expect(decoded.batch.count == 1 && decoded.reasons == [:])
    }

    @Test func `a fair value is read in whatever order its fields come`() throws {
        let decoded = Decoded.event(#"{"fmv":189.2200,"t":1678220098130000001,"ev":"FMV","new":[1],"sym":"AAPL"}"#)
        let event = try #require(decoded.batch.fairValues.first)
        #expect(event.symbol == Symbol("AAPL") && event.value.decimal == "189.22")
        #expect(event.time == 1_678_220_098_130 && event.timeNanoseconds == 1_678_220_098_130_000_001)
    }

    @Test(arguments: [
        (#"{"ev":"LULD","sym":"MSFT","t":1601317607844}"#, DecodeRejects.Reason.missingField, EventKind.limitBand),
        (#"{"ev":"NOI","T":"A,B","t":1601317607844}"#, .badSymbol, .imbalance),
        (#"{"ev":"NOI","T":"IBM","t":-1}"#, .badTime, .imbalance),
        (#"{"ev":"FMV","sym":"IBM","t":1601317607844}"#, .missingField, .fairValue),
        (#"{"ev":"FMV","sym":"IBM","fmv":"1","t":1601317607844}"#, .wrongType, .fairValue),
    ])
    func `what is no such event is counted under its kind`(
        event: String, reason: DecodeRejects.Reason, kind: EventKind
    ) {
        let decoded = Decoded.event(event)
        #expect(decoded.batch.isEmpty && decoded.reasons == [reason: 1])
        #expect(decoded.rejects.events[kind] == 1)
    }

    @Test func `an optional field in an odd form costs the field and not the event`() throws {
        let decoded = Decoded.event(#"{"ev":"LULD","T":"MSFT","h":"high","l":1,"t":1601317607844}"#)
        #expect(try #require(decoded.batch.limitBands.first).low == 1)
        #expect(decoded.leftOut(of: .limitBand).map { $0.0 } == .wrongType)
    }
}
