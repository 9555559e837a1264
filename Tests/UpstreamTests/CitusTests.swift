import Foundation
import MarketData
import TestSupport
import Testing

@testable import Upstream

/// Citus itself, a coordinator and two workers, where it is installed.
@Suite(
    .blocking, .serialized, .enabled(if: CitusMachines.isInstalled, "Citus is not installed on this machine"),
    .timeLimit(.minutes(10)))
struct CitusTests {
    /// The servers, with the tables spread over them.
    private struct Machines {
        let citus: CitusMachines
        let sandbox: Sandbox

        static func start() async throws -> Machines {
            let citus = try CitusMachines()
            let sandbox = Sandbox(cluster: citus.coordinator, database: CitusMachines.database)
            let configuration = try sandbox.configuration()
            _ = try await UpstreamSchema.migrate(configuration)
            let plan = try await UpstreamEngines.plan(.distribution(tables: []), configuration)
            try await UpstreamEngines.run(plan, configuration)
            return Machines(citus: citus, sandbox: sandbox)
        }
    }

    private func trades(_ count: Int, from sequence: Int64 = 1) -> BufferedBatch {
        batch(
            trades: (0..<count).map {
                ("S\($0 % 50)", 33.01 + Double($0 % 100) / 100, "\(sequence + Int64($0))")
            }, from: sequence)
    }

    @Test func `tables are spread, the ledger stays, and rows arrive, with corrections and refused ones`() async throws
    {
        let machines = try await Machines.start()
        defer { withExtendedLifetime(machines) {} }
        let sandbox = machines.sandbox
        let configuration = try sandbox.configuration()
        #expect(try await UpstreamEngines.plan(.distribution(tables: []), configuration).steps == [])
        let lines = try await UpstreamEngines.look(configuration)
        #expect(lines.filter(\.isWarning) == [])
        #expect(lines.contains { $0.text.hasPrefix("trades: 8 shards by symbol") })
        #expect(lines.contains { $0.text == "edgetick_uploads: on the coordinator" })
        let uploader = try sandbox.uploader()
        let letters = DeadLetterBox()

        // Bars, corrected, by a collector and by the REST aggregates.
        let bars = (0..<40).flatMap { symbol in (0..<50).map { bar("S\(symbol)", minute: Int64($0), close: 1) } }
        _ = try await uploader.upload(batch(bars))
        var corrected = bars.enumerated().filter { $0.offset % 7 == 0 }.map(\.element)
        for index in corrected.indices {
            corrected[index].close = 2
            corrected[index].volume += 1
        }
        let outcome = try await uploader.upload(batch(corrected, from: 5000))
        #expect(outcome.path == .staging && outcome.updated + outcome.inserted == corrected.count)
        #expect(
            try sandbox.run("SELECT count(*), count(*) FILTER (WHERE close = 2) FROM ohlcv_1min")
                == "2000|\(corrected.count)")

        // Trades of which some are refused.
        try sandbox.run("ALTER TABLE trades ADD CONSTRAINT cheap CHECK (price < 1000)")
        var rows = (0..<2000).map { ("S\($0 % 50)", 33.0, "\($0)") }
        for index in [0, 700, 701, 1999] { rows[index].1 = 5000 }
        let refused = try await uploader.upload(batch(trades: rows)) { await letters.add($0) }
        #expect(refused.refused == 4 && refused.inserted == 1996)
        #expect(await letters.rows.map(\.sequence) == [1, 701, 702, 2000])
        #expect(await letters.rows.allSatisfy { $0.sqlState == "23514" })
        #expect(try sandbox.run("SELECT count(*), count(DISTINCT trade_id) FROM trades") == "1996|1996")
        #expect(
            try sandbox.run("SELECT last_sequence, rows FROM edgetick_uploads WHERE stream = 'trades'") == "2000|1996")
        await uploader.disconnect()
    }

    @Test func `rows are looked up in tables that are spread`() async throws {
        let machines = try await Machines.start()
        defer { withExtendedLifetime(machines) {} }
        let uploader = try machines.sandbox.uploader()
        _ = try await uploader.upload(trades(300))
        #expect(try await uploader.lookUp(trades(600)).present == Set(1...300))
        await uploader.disconnect()

        // The same with an identity, whose events are known also where the REST API brings them.
        for finding in try await IdentityMaker.look(machines.sandbox.configuration(), for: [.trade]) {
            _ = try await IdentityMaker.make(finding, machines.sandbox.configuration(), removingDoubles: false)
        }
        let other = try machines.sandbox.uploader(buffer: "5b1f6e0a-93a5-4d0e-8a57-0c1d8a4e5f61")
        var rows = trades(301)
        rows.connections = ["backfill"]
        for index in rows.trades.indices { rows.trades[index].event.time -= 1 }
        let filled = try await other.upload(rows)
        #expect((filled.inserted, filled.unchanged, filled.refused) == (1, 300, 0))
        await other.disconnect()
    }

    @Test func `a ledger that is a reference table is advised against, and taken back`() async throws {
        let machines = try await Machines.start()
        defer { withExtendedLifetime(machines) {} }
        let sandbox = machines.sandbox
        let configuration = try sandbox.configuration()
        try sandbox.run("SELECT create_reference_table('edgetick_uploads')")
        #expect(
            try await UpstreamEngines.look(configuration).contains {
                $0.isWarning && $0.text.contains("edgetick_uploads")
            })
        let plan = try await UpstreamEngines.plan(.distribution(tables: []), configuration)
        try await UpstreamEngines.run(plan, configuration)
        #expect(try await UpstreamEngines.look(configuration).filter(\.isWarning) == [])
    }

    @Test(arguments: [0, 1, 2])
    func `a server that is killed in mid-upload loses nothing and doubles nothing`(victim: Int) async throws {
        let machines = try await Machines.start()
        defer { withExtendedLifetime(machines) {} }
        let sandbox = machines.sandbox
        let all = machines.citus.servers[victim]
        let uploader = try sandbox.uploader(statementTimeout: .seconds(20))
        let batches = (0..<30).map { trades(400, from: 1 + Int64($0) * 400) }
        for round in 0..<2 {
            let known = try await uploader.uploadedSequence(of: .trades)
            let rest = BatchList(Array(batches.dropFirst(Int(known) / 400)))
            let upload = Task { try await uploader.drain(rest) }
            try await Waiting.until { await rest.settled.count >= 3 + round * 4 }
            try all.killServer()
            _ = try? await upload.value
            // Its process may remain for a moment, dead but not reaped.
            try await Waiting.until { (try? all.start()) != nil }
            await uploader.disconnect()
            try await Waiting.until(within: .seconds(60)) {
                (try? await uploader.uploadedSequence(of: .trades)) != nil
            }
        }
        try await Waiting.until(within: .seconds(90)) {
            guard let known = try? await uploader.uploadedSequence(of: .trades) else { return false }
            return (try? await uploader.drain(BatchList(Array(batches.dropFirst(Int(known) / 400))))) != nil
        }
        // What was prepared when a server died is committed or rolled back by Citus's own recovery.
        try await Waiting.until(within: .seconds(60)) {
            (try? sandbox.run("SELECT count(*), count(DISTINCT trade_id) FROM trades")) == "12000|12000"
        }
        await uploader.disconnect()
    }
}
