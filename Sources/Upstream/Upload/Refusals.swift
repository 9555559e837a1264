import MarketData

/// The rows of a stream that the server refused, by SQLSTATE: distinguishes bad rows from a table that accepts none.
///
/// A few bad rows become dead letters. Many rows of several symbols with one code point to a missing partition, a new
/// constraint or a trigger. Those rows are good, so they stay in the queue until a person has looked.
struct Refusals: Sendable, Equatable {
    /// The number of rows of several symbols from which refused rows are no longer set aside.
    static let limit = 100
    /// While this many rows go through, refused ones add up, whatever the size of the batches.
    static let window = 10_000
    /// If this many rows go through for each that is refused, the table takes rows, and those that it refuses are at fault.
    static let ratio = window / limit

    private struct Count: Sendable, Equatable {
        var rows = 0
        /// Their symbols, ``limit`` at most.
        var symbols: Set<Symbol> = []

        mutating func add(_ other: Count) {
            rows += other.rows
            symbols.formUnion(other.symbols.prefix(max(0, Refusals.limit - symbols.count)))
        }
    }

    private var counts: [String: Count] = [:]
    /// The rows that went through since counting began.
    private var rowsPassed = 0

    mutating func add(_ symbol: Symbol, _ sqlState: String) {
        counts[sqlState, default: Count()].rows += 1
        if counts[sqlState]?.symbols.count ?? 0 < Self.limit { counts[sqlState]?.symbols.insert(symbol) }
    }

    mutating func add(_ other: Refusals) {
        for (sqlState, count) in other.counts { counts[sqlState, default: Count()].add(count) }
    }

    /// Counts rows that went through, and begins again after ``window`` of them.
    mutating func passed(_ rows: Int) {
        rowsPassed += rows
        if rowsPassed >= Self.window { self = Refusals() }
    }

    /// Whether so many rows were refused with a code that the rows are hardly at fault.
    func areTooMany(_ sqlState: String) -> Bool {
        guard let count = counts[sqlState] else { return false }
        return count.rows >= Self.limit && count.symbols.count >= 2
    }

    /// Whether so few rows were refused with a code, among those that were loaded, that they are at fault themselves.
    func areFew(_ sqlState: String, among loaded: Int) -> Bool {
        (counts[sqlState]?.rows ?? 0) * Self.ratio <= loaded
    }

    /// The error that makes a stream wait for a person: `error`, with the number of rows that were refused alike.
    func pause(because error: UpstreamError) -> UpstreamError {
        let count = error.sqlState.flatMap { counts[$0] }
        let rows =
            count.map { "\($0.rows.counted("row")) of \($0.symbols.count.counted("symbol")) are refused alike: " } ?? ""
        return error.with(.refused, preface: rows)
    }
}

extension UpstreamError {
    /// Whether no partition accepts the row: a failed check (23514) that names a table but no constraint.
    var isWithoutPartition: Bool { sqlState == "23514" && constraint == nil && object?.hasPrefix("table ") == true }
}
