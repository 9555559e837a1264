import Foundation
import MarketData
import Store
import TestSupport
import Testing
import Upstream

@testable import Collector

/// Two boxes send the same events into tables with an identity. Each event is upstream once, whatever happens to the
/// ledger, and neither box takes the other's rows for a fault of its own.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct PairUploadTests {
    private let workspace: Workspace
    private let cluster: PostgresCluster
    private let database: String

    init() async throws {
        workspace = try Workspace()
        cluster = try PostgresCluster.shared()
        database = try cluster.makeDatabase()
        let configuration = try UpstreamConfiguration(
            uri: cluster.uri(database), collector: "nyc", connectTimeout: .seconds(60))
        _ = try await UpstreamSchema.migrate(configuration)
        for finding in try await IdentityMaker.look(configuration, for: [.trade]) {
            _ = try await IdentityMaker.make(finding, configuration, removingDoubles: false)
        }
    }

    private func box(_ name: String) throws -> UploadBox {
        try UploadBox(
            workspace.file(name),
            UpstreamConfiguration(
                uri: cluster.uri(database), collector: name, connectTimeout: .seconds(60), needsIdentity: true),
            batchRows: 70)
    }

    private func sql(_ text: String) throws -> String { try cluster.value(text, database: database) }

    private func trades() throws -> String { try sql("SELECT count(*), count(DISTINCT trade_id) FROM trades") }

    @Test(arguments: [
        "DELETE FROM edgetick_uploads",
        "DELETE FROM edgetick_uploads WHERE collector = 'nyc-b'; DELETE FROM trades WHERE sequence > 50 AND sequence % 3 = 0",
        "DELETE FROM edgetick_uploads; DELETE FROM trades WHERE sequence > 100",
        "TRUNCATE trades, edgetick_uploads",
    ])
    func `what a pair sends again after the ledger or rows were lost is there once`(fault: String) async throws {
        var (first, second) = (try box("nyc-a"), try box("nyc-b"))
        try await first.collect(1...200)
        try await second.collect(51...300)
        for box in [first, second] { _ = try await box.pass.run() }
        #expect(try trades() == "300|300")
        #expect(try sql("SELECT count(*) FROM trades WHERE collector = 'nyc-b'") == "100")
        _ = try sql(fault)
        for box in [first, second] { await box.stop() }
        (first, second) = (try box("nyc-a"), try box("nyc-b"))
        try await first.collect(301...350)
        try await second.collect(301...400)
        for box in [second, first] { #expect(try await box.pass.run().refused == 0) }
        #expect(try trades() == "400|400")
        for box in [first, second] { await box.stop() }
    }

    @Test func `rows that the other box brought already are no sign of a copy of the file`() async throws {
        let (first, second) = (try box("nyc-a"), try box("nyc-b"))
        try await first.collect(1...200)
        _ = try await first.pass.run()
        // Some of the rows that wait are upstream already: the first, some in the middle, some at the end.
        try await second.collect(1...20)
        try await second.collect(500...520)
        try await second.collect(100...300)
        let report = await second.pass.report()
        #expect(report.failures.isEmpty && report.problem == nil && report.totals[.trades].uploaded == 242)
        #expect(try trades() == "321|321")
        #expect(try sql("SELECT rows FROM edgetick_uploads WHERE collector = 'nyc-b'") == "242")
        for box in [first, second] { await box.stop() }
    }
}
