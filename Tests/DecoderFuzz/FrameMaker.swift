public import MarketData

/// Frames like the feed's, and changes to them.
public enum FrameMaker {
    /// A frame of a few events after up to three changes, the events, and the first byte that was changed.
    public static func changedFrame(
        _ random: inout SeededRandom
    ) -> (frame: [UInt8], events: [String], firstChange: Int) {
        let events = (0..<Int.random(in: 1...8, using: &random)).map { _ in event(&random) }
        var frame = Array("[\(events.joined(separator: ","))]".utf8)
        let first = change(&frame, &random)
        return (frame, events, first)
    }

    /// Changes a frame in up to three places; answers the first byte that is another.
    public static func change(_ frame: inout [UInt8], _ random: inout SeededRandom) -> Int {
        var first = frame.count
        for _ in 0..<Int.random(in: 0...3, using: &random) { first = min(first, mutate(&frame, &random)) }
        return first
    }

    /// Changes a frame in one place; answers the first byte that is another.
    public static func mutate(_ frame: inout [UInt8], _ random: inout SeededRandom) -> Int {
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
            frame.replaceSubrange(start..<end, with: Array(number(&random).utf8))
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
    public static func event(_ random: inout SeededRandom) -> String {
        func whole(_ limit: Int, _ random: inout SeededRandom) -> String {
            String(Int.random(in: 0...limit, using: &random))
        }
        func price(_ random: inout SeededRandom) -> String {
            if Int.random(in: 0..<20, using: &random) == 0 { return number(&random) }
            return DecimalText.string(Double(Int.random(in: 1...9_999_999, using: &random)) / 1e4)
        }
        let symbol =
            "\"\(["A", "SPY", "BRK.B", "SIXTEEN161616161", "BACpL", "VERYLONG9"].randomElement(using: &random)!)\""
        let moment = 1_381_219_200_000 + Int.random(in: 0...1_000_000, using: &random)
        let time = String(moment)
        var fields: [(String, String)]
        switch Int.random(in: 0..<6, using: &random) {
        case 0...2:
            let volume = whole(200_000_000, &random)
            fields = [("ev", Bool.random(using: &random) ? "\"AM\"" : "\"A\""), ("sym", symbol), ("v", volume)]
            if Bool.random(using: &random) {
                fields += [("dv", "\"\(volume).5\""), ("av", volume), ("dav", "\"\(price(&random))\"")]
            }
            for name in ["op", "vw", "o", "c", "h", "l", "a"] { fields.append((name, price(&random))) }
            fields += [("z", whole(500, &random)), ("s", time), ("e", String(moment + 1000))]
            if Bool.random(using: &random) { fields.append(("otc", "false")) }
        case 3:
            fields = [
                ("ev", "\"T\""), ("sym", symbol), ("x", whole(20, &random)),
                ("i", "\"\(whole(1_000_000, &random))\""),
                ("z", "1"), ("p", price(&random)), ("s", whole(10000, &random)), ("c", "[0,\(whole(60, &random))]"),
                ("t", time), ("q", whole(1_000_000, &random)), ("trfi", "202"), ("trft", time), ("pt", time),
            ]
        case 4:
            fields = [
                ("ev", "\"Q\""), ("sym", symbol), ("bx", "11"), ("bp", price(&random)), ("bs", whole(900, &random)),
                ("ax", "12"), ("ap", price(&random)), ("as", whole(900, &random)), ("c", "0"), ("i", "[604]"),
                ("t", time), ("q", whole(1_000_000, &random)), ("z", "3"), ("pt", "\(time)123456"),
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

    /// A number in any form that JSON has: short prices for the most part, long and extreme ones too.
    public static func number(_ random: inout SeededRandom) -> String {
        func digits(_ count: ClosedRange<Int>) -> String {
            (0..<Int.random(in: count, using: &random)).map { _ in String(Int.random(in: 0...9, using: &random)) }
                .joined()
        }
        var text = Int.random(in: 0..<8, using: &random) == 0 ? "-" : ""
        switch Int.random(in: 0..<6, using: &random) {
        case 0: text += "0"
        case 1...3: text += String(Int.random(in: 1..<10, using: &random)) + digits(0...4)
        case 4: text += String(Int.random(in: 1..<10, using: &random)) + digits(0...16)
        default: text += String(Int.random(in: 1..<10, using: &random)) + digits(0...40)
        }
        if Int.random(in: 0..<4, using: &random) != 0 {
            text += "." + digits(Int.random(in: 0..<4, using: &random) == 0 ? 1...40 : 1...5)
        }
        if Int.random(in: 0..<3, using: &random) == 0 {
            text += Bool.random(using: &random) ? "e" : "E"
            text += ["", "+", "-"].randomElement(using: &random)!
            text += String(Int.random(in: 0...(Bool.random(using: &random) ? 25 : 330), using: &random))
        }
        return text
    }
}
