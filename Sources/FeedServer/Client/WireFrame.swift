public import NIOCore

/// Writes WebSocket frames as a server sends them, unmasked (RFC 6455 section 5.2).
public enum WireFrame {
    /// The type of a frame.
    public enum Opcode: UInt8, Sendable {
        /// A further part of a message.
        case continuation = 0x0
        /// A text message, or its first part.
        case text = 0x1
        /// The last frame of a connection.
        case close = 0x8
        /// A request for a pong, to check that the other side is alive.
        case ping = 0x9
        /// The answer to a ping.
        case pong = 0xA
    }

    /// Appends a header for `length` bytes that follow.
    public static func appendHeader(
        _ opcode: Opcode, isFinal: Bool = true, isCompressed: Bool = false, length: Int, to buffer: inout ByteBuffer
    ) {
        let first = opcode.rawValue | (isFinal ? 0x80 : 0) | (isCompressed ? 0x40 : 0)
        switch length {
        case ..<126: buffer.writeMultipleIntegers(first, UInt8(length))
        case ..<65_536: buffer.writeMultipleIntegers(first, UInt8(126), UInt16(length))
        default: buffer.writeMultipleIntegers(first, UInt8(127), UInt64(length))
        }
    }

    /// Appends a whole frame.
    public static func append(_ opcode: Opcode, _ payload: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        appendHeader(opcode, length: payload.count, to: &buffer)
        buffer.writeBytes(payload)
    }

    /// Appends a text in fragments of `size` bytes.
    public static func appendFragmented(_ text: UnsafeRawBufferPointer, size: Int, to buffer: inout ByteBuffer) {
        var start = 0
        repeat {
            let end = min(start + size, text.count)
            appendHeader(
                start == 0 ? .text : .continuation, isFinal: end == text.count, length: end - start, to: &buffer)
            buffer.writeBytes(UnsafeRawBufferPointer(rebasing: text[start..<end]))
            start = end
        } while start < text.count
    }

    /// Returns a complete text frame.
    public static func text(_ text: String) -> ByteBuffer {
        var buffer = ByteBuffer()
        appendHeader(.text, length: text.utf8.count, to: &buffer)
        buffer.writeString(text)
        return buffer
    }

    /// Returns a close frame; the reason is cut to 120 bytes, since a control frame holds at most 125.
    public static func close(code: UInt16, reason: String) -> ByteBuffer {
        var buffer = ByteBuffer()
        let bytes = Array(reason.utf8.prefix(120))
        appendHeader(.close, length: 2 + bytes.count, to: &buffer)
        buffer.writeInteger(code)
        buffer.writeBytes(bytes)
        return buffer
    }
}
