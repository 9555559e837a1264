import Logging
import MarketData

/// The connection that rows go over, and the catalog of the tables; both are renewed when necessary.
final class UploadSession {
    let configuration: UpstreamConfiguration
    let bufferID: String
    let interrupt = Wakeup()
    /// What is known of the ledger over this connection.
    var places = LedgerPlaces()
    private let logger: Logger
    private var connection: PostgresConnection?
    /// The catalog of the tables; `nil` if it must be read (again).
    private var catalog: Catalog?
    private var readAt = ContinuousClock.now
    /// How the tables differ from those that EdgeTick creates; `nil` until they are read.
    private var differences: Set<String>?
    /// Whether the bars of other programs were examined, which is done once per process.
    private var hasLooked = false
    /// The streams for which the trigger that keeps rows out was already reported.
    private var reportedKeptOut: Set<EventStream> = []
    /// The streams for which the trigger that changes values was already reported.
    private var reportedChanged: Set<EventStream> = []

    init(configuration: UpstreamConfiguration, bufferID: String, logger: Logger) {
        self.configuration = configuration
        self.bufferID = bufferID
        self.logger = logger
    }

    /// The connection, unless it was given up.
    var standing: PostgresConnection? { connection.flatMap { $0.isUsable ? $0 : nil } }

    /// The connection and the catalog of the tables, both renewed when necessary.
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

    /// Reports what altered tables no longer accept or no longer store fully; `doctor` shows what was so from the start.
    private func reportChanges(_ catalog: Catalog) {
        var found: Set<String> = []
        for shape in TableShape.targets {
            guard let name = catalog.tables[shape.name]?.displayName else { continue }
            found.formUnion(shape.differences(in: catalog).map { "\(name): \($0)" })
        }
        for text in found.subtracting(differences ?? found).sorted() {
            logger.warning("a table was altered; the upload goes on", metadata: ["now": "\(text)"])
        }
        differences = found
    }

    /// How long the catalog is used while all goes well.
    static let tablesLast: Duration = .seconds(60)

    /// Discards a catalog of at least this age: if somebody drops a key, it no longer prevents duplicates, and the
    /// server need not report that.
    func readTablesAgain(after age: Duration) { if .now - readAt >= age { catalog = nil } }

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

    /// Leaves no transaction open, or gives up the connection if the rollback fails. The tables are read again.
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

    func drop() {
        connection?.finish()
        connection = nil
        catalog = nil
        places.forget()
    }

    /// Reports, once per stream, that rows which the server accepted are not in their table.
    func note(_ outcome: UploadOutcome, of stream: EventStream) {
        guard outcome.keptOut > 0, reportedKeptOut.insert(stream).inserted else { return }
        logger.warning(
            "a trigger on the upstream table discards or redirects rows; they are counted as kept out, not as uploaded",
            metadata: ["stream": "\(stream.rawValue)", "rows": "\(outcome.keptOut)"])
    }

    /// Reports, once per stream, that rows in the table have other values than were sent.
    func noteChanges(of stream: EventStream) {
        guard reportedChanged.insert(stream).inserted else { return }
        logger.warning(
            "a trigger on the upstream table changes values; rows that are not found otherwise are looked up by what identifies their events",
            metadata: ["stream": "\(stream.rawValue)"])
    }

    /// The statements about a file's rows in the ledger; this file's if no identifier is given.
    func ledger(in catalog: Catalog, of id: String? = nil) throws(UpstreamError) -> Ledger {
        let id = id ?? bufferID
        guard id.utf8.count <= 38, id.allSatisfy({ $0.isHexDigit || $0 == "-" }), !id.isEmpty else {
            throw UpstreamError(.configuration, "read the buffer's id", "it is not a UUID")
        }
        let table = try TableShape.ledger.usable(in: catalog)
        return Ledger(
            table: table, bufferID: id, collector: configuration.collector, sessionSQL: configuration.sessionSQL)
    }

    /// The stream's row of the ledger on the server's disk, read behind a lock so that no transaction still changes it.
    func settledRow(
        _ stream: EventStream, _ ledger: Ledger, _ connection: PostgresConnection
    ) throws(UpstreamError) -> LedgerRow? {
        do throws(UpstreamError) {
            let row = ledger.readSQL(stream, of: bufferID) + " FOR UPDATE"
            let sql = [ledger.beginSQL, row, Ledger.waitSQL, "COMMIT"].joined(separator: "; ")
            let results = try connection.run(sql, "read the ledger")
            return results.lazy.compactMap { $0.rows.first.flatMap { LedgerRow($0) } }.first
        } catch {
            abandon()
            throw error
        }
    }
}
