import MarketData
import Testing

@testable import Feed

@Suite(.timeLimit(.minutes(3))) struct StatusDecodingTests {
    @Test func `status messages come out in the order sent, apart from the events`() {
        let decoded = Decoded(
            """
            [{"ev":"status","status":"connected","message":"Connected Successfully"},\
            {"ev":"Q","sym":"SPY","t":1},{"message":"subscribed to: AM.\\u0041APL","status":"success","ev":"status"},\
            {"ev":"status","status":"auth_failed"}]
            """)
        #expect(
            decoded.statuses == [
                FeedStatus(status: "connected", message: "Connected Successfully"),
                FeedStatus(status: "success", message: "subscribed to: AM.AAPL"),
                FeedStatus(status: "auth_failed", message: ""),
            ])
        #expect(decoded.batch.count == 1)
        #expect(decoded.rejects.total == 0)
    }

    @Test func `a long message is cut between characters`() throws {
        let decoded = Decoded(
            """
            {"ev":"status","status":"\(String(repeating: "é", count: 100))","message":"x\(String(repeating: "€", count: 500))"}
            """)
        let status = try #require(decoded.statuses.first)
        #expect(status.status == String(repeating: "é", count: 32))
        #expect(status.message == "x" + String(repeating: "€", count: 170))
    }

    @Test(arguments: [
        (#"{"ev":"status","message":"m"}"#, DecodeRejects.Reason.missingField),
        (#"{"ev":"status","status":null}"#, .missingField), (#"{"ev":"status","status":5}"#, .wrongType),
    ])
    func `a status message that is none is counted`(event: String, reason: DecodeRejects.Reason) {
        let decoded = Decoded.event(event)
        #expect(decoded.statuses == [])
        #expect(decoded.reasons == [reason: 1])
    }

    @Test(arguments: [("[]", DecodeRejects.Reason.wrongType), (#""\ud800""#, .badText)])
    func `a message that is no text is left out of the status`(message: String, reason: DecodeRejects.Reason) {
        let decoded = Decoded.event("{\"ev\":\"status\",\"status\":\"s\",\"message\":\(message)}")
        #expect(decoded.statuses == [FeedStatus(status: "s", message: "")])
        #expect(decoded.rejects.fields.sample(of: nil)?.reason == reason)
    }
}
