import MarketData
import TestSupport
import Testing

@testable import Upstream

/// The fleet's table on a real server.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct FleetTableTests {
    private static let file = "2b1f6e0a-93a5-4d0e-8a57-0c1d8a4e5f60"

    private func report(_ id: String, group: String? = "nyc", file: String = file) -> FleetReport {
        var report = FleetReport(id: id, group: group, host: "host-\(id)", version: "1.2.3", fileID: file)
        report.uptime = 60.5
        report.state = .degraded
        report.reason = "the 'disk' is \\ full"
        report.symbols = 12
        report.eventsPerSecond = 3.25
        report.rowsPending = 4
        report.oldestPending = 5.5
        report.lastEvent = opening
        report.gapsOpen = 1
        report.eventsDropped = 2
        report.deadLetters = 3
        report.diskFreeBytes = 1 << 40
        report.isPushedOut = true
        report.sharesWith = ["a", "b"]
        return report
    }

    @Test func `what a box says is read back as it was said, with its age by the server's clock`() async throws {
        let sandbox = try await Sandbox.migrated()
        let table = FleetTable(configuration: try sandbox.configuration())
        let began = ContinuousClock.now
        let before = WallClock.milliseconds()
        let written = try await table.write(report("a"))
        // Its error is at most the time that the answer takes.
        let took = ContinuousClock.now - began
        #expect(written.fileBefore == nil && abs(written.clockOffset) < 1000 + took.milliseconds)
        _ = try await table.write(FleetReport(id: "b", group: nil, host: "h", version: "1", fileID: Self.file))
        let rows = try await table.rows()
        #expect(rows.map(\.report.id) == ["a", "b"])
        var expected = report("a")
        expected.clockOffset = rows[0].report.clockOffset
        // The server keeps two times, not the span.
        #expect(abs(rows[0].report.uptime - expected.uptime) < 0.4)
        expected.uptime = rows[0].report.uptime
        #expect(rows[0].report == expected)
        let passed = ContinuousClock.now - began
        #expect(rows[0].age < 1 + passed.inSeconds)
        #expect((before - 1000...WallClock.milliseconds() + 1000).contains(rows[0].seen))
        #expect(rows[1].report.sharesWith == nil && rows[1].report.reason == nil && rows[1].report.lastEvent == nil)
        #expect(try await table.rows(ofGroup: "nyc").map(\.report.id) == ["a"])
        await table.disconnect()
    }

    @Test func `what nobody can have said is read as far as it can be reckoned with`() async throws {
        let sandbox = try await Sandbox.migrated()
        let table = FleetTable(configuration: try sandbox.configuration())
        for id in ["a", "b"] { _ = try await table.write(report(id)) }
        try sandbox.run(
            """
            UPDATE edgetick_collectors SET clock_offset_ms = -9223372036854775808, rows_pending = 9223372036854775807,
                events_per_second = 'infinity', oldest_pending_seconds = 'nan' WHERE id = 'a';
            UPDATE edgetick_collectors SET seen = 'infinity' WHERE id = 'b';
            """)
        let rows = try await table.rows()
        #expect(rows.map(\.report.id) == ["a"])
        let found = try #require(rows.first?.report)
        #expect(found.clockOffset == -(1 << 50) && found.rowsPending == 1 << 50)
        #expect(found.eventsPerSecond == 0 && found.oldestPending == 0)
        await table.disconnect()
    }

    @Test func `all symbols are told from none, and a row of an earlier version that has 0 means all`() async throws {
        let sandbox = try await Sandbox.migrated()
        let table = FleetTable(configuration: try sandbox.configuration())
        for (id, symbols, takesAll) in [("all", 0, true), ("none", 0, false), ("some", 12, false)] {
            var box = report(id)
            (box.symbols, box.takesAll) = (symbols, takesAll)
            _ = try await table.write(box)
        }
        let reports = try await table.rows().map(\.report)
        #expect(reports.map(\.id) == ["all", "none", "some"])
        #expect(reports.map(\.symbols) == [0, 0, 12] && reports.map(\.takesAll) == [true, false, false])
        try sandbox.run("UPDATE edgetick_collectors SET symbols = 0 WHERE id = 'none'")
        #expect(try await table.rows().map(\.report.takesAll) == [true, true, false])
        await table.disconnect()
    }

    @Test func `a box without members among which it shares is told from one that shares nothing`() async throws {
        let sandbox = try await Sandbox.migrated()
        let table = FleetTable(configuration: try sandbox.configuration())
        var starting = report("a")
        starting.sharesWith = []
        _ = try await table.write(starting)
        #expect(try await table.rows().first?.report.sharesWith == [])
    }

    @Test func `a box that stops was last seen when it first said so`() async throws {
        let sandbox = try await Sandbox.migrated()
        let table = FleetTable(configuration: try sandbox.configuration())
        var box = report("a")
        box.state = .stopped
        _ = try await table.write(box)
        let written = ContinuousClock.now
        try sandbox.run("UPDATE edgetick_collectors SET seen = seen - interval '8 s'")
        let seen = try await table.rows().map(\.seen)
        box.uptime += (ContinuousClock.now - written).inSeconds
        _ = try await table.write(box)
        #expect(try await table.rows().map(\.seen) == seen)
        box.state = .starting
        _ = try await table.write(box)
        let again = try await table.rows().map(\.seen)
        #expect(seen.count == 1 && again.count == 1 && again[0] >= seen[0] + 8000)
        await table.disconnect()
    }

    @Test func `a box that ran while the database was away was last seen when it stopped again`() async throws {
        let sandbox = try await Sandbox.migrated()
        let table = FleetTable(configuration: try sandbox.configuration())
        var box = report("a")
        box.state = .stopped
        _ = try await table.write(box)
        try sandbox.run(
            "UPDATE edgetick_collectors SET seen = seen - interval '8 s', started = started - interval '1 h'")
        let seen = try await table.rows().map(\.seen)
        _ = try await table.write(box)
        let again = try await table.rows().map(\.seen)
        #expect(seen.count == 1 && again.count == 1 && again[0] >= seen[0] + 8000)
        await table.disconnect()
    }

    @Test func `the server knows at once that a box's connection has ended`() async throws {
        let sandbox = try await Sandbox.migrated()
        let (box, reader) = (
            FleetTable(configuration: try sandbox.configuration()),
            FleetTable(configuration: try sandbox.configuration())
        )
        _ = try await box.write(report("a"))
        #expect(try await reader.rows().first?.isConnected == true)
        await box.disconnect()
        try await Waiting.until { try await reader.rows().first?.isConnected == false }
    }

    @Test func `a connection that was ended while it was idle is made again at once`() async throws {
        let sandbox = try await Sandbox.migrated()
        let table = FleetTable(configuration: try sandbox.configuration())
        _ = try await table.write(report("a"))
        try await sandbox.waitForSessions(1)
        #expect(try sandbox.cluster.endSessions(of: sandbox.database) == 1)
        _ = try await table.write(report("a"))
        #expect(try await table.rows().first?.isConnected == true)
        await table.disconnect()
    }

    @Test(.enabled(if: PgBouncer.program != nil, "PgBouncer is not installed"))
    func `behind a pooler whether a box is connected is not known`() async throws {
        let sandbox = try await Sandbox.migrated()
        let pooler = try await PgBouncer(before: sandbox.cluster)
        let table = FleetTable(
            configuration: try UpstreamConfiguration(
                uri: pooler.uri(sandbox.database, user: sandbox.cluster.superuser), collector: "a"))
        for _ in 0..<3 { _ = try await table.write(report("a")) }
        let rows = try await table.rows()
        #expect(rows.count == 1 && rows[0].isConnected == nil)
    }

    @Test func `a row that another file wrote says so`() async throws {
        let sandbox = try await Sandbox.migrated()
        let table = FleetTable(configuration: try sandbox.configuration())
        _ = try await table.write(report("a"))
        let other = "00000000-0000-4000-8000-000000000001"
        #expect(try await table.write(report("a", file: other)).fileBefore == Self.file)
        #expect(try await table.write(report("a", file: other)).fileBefore == other)
    }

    @Test func `a box makes the table where it may, also when several come at once`() async throws {
        let sandbox = try Sandbox.empty()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<6 {
                let table = FleetTable(configuration: try sandbox.configuration())
                let report = report("box-\(number)")
                // Not a deadlock, nor an error of the server itself: those would come of several at once.
                group.addTask {
                    _ = try await despiteStalls(busyStates: ["55P03", "57014"]) { try await table.write(report) }
                }
            }
            try await group.waitForAll()
        }
        #expect(try sandbox.run("SELECT count(*) FROM edgetick_collectors") == "6")
        // A later migration accepts the table.
        let changes = try await UpstreamSchema.migrate(sandbox.configuration())
        #expect(changes.first { $0.table == "edgetick_collectors" }?.state == .present)
    }

    @Test func `a role that may not write it hears which GRANT is missing, and reads all the same`() async throws {
        let sandbox = try await Sandbox.migrated(
            then: "CREATE ROLE fleet_reader LOGIN; GRANT SELECT ON edgetick_collectors TO fleet_reader")
        let table = FleetTable(configuration: try sandbox.configuration(user: "fleet_reader"))
        let refusal = await #expect(throws: UpstreamError.self) { try await table.write(report("a")) }
        #expect(refusal?.reason == .schema)
        #expect(refusal?.text.contains("GRANT INSERT ON public.edgetick_collectors TO fleet_reader") == true)
        #expect(try await table.rows().isEmpty)
        try sandbox.run("GRANT INSERT, UPDATE ON edgetick_collectors TO fleet_reader")
        _ = try await table.write(report("a"))
        #expect(try await table.rows().count == 1)
    }

    @Test func `a table that is missing is said to be, with what makes it`() async throws {
        let table = FleetTable(configuration: try Sandbox.empty().configuration())
        let refusal = await #expect(throws: UpstreamError.self) { try await table.rows() }
        #expect(refusal?.description.contains("run `edgetick migrate`") == true)
    }

    @Test func `a box is forgotten once`() async throws {
        let sandbox = try await Sandbox.migrated()
        let table = FleetTable(configuration: try sandbox.configuration())
        _ = try await table.write(report("a"))
        #expect(try await table.forget("a"))
        #expect(try await !table.forget("a"))
    }

    @Test func `a row that was written while the table was dropped and made again is written the next time`()
        async throws
    {
        let sandbox = try await Sandbox.migrated()
        let table = FleetTable(configuration: try sandbox.configuration())
        _ = try await table.write(report("a"))
        try sandbox.run("DROP TABLE edgetick_collectors")
        await #expect(throws: UpstreamError.self) { try await table.write(report("a")) }
        _ = try await table.write(report("a"))
        #expect(try await table.rows().count == 1)
    }
}

/// How far a clock counts as wrong, by one question to another. Times are in seconds.
@Suite(.timeLimit(.minutes(1))) struct ClockOffsetTests {
    private func offset(_ asked: Double, _ shown: Double, _ answered: Double) -> Double {
        func micro(_ seconds: Double) -> Int64 { Int64(seconds * 1_000_000) }
        return Double(FleetTable.offset(asked: micro(asked), shown: micro(shown), answered: micro(answered)))
            / 1_000_000
    }

    @Test func `the offset is that of the middle between question and answer`() {
        #expect(offset(100, 100.5, 101) == 0)
        #expect(offset(100, 97.5, 101) == 3)
        #expect(offset(100, 103.5, 101) == -3)
    }

    @Test func `after a slow answer only the offset that is certain counts`() {
        #expect(offset(100, 100, 3700) == 0)
        #expect(offset(100, 109, 110) == 0)
        #expect(offset(100, 95, 110) == 5)
        #expect(offset(100, 113, 110) == -3)
    }
}
