import Synchronization

/// The frames that a function writes, from number 0 on.
final class WrittenSource: FrameSource {
    private let frame: @Sendable (Int) -> SimulatorConfiguration.Frame?
    private let blockBytes: Int
    private let written = Mutex(0)

    init(_ frame: @escaping @Sendable (Int) -> SimulatorConfiguration.Frame?, pace: SimulatorConfiguration.Pace) {
        self.frame = frame
        blockBytes = pace == .flatOut ? 256 << 10 : 16 << 10
    }

    func nextBlock() throws(SimulatorError) -> FrameBlock? {
        try written.withLock { written throws(SimulatorError) in
            var block = FrameBlock(capacity: blockBytes + (16 << 10))
            while block.byteCount < blockBytes, let frame = frame(written) {
                let counts = frame.text.withUnsafeBytes { FrameScan.count($0) }
                guard let counts else {
                    throw SimulatorError(
                        reason: .configuration, operation: "sending frame \(written)",
                        underlying: "the text isn't a JSON array of events", advice: "write a frame as the feed does")
                }
                frame.text.withUnsafeBytes { block.append($0, counts: counts, time: frame.time) }
                written += 1
            }
            return block.frames.isEmpty ? nil : block
        }
    }
}
