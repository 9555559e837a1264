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
    let bufferID: String
    private let logger: Logger
    private let executor = QueueExecutor(label: "edgetick.upload")
    private let interrupt = Wakeup()
    private var connection: PostgresConnection?
    /// What was read of the tables; `nil` when it must be read (again).
    private var catalog: Catalog?
    var choices: [BarGroup: UploadPathChoice] = [:]
    /// Batches at the head of their streams that did not go up.
    var stumbles: [EventStream: Stumble] = [:]
    /// What was refused since a row of the stream last went through.
    var refusals: [EventStream: Refusals] = [:]
    /// Whether refused rows become dead letters, however many they are.
    let setsAside: Bool
    /// Where the ledger's rows are, of streams that were settled over this connection.
    var positions: [EventStream: LedgerPosition] = [:]
    /// Streams that were settled over this connection, also those that have no row in the ledger yet.
    var settled: Set<EventStream> = []
    /// Rows through these sequences may be upstream although the ledger's row is before them: a person has them sent again.
    var sentAgain: [EventStream: Int64] = [:]
    /// The tokens of transactions that were made or tried, from the newest that is on the server's disk on.
    var made: [EventStream: [String]] = [:]
    /// Whether the bars of others were looked at, once in the process's life.
    private var hasLooked = false
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
        setsAside = settingAside
        self.configuration = configuration
        self.bufferID = bufferID
        self.logger = logger
    }

    /// Connects, unless connected already, and reads and checks the tables.
    ///
    /// A target that can't be used is an error only when rows for it come: who collects minute bars needs no table of
    /// trades. The ledger must be there.
    ///
    /// - Throws: any ``UpstreamError/Reason``.
    public func connect() async throws(UpstreamError) {
        try await inTurn { () throws(UpstreamError) in
            _ = try self.connected()
        }
    }

    /// The last sequences that are upstream, by the ledger, of these buffer files; streams without any, and those of another
    /// database, are left out.
    ///
    /// - Throws: any ``UpstreamError/Reason``.
    public func ledger(of bufferIDs: [String]) async throws(UpstreamError) -> [String: [EventStream: Int64]] {
        try await inTurn { () throws(UpstreamError) in
            let (connection, catalog) = try self.connected()
            var found: [String: [EventStream: Int64]] = [:]
            for id in bufferIDs {
                let ledger = try self.ledger(in: catalog, of: id)
                for stream in self.configuration.streams {
                    let rows = try connection.ask(ledger.readSQL(stream, of: id), "read the ledger").last?.rows
                    guard let row = rows?.first.flatMap({ LedgerRow($0[...]) }) else { continue }
                    found[id, default: [:]][stream] = row.sequence
                }
            }
            return found
        }
    }

    /// The stream's row of the ledger, from the server's disk: read behind a lock, when no transaction holds it any more.
    func settledRow(
        _ stream: EventStream, _ ledger: Ledger, _ connection: PostgresConnection
    ) throws(UpstreamError) -> LedgerRow? {
        do throws(UpstreamError) {
            let row = ledger.readSQL(stream, of: bufferID) + " FOR UPDATE"
            let sql = [ledger.beginSQL, row, Ledger.waitSQL, "COMMIT"].joined(separator: "; ")
            let answers = try connection.run(sql, "read the ledger")
            return answers.lazy.compactMap { $0.rows.first.flatMap { LedgerRow($0[...]) } }.first
        } catch {
            abandon()
            throw error
        }
    }

    /// Has every stream settled again, as over a new connection.
    public func settleAgain() async {
        await takeTurn()
        forgetPositions()
        endTurn()
    }

    /// Looks up which of these rows are in their table, and how often.
    ///
    /// - Throws: any ``UpstreamError/Reason``.
    public func lookUp(_ batch: BufferedBatch) async throws(UpstreamError) -> RowsUpstream {
        try await inTurn { () throws(UpstreamError) in
            let (connection, catalog) = try self.connected()
            return try self.rowsUpstream(batch, over: connection, in: catalog)
        }
    }

    /// The places of those bars that need not be sent again, because upstream has a version of them that would stay.
    ///
    /// - Throws: any ``UpstreamError/Reason``.
    public func superseded(_ bars: [LateBar]) async throws(UpstreamError) -> Set<Int> {
        try await inTurn { () throws(UpstreamError) in
            let (connection, catalog) = try self.connected()
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
        drop()
        endTurn()
    }
}

// MARK: - Turns and connection

extension Uploader {
    func inTurn<Value: Sendable, Failure: Error>(
        _ body: () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        await takeTurn()
        defer { endTurn() }
        return try await interruptible(by: interrupt, body)
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

    /// Leaves no transaction open; gives the connection up when even that doesn't work. Tables are read again.
    func abandon() {
        catalog = nil
        guard let connection, connection.isUsable else { return drop() }
        guard connection.isInTransaction else { return }
        do {
            try connection.run("ROLLBACK", "roll back")
        } catch {
            drop()
        }
    }

    private func drop() {
        connection?.finish()
        connection = nil
        catalog = nil
        forgetPositions()
    }

    /// Where the ledger's rows are isn't known any more.
    func forgetPositions(of streams: [EventStream] = EventStream.allCases) {
        for stream in streams {
            positions[stream] = nil
            settled.remove(stream)
        }
    }

    /// The connection, where it was not given up.
    var standing: PostgresConnection? { connection.flatMap { $0.isUsable ? $0 : nil } }

    /// The connection and what was read of the tables, both made again where necessary.
    func connected() throws(UpstreamError) -> (PostgresConnection, Catalog) {
        if let connection, connection.isUsable, let catalog { return (connection, catalog) }
        if connection?.isUsable != true {
            drop()
            let connection = try PostgresConnection.connect(configuration, interrupt: interrupt)
            self.connection = connection
            logger.info(
                "connected to upstream",
                metadata: [
                    "target": "\(configuration.target)", "encrypted": "\(connection.isEncrypted)",
                    "version": "\(connection.serverVersion / 10000).\(connection.serverVersion % 10000)",
                ])
        }
        guard let connection else { throw UpstreamError(.connectionLost, "connect", "not connected") }
        let catalog = try connection.readCatalog(of: TableShape.targets.map(\.name))
        _ = try ledger(in: catalog)
        if !hasLooked {
            hasLooked = true
            if let warning = try connection.barTimestampWarning(in: catalog, configuration.barTimestamp) {
                logger.warning("ohlcv_1min: \(warning)")
            }
        }
        self.catalog = catalog
        return (connection, catalog)
    }

    func ledger(in catalog: Catalog, of id: String? = nil) throws(UpstreamError) -> Ledger {
        let bufferID = id ?? bufferID
        guard bufferID.utf8.count <= 38, bufferID.allSatisfy({ $0.isHexDigit || $0 == "-" }), !bufferID.isEmpty else {
            throw UpstreamError(.configuration, "read the buffer's id", "it is not a UUID")
        }
        let table = try TableShape.ledger.usable(in: catalog)
        return Ledger(
            table: table, bufferID: bufferID, collector: configuration.collector, sessionSQL: configuration.sessionSQL)
    }
}
