import Glibc
import MarketData

/// Finds the events of a frame and their kinds without fully parsing them.
enum FrameScan {
    /// An event's range in its frame, and its kind.
    struct Event {
        var range: Range<Int>
        var kind: KindSet
    }

    /// Calls `body` with each event; returns whether the frame is an array of objects.
    ///
    /// Finding the next event is quick when every event starts with `ev`, as the feed writes them. `},{"ev":"` can't
    /// occur within a string: the string would end at the first quote, and `ev` can't follow that. An object nested in
    /// an event would end with a `}` that is followed by something else. All other frames are read field by field.
    @inline(__always)
    static func forEachEvent(_ frame: UnsafeRawBufferPointer, _ body: (Event) -> Void) -> Bool {
        let count = frame.count
        guard count >= 2, frame[0] == UInt8(ascii: "["), frame[count - 1] == UInt8(ascii: "]") else { return false }
        guard quickCount(frame) != nil else { return forEachEventSlowly(frame, body) }
        var start = 1
        while start < count - 1 {
            let end = nextBrace(frame, start) + 1
            body(Event(range: start..<end, kind: quickKind(frame, start + 7)))
            start = end + 1
        }
        return true
    }

    /// Returns the number of events of each kind in the frame, or `nil` when it isn't an array of objects.
    static func count(_ frame: UnsafeRawBufferPointer) -> KindCounts? {
        let count = frame.count
        guard count >= 2, frame[0] == UInt8(ascii: "["), frame[count - 1] == UInt8(ascii: "]") else { return nil }
        if let counts = quickCount(frame) { return counts }
        var counts = KindCounts()
        return forEachEventSlowly(frame) { counts.add($0.kind) } ? counts : nil
    }

    /// Returns the symbol of an event, or `nil` when it has none or the text isn't a ticker.
    static func symbol(of event: UnsafeRawBufferPointer) -> Symbol? {
        guard let value = ObjectFields.value(of: "sym", in: event) ?? ObjectFields.value(of: "T", in: event),
            value.count > 2,
            event[value.lowerBound] == UInt8(ascii: "\"")
        else { return nil }
        return Symbol(utf8: UnsafeRawBufferPointer(rebasing: event[value.lowerBound + 1..<value.upperBound - 1]))
    }

    /// Returns when an event was sent, in milliseconds since the Unix epoch: a bar's end, or the time of another event;
    /// `nil` when it has no possible time.
    static func time(of event: UnsafeRawBufferPointer, kind: KindSet) -> Int64? {
        func time(_ name: StaticString) -> Int64? {
            guard let sent = ObjectFields.integer(name, in: event) else { return nil }
            let milliseconds = UnixTime.isNanoseconds(sent) ? sent / 1_000_000 : sent
            return UnixTime.possible.contains(milliseconds) ? milliseconds : nil
        }
        guard kind.isSubset(of: .bars) else { return time("t") }
        return time("e") ?? time("s").map { $0 + (kind == .minuteBar ? 60_000 : 1000) }
    }

    /// Returns when a frame was sent: the time of its last event, or `nil` when that has none.
    static func time(of frame: UnsafeRawBufferPointer) -> Int64? {
        var last: Event?
        guard forEachEvent(frame, { last = $0 }), let last else { return nil }
        return time(of: UnsafeRawBufferPointer(rebasing: frame[last.range]), kind: last.kind)
    }

    private static let separator = word(",{\"ev\":\"")

    private static func word(_ text: StaticString) -> UInt64 {
        UnsafeRawPointer(text.utf8Start).loadUnaligned(as: UInt64.self)
    }

    /// Whether there is a comma at `position`, followed by another event.
    @inline(__always)
    private static func eventStarts(_ frame: UnsafeRawBufferPointer, afterComma position: Int) -> Bool {
        position + 8 < frame.count && frame.loadUnaligned(fromByteOffset: position, as: UInt64.self) == separator
    }

    @inline(__always)
    private static func nextBrace(_ frame: UnsafeRawBufferPointer, _ start: Int) -> Int {
        guard let base = frame.baseAddress,
            let found = memchr(base + start, Int32(UInt8(ascii: "}")), frame.count - start)
        else { return frame.count }
        return UnsafeRawPointer(found) - base
    }

    @inline(__always)
    private static func quickKind(_ frame: UnsafeRawBufferPointer, _ start: Int) -> KindSet {
        let first = frame[start]
        let second = frame[start + 1]
        if second == UInt8(ascii: "\"") {
            switch first {
            case UInt8(ascii: "A"): return .secondBar
            case UInt8(ascii: "T"): return .trade
            case UInt8(ascii: "Q"): return .quote
            default: return .other
            }
        }
        var end = start
        while end < frame.count, frame[end] != UInt8(ascii: "\"") { end += 1 }
        return KindSet(name: UnsafeRawBufferPointer(rebasing: frame[start..<end]))
    }

    /// Counts the events of a frame that can be read quickly; `nil` for any other frame.
    private static func quickCount(_ frame: UnsafeRawBufferPointer) -> KindCounts? {
        let last = frame.count - 1
        var counts = KindCounts()
        if last == 1 { return counts }
        guard ObjectFields.matches(frame, 1..<min(8, frame.count), "{\"ev\":\"") else { return nil }
        var start = 1
        while true {
            guard start + 9 < last else { return nil }
            counts.add(quickKind(frame, start + 7))
            let end = nextBrace(frame, start + 7) + 1
            if end == last { return counts }
            guard eventStarts(frame, afterComma: end) else { return nil }
            start = end + 1
        }
    }

    private static func forEachEventSlowly(_ frame: UnsafeRawBufferPointer, _ body: (Event) -> Void) -> Bool {
        let last = frame.count - 1
        var position = ObjectFields.skipSpace(frame, 1)
        if position == last { return true }
        while position < last {
            guard frame[position] == UInt8(ascii: "{"), let end = ObjectFields.endOfValue(frame, position), end <= last
            else { return false }
            let event = UnsafeRawBufferPointer(rebasing: frame[position..<end])
            var kind = KindSet.other
            let isObject = ObjectFields.forEach(event) { key, value in
                guard ObjectFields.matches(event, key, "ev"), value.count >= 2 else { return true }
                kind = KindSet(
                    name: UnsafeRawBufferPointer(rebasing: event[value.lowerBound + 1..<value.upperBound - 1]))
                return true
            }
            guard isObject else { return false }
            body(Event(range: position..<end, kind: kind))
            position = ObjectFields.skipSpace(frame, end)
            if position == last { return true }
            guard frame[position] == UInt8(ascii: ",") else { return false }
            position = ObjectFields.skipSpace(frame, position + 1)
        }
        return false
    }
}
