import GRDB
import GRDBSQLite
import MarketData

/// Copies everything that can be read in a damaged file into a fresh one.
struct Salvage {
    let image: DatabaseImage
    private var walk: TreeWalk
    private var roots: [String: UInt32] = [:]
    /// The damaged file's own marks, if they could be read.
    private(set) var marks: [EventStream: UploadMarks] = [:]
    private(set) var tables: [RepairReport.Table] = []
    /// The rows of each stream that its tree no longer leads to.
    private var unreached: [EventStream: [ClosedRange<Int64>]] = [:]
    private let progress: (Int, Int) -> Void

    init(_ image: DatabaseImage, progress: @escaping (Int, Int) -> Void) {
        self.image = image
        self.progress = progress
        walk = TreeWalk(image)
    }

    /// The streams for which the damaged file had tables, according to its header.
    var streams: [EventStream] {
        guard let version = image.header?.userVersion, version > 0 else { return EventStream.allCases }
        return EventStream.inFile(ofVersion: version)
    }

    /// Whether newer versions of pages are lost, so that a tree may look complete and lack its end.
    var isOutdated: Bool { image.log.brokenFrames > 0 || image.isCut || image.header == nil || roots.isEmpty }

    /// Whether rows may be missing after the last one that was found.
    var losesEnd: Bool { EventStream.allCases.contains(where: losesEnd) }

    /// Whether rows of a stream may be missing after the last one that was found.
    func losesEnd(of stream: EventStream) -> Bool {
        isOutdated || unreached[stream]?.contains { $0.upperBound == .max } ?? false
    }

    /// Whether a stream's own tree could not be read in full.
    func isDamaged(_ stream: EventStream) -> Bool { unreached[stream]?.isEmpty == false }

    /// Whether rows of a stream may be missing before the first one that was found, and no mark shows how many.
    func losesBeginning(of stream: EventStream) -> Bool {
        marks[stream] == nil && unreached[stream]?.contains { $0.lowerBound == .min } ?? false
    }

    /// Reads the root pages of the tables.
    mutating func readSchema() throws(StoreError) {
        walk.begin()
        var found: [String: UInt32] = [:]
        try walk.table(1) { row throws(StoreError) in
            guard row.values.count == 5, case .text(let type) = row.values[0], case .text(let name) = row.values[1],
                case .integer(let root) = row.values[3], String(decoding: type, as: UTF8.self) == "table",
                let root = UInt32(exactly: root)
            else { return true }
            found[String(decoding: name, as: UTF8.self)] = root
            return true
        }
        roots = found
    }

    /// Copies a table that is not a stream's.
    mutating func copy(_ name: String, into database: Database) throws {
        let target = try target(name, database)
        walk.begin()
        let root = roots[name] ?? target.layout.usualRoot
        if target.layout.isWithoutRowid {
            try walk.index(root) { row throws(StoreError) in _ = try target.add(row) }
        } else {
            try walk.table(root) { row throws(StoreError) in try target.add(row) }
        }
        tables.append(.init(name: name, kept: target.kept, unreadable: target.refused + Int64(walk.faults)))
    }

    mutating func readMarks(_ database: Database) throws {
        let layout = try TableLayout("streams", in: database)
        walk.begin()
        var found: [EventStream: UploadMarks] = [:]
        try walk.index(roots["streams"] ?? layout.usualRoot) { row throws(StoreError) in
            guard row.values.count >= 3, case .text(let name) = row.values[0], case .integer(let up) = row.values[1],
                case .integer(let gone) = row.values[2],
                [up, gone].allSatisfy(TickConnection.possibleSequences.contains),
                let stream = EventStream(rawValue: String(decoding: name, as: UTF8.self))
            else { return }
            var marks = UploadMarks(acknowledged: up, deleted: gone)
            // A row that was written before a column was added lacks it.
            func later(_ place: Int) -> Int64 {
                guard row.values.count > place, case .integer(let number) = row.values[place],
                    TickConnection.possibleSequences.contains(number)
                else { return 0 }
                return number
            }
            (marks.sentAgain, marks.gone) = (later(3), later(4))
            found[stream] = marks
        }
        marks = found
    }

