import MarketData

/// Reads a bar in the feed's usual form: fields in the feed's order (some may be absent, none unknown), no spaces,
/// plain numbers.
///
/// ``ObjectScan`` and ``EventReader`` accept every bar that this accepts, with the same result. They also decide about
/// every bar that this does not accept.
struct UsualBar {
    let bytes: FrameBytes
    /// The position of the comma before the next field, or of the brace after the last. 0 after anything unusual: there
    /// is no comma at 0, so no further field matches.
    private var place: Int

    /// An upper bound for the length of a bar accepted here: 40 bytes up to the symbol's end, and 16 fields of at most
    /// 30 bytes.
    private static let longest = 40 + 16 * 30

    /// Whether a bar that begins as usual is at `start`, far enough from the frame's end.
    @inline(__always)
    static func isPossible(_ bytes: FrameBytes, at start: Int) -> Bool {
        // {"ev":"A
        bytes.count &- start >= longest && bytes.word(at: start) == 0x4122_3A22_7665_227B
    }

    /// Reads the bar whose `{` is at `start`; ``isPossible(_:at:)`` must hold. Returns the position after its `}`.
    /// Returns 0 and appends nothing if the bar has another form or is not valid.
    @inline(never)
    static func append(
        _ bytes: FrameBytes, from start: Int, times: ClosedRange<Int64>, to bars: inout [Bar]
    ) -> Int {
        guard let head = Head(bytes, from: start) else { return 0 }
        var fields = UsualBar(bytes: bytes, place: head.end)
        let volume = fields.number(Name("v"))
        let exactVolume = fields.decimalString(Name("d", "v"))
        let dayVolume = fields.number(Name("a", "v"))
        let exactDayVolume = fields.decimalString(Name("d", "a", "v"))
        let dayOpen = fields.number(Name("o", "p"))
        let vwap = fields.number(Name("v", "w"))
        let open = fields.number(Name("o"))
        let close = fields.number(Name("c"))
        let high = fields.number(Name("h"))
        let low = fields.number(Name("l"))
        let dayVWAP = fields.number(Name("a"))
        let averageSize = fields.number(Name("z"))
        let windowStart = fields.integer(Name("s"))
        let windowEnd = fields.integer(Name("e"))
        let isOTC = fields.flag(Name("o", "t", "c"))
        guard fields.place > 0, bytes[fields.place] == UInt8(ascii: "}"), let open, let high, let low, let close,
            let volume = exactVolume ?? volume, let windowStart, times.contains(windowStart), let windowEnd,
            times.contains(windowEnd), windowEnd > windowStart
        else { return 0 }
        bars.append(
            Bar(
                symbol: head.symbol, interval: head.interval, start: windowStart, end: windowEnd, open: open,
                high: high, low: low, close: close, volume: volume, vwap: vwap,
                dayVolume: exactDayVolume ?? dayVolume, dayOpen: dayOpen, dayVWAP: dayVWAP, averageSize: averageSize,
                isOTC: isOTC))
        return fields.place &+ 1
    }

    /// `{"ev":"AM","sym":"…"`, or the same with `A`.
    private struct Head {
        var symbol: Symbol
        var interval: Bar.Interval
        var end: Int

        @inline(__always)
        init?(_ bytes: FrameBytes, from start: Int) {
            let name: Int
            if bytes[start &+ 8] == UInt8(ascii: "M") {
                interval = .minute
                name = start &+ 9
            } else {
                interval = .second
                name = start &+ 8
            }
            // ","sym":"
            guard bytes.word(at: name) == 0x3A22_6D79_7322_2C22, bytes[name &+ 8] == UInt8(ascii: "\"") else {
                return nil
            }
            let first = bytes.word(at: name &+ 9)
            var quote = EightBytes.firstEqual(first, to: UInt8(ascii: "\""))
            var count = Int(truncatingIfNeeded: EightBytes.bitsBelow(quote) &>> 3)
            let second = bytes.word(at: name &+ 17)
            if quote == 0 {
                quote = EightBytes.firstEqual(second, to: UInt8(ascii: "\""))
                guard quote != 0 else { return nil }
                count = 8 &+ Int(truncatingIfNeeded: EightBytes.bitsBelow(quote) &>> 3)
            }
            guard let symbol = Symbol(littleEndian: first, second, count: count) else { return nil }
            self.symbol = symbol
            end = name &+ 10 &+ count
        }
    }

