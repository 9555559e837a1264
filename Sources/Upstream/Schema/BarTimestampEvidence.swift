import MarketData

/// Evidence from the minute bars in a table about their timestamp: whether it is the window's start or its end. Pure.
///
/// The opening minute of a session has much more volume than its neighbours: with start times its bar is at 09:30 in
/// New York, with end times at 09:31. The first and the last minute with any trading give the same evidence.
struct BarTimestampEvidence: Equatable {
    /// The number of symbol-days on which the bar at 09:30 has more volume than the one at 09:31.
    var startVotes = 0
    /// The number of symbol-days on which the bar at 09:31 has more.
    var endVotes = 0
    /// The number of bars at 04:00, which only start times have: the first of a day.
    var atFour = 0
    /// The number of bars at 20:00, which only end times have: the last of a day.
    var atTwenty = 0

    /// What the timestamps mean; `nil` if the evidence isn't clear.
    var meaning: BarTimestamp? {
        let votes = startVotes + endVotes
        if votes >= 5 {
            if startVotes * 5 >= votes * 4 { return .start }
            if endVotes * 5 >= votes * 4 { return .end }
            return nil
        }
        switch (atFour, atTwenty) {
        case (3..., 0): return .start
        case (0, 3...): return .end
        default: return nil
        }
    }

    /// The warning if the setting contradicts the bars.
    func warning(_ setting: BarTimestamp) -> String? {
        guard let meaning, meaning != setting else { return nil }
        return "the existing bars are stamped with their window's \(meaning.rawValue), but BAR_TIMESTAMP is "
            + "\(setting.rawValue), so new bars would be stamped a minute "
            + "\(setting == .start ? "earlier" : "later"); set BAR_TIMESTAMP=\(meaning.rawValue)"
    }
}

extension PostgresConnection {
    /// The number of rows to examine: enough for a few hundred symbol-days.
    private static let looked = 300_000

    /// A warning if the minute bars of other programs contradict `setting`; `nil` also if the query takes too long.
    func barTimestampWarning(in catalog: Catalog, _ setting: BarTimestamp) throws(UpstreamError) -> String? {
        guard let table = catalog.tables[TableShape.minuteBars.name],
            TableShape.minuteBars.faults(in: catalog).isEmpty
        else { return nil }
        let others = table.column("collector")?.canSelect == true ? "WHERE \(table.quoted("collector")) IS NULL" : ""
        let (symbol, time, volume) = (table.quoted("symbol"), table.quoted("timestamp"), table.quoted("volume"))
        let isZoned = table.column("timestamp")?.typeName == "timestamptz"
        let moment = isZoned ? "moment" : "(moment AT TIME ZONE 'UTC')"
        let sql = """
            SET LOCAL statement_timeout = 5000;
            WITH bars AS (
                SELECT symbol, volume, \(moment) AT TIME ZONE 'America/New_York' AS local
                FROM (SELECT \(symbol) AS symbol, \(volume) AS volume, \(time) AS moment FROM \(table.sqlName) \(others)
                    LIMIT \(Self.looked)) b),
            days AS (
                SELECT max(volume) FILTER (WHERE local::time = '09:30') AS first,
                       max(volume) FILTER (WHERE local::time = '09:31') AS second
                FROM bars WHERE local::time IN ('09:30', '09:31') GROUP BY symbol, local::date)
            SELECT (SELECT count(*) FROM days WHERE first > second), (SELECT count(*) FROM days WHERE second > first),
                   (SELECT count(*) FROM bars WHERE local::time = '04:00'),
                   (SELECT count(*) FROM bars WHERE local::time = '20:00')
            """
        do throws(UpstreamError) {
            let row = try ask(sql, "look at the existing bars").last?.rows.first ?? []
            let counts = row.compactMap { $0.flatMap { Int($0) } }
            guard counts.count == 4 else { return nil }
            return BarTimestampEvidence(
                startVotes: counts[0], endVotes: counts[1], atFour: counts[2], atTwenty: counts[3]
            ).warning(setting)
        } catch {
            guard !error.endsConnection else { throw error }
            return nil
        }
    }
}
