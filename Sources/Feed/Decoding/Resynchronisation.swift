/// Finds the next event of a frame after one that is not JSON.
struct Resynchronisation {
    let bytes: FrameBytes
    /// Whether matching brackets and quotes has failed once. It is not tried again, which keeps the total work linear
    /// in the frame's length.
    private(set) var lostStructure = false

    /// Skips a malformed element. Returns the position of the comma or bracket of the frame's array that follows it, or
    /// the frame's end, and the number of events that seem to be lost.
    mutating func skip(from start: Int) -> (end: Int, events: Int) {
        if !lostStructure {
            if let end = delimiter(from: start) { return (end, 1) }
            lostStructure = true
        }
        return nextEvent(from: start)
    }

    /// Follows brackets and strings to the comma or bracket that ends the element; returns `nil` if they don't match or
    /// the frame ends first.
    private func delimiter(from start: Int) -> Int? {
        var place = start
        // The open brackets as bits, 1 for an object. An element nested deeper than 64 levels is no longer checked for
        // matching brackets, only counted.
        var objects: UInt64 = 0
        var depth = 0
        var deepest = 0
        while place < bytes.count {
            switch bytes[place] {
            case UInt8(ascii: "\""):
                guard let end = stringEnd(place) else { return nil }
                place = end
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                objects = objects &<< 1 | (bytes[place] == UInt8(ascii: "{") ? 1 : 0)
                depth &+= 1
                deepest = max(deepest, depth)
            case UInt8(ascii: "]") where depth == 0, UInt8(ascii: ",") where depth == 0:
                return place
            case UInt8(ascii: "}") where depth > 0, UInt8(ascii: "]"):
                let isObject = bytes[place] == UInt8(ascii: "}")
                guard deepest > 64 || (objects & 1 == 1) == isObject else { return nil }
                objects &>>= 1
                depth &-= 1
            default: break
            }
            place &+= 1
        }
        return nil
    }

    private func stringEnd(_ start: Int) -> Int? {
        var place = start &+ 1
        while place < bytes.count {
            switch bytes[place] {
            case UInt8(ascii: "\""): return place &+ 1
            case UInt8(ascii: "\\"): place &+= 2
            default: place &+= 1
            }
        }
        return nil
    }

    /// Looks for `},{"ev"`, which occurs between two events but not in a string, where its quotes would be escaped.
    private func nextEvent(from start: Int) -> (end: Int, events: Int) {
        var events = 0
        for place in start..<bytes.count where bytes.holds("\"ev\"", at: place) {
            if let comma = comma(before: place, after: start) { return (comma, max(events, 1)) }
            events += 1
        }
        return (bytes.count, max(events, 1))
    }

    /// Returns the comma of the `},{` before the name at `place`; `nil` if there is none.
    private func comma(before place: Int, after start: Int) -> Int? {
        var comma: Int?
        var before = place
        for byte in [UInt8(ascii: "{"), UInt8(ascii: ","), UInt8(ascii: "}")] {
            before &-= 1
            // The feed does not put more space than this between two events.
            let limit = before &- 8
            while before > start, before > limit, JSONScan.isSpace(bytes[before]) { before &-= 1 }
            guard before > start, bytes[before] == byte else { return nil }
            if byte == UInt8(ascii: ",") { comma = before }
        }
        return comma
    }
}
