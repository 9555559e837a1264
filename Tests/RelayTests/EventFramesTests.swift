import MarketData
import NIOCore
import NIOWebSocket
import Testing

@testable import Relay

@Suite(.timeLimit(.minutes(1))) struct `Packing events into frames` {
    /// The texts of the frames in some bytes.
    private func texts(_ buffer: ByteBuffer) -> [String] {
        var (buffer, texts) = (buffer, [String]())
        while let (first, second) = buffer.readMultipleIntegers(as: (UInt8, UInt8).self) {
            #expect(first == 0x81)
            var length = Int(second)
            // The shortest form of a length is the only one allowed.
            if second == 126 {
                length = Int(buffer.readInteger(as: UInt16.self) ?? 0)
                #expect(length >= 126)
            } else if second == 127 {
                length = Int(buffer.readInteger(as: UInt64.self) ?? 0)
                #expect(length > 65_535)
            }
            texts.append(buffer.readString(length: length) ?? "?")
        }
        return texts
    }

    private func pack(_ events: [String]) -> [String] {
        var frames = EventFrames()
        for event in events { Array(event.utf8).withUnsafeBytes { frames.append($0) } }
        #expect(frames.events == events.count)
        return texts(frames.take())
    }

    @Test(arguments: [1, 120, 121, 122, 123, 124, 125, 126, 127, 5000, 32_768, 65_000, 65_519, 65_520, 70_000, 1 << 20])
    func `an event of any length makes a frame`(length: Int) {
        let event = String(repeating: "x", count: length)
        #expect(pack([event]) == ["[\(event)]"])
        let three = pack(["a", event, "b"])
        #expect(three.joined().split { "[,]".contains($0) }.map(String.init) == ["a", event, "b"])
    }

    @Test func `many events go in frames that any client takes`() {
        let events = (0..<2000).map { "{\"q\":\($0),\"text\":\"\(String(repeating: "y", count: 100))\"}" }
        let frames = pack(events)
        #expect(frames.allSatisfy { $0.utf8.count < 65_536 } && frames.count > 3)
        #expect(
            frames.map { String($0.dropFirst().dropLast()) }.joined(separator: ",") == events.joined(separator: ","))
    }
}
