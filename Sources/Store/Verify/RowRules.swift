import MarketData

/// What a row of a stream's table may hold, as SQL conditions that are true for a right value.
struct RowRules {
    /// A rule and how it is told.
    struct Rule {
        let name: String
        let condition: String
    }

    let rules: [Rule]

    init(_ stream: EventStream) {
        var rules = [Rule(name: "symbol is not one that the feed writes", condition: Self.symbol)]
        rules.append(Self.integer("received_us", isRequired: true))
        rules.append(Self.text("connection", isRequired: true))
        switch stream {
        case .bars:
            rules.append(Rule(name: "interval_s is neither 1 nor 60", condition: "interval_s IN (1, 60)"))
            rules += ["start_ms", "end_ms"].map { Self.integer($0, isRequired: true) }
            rules.append(Rule(name: "end_ms is not after start_ms", condition: "end_ms > start_ms"))
            rules += ["open", "high", "low", "close", "volume"].map { Self.number($0, isRequired: true) }
            rules += ["vwap", "day_volume", "day_open", "day_vwap", "average_size"].map {
                Self.number($0, isRequired: false)
            }
            rules.append(Rule(name: "otc is no flag", condition: "(otc IS NULL OR otc IN (0, 1))"))
            rules.append(Rule(name: "source is unknown", condition: "source IN ('stream', 'backfill')"))
        case .trades:
            rules.append(Self.integer("time_ms", isRequired: true))
            rules += ["price", "size"].map { Self.number($0, isRequired: true) }
            rules += ["exchange", "tape", "sequence", "trf_id", "trf_time_ms"].map {
                Self.integer($0, isRequired: false)
            }
            rules += ["trade_id", "conditions"].map { Self.text($0, isRequired: false) }
        case .quotes:
            rules.append(Self.integer("time_ms", isRequired: true))
            rules += ["bid", "bid_size", "ask", "ask_size"].map { Self.number($0, isRequired: false) }
            rules += ["bid_exchange", "ask_exchange", "condition", "tape", "sequence"].map {
                Self.integer($0, isRequired: false)
            }
            rules.append(Self.text("indicators", isRequired: false))
        }
        self.rules = rules
    }

    /// True for a row that keeps all rules.
    var all: String { rules.map { "(\($0.condition)) IS TRUE" }.joined(separator: " AND ") }

    /// The first rule that a row breaks, in words.
    var firstBroken: String {
        "CASE " + rules.map { "WHEN (\($0.condition)) IS NOT TRUE THEN '\($0.name)'" }.joined(separator: " ") + " END"
    }

    /// As ``Symbol`` takes it.
    private static let symbol = """
        typeof(symbol) = 'text' AND length(symbol) BETWEEN 1 AND \(Symbol.maximumLength) \
        AND symbol NOT GLOB '*[^!-~]*' AND symbol NOT GLOB '*[,"*\\]*'
        """

    private static func integer(_ column: String, isRequired: Bool) -> Rule {
        let types = isRequired ? "typeof(\(column)) = 'integer'" : "typeof(\(column)) IN ('integer', 'null')"
        return Rule(name: "\(column) is no whole number", condition: types)
    }

    private static func text(_ column: String, isRequired: Bool) -> Rule {
        isRequired
            ? Rule(name: "\(column) is no text", condition: "typeof(\(column)) = 'text' AND \(column) <> ''")
            : Rule(name: "\(column) is no text", condition: "typeof(\(column)) IN ('text', 'null')")
    }

    /// A finite number; SQLite stores NULL for what is none.
    private static func number(_ column: String, isRequired: Bool) -> Rule {
        let isFinite = "typeof(\(column)) = 'real' AND abs(\(column)) <= 1.7976931348623157e308"
        return Rule(
            name: isRequired ? "\(column) is missing or no finite number" : "\(column) is no finite number",
            condition: isRequired ? isFinite : "\(column) IS NULL OR (\(isFinite))")
    }
}
