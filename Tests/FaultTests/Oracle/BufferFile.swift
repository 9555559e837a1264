import FeedSimulator
import Foundation
import GRDB
import LedgerSupport
import MarketData

/// The buffer's file, read over a read-only connection as any SQLite program may do.
struct BufferFile {
    /// A gap recorded in the file: a span in which events may have been missed.
    struct RecordedGap {
        var symbols: Set<String>
        var events: Set<String>
        var from: Int64
        /// The gap's end; `nil` while it is open.
        var to: Int64?
        var cause: String
        var isUncertain = false

        /// Whether the event happened in the gap; for a bar, whether its window starts or ends in it.
        func covers(_ event: LedgerEvent) -> Bool {
            guard events.contains(event.kind.rawValue), symbols == ["*"] || symbols.contains("\(event.symbol)") else {
                return false
            }
            return [event.time, event.bar?.end ?? event.time].contains { from <= $0 && $0 <= to ?? .max }
        }
    }

    /// A drop recorded in the file: events that were given up.
    struct RecordedDrop {
        var stream: String
        var symbol: String
        var reason: String
        var from: Int64?
        var to: Int64?
        var sequences: ClosedRange<Int64>?
        var count: Int64

        func covers(_ kind: EventKind, _ symbol: String, at time: Int64) -> Bool {
            // A row that counts no event says only where a moved row was.
            guard count > 0, stream == kind.stream.rawValue, self.symbol == symbol || self.symbol == "*" else {
                return false
            }
            guard let from, let to else { return true }
            return from <= time && time <= to
        }
    }

    let path: String

    /// Runs queries over a separate connection.
    func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(10)
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        let result = Result { try queue.read(body) }
        try queue.close()
        return try result.get()
    }

    /// Calls `body` with every row of a stream, in the order of the sequence numbers.
    func rows(_ stream: EventStream, _ body: (LedgerRow) -> Void) throws {
        let time = stream == .bars ? "start_ms" : "time_ms"
        let interval = stream == .bars ? "interval_s" : "0"
        let columns = LedgerColumns.names(stream).joined(separator: ", ")
        try read { database in
            let cursor = try Row.fetchCursor(
                database,
                sql:
                    "SELECT seq, symbol, \(time), \(interval), \(columns) FROM \(stream.rawValue) ORDER BY seq"
            )
            while let row = try cursor.next() {
                let kind: EventKind =
                    switch stream {
                    case .bars: Self.integer(row[3]) == 60 ? .minuteBar : .secondBar
                    case .trades: .trade
                    case .quotes: .quote
                    case .luld: .limitBand
                    case .imbalances: .imbalance
                    case .fairValues: .fairValue
                    }
                let values = (4..<row.count).map { Self.text(row[$0] as DatabaseValue) }
                // A damaged file may hold anything; the row then matches no event.
                body(
                    LedgerRow(
                        kind: kind, symbol: Self.text(row[1]) ?? "?", time: Self.integer(row[2]),
                        sequence: Self.integer(row[0]), values: values))
            }
        }
    }

    /// Returns the highest sequence number of each stream that a reader sees.
    ///
    /// SQLite shows a commit to readers only after the sync that made it durable. So this reports what is durable, and
    /// nothing reports it sooner.
    func lastSequences() throws -> [EventStream: Int64] {
        try read { try Self.lastSequences($0) }
    }

    static func lastSequences(_ database: Database) throws -> [EventStream: Int64] {
        var last: [EventStream: Int64] = [:]
        for stream in EventStream.allCases {
            last[stream] = try Int64.fetchOne(database, sql: "SELECT max(seq) FROM \(stream.rawValue)") ?? 0
        }
        return last
    }

    func gaps() throws -> [RecordedGap] {
        try read { database in
            try Row.fetchAll(database, sql: "SELECT symbols, events, from_ms, to_ms, cause, uncertain FROM gaps").map {
                row in
                let symbols: String = row[0]
                let events: String = row[1]
                return RecordedGap(
                    symbols: Set(symbols.split(separator: ",").map(String.init)),
                    events: Set(events.split(separator: ",").map(String.init)), from: row[2], to: row[3],
                    cause: row[4], isUncertain: row[5])
            }
        }
    }

    func drops() throws -> [RecordedDrop] {
        try read { database in
            try Row.fetchAll(
                database,
                sql: "SELECT stream, symbol, reason, from_ms, to_ms, first_seq, last_seq, count FROM drops"
            ).map { row in
                let first: Int64? = row[5]
                let last: Int64? = row[6]
                return RecordedDrop(
                    stream: row[0], symbol: row[1], reason: row[2], from: row[3], to: row[4],
                    sequences: first.flatMap { first in last.map { first...$0 } }, count: row[7])
            }
        }
    }

    /// Returns the sequence numbers of the dead letters, the rows that the database refused.
    func deadLetters() throws -> [EventStream: Set<Int64>] {
        try read { database in
            var result: [EventStream: Set<Int64>] = [:]
            for row in try Row.fetchAll(database, sql: "SELECT stream, seq FROM dead_letters") {
                let name: String = row[0]
                if let stream = EventStream(rawValue: name) { result[stream, default: []].insert(row[1]) }
            }
            return result
        }
    }

    /// Returns the highest sequence number of each stream through which rows were deleted after their upload.
    func deletedThrough() throws -> [EventStream: Int64] {
        try read { database in
            var result: [EventStream: Int64] = [:]
            for row in try Row.fetchAll(database, sql: "SELECT stream, deleted_through FROM streams") {
                let name: String = row[0]
                if let stream = EventStream(rawValue: name) { result[stream] = row[1] }
            }
            return result
        }
    }

    private static func integer(_ value: DatabaseValue) -> Int64 { Int64.fromDatabaseValue(value) ?? 0 }

    private static func text(_ value: DatabaseValue) -> String? {
        switch value.storage {
        case .null: nil
        case .int64(let number): "\(number)"
        case .double(let number): LedgerColumns.decimal(number)
        case .string(let text): text
        case .blob(let bytes): "blob of \(bytes.count) bytes"
        }
    }
}
