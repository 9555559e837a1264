import Foundation
import TestSupport
import Testing

/// Uploads the captured day, with late corrections and rows that are refused for a while, to Citus and TimescaleDB.
@Suite(
    .blocking, .enabled(if: CapturedDay.isThere, "the captured day is not beside the package"), .serialized,
    .timeLimit(.minutes(30)))
struct EngineDayTests {
    /// How often a server is killed; CITUS_ROUNDS overrides the default.
    private static let rounds = ProcessInfo.processInfo.environment["CITUS_ROUNDS"].flatMap { Int($0) } ?? 3
    /// The condition for the trades that are refused at first.
    private static let refused = "sequence % \(CapturedDay.isWhole ? 20_000 : 500) = 7"

    private let day: CapturedDay

    init() throws { day = try CapturedDay() }

    private func feed(_ captures: [String]) async throws -> SimulatedFeed {
        try await SimulatedFeed(captures: captures, options: ["--speed", "flat-out", "--exit-when-done"])
    }

    private func stop(_ process: ChildProcess) async throws {
        try await process.stop()
    }

    private func sync(_ box: Box, refusing: Bool = false) async throws {
        let synced = try await box.edgetick("sync")
        #expect(synced.0 == 0 || synced.0 == 65 && refusing, "\(synced.1)")
    }

    private func uploaded(_ database: Database) -> Int {
        let sum = try? database.value("SELECT coalesce(sum(last_sequence), 0)::bigint FROM edgetick_uploads")
        return sum.flatMap { Int($0) } ?? -1
    }

    /// Sends the day and later its corrections; expects upstream to end with what was sent.
    private func expectWhole(
        _ database: Database, _ engine: String, batch: Int? = nil, meanwhile: (Int) async throws -> Void = { _ in },
        beforeCorrections: () throws -> Void = {}
    ) async throws {
        let whole = try await feed(day.captures)
        var more = ["BACKFILL_ENABLED": "false"]
        more["SYNC_BATCH_ROWS"] = batch.map { "\($0)" }
        let box = try Box(feed: whole.url, database: database.uri, more: more)
        for arguments in [[], [engine, "--yes"]] {
            let process = try ChildProcess(
                Places.edgetick, ["migrate"] + arguments, environment: box.environment, directory: box.workspace.path)
            try #require(try await process.exit(within: .seconds(120)) == 0, "\(process.output)")
        }
        _ = try database.value("ALTER TABLE trades ADD CONSTRAINT allowed CHECK (NOT \(Self.refused))")
        let collector = try box.start("run")
        let sent = try await whole.sent(within: .seconds(400))
        try await meanwhile(sent)
        try await stop(collector)
        try await sync(box, refusing: true)
        let letters = try await box.sqlite("SELECT count(*) FROM dead_letters").first ?? ""
        #expect(Int(letters) ?? 0 > 0)
        try beforeCorrections()

        let late = try await feed([day.corrections])
        let again = try box.start("run", environment: ["MASSIVE_WEBSOCKET_URL": late.url])
        _ = try await late.sent(within: .seconds(60))
        try await stop(again)
        _ = try database.value("ALTER TABLE trades DROP CONSTRAINT allowed")
        let retried = try await box.edgetick("dead-letters", "retry", "--all")
        #expect(retried.0 == 0, "\(retried.1)")
        try await sync(box)
        // Citus's own recovery commits transactions that were prepared when a server died.
        let trades = try await box.sqlite("SELECT count(*) FROM trades").first ?? ""
        try? await Waiting.until { try database.value("SELECT count(*) FROM trades") == trades }
        try await Oracle.compare(captures: day.captures + [day.corrections], sqlite: nil, postgres: database.uri)
        print("\(engine): \(sent) events, \(letters) refused first, exact")
    }

    @Test(.enabled(if: CitusMachines.isInstalled, "Citus is not installed on this machine"))
    func `the day on Citus, whose servers are killed in mid-upload, is there once`() async throws {
        let citus = try CitusMachines()
        let database = Database(named: CitusMachines.database, in: citus.coordinator)
        try await expectWhole(database, "--distributed", batch: CapturedDay.isWhole ? 5000 : 500) { sent in
            for round in 0..<Self.rounds {
                let victim = citus.servers[round % citus.servers.count]
                let part = sent * (round + 1) / (Self.rounds + 2)
                try await Waiting.until("\(part) rows are up", within: .seconds(300)) { uploaded(database) > part }
                let done = uploaded(database)
                #expect(done < sent, "the upload was over before kill \(round + 1)")
                try victim.killServer()
                // The killed process may remain for a moment, dead but not reaped.
                try await Waiting.until("the server starts") { (try? victim.start()) != nil }
                print("kill \(round + 1) of server \(round % citus.servers.count) after \(done) of \(sent) rows")
            }
        }
    }

    @Test(.enabled(if: PostgresCluster.offersTimescale, "TimescaleDB is not installed on this machine"))
    func `the day on TimescaleDB with policies, corrected in the columnstore, is there once`() async throws {
        let cluster = try PostgresCluster(settings: [
            // Without workers, no jobs run: the test decides what is compressed when.
            "shared_preload_libraries": "timescaledb", "max_worker_processes": "0",
        ])
        let database = try Database(in: cluster)
        _ = try database.value("CREATE EXTENSION timescaledb")
        try await expectWhole(
            database, "--policies",
            beforeCorrections: {
                for table in ["ohlcv_1min", "ohlcv_1sec", "trades", "quotes"] {
                    // TimescaleDB warns of chunks that hardly shrink.
                    let chunks = try database.value(
                        "SET client_min_messages = error; SELECT count(compress_chunk(c)) FROM show_chunks('\(table)') c"
                    )
                    #expect(Int(chunks) ?? 0 > 0)
                }
            })
    }
}
