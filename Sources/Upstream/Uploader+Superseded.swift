public import MarketData

/// A bar that is to be sent once more, and when it was received.
public struct LateBar: Sendable {
    /// The bar.
    public var bar: Bar
    /// When it was read from the socket, in microseconds since the Unix epoch.
    public var receivedMicroseconds: Int64

    /// Makes one.
    public init(bar: Bar, receivedMicroseconds: Int64) {
        self.bar = bar
        self.receivedMicroseconds = receivedMicroseconds
    }
}

extension PostgresConnection {
    /// The places of those bars whose key the table holds in a version that is not known to be older.
    ///
    /// Without the column received_at nothing tells which version is newer; the one that is there stays then.
    func superseded(
        _ bars: [(place: Int, late: LateBar)], in table: TableDescription, as timestamp: BarTimestamp
    ) throws(UpstreamError) -> [Int] {
        guard !bars.isEmpty else { return [] }
        let isZoned = table.column("timestamp")?.typeName == "timestamptz"
        func moment(_ microseconds: Int64) -> String {
            let time = "timestamptz 'epoch' + \(microseconds) * interval '1 microsecond'"
            return isZoned ? time : "(\(time)) AT TIME ZONE 'UTC'"
        }
        let values = bars.map { place, late in
            let symbol = SQLText.literal(late.bar.symbol.description)
            let time = moment(late.bar.time(as: timestamp) * 1000)
            return
                "(\(place), \(symbol), \(time), timestamptz 'epoch' + \(late.receivedMicroseconds) * interval '1 microsecond')"
        }
        var isNewer = ""
        if let received = table.column("received_at"), received.canSelect {
            let column = received.typeName == "timestamptz" ? "t.received_at" : "t.received_at AT TIME ZONE 'UTC'"
            isNewer = " AND (\(column) > w.received) IS NOT FALSE"
        }
        let results = try run(
            """
            SELECT w.place FROM (VALUES \(values.joined(separator: ", "))) w(place, symbol, time, received)
            JOIN \(table.sqlName) t ON t.symbol = w.symbol AND t."timestamp" = w.time\(isNewer)
            """, "look for newer bars in \(table.displayName)")
        return (results.last?.rows ?? []).compactMap { $0.first.flatMap { $0 }.flatMap { Int($0) } }
    }
}
