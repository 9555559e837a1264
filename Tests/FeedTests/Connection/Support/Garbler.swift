import MarketData
import NIOCore

/// Changes the bytes that a server sends, below TLS, HTTP and WebSocket: flips, drops, doubles, inserts and cuts.
///
/// The seed determines which bytes. Every second seed spares the handshake, so that frames are damaged too.
final class Garbler: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var random: SeededRandom
    private var writesToSpare: Int
    private let rate: Double

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
        writesToSpare = seed % 2 == 0 ? 0 : Int(1 + seed / 2 % 4)
        rate = [0.0005, 0.005, 0.05, 0.5][Int(seed / 8 % 4)]
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard writesToSpare == 0 else {
            writesToSpare -= 1
            return context.write(data, promise: promise)
        }
        var buffer = unwrapOutboundIn(data)
        let bytes = garbled(buffer.readBytes(length: buffer.readableBytes) ?? [])
        context.write(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: promise)
    }

    private func garbled(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        // At least one change in most writes, near the header as often as not.
        let sure = Bool.random(using: &random) ? Int.random(in: 0..<max(1, min(12, bytes.count)), using: &random) : -1
        for (place, byte) in bytes.enumerated() {
            guard place == sure || Double.random(in: 0..<1, using: &random) < rate else {
                result.append(byte)
                continue
            }
            switch Int.random(in: 0..<6, using: &random) {
            case 0: result.append(byte ^ UInt8(1) << UInt8.random(in: 0..<8, using: &random))
            case 1: result.append(UInt8.random(in: 0...255, using: &random))
            case 2: break
            case 3: result += [byte, byte]
            case 4:
                result +=
                    [byte]
                    + (0..<Int.random(in: 1...40, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random)
                    }
            default: return result
            }
        }
        return result
    }
}
