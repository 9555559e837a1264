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
    /// The identifier that took over; `nil` if none did.
    var successor: String?
    /// When the row was last changed, in milliseconds since the Unix epoch, by the server's clock.
    var time: Int64
}

extension LedgerUpload {
    /// Reads a row of ``Ledger/uploadsSQL(of:under:since:)``.
    init?(_ row: [String?]) {
        guard row.count == 7, let stream = row[0].flatMap({ EventStream(rawValue: $0) }), let id = row[1],
            let sequence: Int64 = row.number(3), let rows: Int64 = row.number(4), let time: Int64 = row.number(6)
        else { return nil }
        self.init(
            stream: stream, id: id, collector: row[2] ?? "", sequence: sequence, rows: rows, successor: row[5],
            time: time)
    }
}

extension UploadLine {
    /// Whether rows of a stream that the file never had were uploaded at a moment or later, or will be. Then the file is a
    /// backup or a copy: under an identifier that it had, more went up than it gave out, or another file took over; or
    /// another file uploaded under its collector's name.
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
            if let end = ends[upload.id] {
                return upload.sequence > end || upload.successor.map { !contains($0) } ?? false
            }
            return upload.rows > 0 && names.contains(upload.collector)
        }
    }

    /// Whether a stream has rows that wait under an earlier identifier and that this file has not taken over yet. Another
    /// copy may still do so. If one has taken over some of them, this file can't take over the rest.
    func mustClaim(_ uploads: [LedgerUpload], of stream: EventStream, behind marks: UploadMarks) -> Bool {
        let left = Set(remainder(of: stream, behind: marks).map(\.id))
        let successors = uploads.filter { $0.stream == stream && left.contains($0.id) }.compactMap(\.successor)
        return successors.count < left.count && successors.allSatisfy(contains)
    }
}

extension Uploader {
    /// Those of some streams of which rows that a file never had were uploaded at a moment or later, or will be: by the
    /// file of which it is a backup, by another copy, or by another file under the name of this collector. The ledger
    /// shows this also after the file has settled with it, because the rows of earlier identifiers stay.
    ///
    /// - Parameter moment: in milliseconds since the Unix epoch.
    /// - Throws: any ``UpstreamError/Reason``; `busy` while the file has not taken over the rows that wait, so that
    ///   another copy may still do so.
    public func streamsUploadedElsewhere(
        than file: some UploadFile, of streams: Set<EventStream>, since moment: Int64
    ) async throws(UpstreamError) -> Set<EventStream> {
        // The file may forget identifiers while the ledger is read, and be given rows.
        let line = file.line
        let streams = configuration.streams.filter(streams.contains)
        let marks = streams.map { file.marks(of: $0) }
        let uploads = try await uploads(of: line, since: moment)
        var elsewhere: Set<EventStream> = []
        for (stream, marks) in zip(streams, marks) {
            if line.isBehind(uploads, of: stream, through: marks.last, as: configuration.collector, since: moment) {
                elsewhere.insert(stream)
            } else if line.mustClaim(uploads, of: stream, behind: marks) {
                throw UpstreamError(
                    .busy, "read the ledger",
                    "\(stream.rawValue) wait from before the file was opened, and their upload "
                        + "has not begun", object: Ledger.object)
            }
        }
        return elsewhere
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
