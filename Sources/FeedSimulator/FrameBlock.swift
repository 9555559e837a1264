import FeedServer
import MarketData
import NIOCore

/// A run of frames in the form they are sent: each a WebSocket header and the text.
struct FrameBlock: Sendable {
    /// One frame's place among the bytes, and what it holds.
    struct Frame: Sendable {
        var start: Int
        var textStart: Int
        var end: Int
        /// How many events of each kind it holds.
        var counts: KindCounts
        var kinds: KindSet
        /// When it was sent, in milliseconds; never less than the frame's before it.
        var time: Int64
    }

    private(set) var wire: ByteBuffer
    private(set) var frames: [Frame] = []
    /// Status messages that were left out.
    var skippedStatuses = 0
    /// Bars that were sent first with another volume.
    var corrections = 0

    init(capacity: Int) {
        wire = ByteBuffer()
        wire.reserveCapacity(capacity)
    }

    var byteCount: Int { wire.writerIndex }

    /// Adds a frame.
    mutating func append(_ text: UnsafeRawBufferPointer, counts: KindCounts, time: Int64) {
        let start = wire.writerIndex
        WireFrame.appendHeader(.text, length: text.count, to: &wire)
        let textStart = wire.writerIndex
        wire.writeBytes(text)
        frames.append(
            Frame(
                start: start, textStart: textStart, end: wire.writerIndex, counts: counts, kinds: counts.kinds,
                time: time))
    }

    /// Calls `body` with a frame's text.
    func withText<Result>(of frame: Frame, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        wire.withUnsafeReadableBytes { body(UnsafeRawBufferPointer(rebasing: $0[frame.textStart..<frame.end])) }
    }

    /// The bytes of a run of frames, without copying.
    func wire(of range: Range<Int>) -> ByteBuffer {
        let start = frames[range.lowerBound].start
        let end = frames[range.upperBound - 1].end
        return wire.getSlice(at: start, length: end - start) ?? ByteBuffer()
    }
}

/// Where frames come from; every call may block, and is made by one thread at a time.
protocol FrameSource: AnyObject, Sendable {
    /// The next run of frames; `nil` at the end.
    func nextBlock() throws(SimulatorError) -> FrameBlock?

    /// Whether its events happen as the wall clock goes: what nobody could be sent in time has not happened.
    var isLive: Bool { get }
}

extension FrameSource {
    var isLive: Bool { false }
}
