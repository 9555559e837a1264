public import Logging
public import MarketData

/// Sends buffered rows to PostgreSQL, each exactly once.
///
/// Rows and the ledger's row commit together. Calls run one after another. Each blocks a thread of its own while libpq
/// waits, never one of Swift's pool. After a lost connection the next call reconnects.
public actor Uploader {
    /// The attempt at which the same rows are searched for the one at fault.
    public static let triesUntilNarrowed = Stumble.triesAtOnce + 1

    /// The database, and the streams whose rows go there.
    public nonisolated let configuration: UpstreamConfiguration
    let session: UploadSession
    private let memory: UploadMemory
    private let executor = QueueExecutor(label: "edgetick.upload")
    private var isBusy = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// Runs on a dispatch queue of its own, because the work blocks.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Creates an uploader for the buffer file with the UUID `bufferID`; it connects on first use.
    ///
    /// - Parameter settingAside: whether any number of refused rows becomes dead letters. If not, a stream waits for a
    ///   person when so many rows are refused that they are hardly at fault.
    public init(configuration: UpstreamConfiguration, bufferID: String, settingAside: Bool = false, logger: Logger) {
        self.configuration = configuration
        session = UploadSession(configuration: configuration, bufferID: bufferID, logger: logger)
        memory = UploadMemory(setsAside: settingAside)
    }

    /// Connects, unless already connected to a server that accepts writes, and reads and checks the tables.
    ///
    /// A target that can't be used is an error only when rows for it come: a collector of minute bars needs no table of
    /// trades. The ledger must exist.
    ///
    /// - Parameter readsTables: Whether to read the tables again in any case, as after a fault that they may have caused.
    ///   Otherwise they are read again if that was at least a minute ago.
    public func connect(readsTables: Bool = false) async throws(UpstreamError) {
        try await inTurn { () throws(UpstreamError) in
            // A server or a pooler may end an idle session, which is no error.
            if self.session.standing?.isOpen == false { self.session.drop() }
            let wasConnected = self.session.standing != nil
            self.session.readTablesAgain(after: readsTables ? .zero : UploadSession.tablesLast)
            guard try self.session.connected().1.isReadOnly, wasConnected else { return }
            // Another server in the URI, or behind the same name, may accept writes by now.
            self.session.drop()
            _ = try self.session.connected()
        }
    }

    /// The last sequences of these buffer files that are upstream, according to the ledger. Streams without any, and
    /// those of another database, are left out.
    public func ledger(of bufferIDs: [String]) async throws(UpstreamError) -> [String: [EventStream: Int64]] {
        try await inTurn { () throws(UpstreamError) in
            let (connection, catalog) = try self.session.connected()
            var found: [String: [EventStream: Int64]] = [:]
            for id in bufferIDs {
                let ledger = try self.session.ledger(in: catalog, of: id)
                for stream in self.configuration.streams {
                    let row = try connection.ask(ledger.readSQL(stream, of: id), "read the ledger").rows.first
                    guard let row = row.flatMap({ LedgerRow($0) }) else { continue }
                    found[id, default: [:]][stream] = row.sequence
                }
            }
            return found
        }
    }

    /// Sends all that `source` has: each batch's rows and the ledger in one transaction, or in several if a limit of
    /// the server requires it.
    ///
    /// The server never waits for a batch to be read: the next one is read while it loads the current one. A COMMIT
    /// travels with the beginning of the next batch, so a distant server costs two exchanges per batch, and most
    /// COMMITs don't wait for the server's disk: see ``CommitGroup``. Rows that are upstream according to the ledger
    /// are skipped. Each transaction is recorded in the file while its rows are loaded.
    ///
    /// A stream that fails while the connection is up is left out from then on. It is reported to `source`, and the
    /// other streams go on.
    ///
    /// - Throws: the error that ends the drain for all streams: a lost connection, an unusable ledger,
    ///   `CancellationError`, or what `source` throws. Otherwise, once everything else is upstream, the first stream's
    ///   failure. The open transaction is rolled back, or its outcome is unknown until the ledger is read. In either
    ///   case it is safe to drain again from the first batch that was not settled. Batches read ahead are dropped.
    ///
    /// - Parameter file: the file that the rows come from.
    public func drain(_ source: some UploadSource, of file: some UploadFile) async throws {
        try await inTurn { try await Drain(source, of: file, over: self.session, self.memory).run() }
    }

    /// Settles a stream with the ledger; returns at once when that was done over this connection.
    ///
    /// - Parameter isTakeover: whether a person decided to take back what another copy took over. Each waiting row that
    ///   ``UploadMarks/sentAgain`` covers is looked up before it is sent, and left out if it is upstream.
    /// - Throws: reason `ledger` if a person must decide; any ``UpstreamError/Reason``.
    public func settle(
        _ stream: EventStream, with file: some UploadFile, isTakeover: Bool = false
    ) async throws(UpstreamError) {
        try await inTurn { () throws(UpstreamError) in
            _ = try self.session.connected()
            guard isTakeover || !self.session.places.isSettled(stream) else { return }
            try await Settlement(stream: stream, file: file, session: self.session, isTakeover: isTakeover).run()
        }
    }

    /// The row from which a stream goes up again when a person names `sequence`. Rows that wait before it are passed
    /// over only if they are upstream, as after a copy of the file has sent them. Rows of which the table stores one
    /// copy, however often they come, are sent as well.
    ///
    /// - Throws: reason `ledger` if a waiting row before it is not upstream; any ``UpstreamError/Reason``.
    public func firstToSend(
        of stream: EventStream, from sequence: Int64, with file: some UploadFile
    ) async throws(UpstreamError) -> Int64 {
        var position = file.marks(of: stream).settled
        guard position + 1 < sequence else { return sequence }
        if stream == .bars { return position + 1 }
        if try await identifiedStreams().contains(stream) { return position + 1 }
        while position + 1 < sequence {
            let rows = try await RowsOfFile.read(stream, after: position, through: sequence - 1, of: file)
            let waiting = try await lookUp(rows.batch).rows.filter { row in
                row.upstream < row.alike && !rows.isRefused(row.sequence)
            }
            // What can't be read may be missing too.
            if let missing = waiting.map(\.sequence).min() ?? (rows.isCut ? rows.through + 1 : nil) {
                let name = stream.rawValue
                throw UpstreamError(
                    .ledger, "send \(name) again",
                    "\((sequence - missing).counted("row")) from \(missing) on wait before row \(sequence), and row "
                        + "\(missing) is not upstream: send them too with `--stream \(name) --from \(missing)`, or "
                        + "name another stream with --stream", object: "table \(name)")
            }
            position = rows.through
        }
        return sequence
    }

    /// Makes every stream be settled again, as over a new connection.
    public func settleAgain() async { await inTurn { self.session.places.forget() } }

    /// Looks up which of these rows are in their table, and how often.
    public func lookUp(_ batch: BufferedBatch) async throws(UpstreamError) -> RowsUpstream {
        try await inTurn { () throws(UpstreamError) in
            let (connection, catalog) = try self.session.connected()
            let found = try RowsUpstream(batch, by: self.configuration, over: connection, in: catalog)
            if found.areChanged { self.session.noteChanges(of: batch.stream) }
            return found
        }
    }

    /// The sequences of rows that were refused and are upstream after all, because a copy of the file sent them. Rows
    /// that may be another collector's don't count. None if the table stores an event once in any case, or if the user
    /// may not read it.
    public func stored(of refused: BufferedBatch) async throws(UpstreamError) -> Set<Int64> {
        try await inTurn { () throws(UpstreamError) -> Set<Int64> in
            let (connection, catalog) = try self.session.connected()
            let stream = refused.stream
            guard stream != .bars, catalog.identity(of: stream)?.isWhole != true, catalog.allowsReading(stream) else {
                return []
            }
            return try RowsUpstream(refused, by: self.configuration, over: connection, in: catalog).stored
        }
    }

    /// Closes the connection, after the current upload has ended.
    public func disconnect() async { await inTurn { self.session.drop() } }
}

// MARK: - Turns

extension Uploader {
    func inTurn<Value: Sendable, Failure: Error>(
        _ body: () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        if isBusy { await withCheckedContinuation { waiting.append($0) } } else { isBusy = true }
        defer { if waiting.isEmpty { isBusy = false } else { waiting.removeFirst().resume() } }
        return try await interruptible(by: session.interrupt, role: configuration.role, body)
    }
}
