import MarketData

/// What a stream's rows in the ledger and its rows upstream prove, while those in the ledger are locked.
struct LedgerEvidence {
    let view: LedgerView
    let file: any UploadFile
    let ledger: Ledger
    let connection: PostgresConnection
    let catalog: Catalog
    let configuration: UpstreamConfiguration

    /// The verdict on rows that count as uploaded.
    enum Proof {
        case sound
        /// The rows are there, but the ledger's row is not.
        case ledgerLost
        /// Rows after a sequence are no longer there.
        case rowsLost(after: Int64)
    }

    /// The number of waiting rows that are looked up at once rather than with their batches.
    private static let mostLookedUp: Int64 = 100_000
    /// The number of consecutive pages of a thousand bars, all present, that ends the search for missing ones.
    private static let wholeParts = 100

    private var stream: EventStream { view.stream }

    /// Whether the stream holds ticks. Bars can be sent any number of times, so those that may be missing go up again.
    private var isTicks: Bool { stream != .bars }

    /// Whether a row that is sent twice may be stored twice.
    private var mayDouble: Bool { isTicks && catalog.identity(of: stream)?.isWhole != true }

    /// Whether the rows that count as uploaded are upstream.
    nonisolated(nonsending) func proof() async throws(UpstreamError) -> Proof {
        let acknowledged = view.marks.acknowledged
        let proof = view.proof
        let end = min(proof.through, acknowledged)
        // A copy may have moved the ledger there; then the row at that position is one of the copy's.
        if !proof.isOurs, end > 0 {
            if isTicks {
                let found = try await lookUp(after: end - 100, through: end)
                if found.last == false {
                    throw needsPerson(
                        "row \(end) is recorded as uploaded but missing upstream, and the ledger's position was "
                            + "probably set by a copy of this file")
                }
            } else if let start = try await barsLost(through: end) {
                return .rowsLost(after: start)
            }
        }
        guard acknowledged > proof.through else { return .sound }
        guard isTicks else { return .rowsLost(after: proof.through) }
        var found = Tally()
        var position = proof.through
        while position < acknowledged {
            let part = try await lookUpPart(after: position, through: acknowledged, limit: 1000)
            found.add(part.found)
            position = part.through
            guard part.isCut else { continue }
            // Rows that can't be read prove nothing. They wait again, and when they are read for the upload, the file
            // is set aside.
            if found.areAllOurs { return .rowsLost(after: position) }
            break
        }
        if found.there == 0 { return .rowsLost(after: proof.through) }
        if found.areAllOurs { return .ledgerLost }
        guard mayDouble else { return .rowsLost(after: proof.through) }
        let doubt = found.there == found.ours ? "" : ", or rows of another collector that look the same"
        throw needsPerson(
            "rows through \(acknowledged) are recorded as uploaded, but the ledger proves only those through "
                + "\(proof.through); of the \(found.count) rows in between, \(found.there) are upstream\(doubt)")
    }

    /// The sequence after which bars are missing; `nil` if the newest are there. The last bar alone proves nothing,
    /// since a copy's newer version of it looks the same.
    private nonisolated(nonsending) func barsLost(through end: Int64) async throws(UpstreamError) -> Int64? {
        var (page, lost, isAnyThere) = (end, Int64?.none, false)
        var whole = 0
        while page > view.marks.deleted, whole < Self.wholeParts {
            let start = max(0, page - 1000)
            let part = try await lookUpPart(after: start, through: page, limit: 1000)
            // Those that can't be read may be missing too.
            if part.isCut { lost = part.through }
            page = start
            // Refused bars prove nothing either way, nor do numbers without a row.
            guard !part.found.isEmpty else { continue }
            isAnyThere = isAnyThere || part.found.contains { $0.isThere }
            if let first = part.found.first(where: { !$0.isThere }) {
                lost = first.sequence - 1
                whole = 0
            } else {
                whole += 1
            }
        }
        // If none of the file's bars is there, those that the file deleted count as lost too.
        return isAnyThere ? lost : lost.map { _ in 0 }
    }

    /// Whether all rows through a position with an unknown token are this file's own, and upstream. Then the move to it
    /// was one of the file's own, since forgotten, and a restored database brought it back. None of a copy's rows is in
    /// this file.
    nonisolated(nonsending) func holds(through sequence: Int64) async throws(UpstreamError) -> Bool {
        guard isTicks, sequence <= view.marks.last else { return false }
        let start = view.marks.acknowledged
        let found = try await lookUp(after: start, through: sequence, of: .own)
        // Rows that the file counts as lost are no longer there to look up.
        let isLost = view.lost.map { $0.lowerBound <= start + 1 && $0.upperBound >= sequence } ?? false
        return (isLost || found.count > 0) && found.areAllOurs
    }

    /// How far the rows of earlier identifiers are upstream, and the identifiers from which this file takes over.
    nonisolated(nonsending) func remainder() async throws(UpstreamError) -> (through: Int64, claimed: [String]) {
        guard let end = view.remainder.map(\.through).max() else { return (view.marks.acknowledged, []) }
        guard let rival = view.rival else {
            return (view.settledRemainder, view.remainder.map(\.id).filter { view.rows[$0]?.successor == nil })
        }
        // Bars that two copies send are the same bars.
        guard isTicks else { return (view.marks.acknowledged, []) }
        let found = try await lookUp(after: view.marks.acknowledged, through: end)
        guard found.areAllOurs else { throw try rivalry(with: rival) }
        return (end, [])
    }

