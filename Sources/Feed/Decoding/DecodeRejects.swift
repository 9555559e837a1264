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
        /// How many frames are still to go without another sample.
        private var wait = 0
        private static let samplingInterval = 64

        /// How many of all kinds.
        public var total: Int { counts.reduce(0, +) }

        /// How many of one kind.
        public subscript(_ kind: EventKind?) -> Int { counts[Self.index(kind)] }

        /// The newest sample of one kind.
        public func sample(of kind: EventKind?) -> Sample? { newest[Self.index(kind)] }

        fileprivate mutating func count(_ kind: EventKind?, _ count: Int) { counts[Self.index(kind)] += count }

        fileprivate mutating func beginFrame() { if wait > 0 { wait -= 1 } }

        /// Whether a sample is to be kept: the first of a kind, and then one now and then, since writing one costs more
        /// than counting thousands.
        fileprivate func isSampleDue(_ kind: EventKind?) -> Bool { wait == 0 || newest[Self.index(kind)] == nil }

        fileprivate mutating func keep(_ sample: Sample, of kind: EventKind?) {
            newest[Self.index(kind)] = sample
            wait = Self.samplingInterval
        }

        private static func index(_ kind: EventKind?) -> Int { kind?.index ?? kinds.count - 1 }
    }

    /// What one rejected piece looked like.
    public struct Sample: Sendable, Equatable, CustomStringConvertible {
        /// Why it, or a field of it, was left out.
        var reason: Reason
        /// The field at fault, as the feed names it; `nil` when the piece as a whole is.
        var field: String?
        /// The piece's beginning in printable characters, with anything that looks like a secret masked.
        public var text: String

        /// One line for a log.
        public var description: String {
            "\(reason.rawValue)\(field.map { " (\($0))" } ?? ""): \(text)"
        }
    }

    /// The kinds that are counted apart; `nil` for what names none.
    public static let kinds: [EventKind?] = EventKind.allCases.map(Optional.some) + [nil]

    private var counts = [Int](repeating: 0, count: Reason.allCases.count)

    /// The events, or pieces that should have been one, that were left out.
    public private(set) var events = Tally()
    /// The optional fields that were left out of events that were taken, since their form is not the feed's.
    public private(set) var fields = Tally()

    /// All that was left out: events, or pieces that should have been one.
    public var total: Int { counts.reduce(0, +) }

    /// How many were left out for a reason.
    public subscript(_ reason: Reason) -> Int { counts[reason.index] }

    mutating func beginFrame() {
        events.beginFrame()
        fields.beginFrame()
    }

    /// Counts `count` pieces, and keeps one as a sample if it is time for one.
    mutating func record(
        _ reason: Reason, field: FieldKey? = nil, kind: EventKind? = nil, count: Int = 1,
        piece: UnsafeRawBufferPointer
    ) {
        counts[reason.index] += count
        events.count(kind, count)
        guard events.isSampleDue(kind) else { return }
        events.keep(Sample(reason: reason, field: field?.name, text: RedactedText.excerpt(of: piece)), of: kind)
    }

    /// Counts the fields that an event was taken without, and keeps the event as a sample if it is time for one.
    ///
    /// - Parameter reason: The ``Reason/index`` of the last of them.
    mutating func leaveOut(keys: UInt64, reason: UInt64, kind: EventKind?, piece: UnsafeRawBufferPointer) {
        fields.count(kind, keys.nonzeroBitCount)
        guard fields.isSampleDue(kind) else { return }
        fields.keep(
            Sample(
                reason: Reason.allCases[Int(reason)], field: FieldKey(firstOf: keys).name,
                text: RedactedText.excerpt(of: piece)), of: kind)
    }
}
