public import MarketData

/// Which dead letters to act on.
public enum DeadLetterChoice: Sendable, Equatable {
    /// A letter's name: its row's stream and number.
    public struct Name: Sendable, Hashable, CustomStringConvertible {
        /// The row's stream.
        var stream: EventStream
        /// The row's sequence in the stream.
        public var sequence: Int64

        /// Reads a name as people write it, `bars:4711`; `nil` for anything else.
        public init?(_ text: String) {
            let parts = text.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, let stream = EventStream(rawValue: String(parts[0])),
                let sequence = Int64(parts[1]), sequence > 0
            else { return nil }
            (self.stream, self.sequence) = (stream, sequence)
        }

        /// The name as people write it.
        public var description: String { DeadLetter.name(of: sequence, in: stream) }
    }

    /// The letters with these names.
    case named([Name])
    /// The letters of a stream.
    case stream(EventStream)
    /// Those of a stream that were refused alike: with this SQLSTATE, and by this constraint if any is named.
    case alike(EventStream, sqlState: String, constraint: String?)
    /// All of them.
    case all

    /// Returns the chosen letters, oldest first, and the names without a letter; letters of other streams are left out.
    ///
    /// - Throws: `.missing` when there is no file, and what reading a file throws.
    public func found(
        in history: TickHistory, of streams: [EventStream] = EventStream.allCases
    ) throws(StoreError) -> (letters: [DeadLetter], missing: [Name]) {
        let stream: EventStream? =
            switch self {
            case .stream(let stream), .alike(let stream, _, _): stream
            case .named, .all: nil
            }
        let present = try history.deadLetters(of: stream, limit: Int(Int32.max)).reversed()
            .filter { streams.contains($0.stream) }
        switch self {
        case .stream, .all: return (present, [])
        case .alike(_, let state, let constraint):
            return (present.filter { $0.sqlState == state && $0.constraint == constraint }, [])
        case .named(let named):
            let names = named.filter { streams.contains($0.stream) }
            let wanted = Set(names.map(\.description))
            let letters = present.filter { wanted.contains($0.name) }
            let found = Set(letters.map(\.name))
            return (letters, names.filter { !found.contains($0.description) })
        }
    }
}

/// Dead letters that were refused alike.
public struct DeadLetterGroup: Sendable, Equatable {
    /// Their stream.
    public var stream: EventStream
    /// The database's SQLSTATE.
    public var sqlState: String
    /// The constraint that refused them; `nil` if there was none.
    public var constraint: String?
    /// How many there are.
    public var count: Int
    /// When the first of them was refused, in milliseconds since the Unix epoch.
    public var first: Int64
    /// When the last of them was.
    public var last: Int64
    /// The database's message about the last of them.
    public var reason: String
}
