import MarketData

/// What a row of a stream's table may hold, as SQL conditions that are true for a valid value.
struct RowRules {
    /// A rule and how it is reported.
    struct Rule {
        let name: String
        let condition: String
    }

    let rules: [Rule]

    init(_ stream: EventStream, inFileOfVersion version: Int) {
        rules = stream.columns.filter { $0.since <= version }.flatMap { column in
            let follows = column.follows.map {
                Rule(name: "\(column.name) is not after \($0)", condition: "\(column.name) > \($0)")
            }
            return [Self.rule(column), follows].compactMap(\.self)
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
            return Rule(
                name: "symbol is not one that the feed writes",
                condition: """
                    \(type) = 'text' AND length(\(name)) BETWEEN 1 AND \(Symbol.maximumLength) \
                    AND \(name) NOT GLOB '*[^!-~]*' AND \(name) NOT GLOB '*[,"*\\]*'
                    """)
        case .interval:
            let lengths = Bar.Interval.allCases.map { "\($0.rawValue)" }.joined(separator: ", ")
            return Rule(name: "\(name) is neither 1 nor 60", condition: "\(name) IN (\(lengths))")
        case .milliseconds, .microseconds, .nanoseconds, .whole, .small:
            let types = column.isRequired ? "\(type) = 'integer'" : "\(type) IN ('integer', 'null')"
            return Rule(name: "\(name) is not a whole number", condition: types)
        case .price, .quantity:
            // A finite number; SQLite stores NULL for NaN.
            let isFinite = "\(type) = 'real' AND abs(\(name)) <= 1.7976931348623157e308"
            return column.isRequired
                ? Rule(name: "\(name) is missing or not a finite number", condition: isFinite)
                : Rule(name: "\(name) is not a finite number", condition: "\(name) IS NULL OR (\(isFinite))")
        case .flag: return Rule(name: "\(name) is neither 0 nor 1", condition: "\(name) IS NULL OR \(name) IN (0, 1)")
        case .text, .list: return Rule(name: "\(name) is not text", condition: "\(type) IN ('text', 'null')")
        case .name:
            return Rule(name: "\(name) is empty or not text", condition: "\(type) = 'text' AND \(name) <> ''")
        case .source:
            let sources = EventSource.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")
            return Rule(name: "\(name) is unknown", condition: "\(name) IN (\(sources))")
        }
    }
}
