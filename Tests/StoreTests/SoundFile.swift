import Foundation
import GRDB
import MarketData
import Store
import TestSupport

/// A sound file, and what SQLite itself finds in it.
struct SoundFile: Sendable {
    /// The file's bytes; its log is empty.
    let image: Data
    let id: String
    /// The rows of each stream, as text, by sequence.
    let rows: [String: [Int64: String]]
    /// The page that each row is on, by stream and sequence.
    let pages: [String: [Int64: Int]]

    /// Makes the file: bars and trades, uploaded and deleted rows, a gap with a long list of symbols, a dead letter.
    static func make(bars: Int = 3000, trades: Int = 1500) async throws -> SoundFile {
        let scratch = try Scratch()
        let buffer = try scratch.open { $0.retention = .zero }
        let symbols = ["AAPL", "MSFT", "IBM", "SPY", "BRK.B"]
        for round in 0..<bars / 100 {
            _ = buffer.offer(.bars(100, symbol: symbols[round % symbols.count], from: round * 100))
            _ = buffer.offer(.trades(trades / (bars / 100), symbol: symbols[round % symbols.count]))
            try await buffer.flush()
        }
        let long = (0..<1500).compactMap { Symbol("SYM\($0)") }
        buffer.record(
            Gap(
                connection: "primary", symbols: long, events: [.minuteBar], from: 1_380_000_000_000,
                to: 1_380_000_600_000, cause: .disconnected))
        try await buffer.addDeadLetters([
            DeadLetter(
                stream: .bars, sequence: 7, sqlState: "23503", reason: "no such symbol", row: #"{"seq":7}"#)
        ])
        let gone = Int64(bars / 5)
        _ = try await buffer.nextBatch(of: .bars, limit: bars)
        try await buffer.acknowledge(.bars, through: gone)
        try await Waiting.until("the deletion") { buffer.statistics[.bars].marks.deleted == gone }
        let id = buffer.id
        await buffer.close()
        return SoundFile(
            image: try Data(contentsOf: URL(fileURLWithPath: scratch.ticks)), id: id,
            rows: try Self.rows(of: scratch.ticks), pages: try Self.pages(of: scratch.ticks))
    }

    /// The rows of each stream, as text, by sequence.
    static func rows(of path: String) throws -> [String: [Int64: String]] {
        try reading(path) { database in
            var found: [String: [Int64: String]] = [:]
            for table in ["bars", "trades", "quotes"] {
                for row in try Row.fetchAll(database, sql: "SELECT * FROM \(table)") {
                    found[table, default: [:]][row["seq"]] = "\(row)"
                }
            }
            return found
        }
    }

    /// Which leaf holds which rows, according to SQLite.
    private static func pages(of path: String) throws -> [String: [Int64: Int]] {
        try reading(path) { database in
            var found: [String: [Int64: Int]] = [:]
            for table in ["bars", "trades"] {
                var numbers = try Int64.fetchAll(database, sql: "SELECT seq FROM \(table) ORDER BY seq")[...]
                let leaves = try Row.fetchAll(
                    database,
                    sql: "SELECT pageno, ncell FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path",
                    arguments: [table])
                for leaf in leaves {
                    for number in numbers.prefix(leaf["ncell"]) { found[table, default: [:]][number] = leaf["pageno"] }
                    numbers = numbers.dropFirst(leaf["ncell"])
                }
            }
            return found
        }
    }

    /// Reads a file over a connection of its own.
    static func reading<Value>(_ path: String, _ body: (Database) throws -> Value) throws -> Value {
        var configuration = Configuration()
        configuration.readonly = true
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        defer { try? queue.close() }
        return try queue.read(body)
    }
}