    /// Copies the streams' rows: along their trees, then from pages that no tree leads to. The fresh file must have the
    /// drops already: they say which numbers have no row.
    mutating func copyEvents(into database: Database) throws {
        var targets: [EventStream: SalvageTarget] = [:]
        var read = 0
        let total = Int(image.pageCount)
        var unreadable: [EventStream: Int64] = [:]
        for stream in streams {
            let target = try target(stream.rawValue, database)
            targets[stream] = target
            let first = marks[stream]?.deleted ?? 0
            walk.begin()
            var wrong: Int64 = 0
            var seen = 0
            try walk.table(roots[stream.rawValue] ?? target.layout.usualRoot) { [progress] row throws(StoreError) in
                guard EventRecord.isRow(row, of: stream) else {
                    wrong += 1
                    return false
                }
                seen += 1
                if seen % 4096 == 0 { progress(min(read + seen / 32, total), total) }
                if row.rowid > first { try target.add(row) }
                return true
            }
            read += seen / 32
            unreached[stream] = walk.damaged
            if wrong > 0 { unreached[stream]?.append(.min ... .max) }
            unreadable[stream] = wrong
        }
        var missing = unreached
        for stream in streams {
            // A link that leads to the wrong page may leave out rows without any sign of damage.
            missing[stream, default: []] += try holes(in: stream, database)
        }
        if isOutdated || missing.values.contains(where: { !$0.isEmpty }) {
            try copyStrays(of: missing.mapValues(SequenceSpans.init), into: targets)
        }
        for stream in streams {
            tables.append(
                .init(name: stream.rawValue, kept: targets[stream]?.kept ?? 0, unreadable: unreadable[stream] ?? 0))
        }
        progress(total, total)
    }

    /// The numbers that no row of a stream has so far, although nothing explains that.
    private func holes(in stream: EventStream, _ database: Database) throws -> [ClosedRange<Int64>] {
        let first = try Int64.fetchOne(database, sql: "SELECT min(seq) FROM \(stream.rawValue)")
        let marks = self.marks[stream] ?? UploadMarks(deleted: max(0, (first ?? 1) - 1))
        return try SequenceSpans.unexplained(in: stream, marks, database)
    }

    /// Copies missing rows from leaves that no tree leads to any more.
    ///
    /// A freed page still holds its old rows. Those were deleted from the head, so they are not beyond the mark and are
    /// left out; only a row that a retry moved may come back under its old number as well. Rows never change, so any copy
    /// of a row is the row.
    private mutating func copyStrays(
        of missing: [EventStream: SequenceSpans], into targets: [EventStream: SalvageTarget]
    ) throws {
        markFree()
        // A copy, so that overflow pages of tables that are copied later don't count as reached.
        var walk = walk
        for number in 2...max(2, image.pageCount) where Int(number) < walk.reached.count && !walk.reached[Int(number)] {
            guard let bytes = image.page(number),
                let page = TreePage(bytes, number: number, usableBytes: image.usableBytes), page.kind == .leafTable
            else { continue }
            for row in walk.rows(of: page) {
                guard let stream = EventRecord.stream(of: row), row.rowid > marks[stream]?.deleted ?? 0,
                    isOutdated || missing[stream]?.cover(row.rowid...row.rowid) == true
                else { continue }
                try targets[stream]?.add(row)
            }
        }
    }

    /// Marks the free pages, as far as their list can be followed.
    private mutating func markFree() {
        var next = image.header?.firstFree ?? 0
        var steps: UInt32 = 0
        while next > 0, steps < image.pageCount, Int(next) < walk.reached.count, !walk.reached[Int(next)],
            let trunk = image.page(next), trunk.count == image.pageSize
        {
            let count = Int(trunk.bigEndian32(at: 4))
            guard count <= image.usableBytes / 4 - 2 else { return }
            let leaves = (0..<count).map { trunk.bigEndian32(at: 8 + 4 * $0) }
            guard leaves.allSatisfy({ $0 > 1 && $0 <= image.pageCount }) else { return }
            walk.mark(next)
            for leaf in leaves { walk.mark(leaf) }
            next = trunk.bigEndian32(at: 0)
            steps += 1
        }
    }

    private func target(_ name: String, _ database: Database) throws -> SalvageTarget {
        guard let handle = database.sqliteConnection else { throw StoreError(.closed, operation: "repair") }
        return SalvageTarget(try TableLayout(name, in: database), on: handle)
    }
}
