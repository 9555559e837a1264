import MarketData
import Testing

@testable import Feed

@Suite(.timeLimit(.minutes(3))) struct RedactionTests {
    func excerpt(_ text: String) -> String {
        var copy = text
        return copy.withUTF8 { RedactedText.excerpt(of: UnsafeRawBufferPointer($0)) }
    }

    @Test(arguments: [
        #"{"action":"auth","params":"hunter2"}"#, #"{"action":"auth","params":"hunt\"hunter2"}"#,
        #"{"apiKey":"hunter2"}"#, #"{"API_KEY" : "hunter2"}"#, #"{"token":"hunter2","ev":"T"}"#, "key=hunter2&x=1",
        #"{"x":"{\"params\":\"hunter2\"}"}"#, #"{"params":["hunter2","b"]}"#, #"{"params":{"a":"hunter2"}}"#,
        "Authorization: Bearer hunter2", #"{"password":"hunter2}"#, #"{"secret":hunter2}"#,
        #"{"params": "hunter2"#, #"{'params':'hunter2'}"#, "Bearer hunter2", #"{"params""hunter2"}"#,
        #"{"params" "hunter2"}"#, #"{"auth":"hunter2"}"#, #"{"params":"AM.A,hunter2"}"#, "params:\n\"hunter2\"",
    ])
    func `what looks like a credential is masked`(text: String) {
        #expect(!excerpt(text).contains("hunter2"))
        #expect(excerpt(text).contains("••••"))
    }

    @Test func `a long run of letters and digits is masked whatever its name`() {
        #expect(excerpt(#"{"message":"dGhpcyBpcyBhbiBBUEkga2V5"}"#) == #"{"message":"••••"}"#)
        #expect(
            excerpt(#"{"t":1381219200000,"q":12345678901234567890}"#)
                == #"{"t":1381219200000,"q":12345678901234567890}"#)
    }

    @Test(arguments: [
        "hunter2", "hunter.2+two/2=", "77", "0123456789abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMN",
    ])
    func `the key is masked in a sample, however short it is and wherever the excerpt ends`(key: String) {
        for padding in 0..<260 {
            let piece = #"{"ev":""# + String(repeating: ",", count: padding) + key + #"","x":1}"#
            let text = Array(piece.utf8).withUnsafeBytes { RedactedText.excerpt(of: $0, hiding: Secret(key)) }
            #expect(!text.contains(key) && !text.contains(key.prefix(key.count - 1)), "\(padding)")
            #expect(text.contains("••••") == (padding + 7 < RedactedText.maximumBytes), "\(padding)")
        }
        var decoder = FrameDecoder(hiding: Secret(key))
        var batch = EventBatch(connection: "test", receivedMicroseconds: 0)
        var statuses: [FeedStatus] = []
        for event in [#"{"ev":"\#(key)"}"#, #"{"ev":"T","sym":"A","p":1,"s":1,"t":1,"x":"\#(key)"}"#] {
            Array("[\(event)]".utf8).withUnsafeBytes { decoder.decode($0, into: &batch, statuses: &statuses) }
        }
        #expect(decoder.rejects.samples.map(\.text) == [#"{"ev":"••••"}"#])
        #expect(decoder.rejects.fields.sample(of: .trade)?.text.contains(key) == false)
    }

    @Test func `an event is shown as it is`() {
        let event = #"{"ev":"T","sym":"BRK.B","x":12,"i":"52983525029461","z":1,"p":167.42,"c":[0,12]}"#
        #expect(excerpt(event) == event)
        let status = #"{"ev":"status","status":"auth_failed","message":"authentication failed"}"#
        #expect(excerpt(status) == status)
    }

    @Test func `a run that the sample's end cuts is judged by more than what is shown of it`() {
        let start = String(repeating: "{\"x\":1},", count: 30).prefix(RedactedText.maximumBytes - 9)
        #expect(excerpt(start + "dGhpcyBpcyBhbiBBUEkga2V5") == start + "••••…")
        #expect(excerpt(start + "disconnected by") == start + "disconnec…")
    }

    @Test func `what can't be printed is escaped`() {
        #expect(excerpt("a\u{0}\n\r\t\u{1B}[31mé") == #"a\x00\n\r\t\x1b[31m\xc3\xa9"#)
    }

    @Test func `a sample is short however long the piece is`() {
        let text = excerpt(String(repeating: "{\"x\":1},", count: 100_000))
        #expect(text.utf8.count <= RedactedText.maximumBytes + 3)
        #expect(text.hasSuffix("…"))
        #expect(excerpt(String(repeating: "\u{1}", count: 100_000)).utf8.count <= 4 * RedactedText.maximumBytes + 3)
    }

    @Test func `a credential that the excerpt's end cuts is masked too`() {
        let start = #"{"x":""# + String(repeating: "1,", count: 90)
        for padding in 0..<24 {
            let text = start + String(repeating: ",", count: padding) + #"","params":"hunter2hunter2hunter2"}"#
            #expect(!excerpt(text).contains("hunter"))
        }
    }
}
