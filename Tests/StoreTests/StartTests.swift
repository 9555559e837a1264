import Foundation
import MarketData
import Store
import Testing

/// What a start makes of what the last collector left.
@Suite(.timeLimit(.minutes(5))) struct StartTests {
    @Test(arguments: ["gaps", "drops", "bars"])
    func `a page that is bad behind a sound header is found at the start, and the file set aside`(
        _ table: String
    ) async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        #expect(buffer.offer(.bars(500)) == .accepted)
        try await buffer.flush()
        await buffer.close()
        let page = try #require(try scratch.number("SELECT rootpage FROM sqlite_master WHERE name = '\(table)'"))
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: scratch.ticks))
        try file.seek(toOffset: UInt64(page - 1) * 4096)
        try file.write(contentsOf: Data(repeating: 0xA5, count: 4096))
        try file.close()
        let damaged = try Data(contentsOf: URL(fileURLWithPath: scratch.ticks))

        let again = try scratch.open()
        let name = try #require(again.statistics.setAside.first)
        #expect(again.statistics.setAside.count == 1)
        #expect(try Data(contentsOf: URL(fileURLWithPath: name)) == damaged)
        #expect(again.offer(.bars(1)) == .accepted)
        try await again.flush()
        #expect(again.statistics[.bars].lastSequence == 1)
        await again.close()
    }

    @Test(arguments: [
        "UPDATE buffer SET id = NULL", "UPDATE buffer SET notes_seq = NULL", "UPDATE streams SET acknowledged = x'00'",
    ])
    func `a value that can't be there ends no process; the file is set aside`(_ damage: String) async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        #expect(buffer.offer(.bars(10)) == .accepted)
        await buffer.close()
        // As a damaged page may look: the schema that forbids it is in another page.
        try scratch.execute(
            """
            PRAGMA writable_schema = ON;
            UPDATE sqlite_master SET sql = replace(sql, 'NOT NULL', '')
            WHERE name IN ('buffer', 'streams');
            """)
        try scratch.execute(damage)
        let again = try scratch.open()
        #expect(again.statistics.setAside.count == 1)
        #expect(again.offer(.bars(1)) == .accepted)
        try await again.flush()
        await again.close()
    }

    @Test func `after a kill the file goes on under another identifier, and knows the old one`() async throws {
        let scratch = try Scratch()
        let killed = try Scratch()
        let buffer = try scratch.open()
        #expect(buffer.offer(.bars(40)) == .accepted)
        try await buffer.flush()
        // What a kill leaves: the file and its log as they are.
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: scratch.ticks + suffix, toPath: killed.ticks + suffix)
        }
        await buffer.close()
        let again = try killed.open()
        #expect(again.id != buffer.id)
        #expect(again.predecessors == [.init(id: buffer.id, stream: .bars, through: 40)])
        #expect(again.offer(.bars(1)) == .accepted)
        try await again.flush()
        #expect(again.statistics[.bars].lastSequence == 41)
        await again.close()
        // One that stopped in order keeps its identifier.
        let last = try killed.open()
        #expect(last.id == again.id)
        await last.close()
    }

    @Test func `a kill is known by the lock that was left, when the disk lost the log`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        _ = buffer.offer(.bars(40))
        try await buffer.flush()
        await buffer.close()
        let closed = try scratch.open()
        #expect(closed.id == buffer.id)
        await closed.close()
        try Data("4711 1767600000\n".utf8).write(to: URL(fileURLWithPath: scratch.ticks + ".lock"))
        let again = try scratch.open()
        #expect(again.id != buffer.id)
        #expect(again.predecessors == [.init(id: buffer.id, stream: .bars, through: 40)])
        await again.close()
    }

    @Test func `identifiers of rows that are no longer in the file are forgotten`() async throws {
        let scratch = try Scratch()
        let killed = try Scratch()
        let buffer = try scratch.open()
        #expect(buffer.offer(.bars(40)) == .accepted)
        try await buffer.flush()
        try scratch.execute(
            """
            INSERT INTO predecessors VALUES ('gone', 'bars', 10), ('partly', 'bars', 30);
            UPDATE streams SET acknowledged = 10, deleted_through = 10 WHERE stream = 'bars';
            """)
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: scratch.ticks + suffix, toPath: killed.ticks + suffix)
        }
        await buffer.close()
        let again = try killed.open()
        #expect(again.predecessors.map(\.id).sorted() == ["partly", buffer.id].sorted())
        await again.close()
    }

    @Test func `a collector that was killed before its first row is known to have lived`() async throws {
        let scratch = try Scratch()
        await (try scratch.open()).close()
        // As a kill leaves it: no sign of life yet.
        try scratch.execute("UPDATE buffer SET alive_us = NULL")
        let made = try #require(try scratch.number("SELECT created_us FROM buffer"))
        let buffer = try scratch.open()
        #expect(buffer.previousLife == made / 1000)
        await buffer.close()
        // Rows that came and went say nothing of when.
        try scratch.execute("UPDATE buffer SET alive_us = NULL; UPDATE streams SET deleted_through = 9")
        let emptied = try scratch.open()
        #expect(emptied.previousLife == nil)
        await emptied.close()
    }
}
