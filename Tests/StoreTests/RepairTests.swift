import Foundation
import GRDB
import Logging
import MarketData
import Migrations
import Store
import TestSupport
import Testing

/// A repair keeps every row that can be read, invents none, and says what is lost.
@Suite(.timeLimit(.minutes(5))) struct RepairTests {
    private static let sound = Task { try await SoundFile.make() }
    private static let seeds = Int(ProcessInfo.processInfo.environment["EDGETICK_TEST_SEEDS"] ?? "") ?? 6

    private func repair(
        _ path: String, isForced: Bool = true, id: String? = nil, isDryRun: Bool = false
    ) throws -> RepairReport {
        var options = FileRepair.Options()
        options.isForced = isForced
        options.id = id
        options.isDryRun = isDryRun
        return try FileRepair.repair(path, as: .ticks, options: options)
    }

    @Test(arguments: Damage.allCases)
    func `every readable row is kept, none is invented, over many seeds`(damage: Damage) async throws {
        let sound = try await Self.sound.value
        for seed in 0..<Self.seeds {
            let scratch = try Scratch()
            var bytes = sound.image
            let harmed = damage.harm(&bytes, seed: UInt64(seed) * 7919 + 13)
            #expect(bytes != sound.image, "seed \(seed): the damage did not happen")
            try bytes.write(to: URL(fileURLWithPath: scratch.ticks))
            var report = try repair(scratch.ticks)
            if report.outcome == .identityLost { report = try repair(scratch.ticks, id: sound.id) }
            #expect(report.outcome == .repaired, "seed \(seed)")
            #expect(report.id == sound.id, "seed \(seed)")
            let kept = try #require(report.setAside)
            #expect(try Data(contentsOf: URL(fileURLWithPath: kept)) == bytes)
            #expect(try scratch.texts("PRAGMA integrity_check") == ["ok"])
            #expect(try scratch.texts("SELECT id FROM buffer") == [report.newID])
            let found = try SoundFile.rows(of: scratch.ticks)
            var altered = 0
            for table in ["bars", "trades"] {
                let before = sound.rows[table] ?? [:]
                let after = found[table] ?? [:]
                for (sequence, row) in after where before[sequence] != row {
                    altered += 1
                    let page = sound.pages[table]?[sequence] ?? harmed.lowerBound
                    #expect(damage == .bitFlip && harmed.contains(page), "seed \(seed): \(table) \(sequence)")
                }
                let missing = before.keys.filter { after[$0] == nil }.sorted()
                for sequence in missing {
                    let page = sound.pages[table]?[sequence] ?? 0
                    #expect(harmed.contains(page), "seed \(seed): \(table) \(sequence) of page \(page) is lost")
                    let isTold = report.losses.contains {
                        $0.stream.rawValue == table && $0.first <= sequence && sequence <= $0.last
                    }
                    #expect(isTold || report.losesEnd, "seed \(seed): \(table) \(sequence) is lost in silence")
                }
            }
            // SQLite's pages have no checksums: a value with a flipped bit looks like any other.
            #expect(altered <= (damage == .bitFlip ? 1 : 0), "seed \(seed)")
            let verified = try FileVerifier.verify(scratch.ticks, as: .ticks)
            let faults = verified.findings.filter { $0.severity == .fault && damage != .bitFlip }
            #expect(faults == [], "seed \(seed)")
        }
    }

    /// The offsets of the pages of a sound file that lead to the rows' pages.
    private static func pagesAboveRows(of image: Data) -> [Int] {
        (1..<image.count / 4096).map { $0 * 4096 }.filter { image[$0] == 5 }
    }

    @Test func `a flipped bit in a page above the rows costs no row`() async throws {
        let sound = try await Self.sound.value
        let image = sound.image
        let pages = Self.pagesAboveRows(of: image)
        try #require(pages.count >= 2)
        for seed in 0..<Self.seeds * 5 {
            var random = SeededRandom(seed: UInt64(seed) * 6007 + 5)
            let page = pages[Int.random(in: 0..<pages.count, using: &random)]
            let cells = Int(image[page + 3]) << 8 | Int(image[page + 4])
            let pointer = page + 12 + 2 * Int.random(in: 0..<cells, using: &random)
            // A cell holds a link of four bytes and a key of one or more.
            let cell = page + (Int(image[pointer]) << 8 | Int(image[pointer + 1]))
            let places = [pointer, pointer + 1] + Array(cell..<cell + 5)
            let place = places[Int.random(in: 0..<places.count, using: &random)]
            var bytes = image
            bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
            let scratch = try Scratch()
            try bytes.write(to: URL(fileURLWithPath: scratch.ticks))
            let report = try repair(scratch.ticks)
            #expect(report.outcome == .repaired && report.lost == 0, "seed \(seed): byte \(place)")
            #expect(try SoundFile.rows(of: scratch.ticks) == sound.rows, "seed \(seed): byte \(place)")
        }
    }

    @Test func `the greatest possible number as a key ends no repair and costs no row`() async throws {
        let sound = try await Self.sound.value
        for page in Self.pagesAboveRows(of: sound.image) {
            var bytes = sound.image
            let cells = Int(bytes[page + 3]) << 8 | Int(bytes[page + 4])
            let pointer = page + 12 + 2 * (cells - 1)
            let key = page + (Int(bytes[pointer]) << 8 | Int(bytes[pointer + 1])) + 4
            bytes.replaceSubrange(key..<key + 9, with: [0xBF] + [UInt8](repeating: 0xFF, count: 8))
            let scratch = try Scratch()
            try bytes.write(to: URL(fileURLWithPath: scratch.ticks))
            #expect(try repair(scratch.ticks).outcome == .repaired)
            #expect(try SoundFile.rows(of: scratch.ticks) == sound.rows)
        }
    }

    @Test func `a link to an empty page costs no row and no gap`() async throws {
        let sound = try await Self.sound.value
        let image = sound.image
        let found = (1..<image.count / 4096).first { index in
            let page = index * 4096
            return image[page] == 13 && image[page + 3] == 0 && image[page + 4] == 0
        }
        let empty = try #require(found) + 1
        let original = try Scratch()
        try image.write(to: URL(fileURLWithPath: original.ticks))
        let listed = try original.texts("SELECT symbols FROM gaps WHERE cause = 'disconnected'")
        try #require(listed.first??.utf8.count ?? 0 > 4096)
        for page in Self.pagesAboveRows(of: image) {
            var bytes = image
            // The link to the last of the pages below.
            bytes.replaceSubrange(page + 8..<page + 12, with: [0, 0, UInt8(empty >> 8), UInt8(empty & 0xFF)])
            let scratch = try Scratch()
            try bytes.write(to: URL(fileURLWithPath: scratch.ticks))
            let report = try repair(scratch.ticks)
            #expect(report.outcome == .repaired && report.lost == 0)
            #expect(try SoundFile.rows(of: scratch.ticks) == sound.rows)
            #expect(try scratch.texts("SELECT symbols FROM gaps WHERE cause = 'disconnected'") == listed)
        }
    }

    @Test func `losses are told by number, time and neighbours, and stand in drops and gaps`() async throws {
        let sound = try await Self.sound.value
        let scratch = try Scratch()
        let numbers = (sound.pages["bars"] ?? [:]).filter { $0.key == 1500 }
        let page = try #require(numbers[1500])
        let lost = (sound.pages["bars"] ?? [:]).filter { $0.value == page }.keys.sorted()
        var bytes = sound.image
        bytes.replaceSubrange((page - 1) * 4096..<page * 4096, with: Data(repeating: 0x5A, count: 4096))
        try bytes.write(to: URL(fileURLWithPath: scratch.ticks))
        let dry = try repair(scratch.ticks, isForced: false, isDryRun: true)
        #expect(dry.outcome == .dryRun && dry.lost == Int64(lost.count))
        #expect(try Data(contentsOf: URL(fileURLWithPath: scratch.ticks)) == bytes)
        #expect(try scratch.files(beginning: "ticks").filter { $0.hasSuffix(".sqlite") } == ["ticks.sqlite"])
        let report = try repair(scratch.ticks, isForced: false)
        let loss = try #require(report.losses.first)
        #expect(report.losses.count == 1)
        #expect(loss.stream == .bars && loss.first == lost.first && loss.last == lost.last)
        #expect(loss.from == 1_380_000_000_000 + (loss.first - 2) * 60_000)
        #expect(loss.to == 1_380_000_000_000 + loss.last * 60_000)
        #expect(loss.symbolsAround.isEmpty == false && loss.symbolsAround.count <= 5)
        let drop = try #require(try scratch.rows("SELECT * FROM drops WHERE reason = 'unreadable'").first)
        #expect(
            [drop["count"], drop["first_seq"], drop["last_seq"]] as [Int64] == [loss.count, loss.first, loss.last])
        let gap = try #require(try scratch.rows("SELECT * FROM gaps WHERE cause = 'damaged'").first)
        let (from, to): (Int64, Int64) = (gap["from_ms"], gap["to_ms"])
        #expect(from == 1_380_000_000_000 + (loss.first - 2) * 60_000 - Gap.startMargin)
        #expect(try to == end(scratch, "bars", from: loss.last))
        #expect([gap["events"], gap["state"], gap["connection"]] as [String] == ["AM", "open", "primary"])
        #expect(try scratch.number("SELECT count(*) FROM incidents WHERE what = 'repaired'") == 1)
        // A second repair finds nothing to do.
        #expect(try repair(scratch.ticks, isForced: false).outcome == .sound)
    }

    /// Overwrites some pages of a sound file and repairs it.
    private func repaired(
        without pages: Set<Int>, events: Set<EventKind> = [], cut: Bool = false, after sql: String? = nil
    ) async throws -> (scratch: Scratch, report: RepairReport) {
        let scratch = try Scratch()
        var bytes = try await Self.sound.value.image
        if let sql {
            try bytes.write(to: URL(fileURLWithPath: scratch.ticks))
            try scratch.execute(sql)
            bytes = try Data(contentsOf: URL(fileURLWithPath: scratch.ticks))
        }
        for page in pages {
            bytes.replaceSubrange((page - 1) * 4096..<page * 4096, with: Data(repeating: 0x5A, count: 4096))
        }
        if cut { bytes.removeLast(4096) }
        try bytes.write(to: URL(fileURLWithPath: scratch.ticks))
        var options = FileRepair.Options()
        options.events = events
        return (scratch, try FileRepair.repair(scratch.ticks, as: .ticks, options: options))
    }

    /// Returns until when rows before one may be missing: until its receipt, since it may be a late correction.
    private func end(_ scratch: Scratch, _ table: String, from sequence: Int64 = 0) throws -> Int64? {
        try scratch.number(
            "SELECT received_us / 1000 FROM \(table) WHERE seq >= \(sequence) ORDER BY seq LIMIT 1"
        ).map { $0 + Gap.endMargin }
    }

    private func gaps(_ scratch: Scratch, _ events: String) throws -> [(from: Int64, to: Int64, isUncertain: Bool)] {
        try scratch.rows("SELECT * FROM gaps WHERE cause = 'damaged' AND events = '\(events)'").map {
            ($0["from_ms"], $0["to_ms"], $0["uncertain"])
        }
    }

    @Test func `rows lost at a stream's beginning came between the file's making and the first that is left`()
        async throws
    {
        let pages = try await Self.sound.value.pages["trades"] ?? [:]
        let (scratch, report) = try await repaired(without: [try #require(pages[1])])
        let loss = try #require(report.losses.first)
        #expect(report.losses.count == 1 && loss.stream == .trades && loss.first == 1 && loss.from == nil)
        let first = try #require(
            try scratch.rows(
                "SELECT time_ms, received_us / 1000 AS received, created_us / 1000 AS made FROM trades, buffer LIMIT 1"
            ).first)
        let (time, received, made): (Int64, Int64, Int64) = (first["time_ms"], first["received"], first["made"])
        let gap = try #require(try gaps(scratch, "T").first)
        #expect(gap.from == time - (received - made) - Gap.eventLateness && !gap.isUncertain)
        #expect(gap.to == received + Gap.endMargin)
        let drop = try #require(try scratch.rows("SELECT * FROM drops WHERE reason = 'unreadable'").first)
        #expect([drop["from_ms"], drop["to_ms"]] as [Int64] == [gap.from, gap.to])
    }

    @Test func `rows lost at a stream's beginning are a gap also where no mark is left that shows how many`()
        async throws
    {
        let sound = try await Self.sound.value
        let whole = try Scratch()
        try sound.image.write(to: URL(fileURLWithPath: whole.ticks))
        let marks = try whole.rows("SELECT pageno FROM dbstat WHERE name = 'streams'").map {
            Int($0["pageno"] as Int64)
        }
        let first = try #require(sound.pages["trades"]?[1])
        let (scratch, report) = try await repaired(without: Set(marks + [first]))
        #expect(!marks.isEmpty && !report.losses.contains { $0.stream == .trades })
        let gap = try #require(try gaps(scratch, "T").first)
        #expect(gap.from < gap.to)
        #expect(try end(scratch, "trades") == gap.to)
    }

    @Test func `where rows were deleted before them, when they came can only be estimated`() async throws {
        let pages = try await Self.sound.value.pages["bars"] ?? [:]
        let (scratch, report) = try await repaired(without: [try #require(pages[601])])
        #expect(report.losses.map(\.first) == [601])
        let gap = try #require(try gaps(scratch, "AM").first)
        #expect(gap.isUncertain && gap.from < gap.to)
        #expect(try gap.to == end(scratch, "bars"))
    }

    /// All streams keep their rows equally long.
    @Test func `where rows were deleted before them, the first row of another stream shows about when they came`()
        async throws
    {
        let pages = try await Self.sound.value.pages["bars"] ?? [:]
        let (scratch, _) = try await repaired(
            without: [try #require(pages[601])],
            after: """
                UPDATE buffer SET created_us = created_us - 86400000000;
                UPDATE trades SET time_ms = (SELECT start_ms - 30000 FROM bars WHERE seq = 601)
                WHERE seq = (SELECT min(seq) FROM trades)
                """)
        let gap = try #require(try gaps(scratch, "AM").first)
        #expect(try gap.from == scratch.number("SELECT time_ms FROM trades ORDER BY seq LIMIT 1"))
        #expect(gap.isUncertain && gap.from < gap.to)
    }

    @Test func `a file that seems younger than its rows says nothing of when those before them came`() async throws {
        let pages = try await Self.sound.value.pages["trades"] ?? [:]
        let (scratch, _) = try await repaired(
            without: [try #require(pages[1])],
            after: "UPDATE buffer SET created_us = (SELECT max(received_us) FROM trades)")
        let gap = try #require(try gaps(scratch, "T").first)
        let first = try scratch.number("SELECT time_ms FROM trades ORDER BY seq LIMIT 1")
        #expect(gap.from == first && gap.isUncertain)
        #expect(try gap.to == end(scratch, "trades"))
    }

    @Test func `a stream of which no row is left has a gap over the file's time, and it is unsure`() async throws {
        let sound = try await Self.sound.value
        let (scratch, _) = try await repaired(without: Set((sound.pages["trades"] ?? [:]).values))
        #expect(try scratch.number("SELECT count(*) FROM trades") == 0)
        let found = try gaps(scratch, "T")
        // Judged by how late the remaining bars arrived.
        let beginning = try scratch.number(
            "SELECT start_ms - received_us / 1000 + created_us / 1000 FROM bars, buffer ORDER BY seq LIMIT 1"
        ).map { $0 - Gap.eventLateness }
        let alive = try #require(try scratch.number("SELECT alive_us / 1000 FROM buffer"))
        let gap = try #require(found.first)
        #expect(found.count == 1 && gap.isUncertain && gap.from == beginning && gap.to >= alive)
        // Nothing says that there ever were quotes.
        #expect(try gaps(scratch, "Q").isEmpty)
    }

    @Test func `of a kind that is collected all may be gone where the file's end is lost`() async throws {
        let (scratch, report) = try await repaired(without: [], events: [.quote], cut: true)
        #expect(report.losesEnd)
        let gap = try #require(try gaps(scratch, "Q").first)
        #expect(gap.isUncertain && gap.from < gap.to)
        #expect(try gaps(scratch, "LULD").isEmpty)
        let other = try await repaired(without: [], cut: true)
        #expect(try gaps(other.scratch, "Q").isEmpty)
    }

    @Test(arguments: [
        """
        UPDATE bars SET start_ms = -9223372036854775808, received_us = 9223372036854775807
        WHERE seq = (SELECT min(seq) FROM bars)
        """, "UPDATE buffer SET created_us = -9223372036854775808",
    ])
    func `impossible times, as others may write them, say nothing of when the file's rows came`(
        write: String
    ) async throws {
        let pages = try await Self.sound.value.pages["trades"] ?? [:]
        let (scratch, _) = try await repaired(without: Set(pages.values), after: write)
        let gaps = try gaps(scratch, "T")
        #expect(!gaps.isEmpty)
        #expect(gaps.allSatisfy { $0.from > 0 && $0.from <= $0.to && $0.to < now() / 1000 + 60_000 }, "\(gaps)")
    }

    @Test func `a collector goes on with a repaired file, under an identifier of its own and with numbers that go on`()
        async throws
    {
        let sound = try await Self.sound.value
        let scratch = try Scratch()
        var bytes = sound.image
        _ = Damage.cut.harm(&bytes, seed: 5)
        try bytes.write(to: URL(fileURLWithPath: scratch.ticks))
        let report = try repair(scratch.ticks)
        let last = try #require(try scratch.number("SELECT max(seq) FROM bars"))
        let buffer = try scratch.open()
        let (old, new) = (sound.id, try #require(report.newID))
        #expect(buffer.id != new && buffer.id != old)
        #expect(buffer.line.predecessors(of: .bars).map(\.id) == [old, new])
        #expect(buffer.line.predecessors(of: .bars).allSatisfy { $0.through == last })
        try await buffer.collect(.bars(5))
        #expect(buffer.statistics[.bars].marks.last == last + 5)
        // Rows of the repaired file are settled, through their last number, under its own identifier in the ledger.
        try await buffer.acknowledge(.bars, through: last)
        #expect(try await buffer.nextBatch(of: .bars, limit: 100)?.count == 5)
        await buffer.close()
    }

    @Test func `rows behind a damaged frame of the log are found`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        for round in 0..<20 {
            try await buffer.collect(.bars(50, from: round * 50))
        }
        let image = try Data(contentsOf: URL(fileURLWithPath: scratch.ticks))
        let log = try Data(contentsOf: URL(fileURLWithPath: scratch.ticks + "-wal"))
        let whole = try SoundFile.rows(of: scratch.ticks)["bars"] ?? [:]
        await buffer.close()
        for step in 1...8 {
            let torn = try Scratch()
            try image.write(to: URL(fileURLWithPath: torn.ticks))
            var bytes = log
            let frame = step * (log.count - 32) / 4120 / 10
            bytes[32 + frame * 4120 + 2000] ^= 0x40
            try bytes.write(to: URL(fileURLWithPath: torn.ticks + "-wal"))
            let report = try repair(torn.ticks)
            #expect(report.outcome == .repaired)
            let found = try SoundFile.rows(of: torn.ticks)["bars"] ?? [:]
            #expect(found.allSatisfy { whole[$0.key] == $0.value })
            // SQLite alone would stop at the damaged frame.
            #expect(found.count >= 950, "step \(step): \(found.count)")
            #expect(found.keys.max() == 1000)
        }
    }

    @Test func `rows that a log alone holds are found`() async throws {
        let (scratch, buffer) = try await Scratch.opened(with: .bars(400))
        let log = try Data(contentsOf: URL(fileURLWithPath: scratch.ticks + "-wal"))
        let id = buffer.id
        await buffer.close()
        let torn = try Scratch()
        try Data().write(to: URL(fileURLWithPath: torn.ticks))
        try log.write(to: URL(fileURLWithPath: torn.ticks + "-wal"))
        let report = try repair(torn.ticks, isForced: false, id: id)
        #expect(report.outcome == .repaired)
        #expect(try torn.number("SELECT count(*) FROM bars") == 400)
    }

    @Test func `a file that is held, foreign, too new, empty or all garbage is left as it is`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        let held = #expect(throws: StoreError.self) { _ = try repair(scratch.ticks) }
        #expect(held?.reason == .inUse(holder: getpid()))
        await buffer.close()
        try scratch.execute("PRAGMA user_version = 99")
        let newer = #expect(throws: StoreError.self) { _ = try repair(scratch.ticks) }
        let newest = try #require(LocalMigrations.ticks.last?.version)
        #expect(newer?.reason == .schemaTooNew(found: 99, known: newest))

        let foreign = try Scratch()
        try foreign.execute("PRAGMA application_id = 42; CREATE TABLE theirs (a); INSERT INTO theirs VALUES (42)")
        let refused = #expect(throws: StoreError.self) { _ = try repair(foreign.ticks) }
        #expect(refused?.reason == .foreign)

        let empty = try Scratch()
        try Data().write(to: URL(fileURLWithPath: empty.ticks))
        #expect(try repair(empty.ticks, isForced: false).outcome == .sound)

        let garbage = try Scratch()
        let bytes = Data((0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 / 977) })
        try bytes.write(to: URL(fileURLWithPath: garbage.ticks))
        let report = try repair(garbage.ticks, id: UUID().uuidString)
        #expect(report.outcome == .hopeless && report.output == nil)
        #expect(try Data(contentsOf: URL(fileURLWithPath: garbage.ticks)) == bytes)
        #expect(try garbage.files(beginning: "ticks-") == [])
        let aside = garbage.path + "/ticks-bad-20260801T093000Z.sqlite"
        try bytes.write(to: URL(fileURLWithPath: aside))
        #expect(try repair(aside, id: UUID().uuidString).outcome == .hopeless)
        #expect(try garbage.files(beginning: "repaired") == [])
    }

    @Test(arguments: [false, true])
    func `the file in use is the same one under another name, and what waits in it still waits`(
        isElsewhere: Bool
    ) async throws {
        let scratch = try Scratch()
        let other = try Scratch()
        let link = (isElsewhere ? other : scratch).path + "/ticks-link.sqlite"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: scratch.ticks)
        let buffer = try scratch.open()
        try await buffer.collect(.bars(50))
        let held = #expect(throws: StoreError.self) { _ = try repair(link) }
        #expect(held?.reason == .inUse(holder: getpid()))
        await buffer.close()
        let report = try repair(link)
        #expect(report.outcome == .repaired && report.output == scratch.ticks && report.setAside != nil)
        #expect(try scratch.number("SELECT acknowledged FROM streams WHERE stream = 'bars'") == 0)
        #expect(try scratch.number("SELECT count(*) FROM bars") == 50)
        #expect(try scratch.texts("SELECT id FROM predecessors WHERE stream = 'bars'").contains(buffer.id))
    }

    /// Changes a file, and returns its bytes and those of its log, which alone has the change.
    private func bytes(of scratch: Scratch, after sql: String) throws -> (file: Data, log: Data) {
        let queue = try DatabaseQueue(path: scratch.ticks)
        defer { try? queue.close() }
        try queue.writeWithoutTransaction { try $0.execute(sql: sql) }
        return (
            try Data(contentsOf: URL(fileURLWithPath: scratch.ticks)),
            try Data(contentsOf: URL(fileURLWithPath: scratch.ticks + "-wal"))
        )
    }

    @Test func `a link in the buffer's place is verified and repaired where it leads, with the log there`() async throws
    {
        let (scratch, buffer) = try await Scratch.opened(with: .bars(50))
        await buffer.close()
        let (file, log) = try bytes(of: scratch, after: "UPDATE bars SET volume = 77 WHERE seq = 50")
        try file.write(to: URL(fileURLWithPath: scratch.ticks))
        try log.write(to: URL(fileURLWithPath: scratch.ticks + "-wal"))
        let other = try Scratch()
        try FileManager.default.createSymbolicLink(atPath: other.ticks, withDestinationPath: scratch.ticks)
        #expect(try FileVerifier.verify(other.ticks, as: .ticks).path == scratch.ticks)
        #expect(try repair(other.ticks).output == scratch.ticks)
        #expect(try scratch.number("SELECT count(*) FROM bars WHERE volume = 77") == 1)
    }

    @Test func `a log that was left beside another name of the file in use is saved, in a copy`() async throws {
        let (scratch, buffer) = try await Scratch.opened(with: .bars(50))
        await buffer.close()
        let (file, log) = try bytes(of: scratch, after: "UPDATE bars SET volume = 77 WHERE seq = 50")
        let second = scratch.path + "/ticks-bad-20261127T100000Z.sqlite"
        try file.write(to: URL(fileURLWithPath: scratch.ticks))
        try log.write(to: URL(fileURLWithPath: second + "-wal"))
        try FileManager.default.linkItem(atPath: scratch.ticks, toPath: second)
        // As if the file had been written since then.
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: 60)], ofItemAtPath: scratch.ticks)
        let report = try repair(second, isForced: false)
        #expect(report.outcome == .repaired && report.setAside == nil)
        let output = try #require(report.output)
        let volume = try SoundFile.reading(output) { database in
            try Double.fetchOne(database, sql: "SELECT volume FROM bars WHERE seq = 50")
        }
        #expect(volume == 77)
        #expect(FileManager.default.fileExists(atPath: second + "-wal"))
        // The file in use is repaired under its own name alone.
        #expect(try repair(scratch.ticks).setAside != nil)
        #expect(try scratch.number("SELECT CAST(volume AS INTEGER) FROM bars WHERE seq = 50") == 49)
    }

    @Test func `what a killed repair left goes with the next one, and a copy is made in its own directory`()
        async throws
    {
        let scratch = try Scratch()
        try await Self.sound.value.image.write(to: URL(fileURLWithPath: scratch.ticks))
        for suffix in ["", "-journal"] {
            try Data("left".utf8).write(to: URL(fileURLWithPath: scratch.path + "/ticks-repairing.sqlite" + suffix))
        }
        let aside = try #require(try repair(scratch.ticks).setAside)
        #expect(try scratch.files(beginning: "ticks-repairing") == [])
        var drafts: [String] = []
        let report = try FileRepair.repair(aside, as: .ticks) { _, _ in
            drafts += (try? scratch.files(beginning: "ticks-repairing")) ?? ["the directory can't be read"]
        }
        #expect(report.outcome == .repaired && drafts == [])
        let copy = URL(fileURLWithPath: try #require(report.output)).deletingLastPathComponent().path
        #expect(try FileManager.default.contentsOfDirectory(atPath: copy) == ["ticks.sqlite"])
    }

    @Test func `a sound file that was set aside is copied all the same, for what waits in it`() async throws {
        let (scratch, buffer) = try await Scratch.opened(with: .bars(50))
        await buffer.close()
        let aside = scratch.path + "/ticks-bad-20260801T093000Z.sqlite"
        try FileManager.default.moveItem(atPath: scratch.ticks, toPath: aside)
        let report = try repair(aside, isForced: false)
        #expect(report.outcome == .repaired && report.kept >= 50 && report.lost == 0)
        let output = try #require(report.output)
        let numbers = try SoundFile.reading(output) { database in
            try ["SELECT count(*) FROM bars", "SELECT acknowledged FROM streams WHERE stream = 'bars'"].map {
                try Int64.fetchOne(database, sql: $0)
            }
        }
        #expect(numbers == [50, 0])
        #expect(FileManager.default.fileExists(atPath: aside))
    }

    @Test func `a file that was set aside is known to be repaired as long as the repaired file is there`() async throws
    {
        let (scratch, buffer) = try await Scratch.opened(with: .bars(50))
        await buffer.close()
        let aside = scratch.path + "/ticks-bad-20260801T093000Z.sqlite"
        try FileManager.default.copyItem(atPath: scratch.ticks, toPath: aside)
        func known() throws -> [String: RepairedFile] { try BufferReport.read(directory: scratch.path).repairedFiles }
        #expect(try repair(aside, isDryRun: true).toMoveAway == nil)
        #expect(try known().isEmpty)
        let report = try repair(aside)
        #expect(report.toMoveAway == aside)
        let copy = try #require(try known()[aside])
        #expect(!copy.isInUse && copy.path.hasPrefix(scratch.path + "/repaired-"))
        #expect(copy.advice.contains("edgetick sync, then move the damaged file away"))
        // One that was repaired in its place needs no copy.
        let kept = try #require(try repair(scratch.ticks).setAside)
        #expect(try known()[kept] == RepairedFile(path: scratch.ticks, isInUse: true))
        let again = try scratch.open()
        #expect(try again.statistics.repairedFiles == known() && Set(again.statistics.setAside) == [aside, kept])
        await again.close()

        let place = URL(fileURLWithPath: copy.path).deletingLastPathComponent().path
        try FileManager.default.removeItem(atPath: place)
        #expect(try known().keys.sorted() == [kept])
    }

    @Test func `without its identifier a file is repaired only when a person says which it was`() async throws {
        let sound = try await Self.sound.value
        let scratch = try Scratch()
        var bytes = sound.image
        // The first table of a fresh file is buffer, on the second page.
        bytes.replaceSubrange(4096..<8192, with: Data(repeating: 0, count: 4096))
        try bytes.write(to: URL(fileURLWithPath: scratch.ticks))
        #expect(try repair(scratch.ticks, isForced: false).outcome == .identityLost)
        #expect(try Data(contentsOf: URL(fileURLWithPath: scratch.ticks)) == bytes)
        let report = try repair(scratch.ticks, isForced: false, id: sound.id.uppercased())
        #expect(report.outcome == .repaired && report.id == sound.id)
        #expect(try SoundFile.rows(of: scratch.ticks)["bars"] == sound.rows["bars"])
    }

    @Test(arguments: [false, true])
    func `a file that was set aside under a running collector gives what was not uploaded`(
        afterRestart: Bool
    ) async throws {
        let (scratch, first) = try await Scratch.opened(with: .bars(20_000))
        await first.close()
        try scratch.damageMiddle()
        let buffer = try scratch.open()
        var after: Int64 = 0
        do {
            while let batch = try await buffer.nextBatch(of: .bars, after: after, limit: 1000) {
                after = batch.lastSequence ?? after
                try await buffer.acknowledge(.bars, through: after)
            }
        } catch {}
        try await Waiting.until { buffer.statistics.setAside.count == 1 }
        try await buffer.collect(.bars(10))
        let bad = try #require(buffer.statistics.setAside.first)
        if afterRestart {
            // Then the identifier that both files had is an earlier one of the successor's.
            await buffer.close()
            await (try scratch.open()).close()
        }
        let report = try repair(bad, isForced: false)
        let output = try #require(report.output)
        #expect(report.setAside == nil && output.hasSuffix("/ticks.sqlite"))
        // The ledger is far ahead under the shared identifier, so what was upstream follows from what the successor
        // counted as lost.
        #expect(report.id == buffer.id)
        let uploaded = after
        let numbers = try SoundFile.reading(output) { database in
            try [
                "SELECT count(*) FROM predecessors", "SELECT acknowledged FROM streams WHERE stream = 'bars'",
                "SELECT max(seq) FROM bars",
            ].map { try Int64.fetchOne(database, sql: $0) ?? -1 }
        }
        #expect(numbers == [0, uploaded, 20_000])
        await buffer.close()
    }

    /// - Parameter damage: the table of the second file that is damaged; what the first left is read from `drops`.
    @Test(arguments: ["gaps", "drops"])
    func `of two files that were set aside under one collector the first still gives what was not uploaded`(
        damage: String
    ) async throws {
        let (scratch, first) = try await Scratch.opened(with: .bars(20_000))
        await first.close()
        try scratch.damageMiddle()
        let buffer = try scratch.open()
        for sequence in [Int64(1000), 2000] {
            let batch = try #require(try await buffer.nextBatch(of: .bars, limit: 1000))
            #expect(batch.lastSequence == sequence)
            try await buffer.acknowledge(.bars, through: sequence)
        }
        var after: Int64 = 2000
        await #expect(throws: StoreError.self) {
            while let batch = try await buffer.nextBatch(of: .bars, after: after, limit: 1000) {
                after = batch.lastSequence ?? after
            }
        }
        try await Waiting.until { buffer.statistics.setAside.count == 1 }
        let bad = try #require(buffer.statistics.setAside.first)
        try await buffer.collect(.bars(100))
        try await Waiting.until("the log is in the file") { try scratch.moveLog() }
        try scratch.damage(table: damage)
        await #expect(throws: StoreError.self) {
            _ = try await buffer.gaps(limit: 10)
            _ = try await buffer.refusedRows(of: .bars, after: 0, through: 20_000)
        }
        try await Waiting.until { buffer.statistics.setAside.count == 2 }
        try await buffer.collect(.bars(10))
        let report = try repair(bad, isForced: false)
        let output = try #require(report.output)
        let acknowledged = try SoundFile.reading(output) { database in
            try Int64.fetchOne(database, sql: "SELECT acknowledged FROM streams WHERE stream = 'bars'")
        }
        if damage == "gaps" {
            #expect(acknowledged == 2000)
        } else {
            // Nobody knows any more; a person can have each row looked up.
            #expect(acknowledged == 20_000)
            let copy = URL(fileURLWithPath: output).deletingLastPathComponent().path
            let advice = "EDGETICK_DATA_DIR=\(copy) edgetick sync --again --stream bars --from 2001"
            #expect(report.remarks.contains { $0.hasSuffix(advice) }, "\(report.remarks)")
            // That command deletes none of them, however old they are.
            try scratch.execute("UPDATE bars SET received_us = received_us - 172800000000", file: output)
            func rows() throws -> Int64? {
                try SoundFile.reading(output) { try Int64.fetchOne($0, sql: "SELECT count(*) FROM bars") }
            }
            let before = try rows()
            var options = TickBuffer.Options(collector: "tests")
            options.isCollecting = false
            options.makesFile = false
            let tool = try TickBuffer.open(directory: copy, options: options, logger: Logger(label: "tests"))
            await tool.close()
            #expect(try rows() == before && before ?? 0 > 2000)
        }
        await buffer.close()
    }
}
