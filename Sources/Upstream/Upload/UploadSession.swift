import Logging
import MarketData

/// The connection that rows go over, and what was read of the tables; both are made again where necessary.
final class UploadSession {
    let configuration: UpstreamConfiguration
    let bufferID: String
    let interrupt = Wakeup()
    /// What is known of the ledger over this connection.
    var places = LedgerPlaces()
    private let logger: Logger
    private var connection: PostgresConnection?
    /// What was read of the tables; `nil` when it must be read (again).
    private var catalog: Catalog?
    private var readAt = ContinuousClock.now
    /// What of the tables isn't as this program would make it; `nil` before they were read.
    private var differences: Set<String>?
    /// Whether the bars of others were looked at, once in the process's life.
    private var hasLooked = false
    /// The streams of which it was said that a trigger keeps rows out.
    private var saidKeptOut: Set<EventStream> = []

    init(configuration: UpstreamConfiguration, bufferID: String, logger: Logger) {
        self.configuration = configuration
        self.bufferID = bufferID
        self.logger = logger
    }

    /// The connection, where it was not given up.
    var standing: PostgresConnection? { connection.flatMap { $0.isUsable ? $0 : nil } }

    /// The connection and what was read of the tables, both made again where necessary.
    func connected() throws(UpstreamError) -> (PostgresConnection, Catalog) {
        if let standing, let catalog { return (standing, catalog) }
        let connection = if let standing { standing } else { try connect() }
        let catalog = try connection.readCatalog(of: TableShape.targets.map(\.name))
        _ = try ledger(in: catalog)
        if !hasLooked {
            hasLooked = true
            if let warning = try connection.barTimestampWarning(in: catalog, configuration.barTimestamp) {
                logger.warning("ohlcv_1min: \(warning)")
            }
        }
        reportChanges(catalog)
        self.catalog = catalog
        readAt = .now
        return (connection, catalog)
    }

    /// Reports what altered tables take no more, or not whole; what was so at the start is shown by `migrate` and `doctor`.
    private func reportChanges(_ catalog: Catalog) {
        let found = TableShape.targets.flatMap { shape in
            catalog.tables[shape.name].map { table in shape.differences(in: table).map { "\(table.displayName): \($0)" }
            } ?? []
        }
        for text in Set(found).subtracting(differences ?? Set(found)).sorted() {
            logger.warning("a table was altered; the upload goes on", metadata: ["now": "\(text)"])
        }
        differences = Set(found)
    }

    /// How long what was read of the tables counts while all goes well.
    static let tablesLast: Duration = .seconds(60)

    /// Has the tables read again where that was so long ago: a key that somebody dropped keeps nothing apart any more, and
    /// the server need not say so.
    func readTablesAgain(after age: Duration) {
        if .now - readAt >= age { catalog = nil }
    }

    private func connect() throws(UpstreamError) -> PostgresConnection {
        drop()
        let connection = try PostgresConnection.connect(configuration, interrupt: interrupt)
        self.connection = connection
        logger.info(
            "connected to the database",
            metadata: [
                "target": "\(configuration.target)", "encrypted": "\(connection.isEncrypted)",
                "version": "\(connection.serverVersion / 10000).\(connection.serverVersion % 10000)",
            ])
        return connection
    }

    /// Leaves no transaction open; gives the connection up when even that doesn't work. Tables are read again.
    func abandon() {
        catalog = nil
        guard let standing else { return drop() }
        guard standing.isInTransaction else { return }
        do {
            try standing.run("ROLLBACK", "roll back")
        } catch {
            drop()
        }
    }

    /// Gives the connection up.
    func drop() {
        connection?.finish()
        connection = nil
        catalog = nil
        places.forget()
    }

    /// Says, once for each stream, that rows which the server took are not in their table.
    func note(_ outcome: UploadOutcome, of stream: EventStream) {
        guard outcome.keptOut > 0, saidKeptOut.insert(stream).inserted else { return }
        logger.warning(
            "a trigger upstream keeps rows out of their table, or puts them elsewhere; they are counted and not looked for",
            metadata: ["stream": "\(stream.rawValue)", "rows": "\(outcome.keptOut)"])
    }

    /// The statements about a file's rows in the ledger; without an identifier, about this file's.
    func ledger(in catalog: Catalog, of id: String? = nil) throws(UpstreamError) -> Ledger {
        let id = id ?? bufferID
        guard id.utf8.count <= 38, id.allSatisfy({ $0.isHexDigit || $0 == "-" }), !id.isEmpty else {
            throw UpstreamError(.configuration, "read the buffer's id", "it is not a UUID")
        }
        let table = try TableShape.ledger.usable(in: catalog)
        return Ledger(
            table: table, bufferID: id, collector: configuration.collector, sessionSQL: configuration.sessionSQL)
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
}
