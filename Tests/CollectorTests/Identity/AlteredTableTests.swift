import Foundation
import MarketData
import Store
import TestSupport
import Testing
import Upstream

@testable import Collector

/// The table changes what it is sent, or lacks columns that tell rows apart: no row is lost or duplicated, and where a person
/// must decide, the upload says so and keeps its rows.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct AlteredTableTests: UploadSuite {
    let place: UploadPlace

    init() async throws { place = try await UploadPlace() }

    /// Has a trigger on the table change when rows were received.
    private func changeReceipt(to value: String) throws {
        try sql(
            """
            CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN NEW.received_at := \(value); RETURN NEW; END $$;
            CREATE TRIGGER stamp BEFORE INSERT ON trades FOR EACH ROW EXECUTE FUNCTION stamp()
            """)
    }

    @Test(arguments: ["now()", "date_trunc('milliseconds', NEW.received_at)"])
    func `rows whose time of receipt a trigger changes are there, and are not doubled when they are sent again`(
        value: String
    ) async throws {
        try changeReceipt(to: value)
        let box = try await box("one", uploading: 1...100)
        let looking = UploadPass(buffer: box.buffer, uploader: box.uploader, batchRows: 700)
        let report = await looking.report()
        #expect(report.missing.isEmpty && report.failures.isEmpty)
        try await looking.sendAgain(.trades, from: 1)
        _ = try await looking.run()
        #expect(try upstream() == Set(1...100))
        #expect(box.buffer.statistics.pending == 0)
        await box.stop()
        let found = try await findings(of: box)
        #expect(found.contains { $0.contains("some rows were found only by what identifies their events") })
        #expect(!found.contains { $0.contains("are not upstream") })
        // What is gone is still missed.
        try sql("DELETE FROM trades WHERE trade_id::int > 40")
        #expect(try await findings(of: box).contains { $0.contains("60 of 100 uploaded rows are not upstream") })
    }

    @Test func `a trigger doesn't make rows that wait count as uploaded where the table can't tell events apart`()
        async throws
    {
        try sql("ALTER TABLE trades DROP COLUMN trade_id, DROP COLUMN sequence")
        try changeReceipt(to: "now()")
        // The trades of the second file have the same times, prices and sizes.
        for name in ["one", "two"] {
            let box = try await box(name, uploading: 1...100)
            #expect(box.buffer.statistics.pending == 0)
            await box.stop()
        }
        #expect(try sql("SELECT count(*) FROM trades") == "200")
    }

    @Test func `where a trigger changes values and no column names the collector, verify says both`() async throws {
        try sql("ALTER TABLE trades DROP COLUMN collector")
        try changeReceipt(to: "now()")
        let box = try await box("one", uploading: 1...10)
        await box.stop()
        let found = try await findings(of: box)
        #expect(found.contains { $0.contains("some rows were found only by what identifies their events") })
        #expect(found.contains { $0.contains("a row that another collector sent counts as this one's") })
        #expect(found.count == 2)
    }

    @Test func `where the table can't tell collectors apart, another's rows don't make waiting ones count as uploaded`()
        async throws
    {
        try sql("ALTER TABLE trades DROP COLUMN trade_id, DROP COLUMN sequence, DROP COLUMN received_at")
        func count() throws -> String { try sql("SELECT count(*) FROM trades") }
        // The trades of the second file have the same times, prices and sizes, and more that nobody has sent follow.
        for (name, last, total) in [("one", 100, "100"), ("two", 150, "250")] {
            let box = try box(name)
            try await box.collect(1...last)
            #expect(await box.failure() == nil)
            #expect(box.buffer.statistics.pending == 0)
            #expect(try count() == total)
            await box.stop()
        }
        // A trade that is like the last one uploaded is another trade.
        let again = try box("one")
        try await again.collect(100...100)
        #expect(await again.failure() == nil)
        #expect(try count() == "251")
        await again.stop()
        // Nor do they make those count as uploaded that the ledger no longer proves.
        try sql("DELETE FROM edgetick_uploads")
        let third = try box("two")
        try await third.collect(151...160)
        let failure = await third.failure()
        #expect(failure?.reason == .ledger)
        #expect(failure?.description.contains("rows of another collector that look the same") == true)
        #expect(try count() == "251")
        // A person who knows that they are there has the rest sent.
        try await third.pass.sendAgain(.trades, from: 151)
        try await third.upload()
        #expect(third.buffer.statistics.pending == 0)
        #expect(try count() == "261")
        await third.stop()
    }

    @Test(arguments: [
        "sequence bigint", "trade_id text", "exchange integer", "sequence bigint DEFAULT 0",
        "trade_id text NOT NULL DEFAULT ''", "exchange integer NOT NULL DEFAULT -1",
    ])
    func `rows that were sent before the table had a column are there, and are not doubled`(
        column: String
    ) async throws {
        let name = String(column.prefix { $0 != " " })
        try sql("ALTER TABLE trades DROP COLUMN \(name)")
        try await box("one", uploading: 1...100).stop()
        try sql("ALTER TABLE trades ADD COLUMN \(column)")
        let second = try box("one")
        try await second.collect(101...150)
        let report = await second.pass.report()
        #expect(report.failures.isEmpty && report.problem == nil && report.missing.isEmpty)
        try await second.pass.sendAgain(.trades, from: 1)
        try await second.upload()
        await second.stop()
        #expect(try await findings(of: second).isEmpty)
        // The ledger's loss alone sends nothing again either.
        try sql("DELETE FROM edgetick_uploads")
        let third = try box("one")
        let last = await third.pass.report()
        #expect(last.failures.isEmpty && last.problem == nil)
        #expect(third.buffer.statistics.pending == 0)
        await third.stop()
        #expect(try sql("SELECT count(*), count(DISTINCT price) FROM trades") == "150|150")
        // What is gone is still missed.
        try sql("DELETE FROM trades WHERE price = 0.4")
        #expect(try await findings(of: third).contains { $0.contains("1 of 150 uploaded rows are not upstream") })
    }

    @Test func `rows without a time of receipt, which the table lacked when they were sent, are for a person to judge`()
        async throws
    {
        try sql("ALTER TABLE trades DROP COLUMN received_at")
        try await box("one", uploading: 1...100).stop()
        try sql("ALTER TABLE trades ADD COLUMN received_at timestamptz")
        let second = try box("one")
        #expect(await second.pass.report().missing.isEmpty)
        await second.stop()
        try sql("DELETE FROM edgetick_uploads")
        let third = try box("one")
        #expect(await third.failure()?.reason == .ledger)
        #expect(try upstream() == Set(1...100))
        await third.stop()
    }
}
