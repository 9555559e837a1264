import Logging
import MarketData
import TestSupport

@testable import Upstream

let quiet = Logger.quiet

/// 2013-10-08 13:30:00 UTC, in milliseconds.
let opening: Int64 = 1_381_239_000_000

/// A database of the shared server, with or without the schema, and an uploader into it.
struct Sandbox {
    let cluster: PostgresCluster
    let database: String

    /// A new database with the tables that `migrate` makes, in which `sql` has run after that.
    static func migrated(then sql: String? = nil) async throws -> Sandbox {
        let sandbox = try empty()
        _ = try await UpstreamSchema.migrate(sandbox.configuration())
        if let sql { try sandbox.run(sql) }
        return sandbox
    }

    /// A new database in which `sql` was run, and then `migrate` for what is missing.
    static func prepared(_ sql: String) async throws -> Sandbox {
        let sandbox = try empty()
        try sandbox.run(sql)
        _ = try await UpstreamSchema.migrate(sandbox.configuration())
        return sandbox
    }

    /// Makes a statement that stores more than a hundred trades fail as at a configured limit.
    static let limit = """
        CREATE FUNCTION limited() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF (SELECT count(*) FROM fresh) > 100 THEN
        RAISE EXCEPTION 'tuple limit exceeded by operation' USING ERRCODE = '53400'; END IF; RETURN NULL; END $$;
        CREATE TRIGGER limited AFTER INSERT ON trades REFERENCING NEW TABLE AS fresh
        FOR EACH STATEMENT EXECUTE FUNCTION limited()
        """

    static func empty(on cluster: PostgresCluster? = nil) throws -> Sandbox {
        let cluster = try cluster ?? PostgresCluster.shared()
        return Sandbox(cluster: cluster, database: try cluster.makeDatabase())
    }

    /// Its time limits are longer than a loaded machine may stand still.
    func configuration(
        user: String? = nil, password: String? = nil, port: Int? = nil, statementTimeout: Duration = .seconds(60),
        barTimestamp: BarTimestamp = .start
    ) throws -> UpstreamConfiguration {
        try UpstreamConfiguration(
            uri: cluster.uri(database, user: user, password: password, port: port), collector: "edge-1",
            connectTimeout: .seconds(60), statementTimeout: statementTimeout, barTimestamp: barTimestamp)
    }

    func uploader(
        buffer: String = "2b1f6e0a-93a5-4d0e-8a57-0c1d8a4e5f60", user: String? = nil, port: Int? = nil,
        statementTimeout: Duration = .seconds(60), barTimestamp: BarTimestamp = .start
    ) throws -> Uploader {
        Uploader(
            configuration: try configuration(
                user: user, port: port, statementTimeout: statementTimeout, barTimestamp: barTimestamp),
            bufferID: buffer, logger: quiet)
    }

    @discardableResult
    func run(_ sql: String) throws -> String {
        try cluster.psql(sql, database: database).split(separator: "\n").joined(separator: "\n")
    }

    /// Waits until the database has this many sessions: one may outlive its client for a moment, with its locks.
    func waitForSessions(_ count: Int) async throws {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = '\(database)'"
        try await Waiting.until("a database with \(count) sessions") {
            try cluster.psql(sql, database: "postgres").split(separator: "\n") == ["\(count)"]
        }
    }

    /// Ends all sessions of the database and waits until they are gone.
    func endSessions() async throws {
        try cluster.endSessions(of: database)
        try await waitForSessions(0)
    }
}

/// Repeats what fails because the machine stood still for longer than the short limits that the test has to set.
///
/// - Parameter busyStates: The SQLSTATEs with which `.busy` may be tried again; any unless given.
@discardableResult
func despiteStalls<Value: Sendable>(
    _ reasons: Set<UpstreamError.Reason> = [.deadline, .tooSlow, .busy], busyStates: Set<String>? = nil,
    tries: Int = 10, _ body: @Sendable () async throws -> Value
) async throws -> Value {
    for _ in 1..<tries {
        do {
            return try await body()
        } catch let error as UpstreamError where reasons.contains(error.reason) {
            if error.reason == .busy, let busyStates, !busyStates.contains(error.sqlState ?? "") { throw error }
        }
    }
    return try await body()
}

/// Keeps what was refused, as the buffer's dead letters do.
actor DeadLetterBox {
    private(set) var rows: [DeadLetter] = []
    private(set) var calls = 0

    func add(_ rows: [DeadLetter]) {
        self.rows += rows
        calls += 1
    }
}

extension Uploader {
    /// Whether the server closed the connection.
    var hasEnded: Bool { session.standing?.isOpen == false }

    /// The last sequence of `stream` that is upstream, by the ledger, and on the server's disk; 0 when none is.
    func uploadedSequence(of stream: EventStream) async throws(UpstreamError) -> Int64 {
        try await inTurn { () throws(UpstreamError) in
            let (connection, catalog) = try self.session.connected()
            return try self.session.settledRow(stream, try self.session.ledger(in: catalog), connection)?.sequence ?? 0
        }
    }

