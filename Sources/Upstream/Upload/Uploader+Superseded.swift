public import MarketData

/// A bar to send once more, with its time of receipt and source.
public struct LateBar: Sendable {
    var bar: Bar
    /// When it was read from the socket, in microseconds since the Unix epoch.
    public var receivedMicroseconds: Int64
    /// Where it came from.
    var source: EventSource

    /// Creates a late bar.
    public init(bar: Bar, receivedMicroseconds: Int64, source: EventSource = .stream) {
        self.bar = bar
        self.receivedMicroseconds = receivedMicroseconds
        self.source = source
    }
}

extension Uploader {
    /// The places of the bars that need not be sent again, because upstream has a version that would stay.
    public func superseded(_ bars: [LateBar]) async throws(UpstreamError) -> Set<Int> {
        try await inTurn { () throws(UpstreamError) in
            let (connection, catalog) = try self.session.connected()
            var found: Set<Int> = []
            for interval in Bar.Interval.allCases {
                let rows = bars.enumerated().filter { $1.bar.interval == interval }.map { (place: $0, late: $1) }
                guard !rows.isEmpty else { continue }
                let target = try UploadTarget<BarField>(.table(of: EventKind(interval)), in: catalog)
                for part in rows.parts(of: 1000) {
                    found.formUnion(try connection.superseded(part, in: target, self.configuration))
                }
            }
            return found
        }
    }
}

extension PostgresConnection {
    /// The years 1 to 9999, in milliseconds since the Unix epoch.
    private static let tableTimes: ClosedRange<Int64> = -62_135_596_800_000...253_402_300_799_999

    /// The places of the bars that would not replace the version in the table: see ``BarVersions``.
    func superseded(
        _ bars: ArraySlice<(place: Int, late: LateBar)>, in target: UploadTarget<BarField>,
        _ configuration: UpstreamConfiguration
    ) throws(UpstreamError) -> [Int] {
        // No table holds a bar outside these times.
        let bars = bars.filter { Self.tableTimes.contains($0.late.bar.time(as: configuration.barTimestamp)) }
        guard !bars.isEmpty else { return [] }
        let table = target.table
        let isZoned = table.column("timestamp")?.typeName == "timestamptz"
        func moment(_ microseconds: Int64) -> String {
            "timestamptz 'epoch' + \(microseconds) * interval '1 microsecond'"
        }
        let values = bars.map { place, late in
            let time = moment(late.bar.time(as: configuration.barTimestamp) * 1000)
            let key =
                "\(SQLText.literal(late.bar.symbol.description)), \(isZoned ? time : "(\(time)) AT TIME ZONE 'UTC'")"
            let volume = late.bar.volume.isFinite ? "\(late.bar.volume)" : "0"
            let received = moment(min(max(late.receivedMicroseconds, 0), Self.tableTimes.upperBound * 1000))
            return "(\(place), \(key), \(received), \(volume), '\(late.source.rawValue)')"
        }
        let versions = target.versions(configuration.barConflict)
        let stays = EventSource.allCases.map { source in
            let condition = versions.condition(old: "t", new: "w", from: source)
            return "WHEN '\(source.rawValue)' THEN \(condition.map { "NOT coalesce((\($0)), false)" } ?? "true")"
        }
        func name(_ field: BarField) -> String { table.quoted(field.rawValue) }
        // Compared with text, a column of the type char(n) is no column of an index.
        let type = table.column(BarField.symbol.rawValue)?.typeName == "bpchar" ? "::bpchar" : ""
        let results = try ask(
            """
            WITH w AS (SELECT place, key_symbol, key_time, received AS \(name(.receivedAt)), bringer,
                amount::numeric AS \(name(.volume)), amount::numeric AS \(name(.decimalVolume)),
                \(SQLText.literal(configuration.collector))::text AS \(name(.collector))
                FROM (VALUES \(values.joined(separator: ", "))) v(place, key_symbol, key_time, received, amount, bringer))
            SELECT w.place FROM w JOIN \(table.sqlName) t
            ON t.\(name(.symbol)) = w.key_symbol\(type) AND t.\(name(.timestamp)) = w.key_time
            WHERE CASE w.bringer \(stays.joined(separator: " ")) END
            """, "look for newer bars in \(table.displayName)")
        return results.rows.compactMap { $0.number(0) }
    }
}
