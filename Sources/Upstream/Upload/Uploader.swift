public import Logging
public import MarketData

/// Sends buffered rows to PostgreSQL, exactly once as the database sees it.
///
/// Rows and the ledger's row commit together. Calls take turns; each blocks a thread of its own (libpq's waits), never
/// one of Swift's pool. After a lost connection the next call connects again.
public actor Uploader {
    /// How often the same rows are sent until the one at fault is looked for.
    public static let triesUntilNarrowed = Stumble.triesAtOnce + 1

    /// Where the rows go, and which.
    public nonisolated let configuration: UpstreamConfiguration
    let session: UploadSession
    private let memory: UploadMemory
    private let executor = QueueExecutor(label: "edgetick.upload")
    private var isBusy = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// Runs on a dispatch queue of its own, because the work blocks.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// An uploader of the buffer file with the UUID `bufferID`; connects when asked to.
    ///
    /// - Parameter settingAside: Whether refused rows become dead letters, however many they are; else a stream waits for
    ///   a person when they are too many to be at fault themselves.
    public init(
        configuration: UpstreamConfiguration, bufferID: String, settingAside: Bool = false, logger: Logger
    ) {
        self.configuration = configuration
        session = UploadSession(configuration: configuration, bufferID: bufferID, logger: logger)
        memory = UploadMemory(setsAside: settingAside)
    }

    /// Connects, unless connected already to a server that takes writes, and reads and checks the tables.
    ///
    /// A target that can't be used is an error only when rows for it come: who collects minute bars needs no table of
    /// trades. The ledger must be there.
    ///
    /// - Parameter readsTables: Whether tables are read again in any case, as after a fault that may be theirs; else they are
    ///   once a minute.
    /// - Throws: any ``UpstreamError/Reason``.
    public func connect(readsTables: Bool = false) async throws(UpstreamError) {
        try await connect(readingTablesAfter: readsTables ? .zero : UploadSession.tablesLast)
    }

    private func connect(readingTablesAfter age: Duration) async throws(UpstreamError) {
        try await inTurn { () throws(UpstreamError) in
            // A server, or a pooler, may end a session that is idle for long: that is no problem.
            if self.session.standing?.isOpen == false { self.session.drop() }
            let wasConnected = self.session.standing != nil
            self.session.readTablesAgain(after: age)
            guard try self.session.connected().1.isReadOnly, wasConnected else { return }
            // Another server of the URI may take writes by now, or another one behind the same name.
            self.session.drop()
            _ = try self.session.connected()
        }
    }

    /// The last sequences that are upstream, by the ledger, of these buffer files; streams without any, and those of another
    /// database, are left out.
    ///
    /// - Throws: any ``UpstreamError/Reason``.
    public func ledger(of bufferIDs: [String]) async throws(UpstreamError) -> [String: [EventStream: Int64]] {
        try await inTurn { () throws(UpstreamError) in
            let (connection, catalog) = try self.session.connected()
            var found: [String: [EventStream: Int64]] = [:]
            for id in bufferIDs {
                let ledger = try self.session.ledger(in: catalog, of: id)
                for stream in self.configuration.streams {
                    let rows = try connection.ask(ledger.readSQL(stream, of: id), "read the ledger").last?.rows
                    guard let row = rows?.first.flatMap({ LedgerRow($0[...]) }) else { continue }
                    found[id, default: [:]][stream] = row.sequence
                }
            }
            return found
        }
    }

    /// Sends all that `source` has: each batch's rows and the ledger in one transaction (in several, one after the
    /// other, when a limit of the server makes that necessary).
    ///
    /// The server never waits for a batch to be read: that happens while it loads the one before. Its COMMIT travels
    /// with the next batch's beginning, so a far server costs two exchanges a batch, and most COMMITs don't wait for the
    /// server's disk: see ``CommitGroup``. Rows that the ledger has already are skipped. Each transaction is written down
    /// in the file while its rows are loaded.
    ///
    /// A stream that fails while the connection is up is left out from then on; `source` hears of it, and the other
    /// streams go on.
    ///
    /// - Throws: What ends the drain for all streams: a lost connection, a ledger that can't be used,
    ///   `CancellationError`, what `source` throws; else, when everything else is upstream, the first stream's failure. The
    ///   transaction under way is rolled back, or its end is unknown and the ledger tells: draining again from the first
    ///   batch that was not settled is always right. What was read ahead is dropped.
    ///
    /// - Parameter file: The file that the rows come from; without one, what this uploader did is all that is known of them.
    public func drain(_ source: some UploadSource, of file: (any UploadFile)? = nil) async throws {
        let file = file ?? NoFile(id: session.bufferID)
        try await inTurn { try await Drain(source, of: file, over: self.session, self.memory).run() }
    }

    /// Settles a stream with the ledger; returns at once when that was done over this connection.
    ///
    /// - Parameter isTakeover: Whether a person decided: what another copy took over is taken back. Each row that waits
    ///   then is looked up before it goes, and left out where it is upstream.
    /// - Throws: reason `ledger` when a person must decide; any ``UpstreamError/Reason``.
    public func settle(
        _ stream: EventStream, with file: some UploadFile, isTakeover: Bool = false
    ) async throws(UpstreamError) {
        try await inTurn { () throws(UpstreamError) in
            _ = try self.session.connected()
            guard isTakeover || !self.session.places.isSettled(stream) else { return }
            try await Settlement(of: stream, with: file, over: self.session, isTakeover: isTakeover).run()
            if isTakeover { self.session.places.sendAgain(stream, through: file.marks(of: stream).last) }
        }
    }

    /// Has every stream settled again, as over a new connection.
    public func settleAgain() async {
        await takeTurn()
        session.places.forget()
        endTurn()
    }

    /// Looks up which of these rows are in their table, and how often.
    ///
    /// - Throws: any ``UpstreamError/Reason``.
    public func lookUp(_ batch: BufferedBatch) async throws(UpstreamError) -> RowsUpstream {
        try await inTurn { () throws(UpstreamError) in
            let (connection, catalog) = try self.session.connected()
            return try RowsUpstream(batch, by: self.configuration, over: connection, in: catalog)
        }
    }

    /// The places of those bars that need not be sent again, because upstream has a version of them that would stay.
    ///
    /// - Throws: any ``UpstreamError/Reason``.
    public func superseded(_ bars: [LateBar]) async throws(UpstreamError) -> Set<Int> {
        try await inTurn { () throws(UpstreamError) in
            let (connection, catalog) = try self.session.connected()
            var found: Set<Int> = []
            for (interval, shape) in [(Bar.Interval.minute, TableShape.minuteBars), (.second, .secondBars)] {
                let rows = bars.enumerated().filter { $1.bar.interval == interval }.map { (place: $0, late: $1) }
                guard !rows.isEmpty else { continue }
                let target = try UploadTarget<BarField>(shape, in: catalog)
                for start in stride(from: 0, to: rows.count, by: 1000) {
                    let part = Array(rows[start..<min(start + 1000, rows.count)])
                    found.formUnion(
                        try connection.superseded(part, in: target, self.configuration))
                }
            }
            return found
        }
    }

    /// Closes the connection; an upload under way ends first.
    public func disconnect() async {
        await takeTurn()
        session.drop()
        endTurn()
    }
}

// MARK: - Turns

extension Uploader {
    func inTurn<Value: Sendable, Failure: Error>(
        _ body: () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        await takeTurn()
        defer { endTurn() }
        return try await interruptible(by: session.interrupt, body)
    }

    private func takeTurn() async {
        guard isBusy else {
            isBusy = true
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    private func endTurn() {
        if waiting.isEmpty { isBusy = false } else { waiting.removeFirst().resume() }
    }
}
