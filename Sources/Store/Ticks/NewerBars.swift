import GRDB
import MarketData

/// Finds refused bars of which the file holds a newer version, so that they are not put back at the end of the queue.
///
/// There is no index by a bar's key, so each row is read once: every call continues where the previous one ended.
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

    /// The sequences of the refused bars.
    private let wanted: [Key: [Int64]]
    /// The same keys as a JSON array of arrays, for SQLite, which compares millions of rows.
    private let keys: String
    /// The sequences of those refused bars that have a newer version.
    private(set) var found: Set<Int64> = []
    /// The last row that was looked at.
    private(set) var through: Int64

    /// - Parameters:
    ///   - bars: The bars, with the sequences that they had when they were refused.
    ///   - through: The last row that needs no check; `nil` for the one before the first of the bars.
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

    /// The number of rows that one call reads at most.
    static let step: Int64 = 1 << 20

    /// Checks the rows after the last one that was checked, through `end` at most.
    ///
    /// - Parameter own: Rows that are refused bars themselves, put back meanwhile.
    mutating func look(_ database: Database, through end: Int64, except own: Set<Int64> = []) throws {
        let last = min(end, through + Self.step)
        let rows = try Row.fetchCursor(
            database,
            sql: """
                SELECT seq, symbol, interval_s, start_ms FROM bars WHERE seq > ?1 AND seq <= ?2
                AND (symbol, interval_s, start_ms) IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?3))
                ORDER BY seq
                """, arguments: [through, last, keys])
        while let row = try rows.next().map(Cells.init) {
            let sequence: Int64 = try row.required("seq")
            guard !own.contains(sequence), let key = Key(row) else { continue }
            found.formUnion(wanted[key]?.filter { $0 < sequence } ?? [])
        }
        through = last
    }
}

extension TickConnection {
    /// Returns the letters, except those of bars of which a newer version was added since they were checked.
    func standing(_ letters: [SettledLetter], through last: Int64) throws(StoreError) -> [SettledLetter] {
        let bars = letters.compactMap { letter in
            letter.batch?.bars.first.map { (sequence: letter.sequence, bar: $0) }
        }
        guard !bars.isEmpty else { return letters }
        var newer = NewerBars(bars, after: letters.map(\.lookedThrough).min())
        while newer.through < last { try read { try newer.look($0, through: last) } }
        return letters.filter { $0.stream != .bars || !newer.found.contains($0.sequence) }
    }
}
