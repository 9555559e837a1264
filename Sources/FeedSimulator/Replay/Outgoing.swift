import FeedServer
import NIOCore

/// The frames that are about to be handed to one client.
struct Outgoing {
    var bytes = ByteBuffer()
    var frames = 0
    var counts = KindCounts()

    static func += (left: inout Outgoing, right: Outgoing) {
        left.bytes.writeImmutableBuffer(right.bytes)
        left.frames += right.frames
        left.counts += right.counts
    }

    /// Adds the part of a frame that the client wants.
    mutating func append(
        _ frame: FrameBlock.Frame, of block: FrameBlock, _ filter: FrameFilter, fragmentBytes: Int? = nil
    ) {
        switch filter.filter(frame, of: block) {
        case .nothing: return
        case .whole:
            block.withText(of: frame) { write($0, fragmentBytes) }
            counts += frame.counts
        case .cut(let runs, let cutCounts):
            let text = block.withText(of: frame) { FrameFilter.joined(runs, of: $0) }
            text.withUnsafeBytes { write($0, fragmentBytes) }
            counts += cutCounts
        }
        frames += 1
    }

    private mutating func write(_ text: UnsafeRawBufferPointer, _ fragmentBytes: Int?) {
        if let fragmentBytes, text.count > fragmentBytes {
            WireFrame.appendFragmented(text, size: fragmentBytes, to: &bytes)
        } else {
            WireFrame.append(.text, text, to: &bytes)
        }
    }
}
