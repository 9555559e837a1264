public import MarketData

/// Counts of rejected events, by kind and by reason, and of the fields left out of accepted events, by kind, with a few
/// redacted samples.
public struct DecodeRejects: Sendable, Equatable {
    /// Why something was left out.
    public enum Reason: String, Sendable, Hashable, CaseIterable {
        /// The text is not JSON (RFC 8259).
        case malformedJSON = "malformed_json"
        /// The frame ended, or lost its structure, before the event did.
        case unterminated = "unterminated"
        /// Arrays and objects are nested deeper than ``FrameDecoder/maximumDepth``.
        case tooDeep = "too_deep"
        /// An element of the frame is not a JSON object.
        case notAnObject = "not_an_object"
        /// The object has no `ev` to say what kind of event it is.
        case missingEvent = "missing_event"
        /// `ev` names a kind of event that the decoder does not know.
        case unknownEvent = "unknown_event"
        /// A required field is absent or `null`.
        case missingField = "missing_field"
        /// A field's JSON type is not the one that the feed documents.
        case wrongType = "wrong_type"
        /// The symbol is empty, too long, or contains a character that symbols can't have.
        case badSymbol = "bad_symbol"
        /// A number is infinite, outside its field's range, or has a fraction although the field is an integer.
        case badNumber = "bad_number"
        /// A time is not an integer or is outside its range. An event's own time must be between 1990 and tomorrow by
        /// this machine's clock.
        case badTime = "bad_time"
        /// A text that should be kept is not valid UTF-8, or has half a surrogate pair or a NUL.
        case badText = "bad_text"
        /// The batch has as much text as 32-bit offsets can address.
        case textOverflow = "text_overflow"
        /// The message is binary. The feed sends its events as text.
        case binaryMessage = "binary_message"

        /// The reason's index in ``allCases``.
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
            case .binaryMessage: 13
            }
        }
    }

    /// Counts by kind of event, with the newest sample of each kind.
    ///
    /// A piece without a known kind is counted under `nil`: it is not JSON, or its `ev` is missing or unknown.
    public struct Tally: Sendable, Equatable {
        private var counts = [Int](repeating: 0, count: kinds.count)
        private var newest = [Sample?](repeating: nil, count: kinds.count)
        /// How many frames must pass before a kind that has a sample is sampled again.
        private var wait = 0
        private static let samplingInterval = 64

        /// The count over all kinds.
        public var total: Int { counts.reduce(0, +) }

        /// The count for one kind.
        public subscript(_ kind: EventKind?) -> Int { counts[Self.index(kind)] }

        /// The newest sample of one kind.
        public func sample(of kind: EventKind?) -> Sample? { newest[Self.index(kind)] }

        fileprivate mutating func beginFrame() { if wait > 0 { wait -= 1 } }

        /// Counts, and keeps a sample of the first of each kind, then one now and then, since writing a sample costs
        /// more than counting thousands of pieces.
        fileprivate mutating func add(_ count: Int, of kind: EventKind?, sample: () -> Sample) {
            let place = Self.index(kind)
            counts[place] += count
            guard wait == 0 || newest[place] == nil else { return }
            newest[place] = sample()
            wait = Self.samplingInterval
        }

        private static func index(_ kind: EventKind?) -> Int { kind?.index ?? kinds.count - 1 }
    }

    /// The start of one rejected piece, and why it was rejected.
    public struct Sample: Sendable, Equatable, CustomStringConvertible {
        /// Why the piece, or a field of it, was left out.
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

    /// The kinds that are counted separately; `nil` is for pieces without a known kind.
    public static let kinds: [EventKind?] = EventKind.allCases.map(Optional.some) + [nil]

    private var counts = [Int](repeating: 0, count: Reason.allCases.count)
    /// What no sample may show, whatever it looks like.
    private let hidden: Secret

    init(hiding secret: Secret = Secret("")) { hidden = secret }

    /// The rejected events, including pieces that should have been one.
    public private(set) var events = Tally()
    /// The optional fields that were left out of accepted events because their form was wrong.
    public private(set) var fields = Tally()

    /// The number of rejected events, including pieces that should have been one.
    public var total: Int { counts.reduce(0, +) }

    /// The number of events rejected for a reason.
    public subscript(_ reason: Reason) -> Int { counts[reason.index] }

    mutating func beginFrame() {
        events.beginFrame()
        fields.beginFrame()
    }

    /// Counts `count` rejected pieces, and keeps `piece` as a sample if one is due.
    mutating func record(
        _ reason: Reason, field: FieldKey? = nil, kind: EventKind? = nil, count: Int = 1,
        piece: UnsafeRawBufferPointer
    ) {
        counts[reason.index] += count
        let hidden = hidden
        events.add(count, of: kind) {
            Sample(reason: reason, field: field?.name, text: RedactedText.excerpt(of: piece, hiding: hidden))
        }
    }

    /// Counts the fields that were left out of an accepted event, the last for the reason with this ``Reason/index``,
    /// and keeps the event as a sample if one is due.
    mutating func leaveOut(keys: UInt64, reason: UInt64, kind: EventKind?, piece: UnsafeRawBufferPointer) {
        let hidden = hidden
        fields.add(keys.nonzeroBitCount, of: kind) {
            Sample(
                reason: Reason.allCases[Int(reason)], field: FieldKey(firstOf: keys).name,
                text: RedactedText.excerpt(of: piece, hiding: hidden))
        }
    }
}
