public import MarketData

/// Turns the feed's text frames into events.
///
/// A frame is a JSON array of events, or one event alone. Fields may come in any order, be absent, or be new; numbers
/// may be written in any way that JSON has. What is no event is counted and sampled in ``rejects``, and the rest of the
/// frame goes on. Makes no allocation per event other than the growth of the batch, and takes time that grows
/// with the frame's length alone, whatever the frame holds.
public struct FrameDecoder: Sendable {
    /// How deep arrays and objects may stand in each other, the frame's own array and its events included.
    public static let maximumDepth = 32

    /// What could not be decoded since the decoder was made.
    public private(set) var rejects = DecodeRejects()

    /// The events that could not be decoded since they were last taken out.
    private var unreadable = UnreadableEvents()

    /// The times that events may have, in milliseconds since the Unix epoch: others are mistakes.
    var times: ClosedRange<Int64> = 1...Int64.max

    /// From 1990 until tomorrow, by a clock in milliseconds since the Unix epoch.
    static func believableTimes(now: Int64) -> ClosedRange<Int64> {
        let first: Int64 = 631_152_000_000
        return first...max(first, now + 86_400_000)
    }

    /// How many bars are still to be read without trying whether they are written as usual.
    private var unusualBars = 0
    /// How many are, after one that is not: a feed that writes its bars in another way is not slowed down.
    private static let unusualRun = 15

    /// Where the frame begins in what the batch keeps, if it does; `nil` when it keeps nothing.
    private var sentStart: Int?
    /// Whether the frame brought an event whose text the batch keeps.
    private var hasWanted = false

    /// How many bytes of text a batch may hold: what 32-bit offsets address.
    private let textLimit: Int

    /// The containers open inside an event: the frame's array and the event.
    static let eventDepth = 2

    /// Makes a decoder.
    public init() {
        self.init(textLimit: Int(UInt32.max))
    }

    init(textLimit: Int) {
        self.textLimit = textLimit
    }

    /// Appends a frame's events to `batch` and its status messages to `statuses`, in the order sent.
    ///
    /// Does not throw and does not block. What can't be decoded is counted in ``rejects``: an event is appended whole
    /// or not at all.
    public mutating func decode(
        _ frame: UnsafeRawBufferPointer, into batch: inout EventBatch, statuses: inout [FeedStatus]
    ) {
        rejects.beginFrame()
        sentStart = batch.sent?.byteCount
        hasWanted = false
        guard let base = frame.baseAddress, frame.count > 0 else {
            rejects.record(.malformedJSON, piece: frame)
            return
        }
        let bytes = FrameBytes(base: base, count: frame.count)
        withUnsafeTemporaryAllocation(of: EventFields.Slot.self, capacity: FieldKey.slotCount) { slots in
            guard let slots = slots.baseAddress else { return }
            decode(bytes, EventFields(slots: slots), into: &batch, statuses: &statuses)
        }
        if hasWanted { batch.sent?.keep(frame) }
    }

    private mutating func decode(
        _ bytes: FrameBytes, _ fields: EventFields, into batch: inout EventBatch, statuses: inout [FeedStatus]
    ) {
        var place = JSONScan.skipSpace(bytes, 0)
        guard place < bytes.count else {
            rejects.record(.malformedJSON, piece: bytes.slice(0, bytes.count))
            return
        }
        if bytes[place] == UInt8(ascii: "[") {
            place = array(bytes, from: place &+ 1, fields, into: &batch, statuses: &statuses)
        } else {
            var scan = ObjectScan(bytes: bytes, fields: fields)
            do {
                let end = try element(at: place, &scan, into: &batch, statuses: &statuses)
                if sentStart != nil { noteSent(from: place, to: end, in: &batch) }
                place = end
            } catch {
                lose(error.reason, bytes.slice(place, bytes.count))
                return
            }
        }
        place = JSONScan.skipSpace(bytes, place)
        if place < bytes.count { lose(.malformedJSON, bytes.slice(place, bytes.count)) }
    }

