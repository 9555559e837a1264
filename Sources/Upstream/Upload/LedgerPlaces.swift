import MarketData

/// The positions of the streams' rows in the ledger, as far as they are known over one connection, and the tokens of
/// the transactions that moved them.
struct LedgerPlaces {
    private var positions: [EventStream: LedgerPosition] = [:]
    /// The streams settled over this connection, including those that have no row in the ledger yet.
    private var settled: Set<EventStream> = []
    /// The tokens of transactions that were committed or tried, from the newest known to be on the server's disk on.
    private var made: [EventStream: [String]] = [:]

    /// The row's position; `nil` if it is unknown or there is no row.
    func position(of stream: EventStream) -> LedgerPosition? { positions[stream] }

    func isSettled(_ stream: EventStream) -> Bool { settled.contains(stream) }

    /// The tokens that this process's own transactions may have given the row.
    func tokens(of stream: EventStream) -> [String] { made[stream] ?? [] }

    /// Records that the stream is settled, with its row at a position that is on the server's disk, or without a row.
    mutating func settle(_ stream: EventStream, at position: LedgerPosition? = nil) {
        settled.insert(stream)
        if let position { move(stream, to: position, isOnDisk: true) }
    }

    /// The record that the file must store before a transaction's COMMIT is sent.
    mutating func prepare(_ stream: EventStream, to end: LedgerPosition) -> UploadMove {
        let move = UploadMove(stream: stream, token: end.token, through: end.sequence, settled: made[stream]?.first)
        made[stream, default: []].append(end.token)
        return move
    }

    /// Records that a transaction that moved the row was committed.
    mutating func move(_ stream: EventStream, to end: LedgerPosition, isOnDisk: Bool) {
        positions[stream] = end
        if isOnDisk { reachedDisk(stream) }
    }

    /// Records that the row's position is on the server's disk, so that no earlier one can come back.
    mutating func reachedDisk(_ stream: EventStream) {
        guard let token = positions[stream]?.token else { return }
        guard let place = made[stream]?.firstIndex(of: token) else { return made[stream] = [token] }
        made[stream]?.removeFirst(place)
    }

    mutating func forget(_ streams: [EventStream] = EventStream.allCases) {
        for stream in streams {
            positions[stream] = nil
            settled.remove(stream)
        }
    }
}
