import GRDB
public import MarketData

/// What is in a buffer's file, for `edgetick status`: read without the lock, whether a collector runs or not.
public struct BufferReport: Sendable, Equatable {
    /// One stream's rows.
    public struct Stream: Sendable, Equatable {
        /// Rows in the table.
        public var rows: Int64 = 0
        /// How far the stream and its upload have come.
        public var marks = UploadMarks()
        /// When the first row that waits was received, in milliseconds since the Unix epoch.
        public var oldestPendingMilliseconds: Int64?
        /// When the last row was received, in milliseconds since the Unix epoch.
        public var newestMilliseconds: Int64?

        /// Rows that wait for upload.
        public var pending: Int64 { marks.pending }
    }

    /// Events that were dropped, of one stream and for one reason.
    public struct Drop: Sendable, Equatable, Codable {
        /// The stream.
        public var stream: EventStream
        /// Why: `oldest_dropped`, `new_rejected`, `queue_full`, `file_set_aside`, `vanished`, `unreadable`, `closed`,
        /// `discarded`, `letter_dropped`, `upstream_lost`.
        public var reason: String
        /// How many events.
        public var count: Int64
        /// How many symbols.
        public var symbols: Int
        /// The first event's feed time in milliseconds since the Unix epoch, where known.
        public var from: Int64?
        /// The last event's feed time in milliseconds since the Unix epoch, where known.
        public var to: Int64?

        private enum CodingKeys: String, CodingKey {
            case stream, reason, count, symbols
            case from = "from_ms"
            case to = "to_ms"
        }
    }

    /// The file.
    public var path: String
    /// The file's own identifier.
    public var id: String
    /// The collector that made the file.
    public var collector: String
    /// The schema's version.
    public var schemaVersion: Int
    /// Who holds the buffer, a collector or another command; `nil` if nobody does. Process 0 is one that is not known.
    public var holder: FileLock.Holder?
    /// The streams.
    public var streams: [EventStream: Stream]
    /// Dropped events, by stream and reason.
    public var drops: [Drop]
    /// Rows in `gaps`.
    public var gaps: Int64
    /// Rows in `dead_letters`.
    public var deadLetters: Int64
    /// The file's size on disk, in bytes.
    public var fileBytes: Int64
    /// The size of the write-ahead log's file on disk, in bytes.
    public var walBytes: Int64
    /// What happened to the file itself, newest first: the time and a description.
    public var incidents: [String]
    /// Paths of damaged or foreign files that were set aside and are still in the data directory.
    public var setAside: [String]
    /// The repaired files of those that were repaired, by path.
    public var repairedFiles: [String: RepairedFile]

    /// The process of the collector that holds the buffer; `nil` if none does.
    public var collectorProcess: Int32? { holder.flatMap { $0.isCollecting ? $0.processID : nil } }

    /// One stream's numbers.
    public subscript(_ stream: EventStream) -> Stream { streams[stream] ?? Stream() }

    /// Rows of all streams that wait for upload.
    public var pending: Int64 { streams.values.reduce(0) { $0 + $1.pending } }

    /// Reads the report in one snapshot; takes milliseconds, whatever the file's size. Blocks on the disk.
    ///
    /// - Throws: `.missing` if there is no file, `.foreign`, `.damaged`, `.schemaTooNew`, `.notReadable` if this user
    ///   may not read it.
    public static func read(directory: String) throws(StoreError) -> BufferReport {
        let file = StoreFile(.ticks, in: directory)
        let holder = FileLock.holder(of: file.path + ".lock")
        return try GapLog.reading(directory) { try BufferReport($0, file: file, holder: holder) }
    }

    private init(_ database: Database, file: StoreFile, holder: FileLock.Holder?) throws {
        let contents = try TickConnection.contents(database)
        path = file.path
        id = contents.id
        self.holder = holder
        collector = try String.fetchOne(database, sql: "SELECT collector FROM buffer") ?? ""
        schemaVersion = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        gaps = try Int64.fetchOne(database, sql: "SELECT count(*) FROM gaps") ?? 0
        deadLetters = try Int64.fetchOne(database, sql: "SELECT count(*) FROM dead_letters") ?? 0
        fileBytes = StoreFile.size(of: file.path)
        walBytes = StoreFile.size(of: file.path + "-wal")
        setAside = file.filesSetAside()
        repairedFiles = file.repairedFiles(of: setAside)
        streams = [:]
        for stream in EventStream.inFile(ofVersion: schemaVersion) {
            streams[stream] = try BufferReport.stream(stream, contents, database)
        }
        drops = try Row.fetchAll(
            database,
            sql: """
                SELECT stream, reason, \(DropTally.sum) AS count, count(DISTINCT symbol) AS symbols, min(from_ms) AS first,
                    max(to_ms) AS last
                FROM drops WHERE count <> 0 GROUP BY stream, reason ORDER BY stream, reason
                """
        ).map(Cells.init).compactMap { row in
            guard let stream = row["stream"].flatMap({ EventStream(rawValue: $0) }) else { return nil }
            return Drop(
                stream: stream, reason: row["reason"] ?? "", count: row["count"] ?? 0, symbols: row["symbols"] ?? 0,
                from: row["first"], to: row["last"])
        }
        incidents = try Row.fetchAll(
            database, sql: "SELECT at_us, what, detail FROM incidents ORDER BY id DESC LIMIT 20"
        ).map(Cells.init).map { row in
            let microseconds: Int64 = row["at_us"] ?? 0
            let what: String = row["what"] ?? ""
            let detail: String = row["detail"] ?? ""
            return "\(WallClock.text(seconds: microseconds / 1_000_000)) \(what): \(detail)"
        }
    }

    /// Reads a stream's numbers from its table's first and last rows instead of counting: rows are contiguous, except
    /// where dead letters were retried. After a repair some more may be missing, and ``Stream/rows`` includes those.
    private static func stream(
        _ stream: EventStream, _ contents: TickConnection.Contents, _ database: Database
    ) throws -> Stream {
        var result = Stream()
        let table = stream.rawValue
        result.marks = contents[stream]
        if let bounds = try TickHistory.bounds(database, stream) {
            let gone = try moved(stream, bounds, database)
            result.rows = bounds.upperBound - bounds.lowerBound + 1 - gone
            // A retried row comes last and keeps its time.
            let newest = try ReceiptOrder.receipt(stream, through: bounds.upperBound, database)
            result.newestMilliseconds = newest.map { $0 / 1000 }
        }
        let oldest = try Int64.fetchOne(
            database, sql: "SELECT received_us FROM \(table) WHERE seq > ? ORDER BY seq LIMIT 1",
            arguments: [result.marks.settled])
        result.oldestPendingMilliseconds = oldest.map { $0 / 1000 }
        return result
    }

    /// Returns how many numbers within bounds have no row any more, because a retry put it back at the end.
    private static func moved(
        _ stream: EventStream, _ bounds: ClosedRange<Int64>, _ database: Database
    ) throws -> Int64 {
        // Another program may have written any number; a sum of floating-point numbers doesn't overflow.
        let moved = try Double.fetchOne(
            database,
            sql: """
                SELECT total(min(last_seq, ?3) - max(first_seq, ?2) + 1) FROM drops
                WHERE stream = ?1 AND reason = '\(DropReason.requeued.rawValue)' AND last_seq >= ?2 AND first_seq <= ?3
                """, arguments: [stream.rawValue, bounds.lowerBound, bounds.upperBound])
        return Int64(min(max(0, moved ?? 0), Double(bounds.upperBound - bounds.lowerBound)))
    }
}
