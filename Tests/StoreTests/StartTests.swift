import Foundation
import MarketData
import Store
import TestSupport
import Testing

/// How a start deals with what the last collector left.
@Suite(.timeLimit(.minutes(5))) struct StartTests {
    @Test(arguments: ["gaps", "drops", "bars"])
    func `a page that is bad behind a sound header is found at the start, and the file set aside`(
        _ table: String
    ) async throws {
        let (scratch, buffer) = try await Scratch.opened(with: .bars(500))
        await buffer.close()
        let made = try scratch.number("SELECT created_us FROM buffer")
        let page = try #require(try scratch.number("SELECT rootpage FROM sqlite_master WHERE name = '\(table)'"))
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: scratch.ticks))
        try file.seek(toOffset: UInt64(page - 1) * 4096)
        try file.write(contentsOf: Data(repeating: 0xA5, count: 4096))
        try file.close()
        let damaged = try Data(contentsOf: URL(fileURLWithPath: scratch.ticks))
        // What a start that was killed in its midst left.
        for suffix in ["", "-wal"] {
            try Data(repeating: 0x5A, count: 9000).write(
                to: URL(fileURLWithPath: "\(scratch.path)/ticks-starting.sqlite" + suffix))
        }

        let again = try scratch.open()
        let name = try #require(again.statistics.setAside.first)
        #expect(again.statistics.setAside.count == 1)
        #expect(try Data(contentsOf: URL(fileURLWithPath: name)) == damaged)
        try await again.collect(.bars(1))
        // Numbers go on where the file's own can be read.
        #expect(again.statistics[.bars].marks.last == (table == "bars" ? 1 : 501))
        #expect(again.statistics[.bars].pending == 1 && again.statistics[.bars].marks.acknowledged == 0)
        #expect(again.statistics[.bars].marks.settled == (table == "bars" ? 0 : 500))
        await again.close()
        #expect(try scratch.files(beginning: "ticks-starting") == [])
        // Days from before the damage are still to be compared with the tape.
        if table != "bars" { #expect(try scratch.number("SELECT created_us FROM buffer") == made) }
    }

    @Test func `a successor without rows counts on from the numbers of the file that it replaced, even after a repair`()
        async throws
    {
        let (scratch, buffer) = try await Scratch.opened(with: .bars(500))
        await buffer.close()
        try scratch.damage(table: "drops")
        await (try scratch.open()).close()
        try scratch.damage(table: "streams")
        #expect(try FileRepair.repair(scratch.ticks, as: .ticks).outcome == .repaired)
        let repaired = try scratch.open()
        #expect(repaired.line.predecessors.map(\.id).contains(buffer.id))
        try await repaired.collect(.bars(1))
        #expect(repaired.statistics[.bars].marks.last == 501)
        await repaired.close()
    }

    @Test(arguments: [
        "UPDATE buffer SET id = NULL", "UPDATE buffer SET notes_seq = NULL", "UPDATE streams SET acknowledged = x'00'",
    ])
    func `a value that can't be there ends no process; the file is set aside`(_ damage: String) async throws {
        let (scratch, buffer) = try Scratch.opened()
        #expect(buffer.offer(.bars(10)) == .accepted)
        await buffer.close()
        // As a damaged page may look; the schema that forbids such values is on another page.
        try scratch.execute(
            """
            PRAGMA writable_schema = ON;
            UPDATE sqlite_master SET sql = replace(sql, 'NOT NULL', '')
            WHERE name IN ('buffer', 'streams');
            """)
        try scratch.execute(damage)
        let again = try scratch.open()
        #expect(again.statistics.setAside.count == 1)
        try await again.collect(.bars(1))
        await again.close()
    }

    @Test func `rows that are sent again are known as such after a restart and a repair, until they are upstream`()
        async throws
    {
        let scratch = try Scratch()
        let column = "SELECT sent_again_through FROM streams WHERE stream = 'trades'"
        var buffer = try scratch.open()
        try await buffer.collect(.trades(10))
        _ = try await buffer.nextBatch(of: .trades, limit: 10)
        try await buffer.acknowledge(.trades, through: 10)
        try await buffer.sendAgain(.trades, from: 5)
        #expect(buffer.statistics[.trades].pending == 6 && buffer.statistics[.trades].marks.sentAgain == 10)
        await buffer.close()
        // A person's wish says nothing of the database.
        let incidents = "SELECT what FROM incidents WHERE what IN ('rows sent again', 'upstream went back') ORDER BY id"
        #expect(try scratch.texts(incidents) == ["rows sent again"])
        var options = FileRepair.Options()
        options.isForced = true
        #expect(try FileRepair.repair(scratch.ticks, as: .ticks, options: options).outcome == .repaired)
        #expect(try scratch.number(column) == 10)
        buffer = try scratch.open()
        #expect(buffer.statistics[.trades].marks.sentAgain == 10)
        _ = try await buffer.nextBatch(of: .trades, limit: 10)
        try await buffer.acknowledge(.trades, through: 10)
        // A database that loses rows later says nothing of what was sent again before.
        try await buffer.agree(withLedger: [.trades: 2])
        #expect(buffer.statistics[.trades].pending == 8 && buffer.statistics[.trades].marks.sentAgain == 0)
        #expect(try scratch.number(column) == 0)
        await buffer.close()
        #expect(try scratch.texts(incidents) == ["rows sent again", "upstream went back"])
    }

    @Test func `rows that are gone upstream are known as such after a restart and a repair, until a person decides`()
        async throws
    {
        let scratch = try Scratch()
        let column = "SELECT gone_through FROM streams WHERE stream = 'trades'"
        var buffer = try scratch.open()
        try await buffer.collect(.trades(10))
        _ = try await buffer.nextBatch(of: .trades, limit: 10)
        try await buffer.acknowledge(.trades, through: 10)
        try await buffer.note(gone: 7, of: .trades, incident: Incident("rows are gone upstream", detail: "trades"))
        #expect(buffer.marks(of: .trades).gone == 7)
        await buffer.close()
        var options = FileRepair.Options()
        options.isForced = true
        #expect(try FileRepair.repair(scratch.ticks, as: .ticks, options: options).outcome == .repaired)
        #expect(try scratch.number(column) == 7)
        buffer = try scratch.open()
        #expect(buffer.marks(of: .trades).gone == 7 && buffer.marks(of: .bars).gone == 0)
        try await buffer.sendAgain(.trades, from: 5)
        #expect(buffer.marks(of: .trades).gone == 0)
        await buffer.close()
        #expect(try scratch.number(column) == 0)
    }

    @Test func `at every open the file goes on under another identifier, and knows the old one`() async throws {
        let scratch = try Scratch()
        let killed = try Scratch()
        let buffer = try scratch.open()
        try await buffer.collect(.bars(40))
        // What a kill leaves: the file and its log as they are.
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: scratch.ticks + suffix, toPath: killed.ticks + suffix)
        }
        await buffer.close()
        let again = try killed.open()
        #expect(again.id != buffer.id)
        #expect(again.line.predecessors == [.init(id: buffer.id, stream: .bars, through: 40)])
        try await again.collect(.bars(1))
        #expect(again.statistics[.bars].marks.last == 41)
        await again.close()
        // A file that was closed in order may have been copied.
        let last = try killed.open()
        #expect(last.id != again.id)
        #expect(
            last.line.predecessors
                == [
                    .init(id: buffer.id, stream: .bars, through: 40), .init(id: again.id, stream: .bars, through: 41),
                ])
        await last.close()
    }

    @Test func `what was written down of an upload is there at the next open, and what can't come back is not`()
        async throws
    {
        let (scratch, buffer) = try await Scratch.opened(with: .bars(40))
        for (token, settled) in [("a", nil), ("b", nil), ("c", "b")] as [(String, String?)] {
            try await buffer.prepare(UploadMove(stream: .bars, token: token, through: 40, settled: settled))
        }
        await buffer.close()
        let again = try scratch.open()
        #expect(["a", "b", "c"].map { again.line.made($0, of: .bars, under: buffer.id) } == [false, true, true])
        #expect(!again.line.made("b", of: .trades, under: buffer.id))
        #expect(!again.line.made("b", of: .bars, under: again.id))
        try await again.forget([buffer.id], of: .bars)
        await again.close()
        let last = try scratch.open()
        #expect(!last.line.contains(buffer.id) && !last.line.made("c", of: .bars, under: buffer.id))
        await last.close()
    }

    @Test func `an identifier under which nothing was uploaded and nothing waits leaves no trace`() async throws {
        let (scratch, buffer) = try await Scratch.opened(with: .bars(40))
        _ = try await buffer.nextBatch(of: .bars, limit: 100)
        try await buffer.prepare(UploadMove(stream: .bars, token: "a", through: 40, settled: nil))
        try await buffer.acknowledge(.bars, through: 40)
        await buffer.close()
        for _ in 0..<5 {
            let again = try scratch.open()
            #expect(again.line.predecessors.map(\.id) == [buffer.id])
            await again.close()
        }
    }

    @Test(arguments: [true, false])
    func `restarts while one stream is uploaded make the file remember no more of another that rests or waits`(
        waits: Bool
    ) async throws {
        let scratch = try Scratch()
        var ids: [String] = []
        let rounds = UploadLine.mostPredecessors + 3
        for round in 1...rounds {
            let buffer = try scratch.open()
            ids.append(buffer.id)
            if waits || round == 1 { #expect(buffer.offer(.bars(1)) == .accepted) }
            try await buffer.collect(.trades(1))
            for stream in [EventStream.bars, .trades] where stream == .trades || !waits && round == 1 {
                let last = buffer.marks(of: stream).last
                _ = try await buffer.nextBatch(of: stream, limit: 100)
                let move = UploadMove(stream: stream, token: "\(stream) \(round)", through: last, settled: nil)
                try await buffer.prepare(move)
                try await buffer.acknowledge(stream, through: last)
            }
            await buffer.close()
        }
        let last = try scratch.open()
        let known = last.line.predecessors(of: .bars)
        #expect(known.map(\.id) == Array(ids.prefix(waits ? UploadLine.mostPredecessors : 1)))
        #expect(known.last?.through == (waits ? Int64(rounds) : 1))
        #expect(last.line.predecessors(of: .trades).map(\.id) == ids)
        #expect(last.statistics[.bars].pending == (waits ? Int64(rounds) : 0))
        await last.close()
    }

    @Test func `restarts while nothing can be uploaded make the file remember no more than it may`() async throws {
        let scratch = try Scratch()
        var ids: [String] = []
        for _ in 0..<UploadLine.mostPredecessors + 3 {
            let buffer = try scratch.open()
            ids.append(buffer.id)
            try await buffer.collect(.bars(1))
            await buffer.close()
        }
        let last = try scratch.open()
        #expect(last.line.predecessors.map(\.id) == Array(ids.prefix(UploadLine.mostPredecessors)))
        // Once there is no room for another identifier, the same one is used again and again.
        #expect(Set(ids).count == UploadLine.mostPredecessors + 1 && last.id == ids.last)
        await last.close()
    }

    @Test func `a collector that was killed before its first row is known to have lived`() async throws {
        let scratch = try Scratch()
        await (try scratch.open()).close()
        // As a kill leaves it: no sign of life yet.
        try scratch.execute("UPDATE buffer SET alive_us = NULL")
        let made = try #require(try scratch.number("SELECT created_us FROM buffer"))
        let buffer = try scratch.open()
        #expect(buffer.previousLife?.end == made / 1000)
        await buffer.close()
        // Deleted rows do not show when they came.
        try scratch.execute("UPDATE buffer SET alive_us = NULL; UPDATE streams SET deleted_through = 9")
        let emptied = try scratch.open()
        #expect(emptied.previousLife == nil)
        await emptied.close()
    }
}