    /// A comma and a field's name with its quotes and colon, as the lowest bytes of a word.
    private struct Name {
        let word: UInt64
        let mask: UInt64
        let length: Int

        @inline(__always)
        init(_ first: Unicode.Scalar) {
            word = 0x3A_2200_222C | UInt64(first.value) &<< 16
            mask = 0xFF_FFFF_FFFF
            length = 5
        }

        @inline(__always)
        init(_ first: Unicode.Scalar, _ second: Unicode.Scalar) {
            word = 0x3A22_0000_222C | UInt64(first.value) &<< 16 | UInt64(second.value) &<< 24
            mask = 0xFFFF_FFFF_FFFF
            length = 6
        }

        @inline(__always)
        init(_ first: Unicode.Scalar, _ second: Unicode.Scalar, _ third: Unicode.Scalar) {
            word =
                0x3A_2200_0000_222C | UInt64(first.value) &<< 16 | UInt64(second.value) &<< 24
                | UInt64(third.value) &<< 32
            mask = 0xFF_FFFF_FFFF_FFFF
            length = 7
        }
    }

    @inline(__always)
    private init(bytes: FrameBytes, place: Int) {
        self.bytes = bytes
        self.place = place
    }

    /// Whether the field comes next.
    @inline(__always)
    private func isNext(_ name: Name) -> Bool { bytes.word(at: place) & name.mask == name.word }

    /// A number; `nil` when the field does not come next.
    @inline(__always)
    private mutating func number(_ name: Name) -> Double? {
        guard isNext(name) else { return nil }
        let (value, end) = UsualBar.number(bytes, at: place &+ name.length)
        place = end
        return value
    }

    /// A number in quotes.
    @inline(__always)
    private mutating func decimalString(_ name: Name) -> Double? {
        guard isNext(name) else { return nil }
        let (value, end) = UsualBar.decimalString(bytes, at: place &+ name.length)
        place = end
        return value
    }

    /// A number without a point.
    @inline(__always)
    private mutating func integer(_ name: Name) -> Int64? {
        guard isNext(name) else { return nil }
        let (value, end) = UsualBar.integer(bytes, at: place &+ name.length)
        place = end
        return value
    }

    @inline(__always)
    private mutating func flag(_ name: Name) -> Bool? {
        guard isNext(name) else { return nil }
        let value = place &+ name.length
        let (kind, length) = ObjectScan.quickLiteral(bytes.word(at: value))
        place = length == 0 ? 0 : UsualBar.checked(value &+ length, bytes)
        return kind == .null ? nil : kind == .boolTrue
    }

    // Not inlined: a copy for each field would be too much for the optimizer.

    @inline(never)
    private static func number(_ bytes: FrameBytes, at place: Int) -> (value: Double, end: Int) {
        let number = PlainNumber.read(bytes, at: place)
        return (number.double, checked(number.end, bytes))
    }

    @inline(never)
    private static func integer(_ bytes: FrameBytes, at place: Int) -> (value: Int64, end: Int) {
        let number = PlainNumber.read(bytes, at: place)
        return (Int64(truncatingIfNeeded: number.digits), number.decimals == 0 ? checked(number.end, bytes) : 0)
    }

    @inline(never)
    private static func decimalString(_ bytes: FrameBytes, at place: Int) -> (value: Double, end: Int) {
        let number = PlainNumber.read(bytes, at: place &+ 1)
        let isQuoted = bytes[place] == UInt8(ascii: "\"") && bytes[number.end] == UInt8(ascii: "\"")
        return (number.double, isQuoted && number.end > 0 ? checked(number.end &+ 1, bytes) : 0)
    }

    /// Returns `end` if a comma or closing brace is there, otherwise 0.
    @inline(__always)
    private static func checked(_ end: Int, _ bytes: FrameBytes) -> Int {
        let next = bytes[end]
        return next == UInt8(ascii: ",") || next == UInt8(ascii: "}") ? end : 0
    }
}
