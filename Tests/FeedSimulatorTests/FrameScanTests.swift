import FeedServer
import MarketData
import Testing

@testable import FeedSimulator

@Suite(.timeLimit(.minutes(1))) struct `Finding a frame's events` {
    private func scan(_ text: String) -> [String]? {
        Array(text.utf8).withUnsafeBytes { bytes in
            var found: [String] = []
            let isSound = FrameScan.forEachEvent(bytes) { event in
                let symbol = FrameScan.symbol(of: UnsafeRawBufferPointer(rebasing: bytes[event.range]))
                found.append("\(event.kind.rawValue) \(symbol?.description ?? "-")")
            }
            #expect((FrameScan.count(bytes)?.total == found.count) == isSound)
            return isSound ? found : nil
        }
    }

    @Test(
        arguments: [
            ("[]", []),
            (" []", nil),
            (#"[{"ev":"AM","sym":"AAPL","v":1}]"#, ["1 AAPL"]),
            (#"[{"ev":"A","sym":"A"},{"ev":"T","sym":"B"},{"ev":"Q","sym":"BRK.B"}]"#, ["2 A", "4 B", "8 BRK.B"]),
            (#"[ { "ev" : "A" , "sym" : "A" } , { "sym":"B","ev":"T" } ]"#, ["2 A", "4 B"]),
            (#"[{"ev":"T","sym":"A","i":"},{\"ev\":\"Q"},{"ev":"Q","sym":"B"}]"#, ["4 A", "8 B"]),
            (#"[{"ev":"T","sym":"A","x":[{"ev":"Q"},{"ev":"Q"}]},{"ev":"Q","sym":"B"}]"#, ["4 A", "8 B"]),
            (#"[{"ev":"T","x":{"sym":"N","y":"]"},"sym":"A"}]"#, ["4 A"]),
            (
                #"[{"ev":"status","status":"x"},{"ev":"XQ","sym":"A"},{"ev":"ZZ"},{"sym":"A"},{}]"#,
                ["128 -", "256 A", "256 -", "256 A", "256 -"]
            ),
            (#"[{"ev":"AM","sym":"A"},{"ev":"AM","sym":"B"]"#, nil),
            (#"[{"ev":"AM","sym":"A"}{"ev":"AM"}]"#, nil),
            (#"[{"ev":"AM","sym":"A"},]"#, nil),
            (#"[{"ev":"AM"}"#, nil),
            (#"[{"ev":"AM]"#, nil),
            ("[", nil), ("", nil), ("[{]", nil), ("[{}", nil), ("[1]", nil),
        ] as [(String, [String]?)])
    func `frames of every form`(frame: String, events: [String]?) {
        #expect(scan(frame) == events)
    }

    @Test(
        arguments: [
            (#"[{"ev":"AM","s":1000,"e":61000}]"#, 61_000), (#"[{"ev":"AM","s":1000}]"#, 61_000),
            (#"[{"ev":"A","s":1000}]"#, 2000), (#"[{"ev":"T","t":5},{"ev":"Q","t":7}]"#, 7),
            (#"[{"ev":"T","t":"5"}]"#, nil), (#"[{"ev":"T","t":1.5}]"#, nil), ("[]", nil),
            (#"[{"ev":"LULD","t":1704205801000000123}]"#, 1_704_205_801_000),
            (#"[{"ev":"AM","s":9000000000000000}]"#, nil), (#"[{"ev":"T","t":99999999999999999999}]"#, nil),
        ] as [(String, Int64?)])
    func `a frame's time is its last event's`(frame: String, time: Int64?) {
        #expect(Array(frame.utf8).withUnsafeBytes { FrameScan.time(of: $0) } == time)
    }

    @Test func `the quick way and the slow way agree`() throws {
        for line in ledgerLines(frames: 50, eventsPerFrame: 7) {
            let spaced = line.replacing("},{", with: "}, {").replacing("[{", with: "[ {")
            #expect(scan(line) == scan(spaced))
            #expect(scan(line)?.count == 7)
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct `Cutting out what is subscribed to` {
    private let frame = #"[{"ev":"T","sym":"A"},{"ev":"T","sym":"B"},{"ev":"Q","sym":"A"},{"ev":"ZZ","sym":"A"}]"#

    private func cut(_ channels: String) -> String? {
        var subscriptions = Subscriptions()
        for name in channels.split(separator: ",") { _ = FeedChannel(name).map { subscriptions.insert($0) } }
        var block = FrameBlock(capacity: 0)
        Array(frame.utf8).withUnsafeBytes { bytes in
            block.append(bytes, counts: FrameScan.count(bytes) ?? KindCounts(), time: 0)
        }
        let filter = FrameFilter(subscriptions: subscriptions)
        return block.withText(of: block.frames[0]) { text in
            switch filter.filter(block.frames[0], of: block) {
            case .nothing: nil
            case .whole: String(decoding: text, as: UTF8.self)
            case .cut(let runs, _): String(decoding: FrameFilter.joined(runs, of: text), as: UTF8.self)
            }
        }
    }

    @Test(
        arguments: [
            ("", nil), ("AM.A", nil), ("T.C", nil),
            ("T.A", #"[{"ev":"T","sym":"A"}]"#),
            ("T.A,T.B", #"[{"ev":"T","sym":"A"},{"ev":"T","sym":"B"}]"#),
            ("T.A,Q.A", #"[{"ev":"T","sym":"A"},{"ev":"Q","sym":"A"}]"#),
            ("Q.*", #"[{"ev":"Q","sym":"A"},{"ev":"ZZ","sym":"A"}]"#),
            ("T.*,Q.*", #"[{"ev":"T","sym":"A"},{"ev":"T","sym":"B"},{"ev":"Q","sym":"A"},{"ev":"ZZ","sym":"A"}]"#),
            ("T.A,T.B,Q.*", #"[{"ev":"T","sym":"A"},{"ev":"T","sym":"B"},{"ev":"Q","sym":"A"},{"ev":"ZZ","sym":"A"}]"#),
        ] as [(String, String?)])
    func `events between others, neighbours, all and none`(channels: String, text: String?) {
        #expect(cut(channels) == text)
    }
}

@Suite(.timeLimit(.minutes(1))) struct `The replay's clock` {
    @Test func `paces by the events' time, and starts again after a pause`() {
        let start = ContinuousClock.now
        var clock = ReplayClock(.speed(10))
        #expect(clock.due(5000, now: start) == start)
        #expect(clock.due(6000, now: start) == start + .milliseconds(100))
        #expect(clock.due(25_000, now: start) == start + .seconds(2))
        clock.paused()
        #expect(clock.due(90_000, now: start + .seconds(9)) == start + .seconds(9))
        #expect(clock.due(90_500, now: start) == start + .seconds(9) + .milliseconds(50))
    }

    @Test func `of a live market is the wall clock, whatever pauses`() {
        let start = ContinuousClock.now
        var clock = ReplayClock(liveAt: 5000, start)
        #expect(clock.due(5500, now: start) == start + .milliseconds(500))
        clock.paused()
        #expect(clock.due(25_000, now: start + .seconds(9)) == start + .seconds(20))
    }
}
