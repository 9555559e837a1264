import Foundation
import MarketData
import Store
import TestSupport
import Testing
import Upstream

@testable import Collector

/// Uploaded rows that are gone from the database are reported, and go up again only when a person says so.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct GoneRowsTests: UploadSuite {
    let place: UploadPlace

    init() async throws { place = try await UploadPlace() }

    /// How often the box's file says that rows are gone.
    private func incidents(_ box: UploadBox) throws -> String {
        try Command.query(box.file, "SELECT count(*) FROM incidents WHERE what = 'rows are gone upstream'")
    }

    @Test func `a table that is emptied is noticed, nothing goes up by itself, and a person can have it sent again`()
        async throws
    {
        let box = try await box("one", uploading: 1...300)
        try sql("TRUNCATE trades")
        let looking = UploadPass(buffer: box.buffer, uploader: box.uploader, batchRows: 700)
        let report = await looking.report()
        #expect(report.missing[.trades]?.contains("edgetick sync --again --stream trades") == true)
        #expect(try upstream() == [])
        #expect(try incidents(box) == "1")
        try await looking.sendAgain(.trades, from: 1)
        _ = try await looking.run()
        #expect(try upstream() == Set(1...300))
        #expect(await looking.report().missing.isEmpty)
        await box.stop()
    }

    @Test func `rows that are gone are reported until they are back, also when all that was looked up is a day old`()
        async throws
    {
        let box = try await box("one", uploading: 1...300)
        try sql("TRUNCATE trades")
        let looks = UploadLooks(buffer: box.buffer, uploader: box.uploader)
        let start = ContinuousClock.now
        #expect(try await looks.look([.trades], at: start)[.trades] != nil)
        try await box.upload(301...400)
        let tomorrow = WallClock.microseconds()
        let later = try await looks.look(
            [.trades], at: start + UploadLooks.interval, receivedAfter: tomorrow)
        #expect(later[.trades] != nil)
        try await box.pass.sendAgain(.trades, from: 1)
        try await box.upload()
        #expect(try upstream() == Set(1...400))
        let back = try await looks.look([.trades], at: start + UploadLooks.interval * 2)
        #expect(back.isEmpty)
        await box.stop()
    }

    @Test func `rows that are gone are reported after a restart too, until a person has them sent again`() async throws
    {
        let first = try await box("one", uploading: 1...300)
        try sql("TRUNCATE trades")
        let looks = UploadLooks(buffer: first.buffer, uploader: first.uploader)
        #expect(try await looks.look([.trades])[.trades] != nil)
        // What is uploaded after them shows nothing of them.
        try await first.upload(301...400)
        await first.stop()

        let second = try box("one")
        let report = await second.pass.report()
        #expect(report.failures.isEmpty && Array(report.missing.keys) == [.trades])
        #expect(report.missing[.trades]?.contains("edgetick sync --again --stream trades") == true)
        #expect(try upstream() == Set(301...400))
        try await second.pass.sendAgain(.trades, from: 1)
        try await second.upload()
        #expect(try upstream() == Set(1...400))
        await second.stop()

        let third = try box("one")
        #expect(await third.pass.report().missing.isEmpty)
        await third.stop()
        // It is one incident, however often the rows were looked up.
        #expect(try incidents(third) == "1")
    }

    @Test func `rows that are gone and back are no longer told after a restart`() async throws {
        let first = try await box("one", uploading: 1...300)
        try sql("CREATE TABLE kept AS TABLE trades; TRUNCATE trades")
        let looks = UploadLooks(buffer: first.buffer, uploader: first.uploader)
        let start = ContinuousClock.now
        #expect(try await looks.look([.trades], at: start)[.trades] != nil)
        #expect(first.buffer.marks(of: .trades).gone == 300)
        try sql("INSERT INTO trades TABLE kept")
        #expect(try await looks.look([.trades], at: start + UploadLooks.interval).isEmpty)
        await first.stop()
        let second = try box("one")
        #expect(second.buffer.marks(of: .trades).gone == 0)
        await second.stop()
    }

    @Test func `rows that are gone are told also when the file has deleted them, whatever came after them`()
        async throws
    {
        let box = try await box("one", retention: .zero, uploading: 1...300)
        try sql("TRUNCATE trades")
        let looks = UploadLooks(buffer: box.buffer, uploader: box.uploader)
        let start = ContinuousClock.now
        #expect(try await looks.look([.trades], at: start)[.trades] != nil)
        try await box.collect(301...320)
        try await uploadAndDelete(box, through: 320)
        let later = try await looks.look([.trades], at: start + UploadLooks.interval)
        #expect(later[.trades] != nil)
        await box.stop()
    }

    @Test(arguments: [(hours: 23, isFault: true), (hours: 25, isFault: false)])
    func `when the oldest uploaded rows are gone, verify finds a fault if some of them came within the last day`(
        age: (hours: Int, isFault: Bool)
    ) async throws {
        let box = try await box("one", retention: .seconds(7 * 86_400), uploading: 1...300)
        try sql("TRUNCATE trades")
        try await box.upload(301...400)
        await box.stop()
        try Command.sqlite(
            box.file, "UPDATE trades SET received_us = received_us - \(age.hours) * 3600000000 WHERE seq <= 300")
        let all = try await verified(box).findings
        let found = try #require(all.first { $0.text.contains("are not upstream") })
        #expect(found.place == "trades 1…300")
        #expect(found.severity == (age.isFault ? .fault : .warning))
        #expect(found.advice.hasSuffix("edgetick sync --again --stream trades --from 1"))
    }

    @Test(arguments: [(hours: 23, isTold: true), (hours: 25, isTold: false)])
    func `rows that came more than a day ago may be gone by the database's own retention, which is no news`(
        age: (hours: Int, isTold: Bool)
    ) async throws {
        let retention = Duration.seconds(7 * 86_400)
        let first = try await box("one", retention: retention, uploading: 1...300)
        await first.stop()
        try Command.sqlite(first.file, "UPDATE trades SET received_us = received_us - \(age.hours) * 3600000000")
        try sql("TRUNCATE trades")
        let second = try box("one", retention: retention)
        let report = await second.pass.report()
        #expect(report.failures.isEmpty && report.problem == nil)
        #expect((report.missing[.trades] != nil) == age.isTold)
        await second.stop()
    }
}
