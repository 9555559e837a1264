import Foundation
import MarketData
import Store
import TestSupport
import Testing
import Upstream

@testable import Collector

/// A damaged buffer is repaired and uploaded to a real PostgreSQL: every row that is left is there exactly once.
@Suite(.blocking, .timeLimit(.minutes(5))) struct RepairedUploadTests: UploadSuite {
    let place: UploadPlace

    init() async throws { place = try await UploadPlace(for: "tests") }

    private func open(_ directory: String? = nil) throws -> (TickBuffer, Uploader) {
        let buffer = try TickBuffer.scratch(in: directory ?? workspace.path)
        return (buffer, Uploader(configuration: try configuration(), bufferID: buffer.id, logger: quiet))
    }

    /// Uploads everything that waits in a directory, and returns the number of rows uploaded.
    private func uploadAll(_ directory: String? = nil) async throws -> Int {
        let (buffer, uploader) = try open(directory)
        let totals = try await UploadPass(buffer: buffer, uploader: uploader, batchRows: 700).run()
        await uploader.disconnect()
        await buffer.close()
        return totals.rows
    }

    /// Makes a buffer of 5,000 trades, 2,100 of which are upstream. Only the ledger knows of the last 700, as if the
    /// collector had been killed between the COMMIT and the acknowledgement.
    private func collect() async throws {
        let (buffer, uploader) = try open()
        for round in 0..<50 {
            try await buffer.collect(trades: round * 100 + 1...round * 100 + 100)
        }
        var after: Int64 = 0
        for round in 0..<3 {
            let batch = try #require(try await buffer.nextBatch(of: .trades, after: after, limit: 700))
            try await uploader.drain(OneBatch(batch), of: buffer)
            after = batch.lastSequence ?? 0
            if round < 2 { try await buffer.acknowledge(.trades, through: after) }
        }
        await uploader.disconnect()
        await buffer.close()
        #expect(try upstream() == Set(1...2100))
    }

    @Test(arguments: [0.3, 0.45, 0.7, 0.95, -0.3, -0.6])
    func `a collector goes on with a repaired file and every row that is left is upstream once`(
        where part: Double
    ) async throws {
        try await collect()
        let path = workspace.file("ticks.sqlite")
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        let pages = bytes.count / 4096
        if part > 0 {
            let page = Int(Double(pages) * part)
            bytes.replaceSubrange(page * 4096..<(page + 2) * 4096, with: Data(repeating: 0x5A, count: 8192))
        } else {
            bytes = bytes.prefix(Int(Double(bytes.count) * (1 + part)) + 777)
        }
        try bytes.write(to: URL(fileURLWithPath: path))
        let report = try FileRepair.repair(path, as: .ticks)
        #expect(report.outcome == .repaired)
        var left = Set(1...5000)
        for loss in report.losses where loss.stream == .trades { left.subtract(Int(loss.first)...Int(loss.last)) }
        let (buffer, uploader) = try open()
        let last = Int(buffer.statistics[.trades].marks.last)
        if report.losesEnd, last < 5000 { left.subtract(last + 1...5000) }
        // New rows get numbers that the damaged file may have given to others.
        try await buffer.collect(trades: 9001...9100)
        #expect(buffer.statistics[.trades].marks.last == Int64(last + 100))
        _ = try await UploadPass(buffer: buffer, uploader: uploader, batchRows: 700).run()
        await uploader.disconnect()
        await buffer.close()
        let expected = left.union(1...2100).union(9001...9100)
        #expect(report.lost > 0 || report.losesEnd)
        #expect(try upstream() == expected)
        #expect(try await uploadAll() == 0)
        #expect(try upstream() == expected)
        var found = try FileVerifier.verify(path, as: .ticks)
        let (_, asking) = try open()
        found.compare(with: try await asking.ledger(of: found.ledgerIDs))
        await asking.disconnect()
        #expect(found.isSound, "\(found.findings)")
    }

    @Test func `a transaction of the damaged file that is still open is waited for`() async throws {
        try await collect()
        let path = workspace.file("ticks.sqlite")
        let id = try BufferReport.read(directory: workspace.path).id
        // The server is still working on what a killed collector sent: rows and ledger, not committed yet.
        let holder = try await cluster.holder(
            of: database,
            """
            UPDATE edgetick_uploads SET last_sequence = 2800 WHERE buffer_id = '\(id)' AND stream = 'trades';
            INSERT INTO trades (symbol, time, price, size, trade_id)
            SELECT 'IBM', now(), 1, 1, n::text FROM generate_series(2101, 2800) n
            """)
        var options = FileRepair.Options()
        options.isForced = true
        #expect(try FileRepair.repair(path, as: .ticks, options: options).lost == 0)
        #expect(try await uploadAll() == 2200)
        #expect(try await holder.exit() == 0, "\(holder.output)")
        #expect(try upstream() == Set(1...5000))
    }

    /// Overwrites the page that holds a trade, in a file that may be in use.
    private func damage(_ path: String, at id: Int) throws {
        let end = ContinuousClock.now + .seconds(60)
        while try Command.sqlite(path, "PRAGMA wal_checkpoint(PASSIVE)").hasPrefix("1") {
            guard ContinuousClock.now < end else { throw Waiting.TimedOut("for the log to be in the file") }
        }
        let place = try #require(try Data(contentsOf: URL(fileURLWithPath: path)).range(of: Data("\(id)".utf8)))
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        try file.seek(toOffset: UInt64(place.lowerBound / 4096 * 4096))
        try file.write(contentsOf: Data(repeating: 0xA5, count: 4096))
        try file.close()
    }

    /// The numbers of trades that a file counts as lost, by reason.
    private func lost() throws -> [String] {
        let sql = "SELECT reason, first_seq, last_seq, count FROM drops WHERE stream = 'trades' ORDER BY reason"
        return try Command.query(workspace.file("ticks.sqlite"), sql)
            .split(separator: "\n").map(String.init)
    }

    /// What a database that lost rows still has of a thousand.
    private static let kept = [0, 150, 600]

    @Test(arguments: kept, [true, false])
    func `of a file with a damaged page all that the database lost counts as lost, also what can't be looked up`(
        kept: Int, isRunning: Bool
    ) async throws {
        let path = workspace.file("ticks.sqlite")
        // Their numbers are found on one page alone.
        let first = 700_001
        var (buffer, uploader) = try open()
        try await buffer.collect(trades: first...first + 999)
        var pass = UploadPass(buffer: buffer, uploader: uploader, batchRows: 700)
        _ = try await pass.run()
        await uploader.disconnect()
        // A copy of the file may have sent the first ones again.
        _ = try cluster.psql(
            "DELETE FROM edgetick_uploads; DELETE FROM trades WHERE trade_id::int >= \(first + kept)",
            database: database)
        if !isRunning { await buffer.close() }
        try damage(path, at: first + 500)
        if isRunning {
            // The reader looks at the file again.
            try await buffer.collect(trades: 1...1)
        } else {
            (buffer, uploader) = try open()
            pass = UploadPass(buffer: buffer, uploader: uploader, batchRows: 700)
        }
        let (running, uploads) = (buffer, pass)
        if kept == 150, isRunning {
            let failure = await uploads.report().failures[.trades]
            #expect(failure?.description.contains("sync --again") == true)
            #expect(running.statistics.setAside.isEmpty)
            try await uploads.sendAgain(.trades, from: 100)
        }
        try await Waiting.until("it goes on with a fresh file") {
            let report = await uploads.report()
            return running.statistics.setAside.count == 1 && report.failures.isEmpty && report.problem == nil
        }
        try await running.collect(trades: 9001...9010)
        #expect(await pass.report().failures.isEmpty)
        #expect(running.statistics.pending == 0)
        let there = try upstream().intersection(first..<first + 1000)
        let aside = try #require(running.statistics.setAside.first)
        await uploader.disconnect()
        await buffer.close()
        let counted = try lost()
        // All that can be read of the file can still be had.
        let report = try FileRepair.repair(aside, as: .ticks)
        let saved = URL(fileURLWithPath: try #require(report.output)).deletingLastPathComponent().path
        var expected = Set(first..<first + 1000).union(9001...9010).union(isRunning ? [1] : [])
        for loss in report.losses { expected.subtract(first + Int(loss.first) - 1...first + Int(loss.last) - 1) }
        expected.formUnion(there)
        #expect(expected.count > 900)
        if isRunning {
            // The rows before the damage were sent again; some may have been on their way when it was found.
            #expect(there == Set(first..<first + there.count) && (max(1, kept)..<1000).contains(there.count))
            // The file's log may still have the page.
            if let loss = report.losses.first { #expect(there.count == max(kept, Int(loss.first) - 1)) }
            let numbers = counted.flatMap { $0.split(separator: "|").compactMap { Int64($0) } }
            #expect(counted.count == 1 && counted[0].hasPrefix("file_set_aside|") && numbers.count == 3)
            #expect(numbers[0] <= there.count + 1 && numbers[1] == 1001 && numbers[2] == 1002 - numbers[0])
        } else {
            #expect(there == Set(first..<first + kept))
            #expect(counted == ["upstream_lost|1|1000|1000"])
        }
        if kept > 0, !isRunning {
            let (copy, sender) = try open(saved)
            try await UploadPass(buffer: copy, uploader: sender, batchRows: 700).sendAgain(.trades, from: 1)
            await sender.disconnect()
            await copy.close()
        }
        _ = try await uploadAll(saved)
        #expect(try upstream() == expected)
        // A second report of the same damage must not set the sound file aside that has taken the place.
        #expect(running.statistics.setAside.count == 1)
    }

    @Test(arguments: [false, true])
    func `rows of a file that was set aside at a start are saved and uploaded once, before or after its successor's`(
        isSavedFirst: Bool
    ) async throws {
        try await collect()
        let path = workspace.file("ticks.sqlite")
        try damage(path, at: 3500)
        let (buffer, uploader) = try open()
        let aside = try #require(buffer.statistics.setAside.first)
        let report = try FileRepair.repair(aside, as: .ticks)
        let saved = URL(fileURLWithPath: try #require(report.output)).deletingLastPathComponent().path
        var expected = Set(1...5000)
        for loss in report.losses where loss.stream == .trades { expected.subtract(Int(loss.first)...Int(loss.last)) }
        #expect(expected.count < 5000 && expected.count > 4000)
        if isSavedFirst { #expect(try await uploadAll(saved) == expected.count - 2100) }
        try await buffer.collect(trades: 9001...9100)
        let upload = await UploadPass(buffer: buffer, uploader: uploader, batchRows: 700).report()
        #expect(upload.failures.isEmpty && upload.problem == nil)
        await uploader.disconnect()
        await buffer.close()
        if !isSavedFirst { #expect(try await uploadAll(saved) == expected.count - 2100) }
        #expect(try upstream() == expected.union(9001...9100))
        for _ in 0..<2 {
            #expect(try await uploadAll() == 0)
            #expect(try await uploadAll(saved) == 0)
        }
        #expect(try upstream() == expected.union(9001...9100))
        let counted = try lost()
        #expect(counted == ["file_set_aside|||3600"], "\(counted)")
    }
}
