import Foundation
import GRDB
import Glibc
import Logging
import MarketData
import Migrations
import Store
import TestSupport
import Testing

/// A file of any released version is upgraded to the newest one, entirely or not at all.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct SchemaUpgradeTests {
    private static let schemas = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/Schemas"

    /// Makes a file of an old version and returns its rows by table, as text.
    private func make(_ kind: LocalFile, _ version: Int, in scratch: Scratch) throws -> [String: [String]] {
        let sql = try String(contentsOfFile: "\(Self.schemas)/\(kind.rawValue)_v\(version).sql", encoding: .utf8)
        let path = scratch.path + "/" + kind.name
        try scratch.execute(sql, file: path)
        try scratch.execute("PRAGMA journal_mode = WAL", file: path)
        return try contents(path)
    }

    /// Every table's rows as text; of the tables in `columns`, only those columns.
    private func contents(_ path: String, only columns: [String: [String]] = [:]) throws -> [String: [String]] {
        try SoundFile.reading(path) { database in
            var found: [String: [String]] = [:]
            let tables = try String.fetchAll(
                database, sql: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
            for table in tables {
                let names = try columns[table] ?? database.columns(in: table).map(\.name)
                found[table] = try Row.fetchAll(
                    database, sql: "SELECT \(names.joined(separator: ", ")) FROM \(table) ORDER BY 1, 2"
                ).map { "\($0)" }
            }
            return found
        }
    }

    private func columns(_ path: String) throws -> [String: [String]] {
        try SoundFile.reading(path) { database in
            var found: [String: [String]] = [:]
            let tables = try String.fetchAll(
                database, sql: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
            for table in tables { found[table] = try database.columns(in: table).map(\.name) }
            return found
        }
    }

    private func version(_ path: String) throws -> Int? {
        try SoundFile.reading(path) { try Int.fetchOne($0, sql: "PRAGMA user_version") }
    }

    @Test func `a file of every released version is kept`() throws {
        for (kind, newest) in [(LocalFile.ticks, LocalMigrations.ticks), (.universe, LocalMigrations.universe)] {
            for step in newest {
                let path = "\(Self.schemas)/\(kind.rawValue)_v\(step.version).sql"
                #expect(FileManager.default.fileExists(atPath: path))
            }
        }
    }

    @Test(arguments: LocalMigrations.ticks.map(\.version))
    func `a buffer of an older version is brought up with all rows and goes on`(old: Int) async throws {
        let scratch = try Scratch()
        let before = try make(.ticks, old, in: scratch)
        let shape = try columns(scratch.ticks)
        #expect(try FileVerifier.verify(scratch.ticks, as: .ticks).isSound)
        // The old file is readable as it is, without the columns that were added since.
        #expect(try TickHistory(directory: scratch.path).events(of: .trades, after: 0, limit: 10).events.count == 1)
        // A collector would delete what is so old.
        let buffer = try scratch.open { $0.isCollecting = false }
        let id = "6f1c2a34-0b1d-4c55-9a7e-1234567890ab"
        #expect(buffer.id != id && buffer.line.predecessors.contains { $0.id == id })
        #expect(buffer.statistics[.bars].marks.last == 4 && buffer.statistics[.quotes].marks.last == 5)
        #expect(buffer.statistics[.bars].marks.acknowledged == 2 && buffer.statistics[.bars].marks.deleted == 1)
        #expect(buffer.statistics.deadLetters == 1 && buffer.statistics.gaps == 1 && buffer.statistics.drops == 1)
        #expect(try await buffer.nextBatch(of: .bars, limit: 10)?.bars.map(\.event.volume) == [2.5, 100])
        let after = try contents(scratch.ticks, only: shape)
        for (table, rows) in before where table != "buffer" && table != "predecessors" && table != "streams" {
            #expect(after[table] == rows, "\(table)")
        }
        // A newer version may have more streams.
        for row in before["streams"] ?? [] { #expect(after["streams"]?.contains(row) == true) }
        #expect(after["streams"]?.count == EventStream.allCases.count)
        #expect(try version(scratch.ticks) == LocalMigrations.ticks.last?.version)
        _ = buffer.offer(.bars(3))
        try await buffer.flush()
        #expect(buffer.statistics[.bars].marks.last == 7)
        await buffer.close()
        #expect(try FileVerifier.verify(scratch.ticks, as: .ticks).findings == [])
    }

    @Test(arguments: LocalMigrations.universe.map(\.version))
    func `a mirror of an older version is brought up with all groups`(old: Int) throws {
        let scratch = try Scratch()
        var before = try make(.universe, old, in: scratch)
        let path = scratch.path + "/universe.sqlite"
        let shape = try columns(path)
        // What the first version noted of its pulls is read again by the next pull.
        if old == 1 { before["mirror_info"] = nil }
        let mirror = try UniverseMirror.open(directory: scratch.path, access: .readWrite)
        #expect(try mirror.groups(environment: "DEFAULT").map(\.name) == ["nasdaq100"])
        #expect(try mirror.withSnapshot { try $0.members(of: 7) }.map(\.symbol) == ["AAPL", "MSFT"])
        let after = try contents(path, only: shape.filter { before[$0.key] != nil })
        for (table, rows) in before { #expect(after[table] == rows, "\(table)") }
        #expect(try version(path) == LocalMigrations.universe.last?.version)
        #expect(try FileVerifier.verify(path, as: .universe).isSound)
    }

    @Test(arguments: [1, 2, 3])
    func `a kill at any write of the migration leaves a file of one version, with all rows`(old: Int) async throws {
        let newest = try #require(LocalMigrations.ticks.last?.version)
        var kills = 0
        var stayed = 0
        for frame in 0..<14 {
            let scratch = try Scratch()
            let before = try make(.ticks, old, in: scratch)
            let shape = try columns(scratch.ticks)
            let (path, limit) = (scratch.path, 32 + frame * 4120 + 1000)
            // A write beyond the limit on the file size kills the process, as is the default.
            await #expect(processExitsWith: .failure) { [path = path as String, limit = limit as Int] in
                signal(SIGXFSZ, SIG_DFL)
                var low = rlimit(rlim_cur: rlim_t(limit), rlim_max: rlim_t.max)
                setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &low)
                let buffer = try TickBuffer.open(
                    directory: path, options: .init(collector: "child", retention: .seconds(1_000_000_000)),
                    logger: Logger(label: "child"))
                // The file has the newest version now; a kill after this no longer meets the migration.
                _ = buffer.offer(.bars(2000))
                try await buffer.flush()
                kill(getpid(), SIGKILL)
            }
            kills += 1
            let found = try version(scratch.ticks) ?? 0
            #expect((old...newest).contains(found))
            if found == old { stayed += 1 }
            let after = try contents(scratch.ticks, only: shape)
            for (table, rows) in before where table != "bars" && table != "buffer" && table != "streams" {
                #expect(after[table] == rows, "\(table) after a kill at frame \(frame)")
            }
            let buffer = try scratch.open { $0.isCollecting = false }
            #expect(buffer.statistics.setAside == [])
            #expect(buffer.statistics[.bars].pending >= 2)
            await buffer.close()
            #expect(try version(scratch.ticks) == newest)
            #expect(try FileVerifier.verify(scratch.ticks, as: .ticks).isSound)
        }
        #expect(kills == 14 && stayed > 0 && stayed < kills, "\(stayed) of \(kills) stayed")
    }

    @Test func `an older program refuses a newer file and changes not a byte`() throws {
        for kind in LocalFile.allCases {
            let scratch = try Scratch()
            let newest = try #require((kind == .ticks ? LocalMigrations.ticks : LocalMigrations.universe).last?.version)
            _ = try make(kind, newest, in: scratch)
            let path = scratch.path + "/" + kind.name
            try scratch.execute("CREATE TABLE of_the_future (a); PRAGMA user_version = 77", file: path)
            let before = try Data(contentsOf: URL(fileURLWithPath: path))
            let error = #expect(throws: StoreError.self) {
                switch kind {
                case .ticks: _ = try scratch.open()
                case .universe: _ = try UniverseMirror.open(directory: scratch.path, access: .readWrite)
                }
            }
            #expect(error?.reason == .schemaTooNew(found: 77, known: newest))
            let repair = #expect(throws: StoreError.self) { _ = try FileRepair.repair(path, as: kind) }
            #expect(repair?.reason == error?.reason)
            #expect(try FileVerifier.verify(path, as: kind).isSound == false)
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
            #expect(try scratch.files(beginning: "\(kind.rawValue)-bad") == [])
        }
    }
}
