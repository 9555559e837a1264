import Foundation
import TestSupport
import Testing

/// What a command says after a person has agreed to its first question and not to its second.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(3)))
struct ConfirmationTests {
    /// Runs `edgetick migrate` on a terminal, where the answers are yes and no.
    private func migrate(_ box: Box, _ flag: String) async throws -> (status: Int32, output: [String]) {
        let process = try ChildProcess(
            "/bin/sh",
            ["-c", "printf 'y\\nn\\n' | script -qec \"'\(Places.edgetick)' migrate \(flag)\" /dev/null"],
            environment: box.environment, directory: box.workspace.path)
        return (try await process.exit(within: .seconds(120)), process.output)
    }

    @Test func `the table that keeps its duplicates is named, not all of them`() async throws {
        let database = try Database(in: .shared())
        let box = try Box(feed: "ws://127.0.0.1:9/stocks", database: database.uri)
        #expect(try await box.edgetick("migrate").0 == 0)
        _ = try database.value(
            """
            INSERT INTO trades (symbol, time, price, size, sequence)
                SELECT 'A', '2013-10-08', 1, 1, 7 FROM generate_series(1, 3);
            INSERT INTO quotes (symbol, time, bid, sequence)
                SELECT 'A', '2013-10-08', 1, 7 FROM generate_series(1, 3);
            """)
        let refused = try await migrate(box, "--tick-identity")
        #expect(refused.status == 64, "\(refused.output)")
        let rows = try ["trades", "quotes"].map { ($0, try database.value("SELECT count(*) FROM \($0)")) }
        #expect(rows.map(\.1).sorted() == ["1", "3"])
        let kept = rows.first { $0.1 == "3" }?.0 ?? ""
        #expect(refused.output.contains { $0.contains("nothing of \(kept) was removed") }, "\(refused.output)")
    }

    @Test(.enabled(if: PostgresCluster.offersTimescale, "TimescaleDB is not installed on this machine"))
    func `the database that stays as it was is named`() async throws {
        let cluster = try PostgresCluster(settings: [
            "shared_preload_libraries": "timescaledb", "max_worker_processes": "0",
        ])
        let (bars, ticks) = (try Database(in: cluster), try Database(in: cluster))
        for database in [bars, ticks] { _ = try database.value("CREATE EXTENSION timescaledb") }
        let box = try Box(
            feed: "ws://127.0.0.1:9/stocks", database: bars.uri, more: ["DATABASE_URI_TICKS": ticks.uri])
        #expect(try await box.edgetick("migrate").0 == 0)
        let refused = try await migrate(box, "--policies")
        #expect(refused.status == 64 && refused.output.contains { $0.contains("steps done") }, "\(refused.output)")
        let left = "/\(ticks.uri.split(separator: "/").last ?? "") as "
        #expect(
            refused.output.contains { $0.contains("nothing was changed in ") && $0.contains(left) },
            "\(refused.output)")
    }
}
