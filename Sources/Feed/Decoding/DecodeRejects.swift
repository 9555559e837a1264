public import MarketData

/// What a decoder could not make an event of, and which fields it left out of those that it made: how much, of which
/// kind, why, and a few redacted samples.
public struct DecodeRejects: Sendable, Equatable {
    /// Why something was left out.
    public enum Reason: String, Sendable, Hashable, CaseIterable {
        /// The text is not JSON (RFC 8259).
        case malformedJSON = "malformed_json"
        /// The frame ended, or lost its structure, before the event did.
        case unterminated = "unterminated"
        /// Arrays and objects stand in each other deeper than ``FrameDecoder/maximumDepth``.
        case tooDeep = "too_deep"
        /// An element of the frame is not a JSON object.
        case notAnObject = "not_an_object"
        /// There is no `ev` that says what the event is.
        case missingEvent = "missing_event"
        /// `ev` names a kind of event that the decoder does not know.
        case unknownEvent = "unknown_event"
        /// A field that the event can't be without is absent or `null`.
        case missingField = "missing_field"
        /// A field holds another JSON type than the feed's description says.
        case wrongType = "wrong_type"
        /// The symbol is empty, too long, or holds a character that no symbol has.
        case badSymbol = "bad_symbol"
        /// A number is infinite, or out of its field's range, or has a fraction where an integer is meant.
        case badNumber = "bad_number"
        /// A time is no number of milliseconds from 1990 until tomorrow, as far as this machine's clock knows.
        case badTime = "bad_time"
        /// A text to be kept is not valid UTF-8, or has half a surrogate pair.
        case badText = "bad_text"
        /// The batch's texts have reached the size that their 32-bit offsets can address.
        case textOverflow = "text_overflow"

        /// The reason's place in ``allCases``.
        var index: Int {
            switch self {
            case .malformedJSON: 0
            case .unterminated: 1
            case .tooDeep: 2
            case .notAnObject: 3
            case .missingEvent: 4
            case .unknownEvent: 5
            case .missingField: 6
            case .wrongType: 7
            case .badSymbol: 8
            case .badNumber: 9
            case .badTime: 10
            case .badText: 11
            case .textOverflow: 12
            }
        }
    }

    /// Counts by kind of event, with a sample of each kind.
    ///
    /// What names no kind, because it is no JSON or because `ev` is missing or unknown, is counted under `nil`.
    public struct Tally: Sendable, Equatable {
        private var counts = [Int](repeating: 0, count: kinds.count)
        private var newest = [Sample?](repeating: nil, count: kinds.count)

        /// How many of all kinds.
        public var total: Int { counts.reduce(0, +) }

        /// How many of one kind.
        public subscript(_ kind: EventKind?) -> Int { counts[Self.index(kind)] }

        /// The newest sample of one kind.
        public func sample(of kind: EventKind?) -> Sample? { newest[Self.index(kind)] }

        fileprivate mutating func count(_ kind: EventKind?, _ count: Int) { counts[Self.index(kind)] += count }

        fileprivate mutating func keep(_ sample: Sample, of kind: EventKind?) { newest[Self.index(kind)] = sample }

        private static func index(_ kind: EventKind?) -> Int { kind?.index ?? kinds.count - 1 }
    }

    /// What one rejected piece looked like.
    public struct Sample: Sendable, Equatable, CustomStringConvertible {
        /// Why it, or a field of it, was left out.
        public var reason: Reason
        /// The field at fault, as the feed names it; `nil` when the piece as a whole is.
        public var field: String?
        /// The piece's beginning in printable characters, with anything that looks like a secret masked.
        public var text: String

        /// One line for a log.
        public var description: String {
            "\(reason.rawValue)\(field.map { " (\($0))" } ?? ""): \(text)"
        }
    }

    /// The kinds that are counted apart; `nil` for what names none.
    public static let kinds: [EventKind?] = EventKind.allCases.map(Optional.some) + [nil]

    /// How many samples of each reason are kept.
    public static let samplesPerReason = 4

    private var counts = [Int](repeating: 0, count: Reason.allCases.count)
    private var rings = [[Sample]](repeating: [], count: Reason.allCases.count)
    /// How many frames each reason is still to go without a sample: writing one costs more than counting thousands.
    private var waits = [Int](repeating: 0, count: Reason.allCases.count)
    private static let samplingInterval = 64
    /// The reasons that already have a sample of the frame being decoded, by ``Reason/index``: a frame full of
    /// rejects costs one sample for each reason.
    private var sampled: UInt32 = 0
    /// How many events with fields left out are still to go without a sample.
    private var leftOutWait = 0

    /// The events, or pieces that should have been one, that were left out.
    public private(set) var events = Tally()
    /// The optional fields that were left out of events that were taken, since their form is not the feed's.
    public private(set) var fields = Tally()

    /// Makes an empty count.
    public init() {}

    /// All that was left out: events, or pieces that should have been one.
    public var total: Int { counts.reduce(0, +) }

    /// How many were left out for a reason.
    public subscript(_ reason: Reason) -> Int { counts[reason.index] }

    /// The kept samples, from the first rejects on and then now and then: at most ``samplesPerReason`` of each reason, oldest first within a reason.
    public var samples: [Sample] { rings.flatMap { $0 } }

    /// Allows each reason one sample more.
    mutating func beginFrame() {
        sampled = 0
    }

    /// Counts `count` pieces, and keeps the first of a frame as a sample if it is time for one.
    mutating func record(
        _ reason: Reason, field: FieldKey? = nil, kind: EventKind? = nil, count: Int = 1,
        piece: UnsafeRawBufferPointer
    ) {
        counts[reason.index] += count
        events.count(kind, count)
        func sample() -> Sample {
            let sample = Sample(reason: reason, field: field?.name, text: RedactedText.excerpt(of: piece))
            events.keep(sample, of: kind)
            return sample
        }
        // Each kind has a sample from its first reject on.
        let first = events.sample(of: kind) == nil ? sample() : nil
        let bit: UInt32 = 1 << UInt32(reason.index)
        guard sampled & bit == 0 else { return }
        sampled |= bit
        guard rings[reason.index].count < DecodeRejects.samplesPerReason || waits[reason.index] == 0 else {
            waits[reason.index] -= 1
            return
        }
        waits[reason.index] = DecodeRejects.samplingInterval - 1
        if rings[reason.index].count == DecodeRejects.samplesPerReason {
            rings[reason.index].removeFirst()
        }
        rings[reason.index].append(first ?? sample())
    }

    /// Counts the fields that an event was taken without, and now and then keeps the event as a sample.
    ///
    /// - Parameter reason: The ``Reason/index`` of the last of them.
    mutating func leaveOut(keys: UInt64, reason: UInt64, kind: EventKind?, piece: UnsafeRawBufferPointer) {
        fields.count(kind, keys.nonzeroBitCount)
        guard fields.sample(of: kind) == nil || leftOutWait == 0 else {
            leftOutWait -= 1
            return
        }
        leftOutWait = DecodeRejects.samplingInterval - 1
        fields.keep(
            Sample(
                reason: Reason.allCases[Int(reason)], field: FieldKey(firstOf: keys).name,
                text: RedactedText.excerpt(of: piece)), of: kind)
    }
}
