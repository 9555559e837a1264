import FeedServer
import NIOCore

/// Packs events into text frames that any client can read, each a JSON array. A frame has about 32 KiB, since many
/// clients accept no message of more than a megabyte.
struct EventFrames {
    /// A frame is ended once its text exceeds this many bytes.
    static let frameBytes = 32 << 10
    /// Up to this payload length, a header takes four bytes.
    private static let mediumBytes = 65_535

    private(set) var buffer = ByteBuffer()
    /// Where the open frame's header starts; `nil` between two frames.
    private var start: Int?
    private(set) var events = 0

    var isEmpty: Bool { events == 0 }

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
            // Room for the header, which contains the length.
            buffer.writeInteger(UInt32(0))
            buffer.writeInteger(UInt8(ascii: "["))
            buffer.writeBytes(event)
        }
    }

    /// Ends the open frame and takes out the bytes.
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
            // A length must be written in its shortest form.
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
