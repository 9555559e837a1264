import Foundation
import MarketData
import Store
import TestSupport
import Testing
import Upstream

@testable import Collector

/// Files are copied and restored, and databases restored and emptied. No row is lost or duplicated upstream; where a
/// person must decide, the upload says so and keeps its rows.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct IdentityTests {
    private let workspace: Workspace
    private let cluster: PostgresCluster
    private let database: String

    init() async throws {
        workspace = try Workspace()
        cluster = try PostgresCluster.shared()
        database = try cluster.makeDatabase()
        _ = try await UpstreamSchema.migrate(configuration())
    }

    private func configuration(on database: String? = nil, as user: String? = nil) throws -> UpstreamConfiguration {
        try UpstreamConfiguration(
            uri: cluster.uri(database ?? self.database, user: user), collector: "edge", connectTimeout: .seconds(60))
    }

    private func box(
        _ name: String, on database: String? = nil, as user: String? = nil, retention: Duration = .seconds(86_400)
    ) throws -> UploadBox {
        try UploadBox(
            workspace.file(name), configuration(on: database, as: user), retention: retention, batchRows: 700)
    }

    /// Copies the buffer's files in a directory as they are now.
    private func copy(_ from: String, to name: String) throws {
        try FileManager.default.createDirectory(atPath: workspace.file(name), withIntermediateDirectories: false)
        for suffix in ["", "-wal"] where FileManager.default.fileExists(atPath: "\(from)/ticks.sqlite\(suffix)") {
            try FileManager.default.copyItem(
                atPath: "\(from)/ticks.sqlite\(suffix)", toPath: workspace.file("\(name)/ticks.sqlite\(suffix)"))
        }
    }

    /// The ids upstream, each of which must be there once.
    private func upstream(_ database: String? = nil) throws -> Set<Int> {
        let text = try cluster.psql("SELECT trade_id FROM trades", database: database ?? self.database)
        let ids = text.split(separator: "\n").compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
        #expect(ids.count == Set(ids).count, "rows are doubled upstream")
        return Set(ids)
    }

    // MARK: - Files

    @Test func `a backup of a running file that is restored loses no new row and doubles none`() async throws {
        let first = try box("one")
        try await first.collect(1...1000)
        try await first.upload()
        try await first.collect(1001...1200)
        try FileManager.default.createDirectory(atPath: workspace.file("two"), withIntermediateDirectories: false)
        _ = try Command.run([
            "/usr/bin/sqlite3", "\(first.directory)/ticks.sqlite", ".backup \(workspace.file("two/ticks.sqlite"))",
        ])
        try await first.collect(1201...6000)
        try await first.upload()
        await first.stop()
        let restored = try box("two")
        try await restored.collect(20_001...25_950)
        try await restored.upload()
        #expect(try upstream() == Set(1...6000).union(20_001...25_950))
        #expect(restored.buffer.statistics.pending == 0)
        await restored.stop()
    }

    /// The streams of which rows that a box's file never had were uploaded at a moment or later.
    private func elsewhere(than box: UploadBox, since moment: Int64) async throws -> Set<EventStream> {
        try await box.uploader.streamsUploadedElsewhere(than: box.buffer, since: moment)
    }

    @Test(arguments: [false, true])
    func `what the lost box uploaded after it was backed up is known, also after the backup has settled and restarted`(
        isRunning: Bool
    ) async throws {
        let start = WallClock.milliseconds() - 60_000
        let first = try box("one")
        try await first.collect(1...100)
        try await first.upload()
        if isRunning {
            try FileManager.default.createDirectory(atPath: workspace.file("two"), withIntermediateDirectories: false)
            _ = try Command.run([
                "/usr/bin/sqlite3", "\(first.directory)/ticks.sqlite", ".backup \(workspace.file("two/ticks.sqlite"))",
            ])
            try await first.collect(101...200)
            try await first.upload()
            await first.stop()
        } else {
            await first.stop()
            try copy(workspace.file("one"), to: "two")
            let again = try box("one")
            try await again.collect(101...200)
            try await again.upload()
            #expect(try await elsewhere(than: again, since: start).isEmpty)
            await again.stop()
        }
        for round in 0..<2 {
            let restored = try box("two")
            #expect(try await elsewhere(than: restored, since: start) == [.trades])
            try await restored.collect(1000 * (round + 1)...1000 * (round + 1) + 50)
            try await restored.upload()
            #expect(try await elsewhere(than: restored, since: start) == [.trades])
            // What it misses from now on, nobody else has sent.
            #expect(try await elsewhere(than: restored, since: WallClock.milliseconds() + 60_000).isEmpty)
            await restored.stop()
        }
    }

    @Test func `a process that was killed leaves no doubt about what was uploaded`() async throws {
        let start = WallClock.milliseconds() - 60_000
        let first = try box("one")
        try await first.collect(1...100)
        try await first.upload()
        try await first.collect(101...150)
        // The files as a kill leaves them.
        try copy(first.directory, to: "killed")
        await first.stop()
        for round in 0..<2 {
            let next = try box("killed")
            #expect(try await elsewhere(than: next, since: start).isEmpty)
            try await next.collect(201 + round...201 + round)
            try await next.upload()
            #expect(try await elsewhere(than: next, since: start).isEmpty)
            await next.stop()
        }
        #expect(try upstream() == Set(1...150).union([201, 202]))
    }

    @Test(arguments: [false, true])
    func `both copies of a stopped directory go on, with and without rows that wait, over restarts`(
        waits: Bool
    ) async throws {
        let seed = try box("one")
        try await seed.collect(1...300)
        try await seed.upload()
        if waits { try await seed.collect(301...400) }
        await seed.stop()
        try copy(workspace.file("one"), to: "two")
        var expected = Set(1...(waits ? 400 : 300))
        for round in 0..<4 {
            for (place, name) in ["one", "two"].enumerated() {
                let box = try box(name)
                let start = 1000 * (2 * round + place + 1)
                try await box.collect(start...start + 150)
                expected.formUnion(start...start + 150)
                try await box.upload()
                #expect(box.buffer.statistics.pending == 0)
                await box.stop()
                #expect(try upstream() == expected)
            }
        }
    }

    @Test func `of two copies with rows that wait the second stops with an error and keeps them, until they are there`()
        async throws
    {
        let seed = try box("one")
        try await seed.collect(1...100)
        await seed.stop()
        try copy(workspace.file("one"), to: "two")
        let first = try box("one")
        #expect(try await first.pass.settle([.trades]).isEmpty)
        let second = try box("two")
        try await second.collect(501...600)
        let failure = await second.failure()
        #expect(failure?.reason == .ledger && failure?.isRetryable == false)
        #expect(failure?.description.contains("another copy of this file") == true)
        #expect(failure?.description.contains("collector edge") == true)
        #expect(second.buffer.statistics[.trades].pending == 200)
        #expect(try upstream() == [])
        try await first.upload()
        try await second.upload()
        #expect(try upstream() == Set(1...100).union(501...600))
        await first.stop()
        await second.stop()
    }

    @Test func `of a running directory that is copied one uploads what waits and the other says so`() async throws {
        let first = try box("one")
        try await first.collect(1...100)
        try copy(first.directory, to: "two")
        let second = try box("two")
        try await second.collect(501...510)
        try await second.upload()
        #expect(try upstream() == Set(1...100).union(501...510))
        try await first.collect(101...200)
        let failure = await first.failure()
        #expect(failure?.reason == .ledger && first.buffer.statistics[.trades].pending == 200)
        await first.stop()
        // Under a new identifier it finds that the common rows are there.
        let again = try box("one")
        let left = await again.failure()
        #expect(left?.reason == .ledger && left?.description.contains("another copy") == true)
        #expect(try upstream() == Set(1...100).union(501...510))
        try await again.pass.sendAgain(.trades, from: 101)
        try await again.upload()
        #expect(try upstream() == Set(1...200).union(501...510))
        await again.stop()
        await second.stop()
    }

    @Test func `a person can take the upload back from a copy also where the file has kept its identifier`()
        async throws
    {
        let first = try box("one")
        try await first.collect(1...100)
        await first.stop()
        try copy(first.directory, to: "two")
        // A file whose list is full keeps an identifier under which it uploaded nothing.
        _ = try Command.run([
            "/usr/bin/sqlite3", "\(first.directory)/ticks.sqlite",
            """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(UploadLine.mostPredecessors))
            INSERT INTO predecessors (id, stream, through, place)
            SELECT printf('00000000-0000-4000-8000-%012d', i), 'bars', 0, i - 1000 FROM n
            """,
        ])
        let second = try box("two")
        try await second.collect(501...510)
        try await second.upload()
        await second.stop()
        let again = try box("one")
        #expect(again.buffer.id == first.buffer.id)
        try await again.collect(101...150)
        let failure = await again.failure()
        #expect(failure?.reason == .ledger && failure?.description.contains("another copy of this file") == true)
        try await again.pass.sendAgain(.trades, from: 1)
        try await again.upload()
        #expect(try upstream() == Set(1...150).union(501...510))
        #expect(again.buffer.statistics.pending == 0)
        await again.stop()
    }

    /// A file as in a snapshot of a machine: what the process knew, and the rows.
    private struct Snapshot: UploadFile {
        let line: UploadLine
        let marks: UploadMarks
        let file: TickBuffer

        init(_ buffer: TickBuffer) {
            file = buffer
            line = file.line
            marks = file.marks(of: .trades)
        }

        /// What the process in a snapshot knew, with the rows that its copy has collected since.
        init(_ known: Snapshot, _ marks: UploadMarks, rows: TickBuffer) {
            file = rows
            line = known.line
            self.marks = marks
        }

        func marks(of stream: EventStream) -> UploadMarks { marks }
        func rows(
            of stream: EventStream, after: Int64, through: Int64, limit: Int
        ) async throws -> (batch: BufferedBatch, end: Int64, isCut: Bool) {
            try await file.rows(of: stream, after: after, through: through, limit: limit)
        }
        func refusedRows(of stream: EventStream, after: Int64, through: Int64) -> [ClosedRange<Int64>] { [] }
        func possiblyRefusedRows(of stream: EventStream, after: Int64, through: Int64) -> Set<Int64> { [] }
        func lostRows(of stream: EventStream) -> ClosedRange<Int64>? { nil }
        func prepare(_ move: UploadMove) {}
        func acknowledge(_ stream: EventStream, through sequence: Int64) {}
        func agree(withLedger uploaded: [EventStream: Int64]) {}
        func forget(_ ids: [String], of stream: EventStream) {}
    }

    @Test func `a machine that goes on from a snapshot of a running one uploads nothing and says so`() async throws {
        let box = try box("one")
        try await box.collect(1...100)
        try await box.upload()
        try await box.collect(101...200)
        let snapshot = Snapshot(box.buffer)
        let waiting = try #require(try await box.buffer.nextBatch(of: .trades, limit: 1000))
        let other = Uploader(configuration: try configuration(), bufferID: box.buffer.id, logger: quiet)
        try await other.settle(.trades, with: snapshot)
        try await box.collect(201...250)
        try await box.upload()
        let error = await #expect(throws: UpstreamError.self) {
            try await other.drain(OneBatch(waiting), of: snapshot)
        }
        #expect(error?.reason == .ledger && error?.description.contains("cloned while the collector ran") == true)
        #expect(try upstream() == Set(1...250))
        await other.disconnect()
        await box.stop()
    }

    /// Settles the second of two copies of a machine, and returns the error. They have 100 rows in common; then each
    /// collected others, and the first has moved the ledger to 150.
    private func settleCopy(_ marks: UploadMarks) async throws -> UpstreamError? {
        let (first, second) = (try box("one"), try box("two"))
        try await first.collect(1...100)
        try await first.upload()
        let known = Snapshot(first.buffer)
        try await first.collect(101...150)
        try await first.upload()
        for ids in [1...100, 301...400] { try await second.collect(ids) }
        let uploader = Uploader(configuration: try configuration(), bufferID: first.buffer.id, logger: quiet)
        let copy = Snapshot(known, marks, rows: second.buffer)
        let error = await #expect(throws: UpstreamError.self) { try await uploader.settle(.trades, with: copy) }
        await uploader.disconnect()
        for box in [first, second] { await box.stop() }
        return error
    }

    @Test func `a position that a copy's rows have is not taken for the own, though rows of that number are here`()
        async throws
    {
        let error = try await settleCopy(UploadMarks(acknowledged: 100, last: 200))
        #expect(error?.reason == .ledger && error?.description.contains("cloned while the collector ran") == true)
    }

    @Test func `a copy's position proves nothing of the rows that were uploaded before it`() async throws {
        let error = try await settleCopy(UploadMarks(acknowledged: 200, last: 200))
        #expect(error?.reason == .ledger && error?.description.contains("set by a copy of this file") == true)
    }

    // MARK: - Databases

    /// Uploads three times, so that the file forgets earlier transactions: only a restore can take the server back to
    /// them.
    private func goOn(_ box: UploadBox, from first: Int) async throws {
        for start in [first, first + 100, first + 200] {
            try await box.collect(start...start + 99)
            try await box.upload()
        }
    }

    private func emptyDatabase() async throws -> String {
        let empty = try cluster.makeDatabase()
        _ = try await UpstreamSchema.migrate(configuration(on: empty))
        return empty
    }

    private func pass(of box: UploadBox, on database: String) throws -> UploadPass {
        let uploader = Uploader(
            configuration: try configuration(on: database), bufferID: box.buffer.id, logger: quiet)
        return UploadPass(buffer: box.buffer, uploader: uploader, batchRows: 700)
    }

    @Test func `a database restored to before a running collector's last uploads gets them again, without a person`()
        async throws
    {
        let box = try box("one")
        try await goOn(box, from: 1)
        await box.uploader.disconnect()
        let restored = try cluster.makeDatabase(copying: database)
        try await goOn(box, from: 301)
        let report = try await pass(of: box, on: restored).report()
        #expect(report.failures.isEmpty && report.problem == nil)
        #expect(try upstream(restored) == Set(1...600))
        await box.stop()
    }

    @Test func `a database restored to the transaction before the last gets the last one's rows again`() async throws {
        let box = try box("one")
        try await box.collect(1...100)
        try await box.upload()
        await box.uploader.disconnect()
        let restored = try cluster.makeDatabase(copying: database)
        try await box.collect(101...200)
        try await box.upload()
        let report = try await pass(of: box, on: restored).report()
        #expect(report.failures.isEmpty && report.problem == nil)
        #expect(try upstream(restored) == Set(1...200))
        await box.stop()
    }

    @Test func `a database restored after an empty one gets what it lacks, without a person`() async throws {
        let box = try box("one")
        try await goOn(box, from: 1)
        await box.uploader.disconnect()
        let restored = try cluster.makeDatabase(copying: database)
        try await goOn(box, from: 301)
        let empty = try await emptyDatabase()
        // All rows wait again when the other database comes back.
        #expect(try await pass(of: box, on: empty).settle([.trades]).isEmpty)
        #expect(box.buffer.statistics[.trades].pending == 600)
        let report = try await pass(of: box, on: restored).report()
        #expect(report.failures.isEmpty && report.problem == nil)
        #expect(try upstream(restored) == Set(1...600))
        await box.stop()
    }

    @Test func `a database restored to before the file's identifier gets again what it lost`() async throws {
        let first = try box("one")
        try await first.collect(1...500)
        try await first.upload()
        await first.stop()
        let restored = try cluster.makeDatabase(copying: database)
        let second = try box("one")
        try await second.collect(501...900)
        try await second.upload()
        await second.stop()
        let third = try box("one", on: restored)
        try await third.upload()
        #expect(try upstream(restored) == Set(1...900))
        #expect(third.buffer.statistics.drops == 0)
        await third.stop()
    }

    @Test func `a new, empty database gets all that the file still has, and the rest is counted`() async throws {
        let first = try box("one", retention: .zero)
        try await first.collect(1...500)
        try await first.upload()
        let buffer = first.buffer
        // The newest row stays.
        try await Waiting.until(within: .seconds(60)) { buffer.statistics[.trades].marks.deleted == 499 }
        await first.stop()
        let second = try box("one")
        try await second.collect(501...900)
        try await second.upload()
        await second.stop()
        let empty = try await emptyDatabase()
        let third = try box("one", on: empty)
        try await third.upload()
        #expect(try upstream(empty) == Set(500...900))
        #expect(third.buffer.statistics.drops == 499)
        await third.stop()
    }

    @Test(arguments: [(refused: 0, again: 0), (1200, 0), (0, 1200)])
    func `bars that a new, empty database lacks go up again from a copy, though the original moved the ledger there`(
        last: (refused: Int, again: Int)
    ) async throws {
        func bars(_ seconds: Range<Int64>, volume: Double, in box: UploadBox) async throws {
            var batch = EventBatch(connection: "primary", receivedMicroseconds: WallClock.microseconds())
            for second in seconds {
                // The same minute each time.
                for (interval, start) in [
                    (Bar.Interval.second, 1_700_000_000_000 + second * 1000), (.minute, 1_699_999_980_000),
                ] {
                    batch.bars.append(
                        Bar(
                            symbol: Symbol("AAPL")!, interval: interval, start: start, end: start + 1000, open: 1,
                            high: 1,
                            low: 1, close: 1, volume: volume))
                }
            }
            #expect(box.buffer.offer(batch) != .refused)
            try await box.buffer.flush()
        }
        /// Uploads from a new file and copies it to "two"; `nil` if rows were deleted before they were copied.
        func uploadAndCopy(_ name: String) async throws -> UploadBox? {
            let box = try box(name, retention: .seconds(10))
            try await bars(0..<1500, volume: 1, in: box)
            try await box.upload()
            let file = "\(box.directory)/ticks.sqlite"
            try await Waiting.until {
                try Command.run([
                    "/usr/bin/sqlite3", "-readonly", file,
                    "SELECT acknowledged FROM streams WHERE stream = 'bars'",
                ]) == "3000\n"
            }
            try copy(box.directory, to: "two")
            let held = try Command.run([
                "/usr/bin/sqlite3", workspace.file("two/ticks.sqlite"), "SELECT count(*) FROM bars",
            ])
            if held == "3000\n" { return box }
            await box.stop()
            try FileManager.default.removeItem(atPath: workspace.file("two"))
            return nil
        }
        // A stalled machine uses up the ten seconds.
        var uploaded: UploadBox?
        for attempt in 1...5 where uploaded == nil { uploaded = try await uploadAndCopy("one-\(attempt)") }
        guard let original = uploaded else { throw Waiting.TimedOut("for a copy with all rows") }
        // From now on only the copy has them, and it counts them as uploaded.
        let buffer = original.buffer
        try await Waiting.until(within: .seconds(60)) { buffer.statistics[.bars].marks.deleted == 2999 }
        let empty = try await emptyDatabase()
        await original.uploader.disconnect()
        let pass = try pass(of: original, on: empty)
        _ = try await pass.run()
        // Newer versions of the last bars in the copy.
        try await bars(1500 - Int64(last.again) / 2..<1500, volume: 2, in: original)
        for round in Int64(1)...3 {
            try await bars(2000 + 1000 * round..<3000 + 1000 * round, volume: 2, in: original)
            _ = try await pass.run()
        }
        // The old database refused the last bars; they are sent again with the others.
        _ = try Command.run([
            "/usr/bin/sqlite3", workspace.file("two/ticks.sqlite"),
            "INSERT INTO dead_letters SELECT 'bars', seq, '23514', 'no', '{}', 0 FROM bars WHERE seq > 3000 - \(last.refused)",
        ])
        let second = try box("two", on: empty)
        #expect(second.buffer.statistics[.bars].pending == 0)
        try await second.upload()
        let text = try cluster.psql(
            "SELECT count(*), min(timestamp), (SELECT max(volume) FROM ohlcv_1min) FROM ohlcv_1sec", database: empty)
        #expect(text.contains("4500|2023-11-14 22:13:20+00|2"), "\(text)")
        await second.stop()
        await original.stop()
    }

    @Test func `a backup's older version of a bar stays out, though both came while the clock was ahead`() async throws
    {
        func offer(volume: Double, receivedIn hours: Int64, to box: UploadBox) async throws {
            var batch = EventBatch(
                connection: "primary", receivedMicroseconds: WallClock.microseconds() + hours * 3_600_000_000)
            batch.bars.append(
                Bar(
                    symbol: Symbol("AAPL")!, interval: .minute, start: 1_699_999_980_000, end: 1_700_000_040_000,
                    open: 1, high: 1, low: 1, close: 1, volume: volume))
            #expect(box.buffer.offer(batch) == .accepted)
            try await box.buffer.flush()
        }
        let original = try box("one")
        try await offer(volume: 10, receivedIn: 26, to: original)
        try copy(original.directory, to: "two")
        // The clock was set back; the version dates from the latest time of receipt.
        try await offer(volume: 12, receivedIn: 0, to: original)
        try await original.upload()
        await original.stop()
        let second = try box("two")
        #expect(second.buffer.statistics[.bars].pending == 1)
        try await second.upload()
        #expect(try cluster.psql("SELECT volume FROM ohlcv_1min", database: database) == "12\n")
        await second.stop()
    }

    /// Uploads all rows, and waits until all but the newest are deleted.
    private func uploadAndDelete(_ box: UploadBox, through last: Int64) async throws {
        try await box.upload()
        let buffer = box.buffer
        try await Waiting.until(within: .seconds(60)) { buffer.statistics[.trades].marks.deleted == last - 1 }
    }

    /// Uploads 500 trades, backs up the file while 200 more wait, and uploads those too. When all but the newest are
    /// deleted, moves to an empty database and returns it. The backup knows nothing of the 200 uploads or the move.
    private func loseAfterBackup(of name: String, to backup: String) async throws -> String {
        let first = try box(name, retention: .zero)
        try await first.collect(1...500)
        try await first.upload()
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
        let first = try box("one", retention: .zero)
        try await first.collect(1...100)
        try await first.upload()
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
        let first = try box("one")
        try await first.collect(1...500)
        try await first.upload()
        await first.stop()
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

    @Test
    func `rows that are sent again are looked up also after a restart in their midst`()
        async throws
    {
        let first = try box("one")
        try await first.collect(1...3000)
        try await first.upload()
        _ = try cluster.psql("DELETE FROM trades WHERE trade_id::int BETWEEN 500 AND 1500", database: database)
        try await first.pass.sendAgain(.trades, from: 400)
        let batch = try #require(try await first.buffer.nextBatch(of: .trades, limit: 700))
        #expect(batch.firstSequence == 400)
        try await first.uploader.drain(OneBatch(batch), of: first.buffer)
        #expect(try upstream() == Set(1...1099).union(1501...3000))
        await first.stop()
        let second = try box("one")
        try await second.collect(3001...3100)
        #expect(await second.failure() == nil)
        #expect(try upstream() == Set(1...3100))
        #expect(second.buffer.statistics.pending == 0)
        await second.stop()
    }

    /// When the sending of rows again ends.
    enum Interruption: CaseIterable {
        case beforeSettling, beforeFirstBatch, afterFirstBatch
    }

    @Test(arguments: Interruption.allCases)
    func `rows that are sent again after a restart are still sent after another one`(
        interruption: Interruption
    ) async throws {
        let first = try box("one")
        try await first.collect(1...3000)
        try await first.upload()
        await first.stop()
        _ = try cluster.psql("DELETE FROM trades WHERE trade_id::int BETWEEN 500 AND 1500", database: database)
        let second = try box("one")
        if interruption == .beforeSettling {
            try await second.buffer.sendAgain(.trades, from: 400)
        } else {
            try await second.pass.sendAgain(.trades, from: 400)
        }
        if interruption == .afterFirstBatch {
            let batch = try #require(try await second.buffer.nextBatch(of: .trades, limit: 700))
            try await second.uploader.drain(OneBatch(batch), of: second.buffer)
        }
        await second.stop()
        let third = try box("one")
        #expect(await third.failure() == nil)
        #expect(try upstream() == Set(1...3000))
        #expect(third.buffer.statistics.pending == 0)
        await third.stop()
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

    /// Why a ledger can't say what is lost.
    enum Mute: String, CaseIterable {
        case hasNoColumns, mayNotRead, mayNotUpdate
    }

    @Test(arguments: Mute.allCases)
    func `where the ledger can't say what is lost, the file counts it all the same, and goes on`(
        mute: Mute
    ) async throws {
        let first = try box("one", retention: .zero)
        try await first.collect(1...500)
        try await uploadAndDelete(first, through: 500)
        await first.stop()
        let empty = try await emptyDatabase()
        var user: String?
        if mute == .hasNoColumns {
            _ = try cluster.psql(
                "ALTER TABLE edgetick_uploads DROP COLUMN lost_from, DROP COLUMN lost_through", database: empty)
        } else {
            let role = "\(mute)_\(empty)".lowercased()
            let named = "buffer_id, collector, stream, last_sequence, rows, updated_at, token, successor"
            let read = mute == .mayNotRead ? "SELECT (\(named))" : "SELECT"
            let update = mute == .mayNotUpdate ? "UPDATE (\(named))" : "UPDATE"
            _ = try cluster.psql(
                """
                CREATE ROLE \(role) LOGIN;
                GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO \(role);
                REVOKE SELECT, UPDATE ON edgetick_uploads FROM \(role);
                GRANT \(read), \(update) ON edgetick_uploads TO \(role)
                """, database: empty)
            user = role
        }
        for round in 0..<3 {
            let box = try box("one", on: empty, as: user)
            try await box.collect(501 + round...501 + round)
            let report = await box.pass.report()
            #expect(report.failures.isEmpty && report.problem == nil)
            #expect(box.buffer.statistics.drops == 499)
            #expect(box.buffer.statistics.pending == 0)
            await box.stop()
        }
        #expect(try upstream(empty) == Set(500...503))
    }

    @Test func `a ledger of an earlier version, without columns for what is lost, serves as it did`() async throws {
        _ = try cluster.psql(
            "ALTER TABLE edgetick_uploads DROP COLUMN lost_from, DROP COLUMN lost_through", database: database)
        for round in 0..<2 {
            let box = try box("one")
            try await box.collect(1 + 100 * round...100 + 100 * round)
            try await box.upload()
            #expect(box.buffer.statistics.pending == 0)
            await box.stop()
        }
        #expect(try upstream() == Set(1...200))
    }

    @Test func `when the ledger alone is lost, no row goes up again`() async throws {
        let first = try box("one")
        try await first.collect(1...500)
        try await first.upload()
        await first.stop()
        _ = try cluster.psql("DELETE FROM edgetick_uploads", database: database)
        let second = try box("one")
        try await second.collect(501...600)
        try await second.upload()
        #expect(try upstream() == Set(1...600))
        await second.stop()
    }

    @Test func `refused rows whose letters had to make room raise no question when the ledger alone is lost`()
        async throws
    {
        let first = try box("one")
        try await first.collect(1...500)
        try await first.upload()
        await first.stop()
        // As if the table had refused two of the rows from 200 through 210.
        _ = try cluster.psql(
            "DELETE FROM edgetick_uploads; DELETE FROM trades WHERE trade_id IN ('200', '210')", database: database)
        _ = try Command.run([
            "/usr/bin/sqlite3", "\(first.directory)/ticks.sqlite",
            """
            INSERT INTO drops (episode, stream, symbol, reason, first_seq, last_seq, count, at_us)
            VALUES (1, 'trades', 'IBM', 'letter_dropped', 200, 210, 2, 1)
            """,
        ])
        let second = try box("one")
        let report = await second.pass.report()
        #expect(report.failures.isEmpty && report.problem == nil)
        #expect(try upstream() == Set(1...500).subtracting([200, 210]))
        await second.stop()
        #expect(try await findings(of: second).isEmpty)
        // What is gone elsewhere is still missed.
        _ = try cluster.psql("DELETE FROM trades WHERE trade_id = '300'", database: database)
        #expect(try await findings(of: second).contains { $0.contains("1 of 498 uploaded rows are not upstream") })
    }

    @Test func `when some rows are gone with the ledger, a person decides`() async throws {
        let first = try box("one")
        try await first.collect(1...500)
        try await first.upload()
        await first.stop()
        _ = try cluster.psql(
            "DELETE FROM edgetick_uploads; DELETE FROM trades WHERE trade_id::int > 200", database: database)
        let second = try box("one")
        let failure = await second.failure()
        #expect(failure?.reason == .ledger && failure?.description.contains("--again") == true)
        #expect(try upstream() == Set(1...200))
        try await second.pass.sendAgain(.trades, from: 201)
        try await second.upload()
        #expect(try upstream() == Set(1...500))
        await second.stop()
    }

    @Test
    func
        `rows that are sent again are left out where they are upstream, so that holes are filled and nothing is doubled`()
        async throws
    {
        let first = try box("one")
        try await first.collect(1...2000)
        try await first.upload()
        await first.stop()
        // Some batches are complete; others lack some or all of their rows.
        _ = try cluster.psql(
            "DELETE FROM edgetick_uploads; DELETE FROM trades WHERE trade_id::int > 800 AND trade_id::int % 3 = 0",
            database: database)
        let second = try box("one")
        try await second.collect(2001...2100)
        let failure = await second.failure()
        #expect(failure?.reason == .ledger && failure?.description.contains("--again") == true)
        try await second.pass.sendAgain(.trades, from: 10)
        try await second.upload()
        #expect(try upstream() == Set(1...2100))
        #expect(second.buffer.statistics.pending == 0)
        try await second.collect(2101...2200)
        try await second.upload()
        #expect(try upstream() == Set(1...2200))
        await second.stop()
    }

    @Test(arguments: [true, false])
    func `rows that wait are never passed over when later ones are sent again, unless they are upstream`(
        hasReceipt: Bool
    ) async throws {
        if !hasReceipt { _ = try cluster.psql("ALTER TABLE trades DROP COLUMN received_at", database: database) }
        let first = try box("one")
        try await first.collect(1...100)
        try copy(first.directory, to: "two")
        // A copy of the file has sent the first hundred.
        try await first.upload()
        await first.stop()
        let second = try box("two")
        try await second.collect(501...600)
        let pass = second.pass
        let error = await #expect(throws: UpstreamError.self) { try await pass.sendAgain(.trades, from: 151) }
        #expect(error?.reason == .ledger)
        #expect(error?.description.contains("50 rows from 101 on wait before row 151") == true)
        #expect(second.buffer.statistics[.trades].pending == 200)
        try await pass.sendAgain(.trades, from: 101)
        try await second.upload()
        #expect(try upstream() == Set(1...100).union(501...600))
        #expect(second.buffer.statistics.pending == 0)
        await second.stop()
    }

    @Test func `bars that wait go up as well when later ones are sent again`() async throws {
        let box = try box("one")
        for start in Int64(0)...1 {
            var batch = EventBatch(connection: "primary", receivedMicroseconds: WallClock.microseconds())
            for second in start * 100..<start * 100 + 100 {
                let time = 1_700_000_000_000 + second * 1000
                batch.bars.append(
                    Bar(
                        symbol: Symbol("AAPL")!, interval: .second, start: time, end: time + 1000, open: 1, high: 1,
                        low: 1, close: 1, volume: 1))
            }
            #expect(box.buffer.offer(batch) == .accepted)
            try await box.buffer.flush()
        }
        try await box.pass.sendAgain(.bars, from: 151)
        try await box.upload()
        let count = try cluster.psql("SELECT count(*) FROM ohlcv_1sec", database: database)
        #expect(count.trimmingCharacters(in: .whitespacesAndNewlines) == "200")
        #expect(box.buffer.statistics.pending == 0)
        await box.stop()
    }

    @Test func `a table that is emptied is noticed, nothing goes up by itself, and a person can have it sent again`()
        async throws
    {
        let box = try box("one")
        try await box.collect(1...300)
        try await box.upload()
        _ = try cluster.psql("TRUNCATE trades", database: database)
        let looking = UploadPass(buffer: box.buffer, uploader: box.uploader, batchRows: 700)
        let report = await looking.report()
        #expect(report.missing[.trades]?.contains("edgetick sync --again --stream trades") == true)
        #expect(try upstream() == [])
        #expect(
            try Command.run([
                "/usr/bin/sqlite3", "-readonly", "\(box.directory)/ticks.sqlite",
                "SELECT count(*) FROM incidents WHERE what = 'rows are gone upstream'",
            ]).trimmingCharacters(in: .whitespacesAndNewlines) == "1")
        try await looking.sendAgain(.trades, from: 1)
        _ = try await looking.run()
        #expect(try upstream() == Set(1...300))
        #expect(await looking.report().missing.isEmpty)
        await box.stop()
    }

    @Test(arguments: ["now()", "date_trunc('milliseconds', NEW.received_at)"])
    func `rows whose time of receipt a trigger changes are there, and are not doubled when they are sent again`(
        value: String
    ) async throws {
        try changeReceipt(to: value)
        let box = try box("one")
        try await box.collect(1...100)
        try await box.upload()
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
        _ = try cluster.psql("DELETE FROM trades WHERE trade_id::int > 40", database: database)
        #expect(try await findings(of: box).contains { $0.contains("60 of 100 uploaded rows are not upstream") })
    }

    @Test func `a trigger doesn't make rows that wait count as uploaded where the table can't tell events apart`()
        async throws
    {
        _ = try cluster.psql("ALTER TABLE trades DROP COLUMN trade_id, DROP COLUMN sequence", database: database)
        try changeReceipt(to: "now()")
        // The trades of the second file have the same times, prices and sizes.
        for name in ["one", "two"] {
            let box = try box(name)
            try await box.collect(1...100)
            try await box.upload()
            #expect(box.buffer.statistics.pending == 0)
            await box.stop()
        }
        let count = try cluster.psql("SELECT count(*) FROM trades", database: database)
        #expect(count.trimmingCharacters(in: .whitespacesAndNewlines) == "200")
    }

    @Test func `where a trigger changes values and no column names the collector, verify says both`() async throws {
        _ = try cluster.psql("ALTER TABLE trades DROP COLUMN collector", database: database)
        try changeReceipt(to: "now()")
        let box = try box("one")
        try await box.collect(1...10)
        try await box.upload()
        await box.stop()
        let found = try await findings(of: box)
        #expect(found.contains { $0.contains("some rows were found only by what identifies their events") })
        #expect(found.contains { $0.contains("a row that another collector sent counts as this one's") })
        #expect(found.count == 2)
    }

    @Test func `where the table can't tell collectors apart, another's rows don't make waiting ones count as uploaded`()
        async throws
    {
        _ = try cluster.psql(
            "ALTER TABLE trades DROP COLUMN trade_id, DROP COLUMN sequence, DROP COLUMN received_at",
            database: database)
        func count() throws -> String {
            try cluster.psql("SELECT count(*) FROM trades", database: database)
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }
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
        _ = try cluster.psql("DELETE FROM edgetick_uploads", database: database)
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

    @Test(arguments: ["sequence bigint", "trade_id text", "exchange integer"])
    func `rows that were sent before the table had a column are there, and are not doubled`(
        column: String
    ) async throws {
        let name = String(column.prefix { $0 != " " })
        _ = try cluster.psql("ALTER TABLE trades DROP COLUMN \(name)", database: database)
        let first = try box("one")
        try await first.collect(1...100)
        try await first.upload()
        await first.stop()
        _ = try cluster.psql("ALTER TABLE trades ADD COLUMN \(column)", database: database)
        let second = try box("one")
        try await second.collect(101...150)
        let report = await second.pass.report()
        #expect(report.failures.isEmpty && report.problem == nil && report.missing.isEmpty)
        try await second.pass.sendAgain(.trades, from: 1)
        try await second.upload()
        await second.stop()
        #expect(try await findings(of: second).isEmpty)
        // The ledger's loss alone sends nothing again either.
        _ = try cluster.psql("DELETE FROM edgetick_uploads", database: database)
        let third = try box("one")
        let last = await third.pass.report()
        #expect(last.failures.isEmpty && last.problem == nil)
        #expect(third.buffer.statistics.pending == 0)
        await third.stop()
        #expect(
            try cluster.psql("SELECT count(*), count(DISTINCT price) FROM trades", database: database)
                .trimmingCharacters(in: .whitespacesAndNewlines) == "150|150")
        // What is gone is still missed.
        _ = try cluster.psql("DELETE FROM trades WHERE price = 0.4", database: database)
        #expect(try await findings(of: third).contains { $0.contains("1 of 150 uploaded rows are not upstream") })
    }

    @Test func `rows without a time of receipt, which the table lacked when they were sent, are for a person to judge`()
        async throws
    {
        _ = try cluster.psql("ALTER TABLE trades DROP COLUMN received_at", database: database)
        let first = try box("one")
        try await first.collect(1...100)
        try await first.upload()
        await first.stop()
        _ = try cluster.psql("ALTER TABLE trades ADD COLUMN received_at timestamptz", database: database)
        let second = try box("one")
        #expect(await second.pass.report().missing.isEmpty)
        await second.stop()
        _ = try cluster.psql("DELETE FROM edgetick_uploads", database: database)
        let third = try box("one")
        #expect(await third.failure()?.reason == .ledger)
        #expect(try upstream() == Set(1...100))
        await third.stop()
    }

    /// Has a trigger on the table change when rows were received.
    private func changeReceipt(to value: String) throws {
        _ = try cluster.psql(
            """
            CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN NEW.received_at := \(value); RETURN NEW; END $$;
            CREATE TRIGGER stamp BEFORE INSERT ON trades FOR EACH ROW EXECUTE FUNCTION stamp()
            """, database: database)
    }

    /// What `verify` finds in the file of a box that has stopped.
    private func findings(of box: UploadBox) async throws -> [String] {
        var verified = try FileVerifier.verify("\(box.directory)/ticks.sqlite", as: .ticks)
        let rows = try await UploadedRows.compare(.trades, of: verified, with: box.uploader)
        await box.uploader.disconnect()
        rows.note(.trades, in: &verified)
        return verified.findings.map(\.text)
    }

    @Test func `rows that are gone are told until they are back, also when all that was looked up is a day old`()
        async throws
    {
        let box = try box("one")
        try await box.collect(1...300)
        try await box.upload()
        _ = try cluster.psql("TRUNCATE trades", database: database)
        let looks = UploadLooks(buffer: box.buffer, uploader: box.uploader)
        let start = ContinuousClock.now
        #expect(try await looks.look([.trades], at: start)[.trades] != nil)
        try await box.collect(301...400)
        try await box.upload()
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

    @Test func `rows that are gone are told after a restart too, until a person has them sent again`() async throws {
        let first = try box("one")
        try await first.collect(1...300)
        try await first.upload()
        _ = try cluster.psql("TRUNCATE trades", database: database)
        let looks = UploadLooks(buffer: first.buffer, uploader: first.uploader)
        #expect(try await looks.look([.trades])[.trades] != nil)
        // What is uploaded after them shows nothing of them.
        try await first.collect(301...400)
        try await first.upload()
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
        #expect(
            try Command.run([
                "/usr/bin/sqlite3", "-readonly", "\(third.directory)/ticks.sqlite",
                "SELECT count(*) FROM incidents WHERE what = 'rows are gone upstream'",
            ]).trimmingCharacters(in: .whitespacesAndNewlines) == "1")
    }

    @Test func `rows that are gone and back are no longer told after a restart`() async throws {
        let first = try box("one")
        try await first.collect(1...300)
        try await first.upload()
        _ = try cluster.psql("CREATE TABLE kept AS TABLE trades; TRUNCATE trades", database: database)
        let looks = UploadLooks(buffer: first.buffer, uploader: first.uploader)
        let start = ContinuousClock.now
        #expect(try await looks.look([.trades], at: start)[.trades] != nil)
        #expect(first.buffer.marks(of: .trades).gone == 300)
        _ = try cluster.psql("INSERT INTO trades TABLE kept", database: database)
        #expect(try await looks.look([.trades], at: start + UploadLooks.interval).isEmpty)
        await first.stop()
        let second = try box("one")
        #expect(second.buffer.marks(of: .trades).gone == 0)
        await second.stop()
    }

    @Test func `rows that are gone are told also when the file has deleted them, whatever came after them`()
        async throws
    {
        let box = try box("one", retention: .zero)
        try await box.collect(1...300)
        try await box.upload()
        _ = try cluster.psql("TRUNCATE trades", database: database)
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
        let box = try box("one", retention: .seconds(7 * 86_400))
        try await box.collect(1...300)
        try await box.upload()
        _ = try cluster.psql("TRUNCATE trades", database: database)
        try await box.collect(301...400)
        try await box.upload()
        await box.stop()
        let path = "\(box.directory)/ticks.sqlite"
        _ = try Command.run([
            "/usr/bin/sqlite3", path,
            "UPDATE trades SET received_us = received_us - \(age.hours) * 3600000000 WHERE seq <= 300",
        ])
        var verified = try FileVerifier.verify(path, as: .ticks)
        let rows = try await UploadedRows.compare(.trades, of: verified, with: box.uploader)
        await box.uploader.disconnect()
        rows.note(.trades, in: &verified)
        let found = try #require(verified.findings.first { $0.text.contains("are not upstream") })
        #expect(found.place == "trades 1…300")
        #expect(found.severity == (age.isFault ? .fault : .warning))
        #expect(found.advice.hasSuffix("edgetick sync --again --stream trades --from 1"))
    }

    @Test(arguments: [(hours: 23, isTold: true), (hours: 25, isTold: false)])
    func `rows that came more than a day ago may be gone by the database's own retention, which is no news`(
        age: (hours: Int, isTold: Bool)
    ) async throws {
        let retention = Duration.seconds(7 * 86_400)
        let first = try box("one", retention: retention)
        try await first.collect(1...300)
        try await first.upload()
        await first.stop()
        _ = try Command.run([
            "/usr/bin/sqlite3", "\(first.directory)/ticks.sqlite",
            "UPDATE trades SET received_us = received_us - \(age.hours) * 3600000000",
        ])
        _ = try cluster.psql("TRUNCATE trades", database: database)
        let second = try box("one", retention: retention)
        let report = await second.pass.report()
        #expect(report.failures.isEmpty && report.problem == nil)
        #expect((report.missing[.trades] != nil) == age.isTold)
        await second.stop()
    }

    @Test(arguments: [true, false])
    func `old rows of the ledger go with the identifiers that the file forgets, or stay where nobody may delete them`(
        mayDelete: Bool
    ) async throws {
        let role = "writer_\(database)"
        _ = try cluster.psql(
            "CREATE ROLE \(role) LOGIN; GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO \(role)",
            database: database)
        for number in 1...UploadLine.mostPredecessors + 6 {
            let box = try box("one", as: mayDelete ? nil : role)
            try await box.collect(number...number)
            try await box.upload()
            await box.stop()
        }
        #expect(try upstream() == Set(1...UploadLine.mostPredecessors + 6))
        let rows = try cluster.psql("SELECT count(*) FROM edgetick_uploads", database: database)
        let count = try #require(Int(rows.trimmingCharacters(in: .whitespacesAndNewlines)))
        #expect((count <= UploadLine.mostPredecessors + 1) == mayDelete)
    }
}
