/// A place in a ``TextArena``.
@frozen
public struct TextRange: Sendable, Equatable, BitwiseCopyable {
    /// The first byte's offset in the arena.
    public var offset: UInt32
    /// The number of bytes.
    public var count: UInt32

    /// No text.
    public static let none = TextRange(offset: 0, count: 0)

    /// Makes a range of `count` bytes at `offset`.
    @inlinable
    public init(offset: UInt32, count: UInt32) {
        self.offset = offset
        self.count = count
    }
}

/// The texts of a batch of events, one after the other: one allocation for all instead of one for each.
public struct TextArena: Sendable, Equatable {
    /// The bytes, UTF-8.
    @inlinable public var bytes: [UInt8] { storage }

    @usableFromInline var storage: [UInt8] = []

    /// Makes an empty arena.
    public init() {}

    /// Copies `text` to the arena's end and returns where it is; an arena beyond 4 GiB is a programming error.
    @inlinable
    public mutating func append(_ text: UnsafeRawBufferPointer) -> TextRange {
        let range = TextRange(offset: UInt32(storage.count), count: UInt32(text.count))
        storage.append(contentsOf: text)
        return range
    }

    /// Copies `text` to the arena's end and returns where it is.
    public mutating func append(_ text: String) -> TextRange {
        var copy = text
        return copy.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    /// Calls `write`, which appends a text's bytes to the arena's end, and returns where they are.
    public mutating func append(writing write: (inout [UInt8]) -> Void) -> TextRange {
        let start = storage.count
        write(&storage)
        return TextRange(offset: UInt32(start), count: UInt32(storage.count - start))
    }

    /// Reserves memory for this many bytes in all.
    mutating func reserve(_ count: Int) { storage.reserveCapacity(count) }

    /// Removes all texts and keeps the memory.
    public mutating func removeAll() { storage.removeAll(keepingCapacity: true) }

    /// Removes the texts from an offset on: those that were appended after the arena had that length.
    public mutating func removeAll(from offset: Int) { storage.removeSubrange(offset...) }

    /// The text at `range`.
    public subscript(_ range: TextRange) -> String { withUTF8(range) { String(decoding: $0, as: UTF8.self) } }

    /// Calls `body` with the bytes at `range`, valid during the call only.
    @inline(__always)
    public func withUTF8<Result, Failure: Error>(
        _ range: TextRange, _ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try storage.withUnsafeBufferPointer { all throws(Failure) in
            let start = Int(range.offset)
            return try body(UnsafeBufferPointer(rebasing: all[start..<start + Int(range.count)]))
        }
    }
}
