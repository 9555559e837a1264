import MarketData

/// What a row of a stream's table may hold, as SQL conditions that are true for a valid value.
struct RowRules {
    /// A rule, and how it is reported when it is broken.
    private typealias Rule = (name: String, condition: String)

    private let rules: [Rule]

    init(_ stream: EventStream, inFileOfVersion version: Int) {
        rules = stream.columns.filter { $0.since <= version }.flatMap { column in
            let follows: Rule? = column.follows.map {
                ("\(column.name) is not after \($0)", "\(column.name) > \($0)")
            }
            return [Self.rule(column), follows].compactMap { $0 }
        }
    }

    /// The SQL that is true for a row that follows all rules.
    var all: String { rules.map { "(\($0.condition)) IS TRUE" }.joined(separator: " AND ") }

    /// The SQL for the first rule that a row breaks, in words.
    var firstBroken: String {
        "CASE " + rules.map { "WHEN (\($0.condition)) IS NOT TRUE THEN '\($0.name)'" }.joined(separator: " ") + " END"
    }

    private static func rule(_ column: Column) -> Rule? {
        let name = column.name
        let type = "typeof(\(name))"
        switch column.content {
        case .sequence: return nil
        case .symbol:
            // The same rule as that of ``Symbol``.
            return (
                "symbol is not one that the feed writes",
                """
                \(type) = 'text' AND length(\(name)) BETWEEN 1 AND \(Symbol.maximumLength) \
                AND \(name) NOT GLOB '*[^!-~]*' AND \(name) NOT GLOB '*[,"*\\]*'
                """
            )
        case .interval:
            let lengths = Bar.Interval.allCases.map { "\($0.rawValue)" }.joined(separator: ", ")
            return ("\(name) is neither 1 nor 60", "\(name) IN (\(lengths))")
        case .milliseconds, .microseconds, .nanoseconds, .whole, .small:
            let types = column.isRequired ? "\(type) = 'integer'" : "\(type) IN ('integer', 'null')"
            return ("\(name) is not a whole number", types)
        case .price, .quantity:
            // A finite number; SQLite stores NULL for NaN.
            let isFinite = "\(type) = 'real' AND abs(\(name)) <= 1.7976931348623157e308"
            return column.isRequired
                ? ("\(name) is missing or not a finite number", isFinite)
                : ("\(name) is not a finite number", "\(name) IS NULL OR (\(isFinite))")
        case .flag: return ("\(name) is neither 0 nor 1", "\(name) IS NULL OR \(name) IN (0, 1)")
        case .text, .list: return ("\(name) is not text", "\(type) IN ('text', 'null')")
        case .name: return ("\(name) is empty or not text", "\(type) = 'text' AND \(name) <> ''")
        case .source:
            let sources = EventSource.allCases.map(\.rawValue).sqlList
            return ("\(name) is unknown", "\(name) IN (\(sources))")
        }
    }
}
