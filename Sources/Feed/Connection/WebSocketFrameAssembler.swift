/// Applies the rules of RFC 6455 across frames: fragments, control frames between them, reserved bits, close codes.
///
/// It sees only headers and small payloads, so a message in one frame is never copied.
struct WebSocketFrameAssembler: Sendable {
    /// The parts of a frame's header that the rules concern.
    struct Header: Equatable {
        /// The last, or only, frame of a message.
        var isFinal = true
        /// The three reserved bits. RSV1, the highest, marks compression if it was negotiated (RFC 7692).
        var reservedBits: UInt8 = 0
        var opcode: UInt8
        /// Whether the payload is masked; a server's must not be.
        var isMasked = false
        var length: Int
    }

    /// What to do with the frame.
    enum Verdict: Equatable {
        /// A whole text message.
        case text
        /// A part of a text message: keep the payload.
        case keep
        /// The last part of a text message: append the payload to complete the message.
        case joined
        /// A whole binary message, or its last part: count it. The feed sends none that matter.
        case skipBinary
        /// A part of a binary message: drop the payload.
        case drop
        case ping
        case pong
        case close
        /// The connection must be failed with a close code.
        case violation(Violation)
    }

    struct Violation: Equatable {
        /// The close code (RFC 6455, section 7.4.1).
        var code: UInt16
        /// What was wrong, and its likely cause.
        var explanation: String
    }

    /// The content of a close frame.
    struct CloseNotice: Equatable {
        /// The code; `nil` when the frame was empty.
        var code: UInt16?
        /// The text, as sent.
        var reason: String
    }

    /// The longest message, in bytes.
    let maximumBytes: Int
    /// The message that was begun in fragments.
    private(set) var open: (isText: Bool, length: Int)?

    /// Judges the next frame.
    mutating func take(_ header: Header) -> Verdict {
        if header.reservedBits & 0b100 != 0 {
            return .protocolError(
                "the feed sent a compressed frame (RSV1) though no compression was negotiated; a proxy may interfere"
            )
        }
        if header.reservedBits != 0 {
            return .protocolError("the feed sent a frame with reserved bits set")
        }
        if header.isMasked {
            return .protocolError("the feed sent a masked frame, which only clients may send")
        }
        switch header.opcode {
        case 0x0, 0x1, 0x2: return content(header)
        case 0x8, 0x9, 0xA:
            guard header.isFinal, header.length <= 125 else { return .violation(.controlFrame) }
            return header.opcode == 0x8 ? .close : header.opcode == 0x9 ? .ping : .pong
        default:
            return .protocolError("the feed sent a frame with the reserved opcode \(header.opcode)")
        }
    }

    private mutating func content(_ header: Header) -> Verdict {
        let isFirst = header.opcode != 0x0
        guard isFirst == (open == nil) else {
            return .protocolError(
                isFirst
                    ? "the feed began a message before it had ended a fragmented one"
                    : "the feed continued a message that it had not begun")
        }
        let (isText, length) = open ?? (isText: header.opcode == 0x1, length: 0)
        guard header.length <= maximumBytes - length else { return .violation(.tooLong(maximumBytes: maximumBytes)) }
        open = header.isFinal ? nil : (isText: isText, length: length + header.length)
        switch (isText, header.isFinal) {
        case (true, true): return isFirst ? .text : .joined
        case (true, false): return .keep
        case (false, true): return .skipBinary
        case (false, false): return .drop
        }
    }

    /// Reads a close frame's payload by the rules of RFC 6455, sections 5.5.1 and 7.4.
    static func readClose(_ payload: some Collection<UInt8>) -> Result<CloseNotice, Violation> {
        guard let high = payload.first else { return .success(CloseNotice(code: nil, reason: "")) }
        guard let low = payload.dropFirst().first else {
            return .failure(Violation(code: 1002, explanation: "the feed sent a close frame with half a code"))
        }
        let code = UInt16(high) << 8 | UInt16(low)
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: break
        default:
            return .failure(
                Violation(code: 1002, explanation: "the feed sent the close code \(code), which must never be sent"))
        }
        guard let reason = String(validating: payload.dropFirst(2), as: UTF8.self) else {
            return .failure(Violation(code: 1007, explanation: "the feed sent a close reason that is not UTF-8"))
        }
        return .success(CloseNotice(code: code, reason: reason))
    }
}

extension WebSocketFrameAssembler.Verdict {
    fileprivate static func protocolError(_ explanation: String) -> Self {
        .violation(.init(code: 1002, explanation: explanation))
    }
}

extension WebSocketFrameAssembler.Violation: Error {
    /// A message beyond the cap.
    static func tooLong(maximumBytes: Int) -> Self {
        Self(
            code: 1009,
            explanation:
                "the feed sent a message longer than the limit of \(maximumBytes) bytes; check that the URL leads to "
                + "a feed")
    }

    /// A control frame that is too long or in fragments (RFC 6455, section 5.5).
    static let controlFrame = Self(
        code: 1002, explanation: "the feed sent a control frame in fragments or of more than 125 bytes")

    /// A text message that is not UTF-8 (RFC 6455, section 8.1).
    static let notUTF8 = Self(code: 1007, explanation: "the feed sent a text message that is not UTF-8")
}
