import Foundation
import GRDB
import Logging
import MarketData
import Store
import TestSupport

/// A directory for one test, for a buffer.
typealias Scratch = Workspace

extension Workspace {
    /// The buffer's file.
    var ticks: String { path + "/ticks.sqlite" }

    /// Opens the buffer here.
    func open(_ change: (inout TickBuffer.Options) -> Void = { _ in }) throws -> TickBuffer {
        var options = TickBuffer.Options(collector: "tests", commitInterval: .fixed(.milliseconds(5)))
        change(&options)
        return try TickBuffer.open(
            directory: path, options: options, logger: Logger(label: "store-tests", factory: Workspace.log))
    }

    /// Makes a directory and opens the buffer in it.
    static func opened() throws -> (Workspace, TickBuffer) {
        let scratch = try Scratch()
        return (scratch, try scratch.open())
    }

    /// Makes a directory, and opens a buffer in it that has written a batch.
    static func opened(with batch: EventBatch) async throws -> (Workspace, TickBuffer) {
        let (scratch, buffer) = try opened()
        try await buffer.collect(batch)
        return (scratch, buffer)
    }

    /// Makes a directory and opens a mirror in it.
    static func mirrored() throws -> (Workspace, UniverseMirror) {
        let scratch = try Scratch()
        return (scratch, try UniverseMirror.open(directory: scratch.path, access: .readWrite))
    }

    /// The names of the files here that begin with `prefix`, sorted.
    func files(beginning prefix: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasPrefix(prefix) }.sorted()
    }

    /// Queries the file over a read-only connection of its own.
    func rows(_ sql: String) throws -> [Row] {
        var configuration = Configuration()
        configuration.readonly = true
        let queue = try DatabaseQueue(path: ticks, configuration: configuration)
        defer { try? queue.close() }
        return try queue.read { try Row.fetchAll($0, sql: sql) }
    }

    /// One number from the file.
    func number(_ sql: String) throws -> Int64? {
        try rows(sql).first?[0]
    }

    /// The first column's texts from the file.
    func texts(_ sql: String) throws -> [String?] {
        try rows(sql).map { $0[0] }
    }

    /// Writes to the file as another program would.
    func execute(_ sql: String, file: String? = nil) throws {
        // A buffer that is open may be writing.
        var configuration = Configuration()
        configuration.busyMode = .timeout(10)
        let queue = try DatabaseQueue(path: file ?? ticks, configuration: configuration)
        try queue.writeWithoutTransaction { try $0.execute(sql: sql) }
        try queue.close()
    }

    /// Moves the log into the file, and says whether all of it was moved.
    ///
    /// The log keeps its length, since a running buffer would take a shorter one for damaged.
    func moveLog() throws -> Bool {
        let queue = try DatabaseQueue(path: ticks)
        let row = try queue.writeWithoutTransaction { try Row.fetchOne($0, sql: "PRAGMA wal_checkpoint(PASSIVE)") }
        try queue.close()
        guard let row else { return false }
        let (busy, frames, moved): (Int, Int, Int) = (row[0], row[1], row[2])
        return busy == 0 && frames > 0 && frames == moved
    }

    /// Overwrites pages in the middle of the file.
    func damageMiddle() throws {
        let size = try FileManager.default.attributesOfItem(atPath: ticks)[.size] as? Int ?? 0
        try damage(page: size / 2 / 4096 + 1, pages: 40)
    }

    /// Overwrites the first page of a table or an index.
    func damage(table: String) throws {
        let page = try number("SELECT rootpage FROM sqlite_master WHERE name = '\(table)'")
        try damage(page: Int(page ?? 0))
    }

    /// Overwrites pages of the file, counted from 1, but not what the log has of them.
    func damage(page: Int, pages: Int = 1) throws {
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: ticks))
        try file.seek(toOffset: UInt64(page - 1) * 4096)
        try file.write(contentsOf: Data(repeating: 0xA5, count: pages * 4096))
        try file.close()
    }

    private static func log(_ label: String) -> any LogHandler { SwiftLogNoOpLogHandler() }
}

/// Microseconds since the Unix epoch.
func now() -> Int64 { Int64(Date().timeIntervalSince1970 * 1_000_000) }

extension EventBatch {
    /// A batch of minute bars of one symbol that can be told apart by their start.
    static func bars(
        _ count: Int, symbol: String = "AAPL", from: Int = 0, received: Int64? = nil, connection: String = "primary"
    ) -> EventBatch {
        var batch = EventBatch(connection: connection, receivedMicroseconds: received ?? now())
        batch.bars = (from..<from + count).map { number in
            let start = 1_380_000_000_000 + Int64(number) * 60_000
            let price = 100 + Double(number % 1000) * 0.01
            return Bar(
                symbol: Symbol(symbol)!, interval: .minute, start: start, end: start + 60_000, open: price,
                high: price + 0.05, low: price - 0.05, close: price + 0.01, volume: Double(number), vwap: price,
                dayVolume: 1e6, dayOpen: 99.5, dayVWAP: 100.25, averageSize: 120)
        }
        return batch
    }

    /// A batch of trades.
    static func trades(_ count: Int, symbol: String = "IBM", received: Int64? = nil) -> EventBatch {
        var batch = EventBatch(connection: "primary", receivedMicroseconds: received ?? now())
        for number in 0..<count {
            let text = batch.text.append("id-\(number)")
            batch.trades.append(
                Trade(
                    symbol: Symbol(symbol)!, time: 1_380_000_000_000 + Int64(number), price: 181.27, size: 100,
                    exchange: 11, tape: 1, tradeID: text, sequence: Int64(number)))
        }
        return batch
    }
}
