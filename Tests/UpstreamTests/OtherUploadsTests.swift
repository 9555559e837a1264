import MarketData
import TestSupport
import Testing

@testable import Upstream

/// What the ledger says of rows that a file never had.
@Suite(.timeLimit(.minutes(1))) struct OtherUploadsTests {
    /// A file that is called "new" now. It had the identifiers "a" and "b", and gave out trades through 100 and 200.
    private let line = UploadLine(
        id: "c",
        predecessors: [
            .init(id: "a", stream: .trades, through: 100), .init(id: "b", stream: .trades, through: 200),
            .init(id: "b", stream: .bars, through: 10),
        ])

    private func upload(
        _ id: String, through sequence: Int64, at time: Int64, by collector: String = "new", rows: Int64 = 1,
        of stream: EventStream = .trades, successor: String? = nil
    ) -> LedgerUpload {
        LedgerUpload(
            stream: stream, id: id, collector: collector, sequence: sequence, rows: rows, successor: successor,
            time: time)
    }

    private func isBehind(_ uploads: LedgerUpload..., since moment: Int64 = 0) -> Bool {
        line.isBehind(uploads, of: .trades, through: 250, as: "new", since: moment)
    }

    @Test func `a file is not behind what went up under its own identifiers`() {
        #expect(!isBehind())
        let own = ["a": Int64(100), "b": 200, "c": 250].map { upload($0, through: $1, at: 1) }
        #expect(!line.isBehind(own, of: .trades, through: 250, as: "new", since: 0))
    }

    @Test func `a file is behind where more went up under an identifier than it gave out, whoever sent it`() {
        #expect(isBehind(upload("a", through: 101, at: 1, by: "old")))
        #expect(isBehind(upload("b", through: 201, at: 1)))
        #expect(isBehind(upload("c", through: 251, at: 1)))
        #expect(!isBehind(upload("b", through: 11, at: 1, of: .bars)))
    }

    @Test func `a file is behind where another one uploaded under its collector's name`() {
        #expect(isBehind(upload("x", through: 1, at: 1)))
        #expect(!isBehind(upload("x", through: 1, at: 1, by: "other")))
        // One that only settled has sent nothing.
        #expect(!isBehind(upload("x", through: 100, at: 1, rows: 0)))
    }

    @Test func `a file is behind where another copy took over, also before that has uploaded anything`() {
        #expect(isBehind(upload("b", through: 200, at: 1, successor: "x")))
        #expect(isBehind(upload("c", through: 0, at: 1, rows: 0, successor: "x")))
        #expect(
            !isBehind(
                upload("a", through: 100, at: 1, successor: "b"), upload("b", through: 200, at: 1, successor: "c")))
        #expect(!isBehind(upload("b", through: 200, at: 9, successor: "x"), since: 10))
    }

    @Test func `rows that wait under earlier identifiers are taken over before a copy counts as the only one`() {
        func mustClaim(_ uploads: LedgerUpload..., acknowledged: Int64) -> Bool {
            line.mustClaim(uploads, of: .trades, behind: UploadMarks(acknowledged: acknowledged, last: 250))
        }
        #expect(!mustClaim(acknowledged: 200))
        #expect(mustClaim(acknowledged: 199))
        #expect(mustClaim(upload("b", through: 199, at: 1), acknowledged: 199))
        #expect(!mustClaim(upload("b", through: 199, at: 1, successor: "c"), acknowledged: 199))
        #expect(mustClaim(upload("b", through: 0, at: 1, successor: "c"), acknowledged: 50))
        // Another copy has taken over a part, so this one can't take over the rest.
        #expect(!mustClaim(upload("a", through: 50, at: 1, successor: "x"), acknowledged: 50))
    }

    @Test func `what went up before the moment is no matter`() {
        #expect(!isBehind(upload("b", through: 201, at: 9), upload("x", through: 1, at: 9), since: 10))
        #expect(isBehind(upload("x", through: 1, at: 10), since: 10))
    }

    @Test func `a file that was copied before the moment is behind what went up under the name that it had then`() {
        let other = upload("x", through: 1, at: 20, by: "old")
        #expect(isBehind(upload("b", through: 200, at: 5, by: "old"), other, since: 10))
        // It had its present name long before.
        let first = upload("a", through: 100, at: 1, by: "old")
        #expect(!isBehind(first, upload("b", through: 200, at: 5), other, since: 10))
        #expect(isBehind(first, upload("b", through: 200, at: 15), other, since: 10))
    }
}

@Suite(.blocking, .timeLimit(.minutes(5))) struct LedgerUploadTests {
    @Test func `of other files, only what was uploaded since the moment is read`() async throws {
        let sandbox = try await Sandbox.migrated()
        let ids = (1...4).map { "00000000-0000-0000-0000-00000000000\($0)" }
        let rows = zip(ids, [10, 10, 10, 20]).map { "('\($0)', 'edge-1', 'trades', 1, 1, to_timestamp(\($1)))" }
        try sandbox.run(
            """
            INSERT INTO edgetick_uploads (buffer_id, collector, stream, last_sequence, rows, updated_at)
            VALUES \(rows.joined(separator: ", "))
            """)
        let line = UploadLine(id: ids[0], predecessors: [.init(id: ids[1], stream: .trades, through: 1)])
        let read = try await sandbox.uploader().uploads(of: line, since: 15_000)
        #expect(read.map(\.id).sorted() == [ids[0], ids[1], ids[3]])
        #expect(read.map(\.time).sorted() == [10_000, 10_000, 20_000])
    }
}
