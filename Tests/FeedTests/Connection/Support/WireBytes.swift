/// Frames as bytes on the wire, including some that no library would write.
enum WireBytes {
    /// A frame as a server sends it: not masked, its length in as few bytes as RFC 6455 requires.
    static func frame(_ opcode: UInt8, _ payload: [UInt8] = [], final: Bool = true, reserved: UInt8 = 0) -> [UInt8] {
        var bytes = [(final ? 0x80 : 0) | reserved << 4 | opcode]
        switch payload.count {
        case ..<126: bytes.append(UInt8(payload.count))
        case ..<65_536: bytes += [126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        default:
            bytes.append(127)
            bytes += (0..<8).reversed().map { UInt8(payload.count >> ($0 * 8) & 0xFF) }
        }
        return bytes + payload
    }

    /// A message in frames of at most `size` bytes.
    static func fragments(_ opcode: UInt8, _ payload: [UInt8], each size: Int) -> [[UInt8]] {
        let starts = Array(stride(from: 0, to: max(1, payload.count), by: size))
        return starts.map { start in
            let end = min(payload.count, start + size)
            return frame(start == 0 ? opcode : 0, Array(payload[start..<end]), final: end == payload.count)
        }
    }

    /// A close frame.
    static func close(_ code: UInt16?, _ reason: [UInt8] = []) -> [UInt8] {
        frame(8, (code.map { [UInt8($0 >> 8), UInt8($0 & 0xFF)] } ?? []) + reason)
    }

    /// A trade whose price is `number`, padded with spaces to `count` bytes.
    static func trade(_ number: Int, bytes count: Int = 0) -> [UInt8] {
        let text = Array(ScriptedPeer.trade(number).utf8)
        return text + [UInt8](repeating: UInt8(ascii: " "), count: max(0, count - text.count))
    }
}
