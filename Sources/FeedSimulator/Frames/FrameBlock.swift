import FeedServer
import MarketData
import NIOCore

/// A run of frames in the form in which they are sent: for each, a WebSocket header and the text.
struct FrameBlock: Sendable {
    /// The position of one frame among the bytes, and what it holds.
    struct Frame: Sendable {
        var start: Int
        var textStart: Int
        var end: Int
        var counts: KindCounts
        var kinds: KindSet
        /// When the frame was sent, in milliseconds since the Unix epoch; never earlier than the frame before it.
        var time: Int64
    }

    private(set) var wire: ByteBuffer
    private(set) var frames: [Frame] = []
    /// The number of status messages that were left out.
    var skippedStatuses = 0
    /// The number of bars with a preliminary volume, to be corrected later.
    var corrections = 0

    init(capacity: Int) {
        wire = ByteBuffer()
        wire.reserveCapacity(capacity)
    }

    var byteCount: Int { wire.writerIndex }

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

    func withText<Result>(of frame: Frame, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        wire.withUnsafeReadableBytes { body(UnsafeRawBufferPointer(rebasing: $0[frame.textStart..<frame.end])) }
    }

    /// Calls `body` with each event of some kinds in a run of frames.
    func forEachEvent(
        of kinds: KindSet, in range: Range<Int>, _ body: (_ event: UnsafeRawBufferPointer, _ kind: KindSet) -> Void
    ) {
        for index in range where !frames[index].kinds.isDisjoint(with: kinds) {
            withText(of: frames[index]) { text in
                _ = FrameScan.forEachEvent(text) { event in
                    guard event.kind.isSubset(of: kinds) else { return }
                    body(UnsafeRawBufferPointer(rebasing: text[event.range]), event.kind)
                }
            }
        }
    }

    /// Returns the bytes of a run of frames without copying them.
    func wire(of range: Range<Int>) -> ByteBuffer {
        let start = frames[range.lowerBound].start
        let end = frames[range.upperBound - 1].end
        return wire.getSlice(at: start, length: end - start) ?? ByteBuffer()
    }
}

/// Where frames come from. Every call may block; only one thread at a time may call.
protocol FrameSource: AnyObject, Sendable {
    /// Returns the next run of frames, or `nil` at the end.
    func nextBlock() throws(SimulatorError) -> FrameBlock?

    /// Whether its events happen in real time. Events that fall into a time when nobody listened are then never sent,
    /// except the bars of the minute in which that time began.
    var isLive: Bool { get }
}

extension FrameSource {
    var isLive: Bool { false }
}
