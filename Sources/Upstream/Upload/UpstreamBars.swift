public import MarketData

/// Minute bars in the database, and how exactly it stores their numbers.
public struct UpstreamBars: Sendable {
    /// Creates an empty set of bars.
    public init() {}

    /// Adds other symbols' bars of the same table.
    public mutating func add(_ other: UpstreamBars) {
        bars.merge(other.bars) { $1 }
        rounding = other.rounding
    }

    /// The bars by symbol; each key appears once.
    public fileprivate(set) var bars: [Symbol: [DayBar]] = [:]
    /// How far they may be off from what was sent.
    public fileprivate(set) var rounding = BarRounding()
}

extension Uploader {
    /// The minute bars of some symbols whose windows start within a span.
    public func minuteBars(of symbols: [Symbol], starts: Range<Int64>) async throws(UpstreamError) -> UpstreamBars {
        try await inTurn { () throws(UpstreamError) in
            let (connection, catalog) = try self.session.connected()
            let target = try UploadTarget<BarField>(.minuteBars, in: catalog)
            return try connection.minuteBars(of: symbols, starts, in: target, self.configuration.barTimestamp)
        }
    }

    /// The symbols that have minute bars whose windows start within a span, including bars of other programs.
    public func symbols(withMinuteBars starts: Range<Int64>) async throws(UpstreamError) -> Set<Symbol> {
        try await inTurn { () throws(UpstreamError) in
            let (connection, catalog) = try self.session.connected()
            let table = try UploadTarget<BarField>(.minuteBars, in: catalog).table
            let rows = try connection.ask(
                """
                SELECT DISTINCT \(table.textSQL(BarField.symbol.rawValue)) FROM \(table.sqlName)
                WHERE \(table.barStartSQL(.minute, within: starts, self.configuration.barTimestamp))
                """, "read the symbols of \(table.displayName)"
            ).rows
            return Set(rows.compactMap { $0[0].flatMap { Symbol($0) } })
        }
    }

    /// The streams of ticks whose table can't store an event twice: see ``TickIdentity``.
    public func identifiedStreams() async throws(UpstreamError) -> Set<EventStream> {
        try await inTurn { () throws(UpstreamError) in
            let (_, catalog) = try self.session.connected()
            return Set(self.configuration.streams.filter { catalog.identity(of: $0)?.isWhole == true })
        }
    }
}

extension TableDescription {
    /// How far numbers may be off in the column that rounds most.
    fileprivate func rounding(of fields: [BarField]) -> BarRounding.Limit {
        let limits = fields.compactMap { column($0.rawValue)?.rounding }
        return BarRounding.Limit(
            difference: limits.map(\.difference).max() ?? 0, fraction: limits.map(\.fraction).max() ?? 0)
    }
}

extension TableDescription.Column {
    fileprivate var rounding: BarRounding.Limit {
        // Stored with 24 binary digits, and read as the shortest decimal that is stored so.
        if typeName == "float4" { return BarRounding.Limit(fraction: 0x1p-23) }
        guard let scale else { return BarRounding.Limit() }
        let half = (0..<abs(scale)).reduce(0.5) { unit, _ in scale < 0 ? unit * 10 : unit / 10 }
        // Plus what binary floating point adds.
        return BarRounding.Limit(difference: half * 1.000_001)
    }
}

extension PostgresConnection {
    fileprivate func minuteBars(
        of symbols: [Symbol], _ starts: Range<Int64>, in target: UploadTarget<BarField>, _ meaning: BarTimestamp
    ) throws(UpstreamError) -> UpstreamBars {
        guard !symbols.isEmpty else { return UpstreamBars() }
        let table = target.table
        let fields = Set(target.columns.map(\.field))
        func name(_ field: BarField) -> String { table.quoted(field.rawValue) }
        let volume =
            fields.contains(.decimalVolume)
            ? "coalesce(\(name(.decimalVolume)), \(name(.volume)))" : name(.volume)
        let list = SQLText.list(symbols.map(\.description))
        let results = try ask(
            """
            SELECT \(table.textSQL(BarField.symbol.rawValue)),
                \(SQLText.milliseconds(of: name(.timestamp))),
                \(name(.open)), \(name(.high)), \(name(.low)), \(name(.close)), \(volume),
                \(fields.contains(.vwap) ? name(.vwap) : "NULL")
            FROM \(table.sqlName)
            WHERE \(name(.symbol)) IN (\(list)) AND \(table.barStartSQL(.minute, within: starts, meaning))
            """, "read bars of \(table.displayName)")
        let shift = meaning.shift(of: .minute)
        var found = UpstreamBars()
        found.rounding.prices = table.rounding(of: [.open, .high, .low, .close])
        found.rounding.volume = table.rounding(of: [.volume, .decimalVolume])
        found.rounding.vwap = table.rounding(of: [.vwap])
        for row in results.rows {
            guard row.count == 8, let symbol = row[0].flatMap({ Symbol($0) }), let time: Int64 = row.number(1) else {
                continue
            }
            func number(_ column: Int) -> Double { row.number(column) ?? .nan }
            found.bars[symbol, default: []].append(
                DayBar(
                    start: time - shift, open: number(2), high: number(3), low: number(4), close: number(5),
                    volume: number(6), vwap: row.number(7)))
        }
        return found
    }
}
