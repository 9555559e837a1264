public import Feed
import MarketData

/// What the decoder made of one frame, with the texts written out.
public struct DecodedFrame {
    /// The events, as ``EventLine`` writes them.
    public var events: [String]
    /// The status messages.
    public var statuses: [FeedStatus] = []
    /// What was counted instead of taken.
    public var rejects: DecodeRejects

    /// Decodes the bytes just where they lie.
    public init(_ bytes: UnsafeRawBufferPointer) {
        var decoder = FrameDecoder()
        var batch = EventBatch(connection: "test", receivedMicroseconds: 1)
        decoder.decode(bytes, into: &batch, statuses: &statuses)
        rejects = decoder.rejects
        events = EventLine.lines(batch)
    }
}
