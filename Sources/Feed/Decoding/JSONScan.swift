/// Why a text was not accepted as JSON.
enum JSONFault: Error {
    case malformed
    case tooDeep

    var reason: DecodeRejects.Reason {
        switch self {
        case .malformed: .malformedJSON
        case .tooDeep: .tooDeep
        }
    }
}

/// Scans JSON (RFC 8259) token by token to find where values end, and checks every byte.
///
/// Each function takes the position of a token's first byte and returns the position after its last byte.
enum JSONScan {
    @inline(__always)
    static func skipSpace(_ bytes: FrameBytes, _ start: Int) -> Int {
        var place = start
        while place < bytes.count, isSpace(bytes[place]) { place &+= 1 }
        return place
    }

    @inline(__always)
    static func isSpace(_ byte: UInt8) -> Bool {
        byte <= 0x20 && (byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09)
    }

    /// Scans a string, from its opening quote.
    static func string(_ bytes: FrameBytes, _ start: Int) throws(JSONFault) -> (end: Int, escaped: Bool) {
        guard start < bytes.count, bytes[start] == UInt8(ascii: "\"") else { throw .malformed }
        var place = start &+ 1
        var escaped = false
        while true {
            if place &+ 8 <= bytes.count {
                let special = EightBytes.firstSpecial(bytes.word(at: place))
                guard special != 0 else {
                    place &+= 8
                    continue
                }
                place &+= Int(truncatingIfNeeded: EightBytes.bitsBelow(special) &>> 3)
            }
            guard place < bytes.count else { throw .malformed }
            switch bytes[place] {
            case UInt8(ascii: "\""):
                return (place &+ 1, escaped)
            case UInt8(ascii: "\\"):
                escaped = true
                place = try escape(bytes, place)
            case 0..<0x20:
                throw .malformed
            default:
                place &+= 1
            }
        }
    }

    /// Scans an escape, from its backslash.
    private static func escape(_ bytes: FrameBytes, _ start: Int) throws(JSONFault) -> Int {
        guard start &+ 1 < bytes.count else { throw .malformed }
        switch bytes[start &+ 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return start &+ 2
        case UInt8(ascii: "u"):
            guard start &+ 6 <= bytes.count else { throw .malformed }
            for place in start &+ 2..<start &+ 6 where KeptText.hexValue(bytes[place]) == nil {
                throw .malformed
            }
            return start &+ 6
        default:
            throw .malformed
        }
    }

    /// Scans a number, from its sign or first digit.
    static func number(_ bytes: FrameBytes, _ start: Int) throws(JSONFault) -> Int {
        var place = start
        if place < bytes.count, bytes[place] == UInt8(ascii: "-") { place &+= 1 }
        let whole = place
        place = digits(bytes, place)
        guard place > whole, place == whole &+ 1 || bytes[whole] != UInt8(ascii: "0") else { throw .malformed }
        if place < bytes.count, bytes[place] == UInt8(ascii: ".") {
            let fraction = place &+ 1
            place = digits(bytes, fraction)
            guard place > fraction else { throw .malformed }
        }
        if place < bytes.count, bytes[place] | 0x20 == UInt8(ascii: "e") {
            place &+= 1
            if place < bytes.count, bytes[place] == UInt8(ascii: "+") || bytes[place] == UInt8(ascii: "-") {
                place &+= 1
            }
            let exponent = place
            place = digits(bytes, exponent)
            guard place > exponent else { throw .malformed }
        }
        return place
    }

    private static func digits(_ bytes: FrameBytes, _ start: Int) -> Int {
        var place = start
        while place < bytes.count, bytes[place] &- 0x30 < 10 { place &+= 1 }
        return place
    }

    /// Scans `text`, which is `true`, `false` or `null`.
    static func literal(_ bytes: FrameBytes, _ start: Int, _ text: StaticString) throws(JSONFault) -> Int {
        guard bytes.holds(text, at: start) else { throw .malformed }
        return start &+ text.utf8CodeUnitCount
    }

    /// Scans a value of any kind, with `depth` containers open around it.
    static func value(
        _ bytes: FrameBytes, _ start: Int, depth: Int
    ) throws(JSONFault) -> (end: Int, kind: EventFields.Kind) {
        guard start < bytes.count else { throw .malformed }
        switch bytes[start] {
        case UInt8(ascii: "\""):
            let (end, escaped) = try string(bytes, start)
            return (end, escaped ? .escapedString : .string)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return (try number(bytes, start), .number)
        case UInt8(ascii: "["):
            return (try container(bytes, start, depth: depth), .array)
        case UInt8(ascii: "{"):
            return (try container(bytes, start, depth: depth), .object)
        case UInt8(ascii: "t"):
            return (try literal(bytes, start, "true"), .boolTrue)
        case UInt8(ascii: "f"):
            return (try literal(bytes, start, "false"), .boolFalse)
        case UInt8(ascii: "n"):
            return (try literal(bytes, start, "null"), .null)
        default:
            throw .malformed
        }
    }

    /// Scans an array or object with all its content, from its opening bracket. The open containers are the bits of a
    /// word, so that there is no recursion.
    private static func container(_ bytes: FrameBytes, _ start: Int, depth: Int) throws(JSONFault) -> Int {
        var objects: UInt64 = 0
        var open = 0
        var place = start
        while true {
            // At a value.
            guard place < bytes.count else { throw .malformed }
            var closes = false
            if bytes[place] == UInt8(ascii: "[") || bytes[place] == UInt8(ascii: "{") {
                guard open &+ depth < FrameDecoder.maximumDepth else { throw .tooDeep }
                let isObject = bytes[place] == UInt8(ascii: "{")
                open &+= 1
                objects = objects &<< 1 | (isObject ? 1 : 0)
                place = skipSpace(bytes, place &+ 1)
                guard place < bytes.count else { throw .malformed }
                closes = bytes[place] == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]"))
                if !closes {
                    if isObject { place = try name(bytes, place) }
                    continue
                }
            } else {
                place = skipSpace(bytes, try value(bytes, place, depth: depth).end)
            }
            // After a value, or at the bracket that closes an empty container.
            while true {
                guard place < bytes.count else { throw .malformed }
                let inObject = objects & 1 == 1
                if closes || bytes[place] == (inObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    closes = false
                    objects &>>= 1
                    open &-= 1
                    place &+= 1
                    if open == 0 { return place }
                    place = skipSpace(bytes, place)
                    continue
                }
                guard bytes[place] == UInt8(ascii: ",") else { throw .malformed }
                place = skipSpace(bytes, place &+ 1)
                if inObject { place = try name(bytes, place) }
                break
            }
        }
    }

    /// Scans a field's name and colon; returns the position of its value.
    private static func name(_ bytes: FrameBytes, _ start: Int) throws(JSONFault) -> Int {
        let colon = skipSpace(bytes, try string(bytes, start).end)
        guard colon < bytes.count, bytes[colon] == UInt8(ascii: ":") else { throw .malformed }
        return skipSpace(bytes, colon &+ 1)
    }
}
