import MarketData

/// Where the streams' rows of the ledger are, as far as is known over one connection, and which transactions moved them.
struct LedgerPlaces {
    private var positions: [EventStream: LedgerPosition] = [:]
    /// Streams that were settled over this connection, also those that have no row in the ledger yet.
    private var settled: Set<EventStream> = []
    /// The tokens of transactions that were made or tried, from the newest that is on the server's disk on.
    private var made: [EventStream: [String]] = [:]
    /// Rows through these sequences may be upstream although the ledger's row is before them: a person has them sent again.
    private(set) var sentAgain: [EventStream: Int64] = [:]

    /// Where the row is; `nil` where that must be found out, or there is none.
    func position(of stream: EventStream) -> LedgerPosition? { positions[stream] }

    /// Whether the stream was settled over this connection.
    func isSettled(_ stream: EventStream) -> Bool { settled.contains(stream) }

    /// The tokens that the row may have by this process's own transactions.
    func tokens(of stream: EventStream) -> [String] { made[stream] ?? [] }

    /// The stream is settled, with its row at a position that is on the server's disk, or without one.
    mutating func settle(_ stream: EventStream, at position: LedgerPosition? = nil) {
        settled.insert(stream)
        if let position { move(stream, to: position, isOnDisk: true) }
    }

    /// What the file is to write down before a transaction's COMMIT is sent.
    mutating func prepare(_ stream: EventStream, to end: LedgerPosition) -> UploadMove {
        let move = UploadMove(stream: stream, token: end.token, through: end.sequence, settled: made[stream]?.first)
        made[stream, default: []].append(end.token)
        return move
    }

    /// A transaction was committed that moved the row.
    mutating func move(_ stream: EventStream, to end: LedgerPosition, isOnDisk: Bool) {
        positions[stream] = end
        if isOnDisk { reachedDisk(stream) }
    }

    /// The server's disk has the row where it is: none of the transactions before can come back.
    mutating func reachedDisk(_ stream: EventStream) {
        guard let token = positions[stream]?.token else { return }
        guard let place = made[stream]?.firstIndex(of: token) else { return made[stream] = [token] }
        made[stream]?.removeFirst(place)
    }

    /// A person has the rows that wait, through a sequence, sent again.
    mutating func sendAgain(_ stream: EventStream, through sequence: Int64) { sentAgain[stream] = sequence }

    /// Where the rows are isn't known any more.
    mutating func forget(_ streams: [EventStream] = EventStream.allCases) {
        for stream in streams {
            positions[stream] = nil
            settled.remove(stream)
        }
    }
}
