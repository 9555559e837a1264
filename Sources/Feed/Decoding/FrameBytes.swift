/// A frame's bytes, read by position. Callers must keep positions in bounds; only debug builds check them.
struct FrameBytes {
    let base: UnsafeRawPointer
    let count: Int

    @inline(__always)
    subscript(_ place: Int) -> UInt8 {
        assert(place >= 0 && place < count)
        return base.load(fromByteOffset: place, as: UInt8.self)
    }

    /// The eight bytes from `place` on, the first in the lowest byte.
    @inline(__always)
    func word(at place: Int) -> UInt64 {
        assert(place >= 0 && place <= count - 8)
        return UInt64(littleEndian: base.loadUnaligned(fromByteOffset: place, as: UInt64.self))
    }

    /// Whether `text` is at `place`.
    func holds(_ text: StaticString, at place: Int) -> Bool {
        guard count &- place >= text.utf8CodeUnitCount else { return false }
        for offset in 0..<text.utf8CodeUnitCount where self[place &+ offset] != text.utf8Start[offset] { return false }
        return true
    }

    /// The bytes from `start` up to `end`.
    @inline(__always)
    func slice(_ start: Int, _ end: Int) -> UnsafeRawBufferPointer {
        assert(start >= 0 && start <= end && end <= count)
        return UnsafeRawBufferPointer(start: base + start, count: end &- start)
    }
}
