/// A row that the database refused, kept in the file until a person retries or discards it.
public struct DeadLetter: Sendable, Equatable {
    /// The row's stream.
    public var stream: EventStream
    /// The row's sequence in the stream.
    public var sequence: Int64
    /// The database's SQLSTATE.
    public var sqlState: String
    /// The database's message.
    public var reason: String
    /// The row as a JSON object.
    public var row: String
    /// When it was refused, in milliseconds since the Unix epoch.
    public var time: Int64

    /// Its name for people: `bars:4711`.
    public var name: String { Self.name(of: sequence, in: stream) }

    /// The name that the dead letter of a row has.
    public static func name(of sequence: Int64, in stream: EventStream) -> String { "\(stream.rawValue):\(sequence)" }

    /// The constraint that the database's message names, for instance `price_sane`; `nil` if it names none.
    public var constraint: String? { Self.constraint(in: reason) }

    /// The constraint that a message of the database names; `nil` if it names none.
    public static func constraint(in reason: String) -> String? {
        // `violates check constraint "price_sane"`; the row's own texts come later in the message.
        guard let start = reason.firstRange(of: "constraint \"")?.upperBound,
            let end = reason[start...].firstIndex(of: "\"")
        else { return nil }
        return String(reason[start..<end])
    }

    /// Makes a dead letter, refused now if no time is given; see the properties for meaning and units.
    public init(
        stream: EventStream, sequence: Int64, sqlState: String, reason: String, row: String, time: Int64? = nil
    ) {
        self.stream = stream
        self.sequence = sequence
        self.sqlState = sqlState
        self.reason = reason
        self.row = row
        self.time = time ?? WallClock.milliseconds()
    }
}