    /// The sequence through which waiting rows are upstream after all, sent by a copy that the ledger no longer knows.
    /// Rows go up in order: unless some were lost, if the first ones aren't there, none is. Rows that may be another
    /// collector's are sent.
    nonisolated(nonsending) func waiting(after start: Int64) async throws(UpstreamError) -> Int64 {
        let last = view.marks.last
        let looksAtAll = view.lossEnd > start
        // What a person has sent again is looked up batch by batch.
        guard mayDouble, start < last, view.marks.sentAgain <= start, looksAtAll || catalog.allowsReading(stream) else {
            return start
        }
        var (position, end) = (start, start)
        var isMissing = false
        while position < last, looksAtAll || !isMissing {
            let limit = position == start && !looksAtAll ? 100 : 1000
            let part = try await lookUpPart(after: position, through: last, limit: limit)
            for row in part.found {
                guard !row.isOurs || !isMissing else {
                    throw needsPerson("some waiting rows are already upstream, but rows before them are missing")
                }
                isMissing = isMissing || !row.isOurs
                if row.isOurs { end = row.sequence }
            }
            position = part.through
            if !isMissing { end = position }
            // Rows that can't be read aren't sent.
            if part.isCut { break }
        }
        return end
    }

    /// Whether waiting rows may be upstream although rows before them are gone: a copy of the file may have sent them, and
    /// the database lost others before or after that.
    nonisolated(nonsending) func mayHaveBeenSent(after start: Int64) async throws(UpstreamError) -> Bool {
        let last = view.marks.last
        guard mayDouble, start < last, catalog.allowsReading(stream) else { return false }
        guard last - start <= Self.mostLookedUp else { return true }
        var position = start
        while position < last {
            let part = try await lookUpPart(after: position, through: last, limit: 1000)
            guard !part.isCut, !part.found.contains(where: \.isOurs) else { return true }
            position = part.through
        }
        return false
    }

    /// The error for another copy that has taken over, with its collector's name.
    func rivalry(with id: String) throws(UpstreamError) -> UpstreamError {
        let collector = try connection.ask(ledger.collectorSQL(of: id), "read the ledger").value
        let name = collector.map { "collector \($0), " } ?? ""
        return UpstreamError(
            .ledger, "settle with the ledger",
            "another copy of this file has taken over its upload: \(name)identifier \(id)", object: Ledger.object)
    }

    /// How many rows are there; refused rows are left out.
    ///
    /// - Throws: any ``UpstreamError/Reason``; `ledger` if a row can't be read.
    private nonisolated(nonsending) func lookUp(
        after start: Int64, through end: Int64, of whose: RowOwner = .anybody
    ) async throws(UpstreamError) -> Tally {
        var all = Tally()
        var position = max(0, start)
        while position < end {
            let part = try await lookUpPart(after: position, through: end, limit: 1000, of: whose)
            all.add(part.found)
            position = part.through
            guard !part.isCut else {
                throw needsPerson(
                    "rows after \(position) have to be looked up upstream, but can't be read: stop the collector, run "
                        + "edgetick repair, and start it again")
            }
        }
        return all
    }

    /// A row that was looked up.
    private struct Found {
        var sequence: Int64
        /// Whether an equal row is upstream.
        var isThere: Bool
        /// Whether that one counts as this file's: it can't be another collector's, or a key tells events apart.
        var isOurs: Bool
        /// Whether it may have been refused, so that it proves nothing if it isn't there.
        var mayBeRefused: Bool
    }

    /// How many rows were looked up, and found. There may be millions.
    private struct Tally {
        var count = 0
        var there = 0
        var ours = 0
        /// Whether the last one is there; `nil` if there was none.
        var last: Bool?

        var areAllOurs: Bool { ours == count }

        mutating func add(_ found: [Found]) {
            let found = found.filter { $0.isThere || !$0.mayBeRefused }
            count += found.count
            there += found.count(where: \.isThere)
            ours += found.count(where: \.isOurs)
            last = found.last?.isThere ?? last
        }
    }

    /// The result of looking up some rows.
    private struct Part {
        /// Those that were not refused, in order.
        var found: [Found] = []
        /// The last sequence covered.
        var through: Int64
        /// Whether what follows can't be read.
        var isCut = false
    }

    private nonisolated(nonsending) func lookUpPart(
        after start: Int64, through end: Int64, limit: Int, of whose: RowOwner = .anybody
    ) async throws(UpstreamError) -> Part {
        let rows = try await RowsOfFile.read(stream, after: start, through: end, limit: limit, of: file)
        let upstream = try RowsUpstream(rows.batch, of: whose, by: configuration, over: connection, in: catalog)
        let (present, certain) = (upstream.present, upstream.certain)
        let sequences = (0..<rows.batch.count).compactMap { rows.batch.sequence(at: $0) }
        return Part(
            found: sequences.filter { !rows.isRefused($0) }.map {
                Found(
                    sequence: $0, isThere: present.contains($0), isOurs: certain.contains($0),
                    mayBeRefused: rows.doubtful.contains($0))
            }, through: rows.through, isCut: rows.isCut)
    }

    private func needsPerson(_ text: String) -> UpstreamError {
        UpstreamError(.ledger, "settle \(stream.rawValue) with the ledger", text, object: "table \(stream.rawValue)")
    }
}

extension Catalog {
    /// Whether the user may look up rows of ticks at all. Sending them doesn't require that right.
    func allowsReading(_ stream: EventStream) -> Bool {
        tables[stream.rawValue]?.columns.allSatisfy(\.canSelect) ?? false
    }
}
