import CPostgres
import MarketData

struct StatementResult {
    /// The command tag, such as `INSERT 0 5` or `COMMIT`.
    let tag: String
    /// The rows, as text; `nil` is NULL.
    let rows: [[String?]]

    /// The number of rows in the tag; 0 when it has none.
    var affected: Int { tag.split(separator: " ").last.flatMap { Int($0) } ?? 0 }

    /// The first row's first value; `nil` if there is none, and for NULL.
    var value: String? { rows.first?.first ?? nil }

    /// ``value`` as a whole number; `nil` if it isn't one.
    var number: Int? { value.flatMap { Int($0) } }
}

extension [StatementResult] {
    /// The rows of the last statement.
    var rows: [[String?]] { last?.rows ?? [] }

    /// The last statement's first value; `nil` if there is none, and for NULL.
    var value: String? { last?.value }
}

extension [String?] {
    /// A column's value as a number; `nil` if it isn't one.
    func number<Number: LosslessStringConvertible>(_ column: Int) -> Number? { self[column].flatMap { Number($0) } }
}

extension PostgresConnection {
    /// Runs statements, separated by semicolons, in one exchange, and returns the result of each.
    ///
    /// - Throws: the first error, after the exchange is over; later statements were not run.
    @discardableResult
    func run(_ sql: String, _ operation: String) throws(UpstreamError) -> [StatementResult] {
        let deadline = Deadline(after: configuration.responseLimit)
        try send(sql, until: deadline, operation)
        var results: [StatementResult] = []
        var failure: UpstreamError?
        while let result = try nextResult(until: deadline, operation, after: failure) {
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: results.append(StatementResult(result))
            default: failure = failure ?? error(in: result, operation)
            }
        }
        if let failure { throw settled(failure) }
        return results
    }

    /// Begins a transaction with EdgeTick's session settings.
    ///
    /// - Parameter mode: What follows BEGIN.
    func begin(_ mode: String, _ operation: String) throws(UpstreamError) {
        try run((["BEGIN \(mode)"] + configuration.sessionSQL).joined(separator: "; "), operation)
    }

    /// Runs statements with EdgeTick's session settings, in the open transaction if there is one.
    func ask(_ sql: String, _ operation: String) throws(UpstreamError) -> [StatementResult] {
        guard !isInTransaction else { return try run(sql, operation) }
        let settings = configuration.sessionSQL
        let results = try run((settings + [sql]).joined(separator: "; "), operation)
        return Array(results.dropFirst(settings.count))
    }

    func send(_ sql: String, until deadline: Deadline, _ operation: String) throws(UpstreamError) {
        guard isUsable else { throw discarded(.connectionLost, operation, "not connected") }
        guard PQsendQuery(handle, sql) == 1 else { throw discarded(.connectionLost, operation, lastMessage) }
        try flush(until: deadline, operation)
    }

    /// Returns `error` unchanged, after closing the connection if it can't be used any more.
    func settled(_ error: UpstreamError) -> UpstreamError {
        if error.endsConnection || !isUsable { finish() }
        return error
    }
}

extension StatementResult {
    init(_ result: OpaquePointer) {
        tag = PQcmdStatus(result).map { String(cString: $0) } ?? ""
        let columns = PQnfields(result)
        rows = (0..<PQntuples(result)).map { row in
            (0..<columns).map { column in
                PQgetisnull(result, row, column) == 1 ? nil : String(cString: PQgetvalue(result, row, column))
            }
        }
    }
}

extension RandomAccessCollection where Index == Int {
    /// The elements in parts of at most `size`, each for one statement.
    func parts(of size: Int) -> [SubSequence] {
        stride(from: startIndex, to: endIndex, by: size).map { self[$0..<Swift.min($0 + size, endIndex)] }
    }
}

/// Quotes what goes into SQL text.
enum SQLText {
    /// A string constant that is safe with any value of `standard_conforming_strings`.
    static func literal(_ text: String) -> String {
        let doubled = text.escaping("'", with: "'")
        guard doubled.utf8.contains(UInt8(ascii: "\\")) else { return "'\(doubled)'" }
        return " E'" + doubled.escaping("\\", with: "\\") + "'"
    }

    static func array(_ texts: [String]) -> String { "ARRAY[\(texts.map(literal).joined(separator: ", "))]::text[]" }

    /// A name as people write it, in quotes only if it needs them.
    static func name(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
            default: false
            }
        }
        return isPlain && text.first?.isNumber == false ? text : identifier(text)
    }

    static func identifier(_ text: String) -> String { "\"" + text.escaping("\"", with: "\"") + "\"" }
}
