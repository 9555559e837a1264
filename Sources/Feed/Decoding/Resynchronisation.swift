/// Finds the next event of a frame behind one that is not JSON.
struct Resynchronisation {
    let bytes: FrameBytes
    /// Whether brackets and quotes have once been followed to the frame's end without success. They are not tried
    /// again, which keeps the whole work in proportion to the frame.
    private var lostStructure = false

    init(bytes: FrameBytes) {
        self.bytes = bytes
    }

    /// Skips from a malformed element on. Returns the place of the comma or bracket of the frame's array behind it,
    /// or the frame's end, and how many events seem to be lost.
    mutating func skip(from start: Int) -> (end: Int, events: Int) {
        if !lostStructure {
            if let end = delimiter(from: start) { return (end, 1) }
            lostStructure = true
        }
        return nextEvent(from: start)
    }

    /// Follows brackets and strings to the comma or bracket that ends the element; `nil` when they don't fit
    /// together or the frame ends first.
    private func delimiter(from start: Int) -> Int? {
        var place = start
        // The open brackets, as bits: 1 for an object. More than a word has bits are just counted.
        var objects: UInt64 = 0
        var depth = 0
        var deepest = 0
        while place < bytes.count {
            switch bytes[place] {
            case UInt8(ascii: "\""):
                guard let end = stringEnd(place) else { return nil }
                place = end
                continue
            case UInt8(ascii: "{"):
                objects = objects &<< 1 | 1
                depth &+= 1
                deepest = max(deepest, depth)
            case UInt8(ascii: "["):
                objects = objects &<< 1
                depth &+= 1
                deepest = max(deepest, depth)
            case UInt8(ascii: "}"):
                if depth > 0 {
                    guard deepest > 64 || objects & 1 == 1 else { return nil }
                    objects &>>= 1
                    depth &-= 1
                }
            case UInt8(ascii: "]"):
                if depth == 0 { return place }
                guard deepest > 64 || objects & 1 == 0 else { return nil }
                objects &>>= 1
                depth &-= 1
            case UInt8(ascii: ",") where depth == 0:
                return place
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

    /// Looks for `},{"ev"`, which is between two events and, for its bare quotes, in no string.
    private func nextEvent(from start: Int) -> (end: Int, events: Int) {
        let name: StaticString = "\"ev\""
        var events = 0
        var place = start
        while place &+ name.utf8CodeUnitCount <= bytes.count {
            if bytes[place] == UInt8(ascii: "\""), matches(name, at: place) {
                if let comma = comma(before: place, after: start) { return (comma, max(events, 1)) }
                events += 1
            }
            place &+= 1
        }
        return (bytes.count, max(events, 1))
    }

    private func matches(_ text: StaticString, at place: Int) -> Bool {
        for offset in 0..<text.utf8CodeUnitCount where bytes[place &+ offset] != text.utf8Start[offset] {
            return false
        }
        return true
    }

    /// The comma of `},{` before the name at `place`.
    private func comma(before place: Int, after start: Int) -> Int? {
        var comma: Int?
        var before = place
        for byte in [UInt8(ascii: "{"), UInt8(ascii: ","), UInt8(ascii: "}")] {
            before &-= 1
            // A frame with more space than this between two events is not the feed's.
            let limit = before &- 8
            while before > start, before > limit, JSONScan.isSpace(bytes[before]) { before &-= 1 }
            guard before > start, bytes[before] == byte else { return nil }
            if byte == UInt8(ascii: ",") { comma = before }
        }
        return comma
    }
}
