/// A buffer file's records of its own uploads: the identifiers that it had, and the transactions that it made or tried
/// under them. See docs/design/ledger.md.
public struct UploadLine: Sendable, Equatable {
    /// An earlier identifier of the file.
    public struct Predecessor: Sendable, Equatable {
        /// The identifier.
        public var id: String
        /// The stream.
        public var stream: EventStream
        /// The last sequence that the file gave out under this identifier.
        public var through: Int64

        /// Makes a predecessor; see the properties for meaning.
        public init(id: String, stream: EventStream, through: Int64) {
            self.id = id
            self.stream = stream
            self.through = through
        }
    }

    /// How many earlier identifiers a file remembers.
    public static let mostPredecessors = 64

    /// The current identifier.
    public var id: String
    /// Earlier identifiers, oldest first.
    public var predecessors: [Predecessor]
    private var tokens: [Key: [String]] = [:]

    private struct Key: Hashable {
        var id: String
        var stream: EventStream
    }

    /// The line of a file that has uploaded nothing yet.
    public init(id: String, predecessors: [Predecessor] = []) {
        self.id = id
        self.predecessors = predecessors
    }

    /// The earlier identifiers that a stream had rows under, oldest first.
    public func predecessors(of stream: EventStream) -> [Predecessor] { predecessors.filter { $0.stream == stream } }

    /// The earlier identifiers with rows that wait to be uploaded, oldest first.
    public func remainder(of stream: EventStream, behind marks: UploadMarks) -> [Predecessor] {
        predecessors(of: stream).filter { $0.through > marks.settled }
    }

    /// Whether an identifier is or was this file's.
    public func contains(_ id: String) -> Bool { id == self.id || predecessors.contains { $0.id == id } }

    /// Whether the file made or tried a transaction under an identifier.
    public func made(_ token: String, of stream: EventStream, under id: String) -> Bool {
        tokens[Key(id: id, stream: stream)]?.contains(token) ?? false
    }

    /// Every transaction; those of one identifier and stream are in the order in which they were made.
    public var moves: [(id: String, stream: EventStream, token: String)] {
        tokens.flatMap { key, tokens in tokens.map { (key.id, key.stream, $0) } }
    }

    /// Adds a transaction that was made under an identifier.
    public mutating func add(_ token: String, of stream: EventStream, under id: String) {
        tokens[Key(id: id, stream: stream), default: []].append(token)
    }

    /// Adds a transaction that is being made, and forgets those before the newest one known to be settled.
    public mutating func add(_ move: UploadMove) {
        let key = Key(id: id, stream: move.stream)
        if let settled = move.settled, let place = tokens[key]?.firstIndex(of: settled) {
            tokens[key]?.removeFirst(place)
        }
        tokens[key, default: []].append(move.token)
    }

    /// Forgets earlier identifiers of a stream.
    public mutating func forget(_ ids: [String], of stream: EventStream) {
        predecessors.removeAll { $0.stream == stream && ids.contains($0.id) }
        for id in ids { tokens[Key(id: id, stream: stream)] = nil }
    }
}

/// One transaction of the upload, as it is stored before its COMMIT is sent.
public struct UploadMove: Sendable, Equatable {
    /// The stream.
    public let stream: EventStream
    /// A random UUID, which the transaction writes to the ledger.
    public let token: String
    /// The last sequence that is upstream once it commits.
    public let through: Int64
    /// The newest transaction known to be on the server's disk: none before it can come back.
    public let settled: String?

    /// Makes a move; see the properties for meaning.
    public init(stream: EventStream, token: String, through: Int64, settled: String?) {
        self.stream = stream
        self.token = token
        self.through = through
        self.settled = settled
    }
}

/// The progress of a stream of a buffer file and of its upload, as sequences.
public struct UploadMarks: Sendable, Equatable {
    /// Rows through this sequence are upstream.
    public var acknowledged: Int64
    /// Rows through this sequence are no longer in the file.
    public var deleted: Int64
    /// The last sequence that was given out; 0 when there never was one.
    public var last: Int64
    /// Waiting rows through this sequence may be upstream already, because a person asked for them to be sent again, or
    /// because a copy of the file sent some and the database lost others: each is looked up before it is sent.
    public var sentAgain: Int64
    /// Uploaded rows through this sequence were found to be gone upstream, and no person has decided about them; 0 if
    /// there are none.
    public var gone: Int64

    /// Rows through this sequence do not wait for upload: they are upstream, or no longer in the file.
    public var settled: Int64 { max(acknowledged, deleted) }

    /// The number of rows that wait for upload.
    public var pending: Int64 { max(0, last - settled) }

    /// Makes marks; see the properties for meaning.
    public init(
        acknowledged: Int64 = 0, deleted: Int64 = 0, last: Int64 = 0, sentAgain: Int64 = 0, gone: Int64 = 0
    ) {
        self.acknowledged = acknowledged
        self.deleted = deleted
        self.last = last
        self.sentAgain = sentAgain
        self.gone = gone
    }
}
