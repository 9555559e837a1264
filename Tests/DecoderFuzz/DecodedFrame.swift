public import Feed
import MarketData

/// What the decoder made of one frame, with the texts written out.
public struct DecodedFrame {
    /// The events, as ``EventLine`` writes them: bars, then trades, quotes and the others, each in the frame's order.
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
        events =
            batch.bars.map(EventLine.line) + batch.trades.map { EventLine.line($0, batch.text) }
            + batch.quotes.map { EventLine.line($0, batch.text) }
            + batch.limitBands.map { EventLine.line($0, batch.text) }
            + batch.imbalances.map { EventLine.line($0, batch.text) }
            + batch.fairValues.map { EventLine.line($0, batch.text) }
    }
}
