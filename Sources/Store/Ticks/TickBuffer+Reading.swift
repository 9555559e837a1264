import GRDB
public import MarketData

/// Reading the file, for the upload and for readers beside it.
///
/// All calls throw `.damaged` if the file turned out to be unreadable (a collector then sets it aside), `.inputOutput`
/// and `.closed`.
extension TickBuffer {
    /// Returns the first rows of a stream that wait for upload, at most `limit`; `nil` if none waits.
    ///
    /// The same rows are returned again until ``acknowledge(_:through:)`` is called for them.
    ///
    /// - Parameter sequence: Returns rows after this one, to read ahead while a batch is being sent.
    public func nextBatch(
        of stream: EventStream, after sequence: Int64? = nil, limit: Int
    ) async throws(StoreError) -> BufferedBatch? {
        try await whileOpen(reader).nextBatch(of: stream, after: sequence, limit: limit)
    }

    /// Reads the rows after one sequence and through another, at most `limit`, uploaded or not.
    ///
    /// - Returns: The rows, the sequence through which they are complete, and whether a damaged page follows.
    /// - Throws: Also `.damaged` if a row is missing that was neither deleted nor counted as lost.
    public func rows(
        of stream: EventStream, after: Int64, through: Int64, limit: Int
    ) async throws(StoreError) -> (batch: BufferedBatch, end: Int64, isCut: Bool) {
        try await whileOpen(reader).rows(of: stream, after: after, through: through, limit: limit)
    }

    /// Returns which rows after one sequence and through another upstream refused: dead letters, and those that were
    /// discarded. They are not upstream, and need not be.
    public func refusedRows(
        of stream: EventStream, after: Int64, through: Int64
    ) async throws(StoreError) -> [ClosedRange<Int64>] {
        try await whileOpen(reader).ask { database in
            try Row.fetchAll(database, sql: DropReason.refused(stream), arguments: [after, through])
                .compactMap { Cells($0).sequences("first_seq", "last_seq") }
        }
    }

    /// Returns which rows after one sequence and through another upstream may have refused: their dead letters had to
    /// make room. Among them are rows of the same symbols that it accepted.
    public func possiblyRefusedRows(
        of stream: EventStream, after: Int64, through: Int64
    ) async throws(StoreError) -> Set<Int64> {
        try await whileOpen(reader).ask { database in
            try Set(Int64.fetchAll(database, sql: DropReason.mayBeRefused(stream), arguments: [after, through]))
        }
    }

    /// Returns the range of the rows that upstream had confirmed and then lost, and that the file no longer has:
    /// `drops` counts them. `nil` if there are none.
    public func lostRows(of stream: EventStream) async throws(StoreError) -> ClosedRange<Int64>? {
        try await whileOpen(reader).ask { database in
            try Row.fetchOne(
                database,
                sql: """
                    SELECT min(first_seq) AS first_seq, max(last_seq) AS last_seq FROM drops
                    WHERE stream = ? AND reason = ?
                    """, arguments: [stream.rawValue, DropReason.upstreamLost.rawValue]
            ).flatMap { Cells($0).sequences("first_seq", "last_seq") }
        }
    }

    /// Returns the first row of a stream that was received at a moment or later, in microseconds since the Unix epoch.
    /// Scans rows.
    public func firstRow(
        of stream: EventStream, receivedFrom microseconds: Int64
    ) async throws(StoreError) -> Int64? {
        try await whileOpen(reader).ask { database in
            try Int64.fetchOne(
                database, sql: "SELECT min(seq) FROM \(stream.rawValue) WHERE received_us >= ?",
                arguments: [microseconds])
        }
    }

    /// Where a stream's rows from a moment on begin, and since when the file holds what was collected.
    public struct Beginning: Sendable, Equatable {
        /// The sequence of the last row before them; 0 if there is none.
        public var after: Int64
        /// The time of the first event that the file holds, a bar's start, in milliseconds since the Unix epoch; `nil`
        /// if it holds none. If rows were deleted, or the first row was fetched, it is not before the receipt of that
        /// row, since that may be an older event that was added later.
        public var heldSince: Int64?
    }

