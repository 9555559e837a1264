import CPostgres

/// The result of one statement.
struct StatementResult {
    /// The command tag, such as `INSERT 0 5` or `COMMIT`.
    let tag: String
    /// The rows, as text; `nil` is NULL.
    let rows: [[String?]]

    init(_ result: OpaquePointer) {
        tag = PQcmdStatus(result).map { String(cString: $0) } ?? ""
        let columns = PQnfields(result)
        rows = (0..<PQntuples(result)).map { row in
            (0..<columns).map { column in
                PQgetisnull(result, row, column) == 1 ? nil : String(cString: PQgetvalue(result, row, column))
            }
        }
    }

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
