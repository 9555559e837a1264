public import MarketData

/// The table in which the boxes of a group say what they have whole, over a connection of its own: rows never wait for it.
public actor StretchTable {
    private let configuration: UpstreamConfiguration
    private let group: String
    private let executor = QueueExecutor(label: "edgetick.stretches")
    private let interrupt = Wakeup()
    private static let table = "edgetick_stretches"
    /// How long stretches are kept, in days; a gap that is older is not covered any more.
    private static let kept = 30

    /// Runs on a dispatch queue of its own, because the work blocks.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// The table as the box `configuration.collector` of a group sees it.
    public init(configuration: UpstreamConfiguration, group: String) {
        self.configuration = configuration.hurried(.seconds(10))
        self.group = group
    }

    /// Says what this box has, and returns what the others of its group have that reaches into a span of the events' own
    /// time, by their names; nothing without a span. One transaction.
    ///
    /// - Throws: ``UpstreamError`` when the database can't be asked, or the table is missing.
    public func exchange(
        _ own: [Stretch], reaching span: ClosedRange<Int64>?
    ) async throws(UpstreamError) -> [String: [Stretch]] {
        try await interruptible(by: interrupt) { () throws(UpstreamError) in
            let connection = try PostgresConnection.connect(configuration, interrupt: interrupt)
            defer { connection.finish() }
            let operation = "tell the group what is whole"
            try connection.begin("ISOLATION LEVEL READ COMMITTED", operation)
            for stretch in own { try say(stretch, over: connection, operation) }
            let found =
                try span.map { span throws(UpstreamError) in try read(span, over: connection, operation) } ?? [:]
            try connection.run("COMMIT", operation)
            return found
        }
    }

    private func say(
        _ stretch: Stretch, over connection: PostgresConnection, _ operation: String
    ) throws(UpstreamError) {
        let key = "\(SQLText.literal(configuration.collector)), \(SQLText.literal(stretch.kind.rawValue))"
        let (since, through) = (Self.moment(stretch.since), Self.moment(stretch.through))
        let updated = try connection.run(
            """
            UPDATE \(Self.table) SET through = \(through)
            WHERE (collector, kind, since) = (\(key), \(since))
            """, operation)
        guard updated.last?.affected == 0 else { return }
        let symbols = stretch.symbols.map { names in
            "ARRAY[\(names.sorted().map { SQLText.literal($0.description) }.joined(separator: ", "))]::text[]"
        }
        try connection.run(
            """
            DELETE FROM \(Self.table) WHERE collector = \(SQLText.literal(configuration.collector))
            AND through < now() - interval '\(Self.kept) days';
            INSERT INTO \(Self.table) (collector, kind, since, through, symbols, "group")
            VALUES (\(key), \(since), \(through), \(symbols ?? "NULL"), \(SQLText.literal(group)))
            """, operation)
    }

    private func read(
        _ span: ClosedRange<Int64>, over connection: PostgresConnection, _ operation: String
    ) throws(UpstreamError) -> [String: [Stretch]] {
        let results = try connection.run(
            """
            SELECT collector, kind, (extract(epoch FROM since) * 1000)::bigint,
                   (extract(epoch FROM through) * 1000)::bigint, array_to_string(symbols, ' ')
            FROM \(Self.table) WHERE "group" = \(SQLText.literal(group))
            AND collector <> \(SQLText.literal(configuration.collector))
            AND isfinite(since) AND isfinite(through) AND since <= \(Self.moment(span.upperBound)) AND through >= \(Self.moment(span.lowerBound))
            """, operation)
        var found: [String: [Stretch]] = [:]
        for row in results.last?.rows ?? [] {
            guard row.count == 5, let box = row[0], let kind = row[1].flatMap({ EventKind(rawValue: $0) }),
                let since = row[2].flatMap({ Int64($0) }), let through = row[3].flatMap({ Int64($0) })
            else { continue }
            let symbols = row[4].map { names in Set(names.split(separator: " ").compactMap { Symbol(String($0)) }) }
            found[box, default: []].append(Stretch(kind: kind, symbols: symbols, since: since, through: through))
        }
        return found
    }

    private static func moment(_ milliseconds: Int64) -> String {
        "(timestamptz 'epoch' + \(milliseconds) * interval '1 millisecond')"
    }
}
