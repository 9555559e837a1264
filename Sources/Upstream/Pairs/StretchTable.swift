public import MarketData

/// A stretch that a box claims to have complete, and the row that must be upstream to prove it.
public struct StretchClaim: Sendable, Equatable {
    /// The stretch.
    public var stretch: Stretch
    /// The last row of the kind's stream that the stretch relies on; the ledger must have rows through it. `nil` when
    /// the claim only shortens a stretch, which needs no proof.
    public var row: Int64?

    /// Creates a claim; see the properties.
    public init(_ stretch: Stretch, row: Int64? = nil) {
        self.stretch = stretch
        self.row = row
    }
}

/// The table in which the boxes of a group record the stretches they have complete. Uses a connection of its own, so
/// that uploads never wait for it.
///
/// Each database has one, next to its ledger, about the streams stored there. A stretch is written only if the ledger
/// proves it in the same transaction, so a restored database never holds a stretch without its rows.
public struct StretchTable: Sendable {
    /// How long stretches are kept, in days; an older gap is no longer covered.
    public static let kept = 30

    private let configuration: UpstreamConfiguration
    private let group: String
    private static let table = TableShape.stretches.name

    /// The streams that it covers.
    public var streams: [EventStream] { configuration.streams }

    /// Creates a handle on the table for the box `configuration.collector` of a group.
    public init(configuration: UpstreamConfiguration, group: String) {
        self.configuration = configuration.hurried(.seconds(10))
        self.group = group
    }

    /// Records what this box has, and returns the stretches of the group's other boxes as
    /// ``stretches(reaching:ofAnyGroup:)`` does.
    ///
    /// - Parameters:
    ///   - own: the claims; those that the ledger doesn't prove are skipped. The others are committed before anything
    ///     is read.
    ///   - line: the identifiers of this box's file.
    /// - Throws: ``UpstreamError`` if the database can't be queried or the table is missing.
    public func exchange(
        _ own: [StretchClaim], of line: UploadLine, reaching spans: [ClosedRange<Int64>]
    ) async throws(UpstreamError) -> [String: [Stretch]] {
        try await PostgresVisit().run(configuration) { connection throws(UpstreamError) in
            if !own.isEmpty {
                try inTransaction(connection) { () throws(UpstreamError) in
                    for claim in own { try write(claim, of: line, over: connection) }
                }
            }
            guard !spans.isEmpty else { return [:] }
            return try inTransaction(connection) { () throws(UpstreamError) in
                try read(spans, of: group, over: connection)
            }
        }
    }

    /// The stretches of other boxes that overlap spans of event time, by box; repeated for each span that they overlap.
    ///
    /// - Parameter anyGroup: Whether boxes of other groups count too.
    /// - Throws: ``UpstreamError`` if the database can't be queried or the table is missing.
    public func stretches(
        reaching spans: [ClosedRange<Int64>], ofAnyGroup anyGroup: Bool
    ) async throws(UpstreamError) -> [String: [Stretch]] {
        try await PostgresVisit().run(configuration) { connection throws(UpstreamError) in
            try inTransaction(connection) { () throws(UpstreamError) in
                try read(spans, of: anyGroup ? nil : group, over: connection)
            }
        }
    }

    private static let operation = "exchange complete stretches with other boxes"

    private func inTransaction<Value>(
        _ connection: PostgresConnection, _ body: () throws(UpstreamError) -> Value
    ) throws(UpstreamError) -> Value {
        try connection.begin("ISOLATION LEVEL READ COMMITTED", Self.operation)
        let value = try body()
        try connection.run("COMMIT", Self.operation)
        return value
    }

    private func write(
        _ claim: StretchClaim, of line: UploadLine, over connection: PostgresConnection
    ) throws(UpstreamError) {
        let stretch = claim.stretch
        let key = "\(SQLText.literal(configuration.collector)), \(SQLText.literal(stretch.kind.rawValue))"
        let (since, through) = (SQLText.moment(stretch.since), SQLText.moment(stretch.through))
        if let row = claim.row {
            guard try isUpstream(row, of: stretch.kind.stream, line, over: connection) else { return }
        }
        let updated = try connection.run(
            "UPDATE \(Self.table) SET through = \(through) WHERE (collector, kind, since) = (\(key), \(since))",
            Self.operation)
        // A claim without a row only shortens a stretch, so there is nothing to insert.
        guard updated.last?.affected == 0, claim.row != nil else { return }
        let symbols = stretch.symbols.map { SQLText.array($0.sorted().map(\.description)) }
        try connection.run(
            """
            DELETE FROM \(Self.table) WHERE collector = \(SQLText.literal(configuration.collector))
            AND through < now() - interval '\(Self.kept) days';
            INSERT INTO \(Self.table) (collector, kind, since, through, symbols, "group")
            VALUES (\(key), \(since), \(through), \(symbols ?? "NULL"), \(SQLText.literal(group)))
            """, Self.operation)
    }

    /// Whether the ledger has rows through `row`, under an identifier that the file had when it had that row.
    private func isUpstream(
        _ row: Int64, of stream: EventStream, _ line: UploadLine, over connection: PostgresConnection
    ) throws(UpstreamError) -> Bool {
        let ids = line.predecessors(of: stream).filter { $0.through >= row }.map(\.id) + [line.id]
        return try connection.run(
            """
            SELECT count(*) > 0 FROM \(TableShape.ledger.name) WHERE stream = \(SQLText.literal(stream.rawValue))
            AND buffer_id IN (\(SQLText.list(ids))) AND last_sequence >= \(row)
            """, Self.operation
        ).value == "t"
    }

    private func read(
        _ spans: [ClosedRange<Int64>], of group: String?, over connection: PostgresConnection
    ) throws(UpstreamError) -> [String: [Stretch]] {
        var found: [String: [Stretch]] = [:]
        // Most stretches have one of a few lists, which may be long.
        var lists: [String: Set<Symbol>] = [:]
        for span in spans {
            let rows = try connection.run(
                """
                SELECT collector, kind, \(SQLText.milliseconds(of: "since")), \(SQLText.milliseconds(of: "through")),
                       array_to_string(symbols, ' ')
                FROM \(Self.table) WHERE \(group.map { "\"group\" = \(SQLText.literal($0)) AND" } ?? "")
                collector <> \(SQLText.literal(configuration.collector)) AND isfinite(since) AND isfinite(through)
                AND since <= \(SQLText.moment(span.upperBound)) AND through >= \(SQLText.moment(span.lowerBound))
                """, Self.operation
            ).rows
            for row in rows {
                guard row.count == 5, let box = row[0], let kind = row[1].flatMap({ EventKind(rawValue: $0) }),
                    streams.contains(kind.stream), let since: Int64 = row.number(2), let through: Int64 = row.number(3)
                else { continue }
                if let names = row[4], lists[names] == nil {
                    lists[names] = Set(names.split(separator: " ").compactMap { Symbol(String($0)) })
                }
                let symbols = row[4].flatMap { lists[$0] }
                found[box, default: []].append(Stretch(kind: kind, symbols: symbols, since: since, through: through))
            }
        }
        return found
    }
}
