import Foundation
import GRDB
import MarketData
import Migrations
import TestSupport
import Testing

@testable import Store

/// Verification finds what is wrong, changes nothing, and finds nothing in a sound file.
@Suite(.timeLimit(.minutes(5))) struct VerifyTests {
    private func verify(_ path: String, quick: Bool = false) throws -> FileVerification {
        try FileVerifier.verify(path, as: .ticks, isQuick: quick)
    }

    private func faults(_ result: FileVerification) -> [FileFinding] {
        result.findings.filter { $0.severity == .fault }
    }

    @Test func `a sound file has no findings and is left byte for byte as it is`() async throws {
        let sound = try await SoundFile.make()
        let scratch = try Scratch()
        try sound.image.write(to: URL(fileURLWithPath: scratch.ticks))
        let result = try verify(scratch.ticks)
        #expect(result.findings == [])
        #expect(result.isSound && result.id == sound.id && result.schemaVersion == LocalMigrations.ticks.last?.version)
        #expect(result.rows == Int64((sound.rows["bars"] ?? [:]).count + (sound.rows["trades"] ?? [:]).count))
        #expect(try Data(contentsOf: URL(fileURLWithPath: scratch.ticks)) == sound.image)
        #expect(try scratch.files(beginning: "ticks") == ["ticks.sqlite"])
    }

    @Test func `a file that a collector writes meanwhile is found sound again and again`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open { $0.retention = .zero }
        let feeding = Task {
            var round = 0
            while !Task.isCancelled {
                try await buffer.collect(.bars(200, from: round * 200))
                if let batch = try await buffer.nextBatch(of: .bars, limit: 400), let last = batch.lastSequence {
                    try await buffer.acknowledge(.bars, through: last)
                }
                round += 1
            }
        }
        try await Waiting.until { buffer.statistics[.bars].marks.last > 2000 }
        for _ in 0..<15 {
            let result = try verify(scratch.ticks)
            #expect(faults(result) == [])
            #expect(result.holder == getpid())
        }
        feeding.cancel()
        _ = await feeding.result
        #expect(buffer.statistics.state == .writing)
        await buffer.close()
    }

    @Test(arguments: Damage.allCases.filter { $0 != .bitFlip })
    func `damage is found, wherever it is`(damage: Damage) async throws {
        let sound = try await SoundFile.make(bars: 1500, trades: 600)
        for seed in 0..<10 {
            let scratch = try Scratch()
            var bytes = sound.image
            _ = damage.harm(&bytes, seed: UInt64(seed) * 31 + 1)
            try bytes.write(to: URL(fileURLWithPath: scratch.ticks))
            let result = try verify(scratch.ticks)
            // Damage to a free page does no harm, but then all rows must be there.
            let isHarmless = try result.isSound && SoundFile.rows(of: scratch.ticks) == sound.rows
            #expect(!result.isSound || isHarmless, "seed \(seed)")
            #expect(try Data(contentsOf: URL(fileURLWithPath: scratch.ticks)) == bytes)
        }
    }

    @Test(arguments: [UInt8(0), 0xA5])
    func `rows on a page that can't be read are named by number, and those around it are counted`(
        byte: UInt8
    ) async throws {
        let sound = try await SoundFile.make()
        let pages = try #require(sound.pages["bars"])
        let rows = pages.keys.sorted()
        for row in [rows[rows.count / 3], rows[rows.count / 2]] {
            let page = try #require(pages[row])
            let lost = rows.filter { pages[$0] == page }
            let scratch = try Scratch()
            var bytes = sound.image
            for place in (page - 1) * 4096..<page * 4096 { bytes[place] = byte }
            try bytes.write(to: URL(fileURLWithPath: scratch.ticks))
            let result = try verify(scratch.ticks)
            let told = faults(result).filter { $0.check == .structure && $0.place.hasPrefix("bars ") }
            #expect(told.map(\.place) == ["bars \(lost[0])…\(lost[lost.count - 1])"], "\(result.findings)")
            #expect(result.streams[.bars]?.rows == Int64(rows.count - lost.count))
        }
    }

    @Test(
        arguments: [
            ("DELETE FROM bars WHERE seq BETWEEN 700 AND 720", "sequences", "bars 700…720"),
            (
                "DELETE FROM bars WHERE seq > 2990; UPDATE streams SET acknowledged = 3000", "sequences",
                "bars 2991…3000"
            ),
            ("UPDATE streams SET deleted_through = 900 WHERE stream = 'bars'", "sequences", "bars from 601"),
            ("UPDATE bars SET close = NULL WHERE seq = 900", "values", "bars 900"),
            ("UPDATE bars SET close = 9e999 WHERE seq = 901", "values", "bars 901"),
            ("UPDATE bars SET start_ms = 'soon' WHERE seq = 902", "values", "bars 902"),
            ("UPDATE bars SET interval_s = 5 WHERE seq = 903", "values", "bars 903"),
            ("UPDATE bars SET symbol = 'A,B' WHERE seq = 904", "values", "bars 904"),
            ("UPDATE bars SET symbol = x'41' WHERE seq = 905", "values", "bars 905"),
            ("UPDATE trades SET connection = '' WHERE seq = 9", "values", "trades 9"),
            ("DELETE FROM buffer", "accounts", "buffer"),
            ("UPDATE buffer SET id = 'nobody'", "accounts", "buffer"),
            ("DELETE FROM streams WHERE stream = 'quotes'", "accounts", "streams"),
            (
                "INSERT INTO dead_letters VALUES ('bars', 99999, '23514', 'r', '{\"seq\":99999}', 1)", "accounts",
                "dead_letters, bars 99999"
            ),
            ("UPDATE dead_letters SET row_json = '{'", "accounts", "dead_letters, bars 7"),
            (
                "INSERT INTO drops VALUES (1, 'bars', 'X', 'unreadable', 1, 2, 9000, 9001, 2, 1)", "accounts",
                "drops, unreadable of X"
            ),
        ])
    func `what another program changed is found and named`(sql: String, check: String, place: String) async throws {
        let sound = try await SoundFile.make()
        let scratch = try Scratch()
        try sound.image.write(to: URL(fileURLWithPath: scratch.ticks))
        try scratch.execute(sql)
        let found = try faults(verify(scratch.ticks))
        #expect(found.contains { $0.check.rawValue == check && $0.place == place }, "\(found)")
    }

    @Test(arguments: [
        "UPDATE streams SET deleted_through = -9223372036854775807 - 1 WHERE stream = 'bars'",
        """
        UPDATE bars SET seq = -seq;
        UPDATE streams SET acknowledged = 9223372036854775807, deleted_through = -9 WHERE stream = 'bars'
        """,
    ])
    func `a mark that can't be is told, and ends no verification`(sql: String) async throws {
        let (scratch, buffer) = try await Scratch.opened(with: .bars(3))
        await buffer.close()
        try scratch.execute(sql)
        #expect(faults(try verify(scratch.ticks)).first?.place == "bars")
    }

    @Test func `numbers as great as can be end no search for missing ones`() async throws {
        #expect(SequenceSpans([5...Int64.max]).missing(in: 1...Int64.max) == [1...4])
        let (scratch, buffer) = try await Scratch.opened(with: .bars(3))
        await buffer.close()
        let file = try DatabaseQueue(path: scratch.ticks)
        defer { try? file.close() }
        let holes = try await file.read { database in
            try SequenceSpans.unexplained(in: .bars, UploadMarks(deleted: .max), database)
        }
        #expect(holes.isEmpty)
    }

    @Test func `rows that damage has put out of order are read all the same, whatever their numbers`() async throws {
        let (scratch, buffer) = try await Scratch.opened(with: .bars(3))
        await buffer.close()
        try scratch.execute("UPDATE bars SET seq = \(Int64.max) WHERE seq = 3")
        let page = try #require(try scratch.number("SELECT rootpage FROM sqlite_master WHERE name = 'bars'"))
        // Swaps the places of the second and the third row, after the header of the table's only page.
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: scratch.ticks))
        let offset = UInt64(page - 1) * 4096 + 10
        try file.seek(toOffset: offset)
        let places = try #require(try file.read(upToCount: 4))
        try file.seek(toOffset: offset)
        try file.write(contentsOf: places.suffix(2) + places.prefix(2))
        try file.close()
        #expect(try scratch.rows("SELECT seq FROM bars ORDER BY seq").map { $0[0] as Int64 } == [1, .max, 2])
        let found = try GapLog.bars(
            directory: scratch.path, symbols: [Symbol("AAPL")!], interval: .minute, starts: 0...Int64.max,
            received: nil)
        #expect(found.values.first?.count == 3)
    }

    @Test func `holes that the file accounts for are no fault`() async throws {
        let sound = try await SoundFile.make()
        let scratch = try Scratch()
        try sound.image.write(to: URL(fileURLWithPath: scratch.ticks))
        try scratch.execute(
            """
            DELETE FROM bars WHERE seq BETWEEN 700 AND 720;
            INSERT INTO drops VALUES (1, 'bars', '*', 'unreadable', 1, 2, 690, 710, 21, 1);
            INSERT INTO drops VALUES (2, 'bars', '*', 'unreadable', 1, 2, 711, 720, 10, 1)
            """)
        let result = try verify(scratch.ticks)
        #expect(result.isSound)
        #expect(result.findings.map(\.place) == ["bars 700…720"])
    }

    @Test func `a dead letter and a drop that come while the file is looked through are of rows that were given`()
        async throws
    {
        let sound = try await SoundFile.make()
        let scratch = try Scratch()
        try sound.image.write(to: URL(fileURLWithPath: scratch.ticks))
        let collector = try DatabaseQueue(path: scratch.ticks)
        defer { try? collector.close() }
        try await collector.writeWithoutTransaction { database in
            try database.execute(sql: "UPDATE streams SET acknowledged = acknowledged")
        }
        let result = try FileVerifier.verify(scratch.ticks, as: .ticks) { progress in
            // The trades come after the bars, whose marks are read by then.
            guard case .rows(let read, let total) = progress, read == total else { return }
            try? collector.writeWithoutTransaction { database in
                try database.execute(
                    sql: """
                        CREATE TEMP TABLE more AS SELECT * FROM bars WHERE seq = 3000;
                        UPDATE more SET seq = 3001;
                        INSERT INTO bars SELECT * FROM more;
                        INSERT INTO dead_letters VALUES ('bars', 3001, '23514', 'r', '{"seq":3001}', 1);
                        INSERT INTO drops VALUES (1, 'bars', 'X', 'unreadable', 1, 2, 3001, 3001, 1, 1)
                        """)
            }
        }
        #expect(try scratch.number("SELECT count(*) FROM dead_letters") == 2)
        #expect(faults(result) == [])
    }

    @Test func `foreign, newer, empty and unreadable files are told apart`() async throws {
        let scratch = try Scratch()
        let missing = #expect(throws: StoreError.self) { _ = try verify(scratch.ticks) }
        #expect(missing?.reason == .missing)
        try Data().write(to: URL(fileURLWithPath: scratch.ticks))
        #expect(try verify(scratch.ticks).isSound)
        try Data("no database at all, but long enough to look at".utf8).write(to: URL(fileURLWithPath: scratch.ticks))
        #expect(try faults(verify(scratch.ticks)).map(\.check) == [.structure])
        try FileManager.default.removeItem(atPath: scratch.ticks)
        try scratch.execute("PRAGMA application_id = 42; CREATE TABLE theirs (a)")
        #expect(try faults(verify(scratch.ticks)).map(\.check) == [.schema])
        try scratch.execute("PRAGMA application_id = \(0x4554_7431); PRAGMA user_version = 99")
        #expect(try faults(verify(scratch.ticks)).map(\.check) == [.schema])
    }

    @Test func `the ledger is compared with the marks, through predecessors too`() async throws {
        let sound = try await SoundFile.make()
        let scratch = try Scratch()
        try sound.image.write(to: URL(fileURLWithPath: scratch.ticks))
        var result = try verify(scratch.ticks)
        result.compare(with: [sound.id: [.bars: 600]])
        #expect(result.findings == [])
        result.compare(with: [sound.id: [.bars: 800]])
        #expect(result.findings.map(\.severity) == [.note] && result.findings.map(\.check) == [.ledger])
        result.findings = []
        result.compare(with: [sound.id: [.bars: 3001]])
        #expect(faults(result).map(\.place) == ["bars"])
        #expect(faults(result).first?.text.contains("older copy") == true)
        result.findings = []
        result.compare(with: [:])
        #expect(faults(result).first?.text.contains("the ledger has only those through 0") == true)
        result.findings = []
        result.predecessors = [.init(id: "old", stream: .bars, through: 3000)]
        #expect(result.ledgerIDs == [sound.id, "old"])
        result.compare(with: ["old": [.bars: 90_000]])
        #expect(result.findings.map(\.severity) == [.note])
    }

    @Test func `rows that came and went up while the file was looked through make it no older copy`() async throws {
        let sound = try await SoundFile.make()
        let scratch = try Scratch()
        try sound.image.write(to: URL(fileURLWithPath: scratch.ticks))
        var result = try verify(scratch.ticks)
        try scratch.execute(
            """
            CREATE TEMP TABLE more AS SELECT * FROM bars WHERE seq > 2900;
            UPDATE more SET seq = seq + 100;
            INSERT INTO bars SELECT * FROM more
            """)
        let later = try FileVerifier.verify(scratch.ticks, as: .ticks, isQuick: true)
        result.compare(with: [sound.id: [.bars: 3100]], later: later)
        #expect(result.findings.map(\.severity) == [.note])
        result.findings = []
        result.compare(with: [sound.id: [.bars: 3101]], later: later)
        #expect(faults(result).map(\.place) == ["bars"])
    }

    @Test func `a mirror's members without a group and wrong counts are found`() async throws {
        let scratch = try Scratch()
        let mirror = try UniverseMirror.open(directory: scratch.path, access: .readWrite)
        try mirror.apply([
            GroupChange(definition: .init(name: "dow", type: .universe), members: [.init(symbol: "IBM", weight: 2)])
        ])
        let path = scratch.path + "/universe.sqlite"
        #expect(try FileVerifier.verify(path, as: .universe).findings == [])
        try scratch.execute(
            """
            PRAGMA foreign_keys = OFF; INSERT INTO group_memberships VALUES (77, 'AAPL', 1, NULL, 1);
            INSERT INTO mirror_info VALUES (1, 'db', 1, 'abc', 5, 5, 0)
            """, file: path)
        let found = try faults(FileVerifier.verify(path, as: .universe)).map(\.place)
        #expect(found == ["group 77", "mirror_info"])
    }
}
