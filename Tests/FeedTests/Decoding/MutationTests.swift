import Foundation
import MarketData
import TestSupport
import Testing

@testable import Feed

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Frames like the feed's, changed at random, against a reference decoder.
struct MutationTests {
    #if DEBUG
        static let rounds = 4000
    #else
        static let rounds = 30_000
    #endif

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `frames changed at random are decoded as the reference decodes them`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var whole = 0
        for _ in 0..<MutationTests.rounds / 4 {
            let events = (0..<Int.random(in: 1...8, using: &random)).map { _ in MutationTests.event(&random) }
            var frame = Array("[\(events.joined(separator: ","))]".utf8)
            var firstChange = frame.count
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                firstChange = min(firstChange, MutationTests.mutate(&frame, &random))
            }
            let decoded = Decoded(frame)
            if let value = ReferenceJSON.read(frame[...], depth: FrameDecoder.maximumDepth) {
                whole += 1
                MutationTests.compare(decoded, value, frame)
            } else {
                MutationTests.checkRemains(decoded, frame, events: events, firstChange: firstChange)
            }
        }
        #expect(whole > MutationTests.rounds / 20)
    }

    /// A frame that is JSON: every element must come out as the reference reads it, or be counted.
    private static func compare(_ decoded: Decoded, _ value: ReferenceJSON, _ frame: [UInt8]) {
        let elements: [ReferenceJSON]
        if case .array(let values) = value { elements = values } else { elements = [value] }
        var events: [String] = []
        var statuses: [FeedStatus] = []
        var rejected = 0
        for element in elements {
            switch ReferenceDecoder.read(element) {
            case .event(let line): events.append(line)
            case .status(let status): statuses.append(status)
            case .rejected: rejected += 1
            }
        }
        // The batch keeps the order within each kind.
        let ordered = ["bar", "trade", "quote"].flatMap { kind in events.filter { $0.hasPrefix(kind) } }
        let text = String(decoding: frame, as: UTF8.self)
        #expect(decoded.events == ordered, "\(text)")
        #expect(decoded.statuses == statuses, "\(text)")
        #expect(decoded.rejects.total == rejected, "\(text)")
    }

    /// A frame that is no longer JSON: the loss is counted, the elements in front of it are all there, and whatever
    /// was taken stands in the frame just so.
    private static func checkRemains(_ decoded: Decoded, _ frame: [UInt8], events: [String], firstChange: Int) {
        let text = String(decoding: frame, as: UTF8.self)
        #expect(decoded.rejects.total > 0, "\(text)")
        var end = 1
        let untouched = events.prefix {
            end += $0.utf8.count + 1
            return end <= firstChange
        }
        #expect(decoded.events.count + decoded.statuses.count + decoded.rejects.total >= untouched.count, "\(text)")
        var candidates: Set<String> = []
        for place in frame.indices where frame[place] == UInt8(ascii: "{") {
            guard let (value, _) = ReferenceJSON.prefix(frame[place...], depth: FrameDecoder.maximumDepth),
                case .event(let line) = ReferenceDecoder.read(value)
            else { continue }
            candidates.insert(line)
        }
        for line in decoded.events { #expect(candidates.contains(line), "\(text)") }
        for event in untouched {
            guard let value = ReferenceJSON.read(Array(event.utf8)[...], depth: FrameDecoder.maximumDepth),
                case .event(let line) = ReferenceDecoder.read(value)
            else { continue }
            #expect(decoded.events.contains(line), "\(text)")
        }
    }

    @Test func `no byte behind a frame is read`() throws {
        // The frame ends where a page begins that can't be read.
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let map = try #require(mmap(nil, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
        try #require(map != MAP_FAILED)
        defer { munmap(map, 2 * page) }
        try #require(mprotect(map + page, page, PROT_NONE) == 0)
        var random = SeededRandom(seed: 9)
        for _ in 0..<40 {
            let events = (0..<4).map { _ in MutationTests.event(&random) }
            let frame = Array("[\(events.joined(separator: ","))]".utf8.prefix(page))
            var decoder = FrameDecoder()
            for count in 0...frame.count {
                var batch = EventBatch(connection: "test", receivedMicroseconds: 0)
                var statuses: [FeedStatus] = []
                let place = UnsafeMutableRawBufferPointer(start: map + page - count, count: count)
                place.copyBytes(from: frame.prefix(count))
                decoder.decode(UnsafeRawBufferPointer(place), into: &batch, statuses: &statuses)
            }
            #expect(decoder.rejects.total > 0)
        }
    }

    // MARK: Frames

    /// Changes a frame in one place; answers the first byte that is another.
    private static func mutate(_ frame: inout [UInt8], _ random: inout SeededRandom) -> Int {
        guard !frame.isEmpty else { return 0 }
        let place = Int.random(in: 0..<frame.count, using: &random)
        switch Int.random(in: 0..<9, using: &random) {
        case 0: frame[place] = UInt8.random(in: 0...255, using: &random)
        case 1: frame[place] = Array(#"{}[]",:\0123456789.eE+- tfnu"#.utf8).randomElement(using: &random)!
        case 2: frame.remove(at: place)
        case 3: frame.insert(Array(#"{}[]",:\0-. e"#.utf8).randomElement(using: &random)!, at: place)
        case 4: frame.removeSubrange(place..<min(frame.count, place + Int.random(in: 1...40, using: &random)))
        case 5:
            let length = Int.random(in: 1...60, using: &random)
            frame.insert(contentsOf: frame[place..<min(frame.count, place + length)], at: place)
        case 6: frame.removeSubrange(place...)
        case 7:
            // Another number in the place of one.
            guard let start = frame[place...].firstIndex(where: { (48...57).contains($0) }) else { return place }
            let end = frame[start...].firstIndex { !(48...57).contains($0) } ?? frame.count
            frame.replaceSubrange(start..<end, with: Array(NumberDecodingTests.randomNumber(&random).utf8))
            return start
        default:
            let words = [
                "null", "true", "\"\"", "[]", "{}", #""\u0041""#, #"\ud83d\ude00"#, "[1,2]", "\"x\"", " ", "é", "1e400",
                "[[[[", #","ev":"Q""#, #","sym":"ZZ""#, #",{"ev":"T"},"#,
            ]
            frame.insert(contentsOf: Array(words.randomElement(using: &random)!.utf8), at: place)
        }
        return place
    }

    /// An event as the feed sends it, with a new field, another order or another form now and then.
    private static func event(_ random: inout SeededRandom) -> String {
        func number(_ limit: Int, _ random: inout SeededRandom) -> String {
            String(Int.random(in: 0...limit, using: &random))
        }
        func price(_ random: inout SeededRandom) -> String {
            if Int.random(in: 0..<20, using: &random) == 0 { return NumberDecodingTests.randomNumber(&random) }
            return DecimalText.string(Double(Int.random(in: 1...9_999_999, using: &random)) / 1e4)
        }
        let symbol =
            "\"\(["A", "SPY", "BRK.B", "SIXTEEN161616161", "BACpL", "VERYLONG9"].randomElement(using: &random)!)\""
        let time = String(1_381_219_200_000 + Int.random(in: 0...1_000_000, using: &random))
        var fields: [(String, String)]
        switch Int.random(in: 0..<6, using: &random) {
        case 0...2:
            let volume = number(200_000_000, &random)
            fields = [("ev", Bool.random(using: &random) ? "\"AM\"" : "\"A\""), ("sym", symbol), ("v", volume)]
            if Bool.random(using: &random) {
                fields += [("dv", "\"\(volume).5\""), ("av", volume), ("dav", "\"\(price(&random))\"")]
            }
            for name in ["op", "vw", "o", "c", "h", "l", "a"] { fields.append((name, price(&random))) }
            fields += [("z", number(500, &random)), ("s", time), ("e", time)]
            if Bool.random(using: &random) { fields.append(("otc", "false")) }
        case 3:
            fields = [
                ("ev", "\"T\""), ("sym", symbol), ("x", number(20, &random)),
                ("i", "\"\(number(1_000_000, &random))\""),
                ("z", "1"), ("p", price(&random)), ("s", number(10000, &random)), ("c", "[0,\(number(60, &random))]"),
                ("t", time), ("q", number(1_000_000, &random)), ("trfi", "202"), ("trft", time),
            ]
        case 4:
            fields = [
                ("ev", "\"Q\""), ("sym", symbol), ("bx", "11"), ("bp", price(&random)), ("bs", number(900, &random)),
                ("ax", "12"), ("ap", price(&random)), ("as", number(900, &random)), ("c", "0"), ("i", "[604]"),
                ("t", time), ("q", number(1_000_000, &random)), ("z", "3"),
            ]
        default:
            fields = [("ev", "\"status\""), ("status", "\"success\""), ("message", "\"subscribed to: AM.SPY\"")]
        }
        switch Int.random(in: 0..<8, using: &random) {
        case 0: fields.shuffle(using: &random)
        case 1: fields.append(("new", #"{"a":[1,{"b":"]}"}],"c":null}"#))
        case 2: fields.remove(at: Int.random(in: 0..<fields.count, using: &random))
        default: break
        }
        let space = Int.random(in: 0..<10, using: &random) == 0 ? " " : ""
        return "{" + fields.map { "\"\($0.0)\":\(space)\($0.1)" }.joined(separator: ",\(space)") + "}"
    }
}
