/// A ticker as the feed writes it (`AAPL`, `BRK.B`, `BACpL`), kept inline: copying one costs two registers.
///
/// Up to 16 bytes of printable ASCII, without spaces and without the characters that have a meaning in a subscription
/// (`,` separates channels, `*` is the wildcard) or in JSON (`"`, `\`). Ordered byte by byte, as SQLite and
/// PostgreSQL's "C" collation order them.
@frozen
public struct Symbol: Hashable, Sendable, BitwiseCopyable {
    /// The longest symbol, in bytes.
    public static let maximumLength = 16

    @usableFromInline let high: UInt64
    @usableFromInline let low: UInt64

    /// Reads a symbol from UTF-8 bytes; `nil` when they are empty, too long or outside the feed's grammar.
    @inlinable
    public init?(utf8 bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 0, bytes.count <= Symbol.maximumLength else { return nil }
        var words: (UInt64, UInt64) = (0, 0)
        withUnsafeMutableBytes(of: &words) { $0.copyMemory(from: bytes) }
        self.init(littleEndian: UInt64(littleEndian: words.0), UInt64(littleEndian: words.1), count: bytes.count)
    }

    /// Reads a symbol from the first `count` of the sixteen bytes in two words, the first byte in the lowest place;
    /// `nil` as for ``init(utf8:)``. The bytes after `count` may be anything.
    @inlinable
    @inline(__always)
    public init?(littleEndian first: UInt64, _ second: UInt64, count: Int) {
        guard count > 0, count <= Symbol.maximumLength else { return nil }
        if count <= 8 {
            let unused = 64 &- UInt64(truncatingIfNeeded: count) &* 8
            let high = (first &<< unused) &>> unused
            guard Symbol.areAllowed(high | Symbol.placeholders & ~(UInt64.max &>> unused)) else { return nil }
            self.init(high: high.byteSwapped, low: 0)
        } else {
            let unused = 128 &- UInt64(truncatingIfNeeded: count) &* 8
            let low = (second &<< unused) &>> unused
            guard Symbol.areAllowed(first), Symbol.areAllowed(low | Symbol.placeholders & ~(UInt64.max &>> unused))
            else { return nil }
            self.init(high: first.byteSwapped, low: low.byteSwapped)
        }
    }

    /// A word of allowed bytes, for the places that a symbol leaves unused.
    @inlinable
    @inline(__always)
    static var placeholders: UInt64 { 0x4141_4141_4141_4141 }

    /// Whether every byte of a word may be in a symbol.
    @inlinable
    @inline(__always)
    static func areAllowed(_ bytes: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let tops: UInt64 = 0x8080_8080_8080_8080
        // Finds a byte below `!` or above `~`, and each of the four excluded characters. A borrow or carry can cause a
        // false hit only next to a true one.
        let low = (bytes &- ones &* 0x21) & ~bytes
        let high = (bytes &+ ones) | bytes
        let comma = bytes ^ (ones &* UInt64(UInt8(ascii: ",")))
        let star = bytes ^ (ones &* UInt64(UInt8(ascii: "*")))
        let quote = bytes ^ (ones &* UInt64(UInt8(ascii: "\"")))
        let backslash = bytes ^ (ones &* UInt64(UInt8(ascii: "\\")))
        let zeros =
            ((comma &- ones) & ~comma) | ((star &- ones) & ~star) | ((quote &- ones) & ~quote)
            | ((backslash &- ones) & ~backslash)
        return (low | high | zeros) & tops == 0
    }

    /// Reads a symbol from text; `nil` as for ``init(utf8:)``.
    public init?(_ text: some StringProtocol) {
        var copy = String(text)
        guard let symbol = copy.withUTF8({ Symbol(utf8: UnsafeRawBufferPointer($0)) }) else { return nil }
        self = symbol
    }

    @inlinable
    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// The number of bytes.
    @inlinable public var count: Int {
        low == 0 ? 8 - high.trailingZeroBitCount / 8 : 16 - low.trailingZeroBitCount / 8
    }

    /// Calls `body` with the symbol's bytes, valid during the call only.
    @inline(__always)
    public func withUTF8<Result, Failure: Error>(
        _ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let bytes = (high.bigEndian, low.bigEndian)
        return try withUnsafePointer(to: bytes) { pointer throws(Failure) in
            let start = UnsafeRawPointer(pointer).assumingMemoryBound(to: UInt8.self)
            return try body(UnsafeBufferPointer(start: start, count: count))
        }
    }
}

extension Symbol: Comparable {
    /// Orders by bytes.
    @inlinable
    public static func < (left: Symbol, right: Symbol) -> Bool {
        left.high == right.high ? left.low < right.low : left.high < right.high
    }
}

extension Symbol: CustomStringConvertible {
    /// The symbol as text.
    public var description: String { withUTF8 { String(decoding: $0, as: UTF8.self) } }
}