    /// Decodes an array's elements; returns the place behind its bracket, or the frame's end when it has none.
    private mutating func array(
        _ bytes: FrameBytes, from start: Int, _ fields: EventFields, into batch: inout EventBatch,
        statuses: inout [FeedStatus]
    ) -> Int {
        var scan = ObjectScan(bytes: bytes, fields: fields)
        var recovery = Resynchronisation(bytes: bytes)
        var place = JSONScan.skipSpace(bytes, start)
        if place < bytes.count, bytes[place] == UInt8(ascii: "]") { return place &+ 1 }
        while true {
            let elementStart = place
            do throws(JSONFault) {
                let end = try element(at: place, &scan, into: &batch, statuses: &statuses)
                if sentStart != nil { noteSent(from: place, to: end, in: &batch) }
                place = JSONScan.skipSpace(bytes, end)
                guard place < bytes.count else {
                    lose(.unterminated, bytes.slice(elementStart, bytes.count))
                    return place
                }
                guard bytes[place] == UInt8(ascii: ",") || bytes[place] == UInt8(ascii: "]") else {
                    throw JSONFault.malformed
                }
            } catch {
                let lost = recovery.skip(from: place)
                rejects.record(
                    lost.end == bytes.count && error == .malformed ? .unterminated : error.reason,
                    count: lost.events, piece: bytes.slice(place, bytes.count))
                unreadable.add(bytes.slice(place, lost.end))
                place = lost.end
            }
            guard place < bytes.count else { return place }
            if bytes[place] == UInt8(ascii: "]") { return place &+ 1 }
            place = JSONScan.skipSpace(bytes, place &+ 1)
        }
    }

    /// Keeps where the event lies that was decoded last.
    @inline(never)
    private mutating func noteSent(from start: Int, to end: Int, in batch: inout EventBatch) {
        guard let sentStart else { return }
        if batch.noteSent(TextRange(offset: UInt32(sentStart + start), count: UInt32(end - start))) { hasWanted = true }
    }

    /// Decodes the element at `place` and returns the place behind it; one that is JSON and no event is counted.
    @inline(__always)
    private mutating func element(
        at place: Int, _ scan: inout ObjectScan, into batch: inout EventBatch, statuses: inout [FeedStatus]
    ) throws(JSONFault) -> Int {
        let bytes = scan.bytes
        guard place < bytes.count, bytes[place] == UInt8(ascii: "{") else {
            let end = try JSONScan.value(bytes, place, depth: 1).end
            lose(.notAnObject, bytes.slice(place, end))
            return end
        }
        if UsualBar.isPossible(bytes, at: place) {
            if unusualBars == 0 {
                let end = UsualBar.append(bytes, from: place, times: times, to: &batch.bars)
                if end > 0 { return end }
                unusualBars = FrameDecoder.unusualRun
            } else {
                unusualBars &-= 1
            }
        }
        let end = try scan.object(from: place &+ 1)
        let reader = EventReader(bytes: bytes, fields: scan.fields, times: times)
        do throws(Rejection) {
            switch try reader.event() {
            case .bar(let interval):
                batch.bars.append(try reader.bar(interval))
            case .trade:
                batch.trades.append(try reader.trade(in: &batch.text, limit: textLimit))
            case .quote:
                batch.quotes.append(try reader.quote(in: &batch.text, limit: textLimit))
            case .limitBand:
                batch.limitBands.append(try reader.limitBand(in: &batch.text, limit: textLimit))
            case .imbalance:
                batch.imbalances.append(try reader.imbalance(in: &batch.text, limit: textLimit))
            case .fairValue:
                batch.fairValues.append(try reader.fairValue())
            case .status:
                statuses.append(try reader.status())
            }
            if scan.fields.leftOut.keys != 0 { leaveOut(reader, from: place, to: end) }
        } catch {
            reject(reader, error, from: place, to: end)
        }
        return end
    }

    @inline(never)
    private mutating func reject(_ reader: EventReader, _ rejection: Rejection, from start: Int, to end: Int) {
        reader.fields.forgetLeftOut()
        rejects.record(
            rejection.reason, field: rejection.field, kind: reader.kind, piece: reader.bytes.slice(start, end))
        // What names no symbol that there is, or another kind of event, is nobody's.
        guard rejection.reason != .unknownEvent, !reader.isStatus else { return }
        guard let kind = reader.kind else { return unreadable.add(reader.bytes.slice(start, end)) }
        do throws(Rejection) {
            unreadable.add(kind, try reader.symbol(of: kind))
        } catch {
            if error.reason != .badSymbol { unreadable.add(kind, nil) }
        }
    }

    /// Counts a piece that is no object, or no JSON.
    private mutating func lose(_ reason: DecodeRejects.Reason, _ piece: UnsafeRawBufferPointer) {
        rejects.record(reason, piece: piece)
        unreadable.add(piece)
    }

    /// Takes out which events could not be decoded; `nil` when all could.
    mutating func takeUnreadable() -> UnreadableEvents? {
        guard !unreadable.isEmpty else { return nil }
        defer { unreadable = UnreadableEvents() }
        return unreadable
    }

    /// Counts the fields that an event was taken without.
    @inline(never)
    private mutating func leaveOut(_ reader: EventReader, from start: Int, to end: Int) {
        rejects.leaveOut(
            keys: reader.fields.leftOut.keys, reason: reader.fields.leftOut.reason, kind: reader.kind,
            piece: reader.bytes.slice(start, end))
        reader.fields.forgetLeftOut()
    }
}
