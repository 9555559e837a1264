import FeedServer
import NIOCore

/// Packs events into text frames, each a JSON array, that any client reads: of some 32 KiB, since many take no message
/// of more than a megabyte.
struct EventFrames {
    /// A frame is ended past this many bytes of text.
    static let frameBytes = 32 << 10
    /// Up to this length a header takes four bytes.
    private static let mediumBytes = 65_535

    private(set) var buffer = ByteBuffer()
    /// Where the open frame's header starts; `nil` between two frames.
    private var start: Int?
    /// The events packed.
    private(set) var events = 0

    /// Whether nothing was packed.
    var isEmpty: Bool { events == 0 }

    /// Adds an event's JSON.
    mutating func append(_ event: UnsafeRawBufferPointer) {
        if let start, buffer.writerIndex - start + event.count > EventFrames.mediumBytes - 16 { close() }
        events += 1
        guard event.count <= EventFrames.mediumBytes - 16 else {
            WireFrame.appendHeader(.text, length: event.count + 2, to: &buffer)
            buffer.writeInteger(UInt8(ascii: "["))
            buffer.writeBytes(event)
            buffer.writeInteger(UInt8(ascii: "]"))
            return
        }
        if let start {
            buffer.writeInteger(UInt8(ascii: ","))
            buffer.writeBytes(event)
            if buffer.writerIndex - start > EventFrames.frameBytes { close() }
        } else {
            start = buffer.writerIndex
            // Room for the header, which tells the length.
            buffer.writeInteger(UInt32(0))
            buffer.writeInteger(UInt8(ascii: "["))
            buffer.writeBytes(event)
        }
    }

    /// Ends the open frame and takes the bytes out.
    mutating func take() -> ByteBuffer {
        close()
        defer {
            buffer = ByteBuffer()
            events = 0
        }
        return buffer
    }

    private mutating func close() {
        guard let start else { return }
        self.start = nil
        buffer.writeInteger(UInt8(ascii: "]"))
        let length = buffer.writerIndex - start - 4
        if length < 126 {
            // The shortest form that a length has is the only one allowed.
            guard let text = buffer.getSlice(at: start + 4, length: length) else { return }
            buffer.moveWriterIndex(to: start)
            WireFrame.appendHeader(.text, length: length, to: &buffer)
            buffer.writeImmutableBuffer(text)
        } else {
            buffer.setInteger(UInt16(0x817E), at: start)
            buffer.setInteger(UInt16(length), at: start + 2)
        }
    }
}
