import GRDB
import MarketData

/// Finds refused bars of which the file holds a newer version, so that they don't go back to the end of the queue.
///
/// There is no index by a bar's key: rows are read once, each look goes on where the one before ended.
struct NewerBars: Sendable {
    private struct Key: Hashable {
        let symbol: Symbol
        let interval: Int32
        let start: Int64

        var json: String { "[\(JSONString.quoted(symbol.description)),\(interval),\(start)]" }

        init(_ bar: Bar) {
            symbol = bar.symbol
            interval = bar.interval.rawValue
            start = bar.start
        }

        init?(_ row: Cells) {
            guard let symbol = row["symbol"].flatMap({ (name: String) in Symbol(name) }),
                let interval: Int32 = row["interval_s"], let start: Int64 = row["start_ms"]
            else { return nil }
            self.symbol = symbol
            self.interval = interval
            self.start = start
        }
    }

    /// The sequences that the bars had.
    private let wanted: [Key: [Int64]]
    /// The same keys for SQLite, which compares rows by the million: a JSON array of arrays.
    private let keys: String
    /// The sequences that bars had of which there is a newer version.
    private(set) var found: Set<Int64> = []
    /// The last row that was looked at.
    private(set) var through: Int64

    /// - Parameters:
    ///   - bars: with the sequences that they had when they were refused.
    ///   - through: rows up to this one need no look; `nil` for those of before the first of the bars alone.
    init(_ bars: some Sequence<(sequence: Int64, bar: Bar)>, after through: Int64? = nil) {
        var first = Int64.max
        var wanted: [Key: [Int64]] = [:]
        for (sequence, bar) in bars {
            first = min(first, sequence)
            wanted[Key(bar), default: []].append(sequence)
        }
        self.wanted = wanted
        keys = "[\(wanted.keys.map(\.json).joined(separator: ","))]"
        self.through = through ?? max(first, 1) - 1
    }

    /// Rows that one look reads at most.
    static let step: Int64 = 1 << 20

    /// Looks at rows that came since the last look, through one at most.
    ///
    /// - Parameter own: Rows that are such bars themselves, put back meanwhile.
    mutating func look(_ database: Database, through end: Int64, except own: Set<Int64> = []) throws {
        let last = min(end, through + Self.step)
        let rows = try Row.fetchCursor(
            database,
            sql: """
                SELECT seq, symbol, interval_s, start_ms FROM bars WHERE seq > ?1 AND seq <= ?2
                AND (symbol, interval_s, start_ms) IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?3))
                ORDER BY seq
                """, arguments: [through, last, keys])
        while let row = try rows.next() {
            let row = Cells(row)
            let sequence: Int64 = try row.required("seq")
            guard !own.contains(sequence), let key = Key(row) else { continue }
            found.formUnion(wanted[key]?.filter { $0 < sequence } ?? [])
        }
        through = last
    }
}

extension TickConnection {
    /// The letters without those of bars of which a newer version came since they were looked for.
    func standing(_ letters: [SettledLetter], through last: Int64) throws(StoreError) -> [SettledLetter] {
        let bars = letters.compactMap { letter in
            letter.batch?.bars.first.map { (sequence: letter.sequence, bar: $0) }
        }
        guard !bars.isEmpty else { return letters }
        var newer = NewerBars(bars, after: letters.map(\.lookedThrough).min())
        try StoreError.translating("read", path: path) {
            while newer.through < last { try queue.read { try newer.look($0, through: last) } }
        }
        return letters.filter { $0.stream != .bars || !newer.found.contains($0.sequence) }
    }
}
