public import MarketData

/// What the ledger says was uploaded of a stream under one identifier.
struct LedgerUpload: Equatable, Sendable {
    var stream: EventStream
    /// The identifier.
    var id: String
    /// The name of the collector that last uploaded under it.
    var collector: String
    /// The last sequence that is upstream.
    var sequence: Int64
    /// How many rows went up; 0 if a file only found out how far the uploads of an earlier identifier had got.
    var rows: Int64
    /// When the row was last changed, in milliseconds since the Unix epoch, by the server's clock.
    var time: Int64
}

extension LedgerUpload {
    /// Reads a row of ``Ledger/uploadsSQL(of:under:since:)``.
    init?(_ row: [String?]) {
        guard row.count == 6, let stream = row[0].flatMap({ EventStream(rawValue: $0) }), let id = row[1],
            let sequence: Int64 = row.number(3), let rows: Int64 = row.number(4), let time: Int64 = row.number(5)
        else { return nil }
        self.init(stream: stream, id: id, collector: row[2] ?? "", sequence: sequence, rows: rows, time: time)
    }
}

extension UploadLine {
    /// Whether rows of a stream that the file never had were uploaded at a moment or later. Then the file is a backup or
    /// a copy: under an identifier that it had, more went up than it gave out; or another file uploaded under its
    /// collector's name.
    ///
    /// - Parameters:
    ///   - uploads: what the ledger has of all files.
    ///   - last: the last sequence that the file gave out.
    ///   - collector: the name under which it uploads now.
    ///   - moment: in milliseconds since the Unix epoch.
    func isBehind(
        _ uploads: [LedgerUpload], of stream: EventStream, through last: Int64, as collector: String,
        since moment: Int64
    ) -> Bool {
        let uploads = uploads.filter { $0.stream == stream }
        // A file that was copied may have had another name until then.
        var names: Set = [collector]
        for predecessor in predecessors.reversed() {
            guard let upload = uploads.first(where: { $0.id == predecessor.id }) else { continue }
            names.insert(upload.collector)
            if upload.time < moment { break }
        }
        var ends = Dictionary(predecessors(of: stream).map { ($0.id, $0.through) }, uniquingKeysWith: max)
        ends[id] = last
        return uploads.contains { upload in
            guard upload.time >= moment else { return false }
            if let end = ends[upload.id] { return upload.sequence > end }
            return upload.rows > 0 && names.contains(upload.collector)
        }
    }
}

extension Uploader {
    /// The streams of which rows that a file never had were uploaded at a moment or later: by the file of which it is a
    /// backup, or by another one under the name of this collector. The ledger shows this also after the file has settled
    /// with it, because the positions of earlier identifiers stay.
    ///
    /// - Parameter moment: in milliseconds since the Unix epoch.
    public func streamsUploadedElsewhere(
        than file: some UploadFile, since moment: Int64
    ) async throws(UpstreamError) -> Set<EventStream> {
        // The file may forget identifiers while the ledger is read, and be given rows.
        let line = file.line
        let uploads = try await uploads(of: line, since: moment)
        return Set(
            configuration.streams.filter { stream in
                line.isBehind(
                    uploads, of: stream, through: file.marks(of: stream).last, as: configuration.collector,
                    since: moment)
            })
    }

    /// What the ledger has of a file, whenever it was uploaded, and what of others since a moment: rows of files that are
    /// long gone may be many.
    func uploads(of line: UploadLine, since moment: Int64) async throws(UpstreamError) -> [LedgerUpload] {
        let ids = Set([line.id] + line.predecessors.map(\.id)).sorted()
        return try await inTurn { () throws(UpstreamError) -> [LedgerUpload] in
            let (connection, catalog) = try self.session.connected()
            let ledger = try self.session.ledger(in: catalog)
            let sql = ledger.uploadsSQL(of: self.configuration.streams, under: ids, since: moment)
            return try connection.ask(sql, "read the ledger").rows.compactMap { LedgerUpload($0) }
        }
    }
}
