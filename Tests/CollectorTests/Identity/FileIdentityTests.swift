import Foundation
import MarketData
import Store
import TestSupport
import Testing
import Upstream

@testable import Collector

/// Files are copied, backed up and restored, and machines cloned. No row is lost or duplicated upstream; where a person
/// must decide, the upload says so and keeps its rows.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct FileIdentityTests: UploadSuite {
    let place: UploadPlace

    init() async throws { place = try await UploadPlace() }

    private func backUp(_ box: UploadBox, to name: String) throws {
        try FileManager.default.createDirectory(atPath: workspace.file(name), withIntermediateDirectories: false)
        try Command.sqlite(box.file, ".backup \(workspace.file("\(name)/ticks.sqlite"))")
    }

    /// The streams of which rows that a box's file never had were uploaded at a moment or later.
    private func elsewhere(than box: UploadBox, since moment: Int64) async throws -> Set<EventStream> {
        try await box.uploader.streamsUploadedElsewhere(than: box.buffer, of: [.trades], since: moment)
    }

    @Test func `a backup of a running file that is restored loses no new row and doubles none`() async throws {
        let first = try await box("one", uploading: 1...1000)
        try await first.collect(1001...1200)
        try backUp(first, to: "two")
        try await first.upload(1201...6000)
        await first.stop()
        let restored = try await box("two", uploading: 20_001...25_950)
        #expect(try upstream() == Set(1...6000).union(20_001...25_950))
        #expect(restored.buffer.statistics.pending == 0)
        await restored.stop()
    }

    @Test(arguments: [false, true])
    func `what the lost box uploaded after it was backed up is known, also after the backup has settled and restarted`(
        isRunning: Bool
    ) async throws {
        let start = WallClock.milliseconds() - 60_000
        let first = try await box("one", uploading: 1...100)
        if isRunning {
            try backUp(first, to: "two")
            try await first.upload(101...200)
            await first.stop()
        } else {
            await first.stop()
            try copy(workspace.file("one"), to: "two")
            let again = try await box("one", uploading: 101...200)
            #expect(try await elsewhere(than: again, since: start).isEmpty)
            await again.stop()
        }
        for round in 0..<2 {
            let restored = try box("two")
            #expect(try await elsewhere(than: restored, since: start) == [.trades])
            try await restored.upload(1000 * (round + 1)...1000 * (round + 1) + 50)
            #expect(try await elsewhere(than: restored, since: start) == [.trades])
            // What it misses from now on, nobody else has sent.
            #expect(try await elsewhere(than: restored, since: WallClock.milliseconds() + 60_000).isEmpty)
            await restored.stop()
        }
    }

    @Test func `a process that was killed leaves no doubt about what was uploaded`() async throws {
        let start = WallClock.milliseconds() - 60_000
        let first = try await box("one", uploading: 1...100)
        try await first.collect(101...150)
        // The files as a kill leaves them.
        try copy(first.directory, to: "killed")
        await first.stop()
        for round in 0..<2 {
            let next = try box("killed")
            #expect(try await next.pass.settle([.trades]).isEmpty)
            #expect(try await elsewhere(than: next, since: start).isEmpty)
            try await next.upload(201 + round...201 + round)
            #expect(try await elsewhere(than: next, since: start).isEmpty)
            await next.stop()
        }
        #expect(try upstream() == Set(1...150).union([201, 202]))
    }

    @Test(arguments: [false, true])
    func `both copies of a stopped directory go on, with and without rows that wait, over restarts`(
        waits: Bool
    ) async throws {
        let seed = try await box("one", uploading: 1...300)
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
        let start = WallClock.milliseconds() - 60_000
        let first = try box("one")
        // As long as the other may be the one that goes on, neither may fetch what both of them miss.
        await #expect(throws: UpstreamError.self) { try await elsewhere(than: first, since: start) }
        #expect(try await first.pass.settle([.trades]).isEmpty)
        #expect(try await elsewhere(than: first, since: start).isEmpty)
        let second = try box("two")
        #expect(try await elsewhere(than: second, since: start) == [.trades])
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
        let second = try await box("two", uploading: 501...510)
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
        try Command.sqlite(
            first.file,
            """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(UploadLine.mostPredecessors))
            INSERT INTO predecessors (id, stream, through, place)
            SELECT printf('00000000-0000-4000-8000-%012d', i), 'bars', 0, i - 1000 FROM n
            """)
        try await box("two", uploading: 501...510).stop()
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
        func agree(withLedger uploaded: [EventStream: Int64], uncertain: Set<EventStream>) {}
        func forget(_ ids: [String], of stream: EventStream) {}
    }

    @Test func `a machine that goes on from a snapshot of a running one uploads nothing and says so`() async throws {
        let box = try await box("one", uploading: 1...100)
        try await box.collect(101...200)
        let snapshot = Snapshot(box.buffer)
        let waiting = try #require(try await box.buffer.nextBatch(of: .trades, limit: 1000))
        let other = Uploader(configuration: try configuration(), bufferID: box.buffer.id, logger: quiet)
        try await other.settle(.trades, with: snapshot)
        try await box.upload(201...250)
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
        try await first.upload(1...100)
        let known = Snapshot(first.buffer)
        try await first.upload(101...150)
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

    @Test func `a backup's older version of a bar stays out, though both came while the clock was ahead`() async throws
    {
        func offer(volume: Double, receivedIn hours: Int64, to box: UploadBox) async throws {
            var batch = EventBatch(
                connection: "primary", receivedMicroseconds: WallClock.microseconds() + hours * 3_600_000_000)
            batch.bars = [.flat(Symbol("AAPL")!, at: 1_699_999_980_000, volume: volume)]
            try await box.buffer.collect(batch)
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
        #expect(try sql("SELECT volume FROM ohlcv_1min") == "12")
        await second.stop()
    }

    @Test(arguments: [true, false])
    func `old rows of the ledger go with the identifiers that the file forgets, or stay where nobody may delete them`(
        mayDelete: Bool
    ) async throws {
        let role = "writer_\(database)"
        try sql("CREATE ROLE \(role) LOGIN; GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO \(role)")
        for number in 1...UploadLine.mostPredecessors + 6 {
            try await box("one", as: mayDelete ? nil : role, uploading: number...number).stop()
        }
        #expect(try upstream() == Set(1...UploadLine.mostPredecessors + 6))
        let count = try #require(Int(try sql("SELECT count(*) FROM edgetick_uploads")))
        #expect((count <= UploadLine.mostPredecessors + 1) == mayDelete)
    }
}
