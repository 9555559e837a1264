import DecoderFuzz
import MarketData
import Testing

@testable import Feed

/// What a decoder made of one frame, with the events as text.
struct Decoded: Equatable {
    var events: [String] = []
    var statuses: [FeedStatus] = []
    var rejects = DecodeRejects()
    var batch = EventBatch(connection: "test", receivedMicroseconds: 1)

    static func == (left: Decoded, right: Decoded) -> Bool {
        left.events == right.events && left.statuses == right.statuses && left.rejects == right.rejects
    }

    init(_ frame: String, textLimit: Int = Int(UInt32.max)) {
        self.init([UInt8](frame.utf8), textLimit: textLimit)
    }

    init(_ frame: [UInt8], textLimit: Int = Int(UInt32.max)) {
        var decoder = FrameDecoder()
        decoder.textLimit = textLimit
        // Exactly as long as the frame, so that memory checkers notice every read past its end.
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: frame.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: frame)
        decoder.decode(UnsafeRawBufferPointer(copy), into: &batch, statuses: &statuses)
        rejects = decoder.rejects
        events = EventLine.lines(batch)
    }

    /// Decodes an event alone, and again in front of enough others that it is nowhere near the frame's end. Both must
    /// give the same.
    static func event(_ event: String, sourceLocation: SourceLocation = #_sourceLocation) -> Decoded {
        let alone = Decoded("[\(event)]")
        let padding = #"{"ev":"status","status":"padding","message":"\#(String(repeating: "x", count: 500))"}"#
        var padded = Decoded("[\(event),\(padding),\(padding)]")
        #expect(padded.statuses.count >= 2, sourceLocation: sourceLocation)
        padded.statuses.removeLast(2)
        #expect(alone.events == padded.events, sourceLocation: sourceLocation)
        #expect(alone.statuses == padded.statuses, sourceLocation: sourceLocation)
        for reason in DecodeRejects.Reason.allCases {
            #expect(alone.rejects[reason] == padded.rejects[reason], sourceLocation: sourceLocation)
        }
        let object = Decoded(event)
        #expect(object.events == alone.events, sourceLocation: sourceLocation)
        return alone
    }

    /// The one bar of the frame.
    func bar(sourceLocation: SourceLocation = #_sourceLocation) throws -> Bar {
        #expect(rejects.samples == [], sourceLocation: sourceLocation)
        #expect(batch.count == 1, sourceLocation: sourceLocation)
        return try #require(batch.bars.first, sourceLocation: sourceLocation)
    }

    /// The one trade of the frame.
    func trade(sourceLocation: SourceLocation = #_sourceLocation) throws -> Trade {
        #expect(rejects.samples == [], sourceLocation: sourceLocation)
        #expect(batch.count == 1, sourceLocation: sourceLocation)
        return try #require(batch.trades.first, sourceLocation: sourceLocation)
    }

    /// The one quote of the frame.
    func quote(sourceLocation: SourceLocation = #_sourceLocation) throws -> Quote {
        #expect(rejects.samples == [], sourceLocation: sourceLocation)
        #expect(batch.count == 1, sourceLocation: sourceLocation)
        return try #require(batch.quotes.first, sourceLocation: sourceLocation)
    }

    /// The one field that was left out of an event, and why.
    func leftOut(of kind: EventKind) -> (reason: DecodeRejects.Reason, field: String?)? {
        guard rejects.total == 0, rejects.fields.total == 1, let sample = rejects.fields.sample(of: kind) else {
            return nil
        }
        return (sample.reason, sample.field)
    }

    /// The count of each reason that occurred.
    var reasons: [DecodeRejects.Reason: Int] {
        var counts: [DecodeRejects.Reason: Int] = [:]
        for reason in DecodeRejects.Reason.allCases where rejects[reason] > 0 { counts[reason] = rejects[reason] }
        return counts
    }
}

extension DecodeRejects {
    /// The sample of each kind that has one.
    var samples: [Sample] { Self.kinds.compactMap(events.sample(of:)) }
}

extension Double {
    /// The decimal that the value is written as.
    var decimal: String { DecimalText.string(self) }
}