    /// Sends rows that come from no file.
    func drain(_ source: some UploadSource) async throws {
        try await drain(source, of: NoFile(id: session.bufferID))
    }

    /// Uploads and expects no refused row.
    func upload(_ batch: BufferedBatch) async throws -> UploadOutcome {
        try await upload(batch) { rows in throw UnexpectedRefusal(rows: rows) }
    }

    /// Uploads a batch alone; `deadLetters` gets what is refused.
    func upload(
        _ batch: BufferedBatch, deadLetters: @escaping @Sendable ([DeadLetter]) async throws -> Void
    ) async throws -> UploadOutcome {
        let source = BatchList([batch], deadLetters: deadLetters)
        try await drain(source)
        // A batch with which the connection was lost before goes up in parts.
        return await source.settled.reduce(into: UploadOutcome()) { $0.add($1.outcome) }
    }
}

/// Batches in the buffer's order, and what the uploader reported of them.
actor BatchList: UploadSource {
    private(set) var settled: [SettledBatch] = []
    private(set) var failed: [EventStream: UpstreamError] = [:]
    /// How many batches were handed out.
    private(set) var read = 0
    private var next = 0
    private let batches: [BufferedBatch]
    private let deadLetters: @Sendable ([DeadLetter]) async throws -> Void
    private let onSettled: @Sendable (SettledBatch) async throws -> Void

    init(
        _ batches: [BufferedBatch],
        onSettled: @escaping @Sendable (SettledBatch) async throws -> Void = { _ in },
        deadLetters: @escaping @Sendable ([DeadLetter]) async throws -> Void = { throw UnexpectedRefusal(rows: $0) }
    ) {
        self.batches = batches
        self.deadLetters = deadLetters
        self.onSettled = onSettled
    }

    func nextBatch() async throws -> BufferedBatch? {
        while next < batches.count, failed[batches[next].stream] != nil { next += 1 }
        guard next < batches.count else { return nil }
        next += 1
        read += 1
        return batches[next - 1]
    }

    func keep(_ refused: [DeadLetter]) async throws { try await deadLetters(refused) }

    func settled(_ batch: SettledBatch) async throws {
        settled.append(batch)
        try await onSettled(batch)
    }

    func failed(_ stream: EventStream, _ error: UpstreamError) { failed[stream] = error }
}

struct UnexpectedRefusal: Error {
    let rows: [DeadLetter]
}

func bar(
    _ symbol: String = "AAPL", minute: Int64 = 0, interval: Bar.Interval = .minute, close: Double = 34.51,
    volume: Double = 1200
) -> Bar {
    let start = opening + minute * interval.milliseconds
    return Bar(
        symbol: Symbol(symbol)!, interval: interval, start: start, end: start + interval.milliseconds, open: 34.5,
        high: 34.6, low: 34.4372, close: close, volume: volume, vwap: 34.4999, dayVolume: 90_210.5, dayOpen: 34.25,
        dayVWAP: 34.3123, averageSize: 101, isOTC: false)
}

func batch(_ bars: [Bar], from sequence: Int64 = 1) -> BufferedBatch {
    var batch = BufferedBatch(stream: .bars)
    batch.connections = ["primary"]
    batch.bars = bars.enumerated().map { index, bar in
        Buffered(
            sequence: sequence + Int64(index), event: bar, receivedMicroseconds: opening * 1000 + 61_000_123,
            connection: 0, source: .stream)
    }
    return batch
}

func quotes(_ count: Int, from sequence: Int64 = 1) -> BufferedBatch {
    var batch = BufferedBatch(stream: .quotes)
    batch.connections = ["primary"]
    for number in sequence..<sequence + Int64(count) {
        let event = Quote(symbol: Symbol("IBM")!, time: opening + number, bid: 184.5, ask: 184.52, sequence: number)
        batch.quotes.append(
            Buffered(
                sequence: number, event: event, receivedMicroseconds: opening * 1000 + number, connection: 0,
                source: .stream))
    }
    return batch
}

func batch(trades: [(symbol: String, price: Double, id: String)], from sequence: Int64 = 1) -> BufferedBatch {
    var batch = BufferedBatch(stream: .trades)
    batch.connections = ["primary"]
    for (index, trade) in trades.enumerated() {
        let event = Trade(
            symbol: Symbol(trade.symbol)!, time: opening + Int64(index), price: trade.price, size: 0.25, exchange: 11,
            tape: 3, tradeID: batch.text.append(trade.id), conditions: batch.text.append("[0,12]"),
            sequence: 900_000_000_000 + Int64(index), trfID: 202, trfTime: opening + 5,
            participantTime: opening - 3)
        batch.trades.append(
            Buffered(
                sequence: sequence + Int64(index), event: event, receivedMicroseconds: opening * 1000 + 7,
                connection: 0, source: .stream))
    }
    return batch
}

func trades(_ count: Int, from sequence: Int64 = 1) -> BufferedBatch {
    batch(
        trades: (0..<count).map { ("MSFT", 33.01 + Double($0 % 100) / 100, "\(sequence + Int64($0))") }, from: sequence)
}
