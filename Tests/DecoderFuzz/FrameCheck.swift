import Feed
import MarketData

/// Compares the decoder with two others on one frame.
public struct FrameCheck {
    /// What is not as it must be, each with what was found; empty when all is well.
    public private(set) var differences: [String] = []
    /// Whether the frame was JSON.
    public private(set) var isWhole = false
    /// How many events were compared with the reference's.
    public private(set) var events = 0
    /// How many events were compared with Foundation's.
    public private(set) var eventsOfFoundation = 0

    /// Decodes `frame`, which was made of `events` and then changed from byte `firstChange` on.
    public init(_ frame: [UInt8], events: [String], firstChange: Int, in memory: GuardedMemory) {
        guard let decoded = memory.with(frame, { DecodedFrame($0) }) else { return }
        self.events = decoded.events.count
        if let value = ReferenceJSON.read(frame[...], depth: FrameDecoder.maximumDepth) {
            isWhole = true
            compare(decoded, value, frame)
        } else {
            checkRemains(decoded, frame, events: events, firstChange: firstChange)
        }
    }

    private mutating func expect(_ holds: Bool, _ what: @autoclosure () -> String) {
        if !holds { differences.append(what()) }
    }

    /// A frame that is JSON: every element must come out as the reference reads it, or be counted.
    private mutating func compare(_ decoded: DecodedFrame, _ value: ReferenceJSON, _ frame: [UInt8]) {
        let elements: [ReferenceJSON]
        if case .array(let values) = value { elements = values } else { elements = [value] }
        var lines: [String?] = []
        var statuses: [FeedStatus] = []
        var rejected = 0
        for element in elements {
            switch ReferenceDecoder.read(element) {
            case .event(let line): lines.append(line)
            case .status(let status):
                statuses.append(status)
                lines.append(nil)
            case .rejected:
                rejected += 1
                lines.append(nil)
            }
        }
        // The batch keeps the order within each kind.
        let ordered = ["bar", "trade", "quote"].flatMap { kind in lines.compactMap { $0 }.filter { $0.hasPrefix(kind) }
        }
        expect(decoded.events == ordered, "events \(decoded.events), the reference has \(ordered)")
        expect(decoded.statuses == statuses, "statuses \(decoded.statuses), the reference has \(statuses)")
        expect(decoded.rejects.total == rejected, "\(decoded.rejects.total) rejected, the reference has \(rejected)")
        guard let read = FoundationDecoder.read(frame), read.count == lines.count else { return }
        for (place, line) in read.enumerated() {
            // Of a name that comes twice, Foundation takes the other one. An integer with a fraction or an exponent it
            // reads through a `Double`.
            guard let line, let ours = lines[place], !elements[place].hasNameTwice,
                !elements[place].hasNumberThatRoundsToAnInteger
            else { continue }
            eventsOfFoundation += 1
            expect(line == ours, "\(ours), Foundation has \(line)")
        }
    }

    /// A frame that is no longer JSON: the loss is counted, the elements in front of it are all there, and whatever
    /// was taken stands in the frame just so.
    private mutating func checkRemains(
        _ decoded: DecodedFrame, _ frame: [UInt8], events: [String], firstChange: Int
    ) {
        expect(decoded.rejects.total > 0, "nothing is rejected")
        var end = 1
        let untouched = events.prefix {
            end += $0.utf8.count + 1
            return end <= firstChange
        }
        let total = decoded.events.count + decoded.statuses.count + decoded.rejects.total
        expect(total >= untouched.count, "\(total) of \(untouched.count) untouched elements are accounted for")
        var candidates: Set<String> = []
        for place in frame.indices where frame[place] == UInt8(ascii: "{") {
            guard let (value, _) = ReferenceJSON.prefix(frame[place...], depth: FrameDecoder.maximumDepth),
                case .event(let line) = ReferenceDecoder.read(value)
            else { continue }
            candidates.insert(line)
        }
        for line in decoded.events { expect(candidates.contains(line), "\(line) doesn't stand in the frame") }
        for event in untouched {
            guard let value = ReferenceJSON.read(Array(event.utf8)[...], depth: FrameDecoder.maximumDepth),
                case .event(let line) = ReferenceDecoder.read(value)
            else { continue }
            expect(decoded.events.contains(line), "\(line) is missing")
        }
    }
}

extension ReferenceJSON {
    fileprivate var hasNameTwice: Bool {
        guard case .object(let fields) = self else { return false }
        return Set(fields.map(\.name)).count < fields.count
    }

    /// Whether a number with a fraction or an exponent is so large or so small that its `Double` may be an integer.
    fileprivate var hasNumberThatRoundsToAnInteger: Bool {
        switch self {
        case .object(let fields): return fields.contains { $0.value.hasNumberThatRoundsToAnInteger }
        case .array(let values): return values.contains { $0.hasNumberThatRoundsToAnInteger }
        case .number(let text):
            guard text.contains(where: { ".eE".contains($0) }), let value = Double(text) else { return false }
            let digits = text.prefix { $0 != "e" && $0 != "E" }
            return value.magnitude >= 0x1p43
                || value == value.rounded() && digits.contains { ("1"..."9").contains($0) }
                    && value.magnitude < 1
        default: return false
        }
    }
}
