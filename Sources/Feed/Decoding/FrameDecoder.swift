public import MarketData

/// Turns the feed's text frames into events.
///
/// A frame is a JSON array of events, or a single event. Fields may come in any order, be absent, or be unknown, and
/// numbers may use any notation that JSON allows. Whatever is not an event is counted and sampled in ``rejects``, and
/// decoding continues with the rest of the frame. An event in the usual form causes no allocation other than the growth
/// of the batch. The time is linear in the frame's length, whatever the frame contains.
public struct FrameDecoder: Sendable {
    /// The maximum nesting depth of arrays and objects, including the frame's own array and its events.
    public static let maximumDepth = 32

    /// What could not be decoded since the decoder was made.
    public private(set) var rejects: DecodeRejects

    /// The events that could not be decoded since the last ``takeUnreadable()``.
    private var unreadable = UnreadableEvents()

    /// The range of valid event times, in milliseconds since the Unix epoch. Other times are errors.
    var times: ClosedRange<Int64> = 1...Int64.max

    /// The range from 1990 until a day after `now`, in milliseconds since the Unix epoch.
    static func believableTimes(now: Int64) -> ClosedRange<Int64> {
        let first: Int64 = 631_152_000_000
        return first...max(first, now + 86_400_000)
    }

    /// How many more bars to read without trying ``UsualBar`` first.
    private var unusualBars = 0
    /// How many after ``UsualBar`` fails on one, so that a feed with another form of bar is not slowed down.
    private static let unusualRun = 15

    /// The frame's offset in the text that the batch keeps; `nil` if the batch keeps none.
    private var sentStart: Int?
    /// Whether the frame has an event whose text the batch keeps.
    private var hasWanted = false

    /// The maximum number of bytes of text in a batch: what 32-bit offsets can address.
    var textLimit = Int(UInt32.max)

    /// The nesting depth inside an event: the frame's array and the event.
    static let eventDepth = 2

    /// Makes a decoder.
    ///
    /// - Parameter secret: What no sample of rejected text may show: the key that the feed may echo.
    public init(hiding secret: Secret = Secret("")) { rejects = DecodeRejects(hiding: secret) }

    /// Appends a frame's events to `batch` and its status messages to `statuses`, in the order sent.
    ///
    /// Does not throw and does not block. An event is appended whole or not at all; what can't be decoded is counted in
    /// ``rejects``.
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

    /// Counts a binary message, of which nothing is decoded. Which events it has is not known, so there is no gap.
    mutating func skipBinary(_ message: UnsafeRawBufferPointer) {
        rejects.beginFrame()
        rejects.record(.binaryMessage, piece: message)
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

    /// Decodes an array's elements. Returns the position after the closing bracket, or the frame's end if there is
    /// none.
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

    /// Records where the event decoded last is in the frame.
    @inline(never)
    private mutating func noteSent(from start: Int, to end: Int, in batch: inout EventBatch) {
        guard let sentStart else { return }
        if batch.noteSent(TextRange(offset: UInt32(sentStart + start), count: UInt32(end - start))) { hasWanted = true }
    }

    /// Decodes the element at `place` and returns the position after it. An element that is JSON but not an event is
    /// counted as rejected.
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
            let kind = try reader.kind()
            switch kind {
            case .minuteBar, .secondBar:
                let interval: Bar.Interval = if case .minuteBar = kind { .minute } else { .second }
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
            case nil:
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
        let piece = reader.bytes.slice(start, end)
        rejects.record(rejection.reason, field: rejection.field, kind: try? reader.kind(), piece: piece)
        // Which events an unknown kind or an impossible symbol stands for is not known, so there is no gap. Health
        // reports unknown kinds.
        guard rejection.reason != .unknownEvent else { return }
        let kind: EventKind
        do throws(Rejection) {
            // A status message is no event.
            guard let named = try reader.kind() else { return }
            kind = named
        } catch {
            return unreadable.add(piece)
        }
        do throws(Rejection) {
            unreadable.add(kind, try reader.symbol(of: kind))
        } catch {
            if error.reason != .badSymbol { unreadable.add(kind, nil) }
        }
    }

    /// Counts a piece that is not an object or not JSON.
    private mutating func lose(_ reason: DecodeRejects.Reason, _ piece: UnsafeRawBufferPointer) {
        rejects.record(reason, piece: piece)
        unreadable.add(piece)
    }

    /// Returns which events could not be decoded since the last call; `nil` if all could be.
    mutating func takeUnreadable() -> UnreadableEvents? {
        guard !unreadable.isEmpty else { return nil }
        defer { unreadable = UnreadableEvents() }
        return unreadable
    }

    /// Counts the fields that were left out of an accepted event.
    @inline(never)
    private mutating func leaveOut(_ reader: EventReader, from start: Int, to end: Int) {
        let (keys, reason) = reader.fields.leftOut
        rejects.leaveOut(keys: keys, reason: reason, kind: try? reader.kind(), piece: reader.bytes.slice(start, end))
        reader.fields.forgetLeftOut()
    }
}
