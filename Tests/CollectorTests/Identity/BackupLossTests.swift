import Foundation
import MarketData
import Store
import TestSupport
import Testing
import Upstream

@testable import Collector

/// A backup of a file is put back after the database lost rows that the file in its place had deleted: what is lost is counted
/// once, and no row is duplicated.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct BackupLossTests: UploadSuite {
    let place: UploadPlace

    init() async throws { place = try await UploadPlace() }

    /// Uploads 500 trades, backs up the file while 200 more wait, and uploads those too. When all but the newest are
    /// deleted, moves to an empty database and returns it. The backup knows nothing of the 200 uploads or the move.
    private func loseAfterBackup(of name: String, to backup: String) async throws -> String {
        let first = try await box(name, retention: .zero, uploading: 1...500)
        try await first.collect(501...700)
        let buffer = first.buffer
        try await Waiting.until(within: .seconds(60)) { buffer.statistics[.trades].marks.deleted == 500 }
        try copy(first.directory, to: backup)
        try await uploadAndDelete(first, through: 700)
        let empty = try await emptyDatabase()
        await first.uploader.disconnect()
        #expect(try await pass(of: first, on: empty).report().problem == nil)
        #expect(first.buffer.statistics.drops == 699)
        await first.stop()
        #expect(try upstream(empty) == [700])
        return empty
    }

    @Test(arguments: [false, true])
    func `a backup that is put back after the database was emptied counts what the file in its place had counted`(
        isOfRunning: Bool
    ) async throws {
        let first = try box("one", retention: .zero)
        try await first.collect(1...500)
        try await uploadAndDelete(first, through: 500)
        if !isOfRunning { await first.stop() }
        try copy(workspace.file("one"), to: "two")
        let empty = try await emptyDatabase()
        let loser: UploadBox
        if isOfRunning {
            await first.uploader.disconnect()
            #expect(try await pass(of: first, on: empty).report().problem == nil)
            loser = first
        } else {
            loser = try box("one", on: empty)
            try await loser.upload()
        }
        #expect(loser.buffer.statistics.drops == 499)
        await loser.stop()
        #expect(try upstream(empty) == [500])
        // Only the ledger knows of the loss now.
        for round in 0..<3 {
            let restored = try box("two", on: empty)
            try await restored.collect(1000 + round...1000 + round)
            let report = await restored.pass.report()
            #expect(report.failures.isEmpty && report.problem == nil)
            #expect(restored.buffer.statistics.drops == 499)
            #expect(restored.buffer.statistics.pending == 0)
            await restored.stop()
        }
        #expect(try upstream(empty) == [500, 1000, 1001, 1002])
    }

    @Test func `rows of a backup that another file had lost, with some behind them that it sent, are a person's`()
        async throws
    {
        let empty = try await loseAfterBackup(of: "one", to: "two")
        let restored = try box("two", on: empty)
        let failure = await restored.failure()
        #expect(failure?.reason == .ledger)
        #expect(failure?.description.contains("some waiting rows are already upstream") == true)
        #expect(restored.buffer.statistics.drops == 500)
        #expect(try upstream(empty) == [700])
        try await restored.pass.sendAgain(.trades, from: 501)
        try await restored.upload()
        #expect(try upstream(empty) == Set(501...700))
        #expect(restored.buffer.statistics.pending == 0)
        await restored.stop()
    }

    @Test(arguments: [false, true])
    func `a backup learns of a loss also where the database came back with a transaction that both files know`(
        isRestarted: Bool
    ) async throws {
        let first = try await box("one", retention: .zero, uploading: 1...100)
        await first.uploader.disconnect()
        let earlier = try cluster.makeDatabase(copying: database)
        try await first.collect(101...500)
        try await uploadAndDelete(first, through: 500)
        if isRestarted { await first.stop() }
        try copy(workspace.file("one"), to: "two")
        if isRestarted {
            let again = try box("one", on: earlier)
            try await again.upload()
            #expect(again.buffer.statistics.drops == 399)
            await again.stop()
        } else {
            await first.uploader.disconnect()
            #expect(try await pass(of: first, on: earlier).report().problem == nil)
            #expect(first.buffer.statistics.drops == 399)
            await first.stop()
        }
        let restored = try box("two", on: earlier)
        #expect(await restored.failure() == nil)
        #expect(restored.buffer.statistics.drops == 399)
        #expect(try upstream(earlier) == Set(1...100).union([500]))
        await restored.stop()
    }

    @Test func `a backup sends what it still has of rows that the file in its place had lost`() async throws {
        try await box("one", uploading: 1...500).stop()
        try copy(workspace.file("one"), to: "two")
        let second = try box("one", retention: .zero)
        try await second.collect(501...600)
        try await uploadAndDelete(second, through: 600)
        await second.stop()
        let empty = try await emptyDatabase()
        let third = try box("one", on: empty)
        try await third.upload()
        #expect(third.buffer.statistics.drops == 599)
        await third.stop()
        let restored = try box("two", on: empty)
        #expect(await restored.failure() == nil)
        #expect(try upstream(empty) == Set(1...500).union([600]))
        #expect(restored.buffer.statistics.drops == 0 && restored.buffer.statistics.pending == 0)
        await restored.stop()
    }

    @Test func `rows that a backup sends again by hand are not doubled where the upload stops in their midst`()
        async throws
    {
        let empty = try await loseAfterBackup(of: "one", to: "two")
        let restored = try box("two", on: empty)
        #expect(await restored.failure() != nil)
        try await restored.pass.sendAgain(.trades, from: 501)
        await restored.stop()
        let again = try box("two", on: empty)
        #expect(await again.failure() == nil)
        #expect(try upstream(empty) == Set(501...700))
        await again.stop()
    }

    @Test func `rows that are sent again by hand from a backup that has not uploaded yet are not doubled`()
        async throws
    {
        let empty = try await loseAfterBackup(of: "one", to: "two")
        let restored = try box("two", on: empty)
        try await restored.pass.sendAgain(.trades, from: 501)
        try await restored.upload()
        #expect(try upstream(empty) == Set(501...700))
        #expect(restored.buffer.statistics.drops == 500)
        #expect(restored.buffer.statistics.pending == 0)
        await restored.stop()
    }
}