    /// Finds a stream's first row that was received at a moment or later, in microseconds since the Unix epoch. Uses
    /// binary search, since rows are in the order of their receipt.
    ///
    /// - Parameter trustsClock: Whether times of receipt are taken as they are. Otherwise rows of events from the moment
    ///   on are found even if a clock that was behind dated their receipt earlier.
    public func beginning(
        of stream: EventStream, receivedFrom microseconds: Int64, trustsClock: Bool = true
    ) async throws(StoreError) -> Beginning {
        try await whileOpen(visitors).ask { [board] database in
            let end = board.current[stream].marks.last
            let oldest = try Row.fetchOne(
                database,
                sql: """
                    SELECT seq, \(stream.timeColumn) AS time, received_us, connection FROM \(stream.rawValue)
                    ORDER BY seq LIMIT 1
                    """)
            guard let oldest = oldest.map(Cells.init) else { return Beginning(after: end) }
            let start: Int64 = try oldest.required("seq")
            let first: Int64? = oldest["time"]
            let receipt: Int64? = oldest["received_us"]
            let connection: String? = oldest["connection"]
            // What was fetched before anything was collected may be of one symbol only.
            let isFetched = [EventSource.backfill, .reconcile].contains { $0.rawValue == connection }
            let received = try isFetched ? receipt.map { $0 / 1000 } : TickHistory.heldSince(stream, database)
            let bounds = start...max(start, end)
            let begin =
                trustsClock
                ? try ReceiptOrder.first(of: stream, in: bounds, receivedFrom: microseconds, database)
                : try ReceiptOrder.first(of: stream, in: bounds, ofEventsFrom: microseconds, database)
            return Beginning(after: begin - 1, heldSince: first.map { max($0, received ?? .min) })
        }
    }

    /// Reads the rows after one sequence and through another, at most `limit`, without holding up the upload.
    ///
    /// - Returns: The rows, and the sequence through which everything was read.
    public func read(
        _ stream: EventStream, after: Int64, through: Int64, limit: Int
    ) async throws(StoreError) -> (batch: BufferedBatch, end: Int64) {
        try await whileOpen(visitors).run(of: stream, after: after, through: through, limit: limit)
    }

    /// Returns the gaps in some of the states, as
    /// ``GapLog/read(directory:states:overlapping:before:limit:fills:)`` does.
    public func gaps(
        states: Set<GapState> = Set(GapState.allCases), before id: Int64 = .max, limit: Int,
        fills: GapFills = .counts
    ) async throws(StoreError) -> [GapRecord] {
        try await whileOpen(visitors).reading { [directory] () throws(StoreError) in
            try GapLog.read(directory: directory, states: states, before: id, limit: limit, fills: fills)
        }
    }

    /// Returns every open gap that is over, in the order in which they were recorded.
    public func waitingGaps() async throws(StoreError) -> [WaitingGap] {
        try await whileOpen(visitors).reading { [directory] () throws(StoreError) in
            try GapLog.waiting(directory: directory)
        }
    }

    /// Returns the gaps that some waiting gaps stand for, without those that have changed since.
    public func gaps(
        _ waiting: some Collection<WaitingGap>, fills: GapFills
    ) async throws(StoreError) -> [GapRecord] {
        let numbers = waiting.map(\.id)
        let records = try await whileOpen(visitors).reading { [directory] () throws(StoreError) in
            try GapLog.read(directory: directory, numbers: numbers, fills: fills)
        }
        let known = Set(waiting)
        return records.filter { record in WaitingGap(record).map(known.contains) ?? false }
    }

    /// Checks whether the rows that were added since the last check are newer versions of some refused bars.
    func look(for newer: NewerBars, except own: Set<Int64>) async throws(StoreError) -> NewerBars {
        try await visitors.ask { [board] database in
            var newer = newer
            // The writer checks what is added meanwhile.
            let last = board.current[.bars].marks.last
            while newer.through < last { try newer.look(database, through: last, except: own) }
            return newer
        }
    }

    private func whileOpen(_ reader: TickReader) throws(StoreError) -> TickReader {
        guard handOver.closesAt == nil else { throw StoreError(.closed, operation: "read", path: file.path) }
        return reader
    }
}
