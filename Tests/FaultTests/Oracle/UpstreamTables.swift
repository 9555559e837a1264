import Foundation
import MarketData
import TestSupport

/// The tables upstream, read through psql.
struct UpstreamTables: Sendable {
    let cluster: PostgresCluster
    let database: String

    /// Makes a fresh database, or a copy of another that has no connections.
    init(in cluster: PostgresCluster, copying original: UpstreamTables? = nil) throws {
        self.cluster = cluster
        database = try cluster.makeDatabase(copying: original?.database)
    }

    /// A database of that name on another server, such as a standby.
    init(_ database: String, on cluster: PostgresCluster) {
        self.cluster = cluster
        self.database = database
    }

    /// Calls `body` with every row of a stream.
    func rows(_ stream: EventStream, _ body: (LedgerRow) -> Void) throws {
        switch stream {
        case .bars:
            try rows(.minuteBar, table: "ohlcv_1min", time: "\"timestamp\"", body)
            try rows(.secondBar, table: "ohlcv_1sec", time: "\"timestamp\"", body)
        case .trades: try rows(.trade, table: "trades", time: "time", body)
        case .quotes: try rows(.quote, table: "quotes", time: "time", body)
        case .luld: try rows(.limitBand, table: "luld", time: "time", body)
        case .imbalances: try rows(.imbalance, table: "imbalances", time: "time", body)
        case .fairValues: try rows(.fairValue, table: "fair_values", time: "time", body)
        }
    }

    /// Returns the output of a query, such as its only value.
    func value(_ query: String) throws -> String { try cluster.value(query, database: database) }

    /// Returns the number of rows in all tables.
    func count() throws -> Int {
        let tables = ["ohlcv_1min", "ohlcv_1sec", "trades", "quotes", "luld", "imbalances", "fair_values"]
        return Int(try value("select " + tables.map { "(select count(*) from \($0))" }.joined(separator: " + "))) ?? -1
    }

    /// Returns the process ids of the sessions that are in a COPY right now.
    func copying() throws -> [pid_t] {
        try cluster.psql(
            "select pid from pg_stat_progress_copy where datname = '\(database)'",
            database: "postgres"
        ).split(separator: "\n").compactMap { pid_t($0) }
    }

    private func rows(_ kind: EventKind, table: String, time: String, _ body: (LedgerRow) -> Void) throws {
        let names = LedgerColumns.names(kind.stream).map { name in
            kind.stream == .bars && name == "volume" ? "decimal_volume" : name
        }
        let output = try cluster.psql(
            "select symbol, (extract(epoch from \(time)) * 1000)::bigint, \(names.joined(separator: ", ")) from \(table)",
            database: database)
        for line in output.utf8.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: "|"), omittingEmptySubsequences: false)
                .map { String(decoding: $0, as: UTF8.self) }
            body(
                LedgerRow(
                    kind: kind, symbol: fields[0], time: Int64(fields[1]) ?? 0,
                    values: fields.dropFirst(2).map { $0.isEmpty ? nil : LedgerColumns.canonical($0) }))
        }
    }
}
