public import MarketData

/// Reads rows back from the database, for display and export.
///
/// Each call runs in a read-only transaction of its own.
public actor UpstreamReader {
    let configuration: UpstreamConfiguration
    private let executor = QueueExecutor(label: "edgetick.upstream.reader")
    let interrupt = Wakeup()
    private var connection: PostgresConnection?

    /// Runs on a dispatch queue of its own, because the work blocks.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Creates a reader; it connects on first use.
    public init(configuration: UpstreamConfiguration) { self.configuration = configuration }

    /// Closes the connection; the next call opens it again.
    public func disconnect() {
        connection?.finish()
        connection = nil
    }

    /// The start times of the minute bars within a span, by symbol, in milliseconds since the Unix epoch.
    ///
    /// - Parameter symbols: the symbols to read; all if `nil`.
    public func minuteBars(
        starts: Range<Int64>, symbols: [Symbol]?
    ) async throws(UpstreamError) -> [(symbol: Symbol, starts: [Int64])] {
        let operation = "read the minute bars"
        return try await interruptible(by: interrupt, role: configuration.role) { () throws(UpstreamError) in
            let connection = try connected()
            let table = try table(.minuteBars, operation, over: connection)
            let meaning = configuration.barTimestamp
            let time = SQLText.milliseconds(of: table.quoted(BarField.timestamp.rawValue))
            let symbol = table.quoted(BarField.symbol.rawValue)
            let chosen = symbols.map { " AND \(symbol) IN (\(Self.list($0)))" }
            var found: [(symbol: Symbol, starts: [Int64])] = []
            try connection.begin("READ ONLY", operation)
            try connection.copyOut(
                """
                COPY (
                    SELECT \(table.textSQL(BarField.symbol.rawValue)), string_agg(
                        ((\(time) - \(starts.lowerBound + meaning.shift(of: .minute))) / 60000)::text, ',')
                    FROM \(table.sqlName)
                    WHERE \(table.barStartSQL(.minute, within: starts, meaning))\(chosen ?? "")
                    GROUP BY \(symbol)
                ) TO STDOUT
                """, operation
            ) { line throws(UpstreamError) in
                let cells = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
                guard cells.count == 2, let symbol = Symbol(utf8: UnsafeRawBufferPointer(rebasing: cells[0])) else {
                    return
                }
                let minutes = cells[1].split(separator: UInt8(ascii: ",")).compactMap {
                    Int64(String(decoding: $0, as: UTF8.self))
                }.filter { 0...(starts.upperBound - starts.lowerBound) / 60_000 ~= $0 }
                found.append((symbol, minutes.map { starts.lowerBound + $0 * 60_000 }))
            }
            try connection.run("COMMIT", operation)
            return found
        }
    }

    /// Describes a table as it is now.
    ///
    /// - Throws: reason `schema` if it is missing.
    func table(
        _ shape: TableShape, _ operation: String, over connection: PostgresConnection
    ) throws(UpstreamError) -> TableDescription {
        let catalog = try connection.readCatalog(of: [shape.name])
        guard let table = catalog.tables[shape.name] else {
            throw UpstreamError(
                .schema, operation, shape.faults(in: catalog).joined(separator: "; "),
                sqlState: UpstreamError.undefinedTable, object: "table \(shape.name)")
        }
        return table
    }

    /// The symbols as a list for SQL, which may be empty.
    static func list(_ symbols: [Symbol]) -> String {
        (symbols.map { SQLText.literal($0.description) } + ["NULL"]).joined(separator: ", ")
    }

    func connected() throws(UpstreamError) -> PostgresConnection {
        if let connection, connection.isUsable, !connection.isInTransaction { return connection }
        disconnect()
        let opened = try PostgresConnection.connect(configuration, interrupt: interrupt)
        connection = opened
        return opened
    }
}
