import GRDB
import MarketData

/// The unfilled gaps of a buffer's file that can't be used any more: its successor takes them over.
///
/// What filled a part of a gap may be lost with the file, so each gap is taken over whole.
struct UnfilledGaps: Sendable, Equatable {
    /// In the order in which they were recorded.
    private(set) var gaps: [Gap] = []
    /// Whether there may be others: a part of the table can't be read, or there are too many.
    private(set) var isPart = false

    /// The number of gaps that are taken over at most; the newest are preferred.
    static let most = 1000

    /// The value for a file from which nothing can be read.
    static let unknown = UnfilledGaps(isPart: true)

    private init(isPart: Bool) { self.isPart = isPart }

    /// Reads a file without changing it, whatever else in it is damaged.
    ///
    /// - Parameter id: The file's identifier, if known: a file of another collector contributes no gaps.
    init(_ path: String, id: String? = nil) {
        self = .unknown
        guard let reader = StoreConnection.openDamaged(path) else { return }
        defer { try? reader.close() }
        self = reader.unsafeRead { database in
            let row = try? Row.fetchOne(database, sql: "SELECT id FROM buffer")
            let own: String? = row.flatMap { Cells($0)["id"] }
            return id == nil || own == nil || own == id ? UnfilledGaps(database) : UnfilledGaps(isPart: false)
        }
    }

    /// Reads the gaps over any connection.
    init(_ database: Database) {
        self = .unknown
        guard let columns = try? database.columns(in: "gaps").map(\.name) else { return }
        let states = GapState.unsettled.map(\.rawValue).sqlList
        // The first version of the file had no states.
        let condition = columns.contains("state") ? "state IN (\(states))" : "TRUE"
        var found: [Int64: Gap] = [:]
        func read(_ order: String) throws -> Bool {
            let rows = try Row.fetchCursor(
                database, sql: "SELECT * FROM gaps WHERE \(condition) ORDER BY id \(order) LIMIT \(Self.most + 1)")
            var count = 0
            while found.count < Self.most, let row = try rows.next() {
                count += 1
                if let id: Int64 = Cells(row)["id"], let gap = Self.sound(row) { found[id] = gap }
            }
            return try rows.next() == nil && found.count == count
        }
        do {
            isPart = try !read("DESC")
        } catch {
            // There may be others on the other side of the damage.
            _ = try? read("ASC")
        }
        gaps = found.sorted { $0.key < $1.key }.map(\.value)
    }

    /// Returns a row's gap; `nil` if damage turned the row into something that can't be a gap.
    private static func sound(_ row: Row) -> Gap? {
        let gap = Gap(row)
        let cells = Cells(row)
        let symbols: String? = cells["symbols"]
        guard symbols == "*" || !gap.symbols.isEmpty, !gap.events.isEmpty, gap.from == cells["from_ms"] ?? 0,
            gap.to == cells["to_ms"]
        else { return nil }
        return gap
    }

    /// Ends the gaps that are still open, since nothing else will end them.
    mutating func end(at time: Int64) {
        for place in gaps.indices where gaps[place].to == nil {
            gaps[place].to = max(gaps[place].from, time)
            gaps[place].isUncertain = true
        }
    }

    /// The text for the log and the incident.
    var text: String {
        let advice = "use edgetick backfill --from to fetch the missing bars of a time range"
        return switch (gaps.count, isPart) {
        case (0, true): "its unfilled gaps can't be read: \(advice)"
        case (0, false): "no gap in it waited to be filled"
        case (let count, true): "unfilled gaps taken over: \(count), but there may be others: \(advice)"
        case (let count, false): "unfilled gaps taken over: \(count)"
        }
    }
}
