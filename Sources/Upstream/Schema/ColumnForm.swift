import MarketData

/// What one of our columns holds; decides which types an existing column may have.
enum ColumnContent: Sendable {
    /// A ticker, name or other text.
    case text
    /// A price: needs decimals.
    case price
    /// A number of shares: may have decimals, and is rounded if the column has none.
    case quantity
    case whole, instant, flag, list, document, identifier
}

extension ColumnContent {
    /// The content of a column in a table of events.
    init(_ content: Column.Content) {
        switch content {
        case .symbol, .text, .name, .source: self = .text
        case .price: self = .price
        case .quantity: self = .quantity
        case .sequence, .interval, .nanoseconds, .whole, .small: self = .whole
        case .milliseconds, .microseconds: self = .instant
        case .flag: self = .flag
        case .list: self = .list
        }
    }
}

/// How a value is written for a column's type.
enum ColumnForm: Sendable, Equatable {
    case text, decimal, rounded, whole, zonedTime, plainTime, flag, array

    /// The form of `content` in a column whose type is `typeName` in pg_type; `nil` if the type can't hold it.
    init?(_ content: ColumnContent, typeName: String) {
        let isText = ["text", "varchar", "bpchar", "name", "citext"].contains(typeName)
        let isDocument = isText || typeName == "json" || typeName == "jsonb"
        let isInteger = ["int2", "int4", "int8"].contains(typeName)
        let isDecimal = ["numeric", "float4", "float8"].contains(typeName)
        switch content {
        case .text where isText: self = .text
        case .price where isDecimal, .quantity where isDecimal: self = .decimal
        case .quantity where isInteger: self = .rounded
        case .whole where isInteger || isDecimal || isText: self = .whole
        case .instant where typeName == "timestamptz": self = .zonedTime
        case .instant where typeName == "timestamp": self = .plainTime
        case .flag where typeName == "bool": self = .flag
        case .list where isDocument, .document where isDocument: self = .text
        case .list where ["_int2", "_int4", "_int8", "_numeric", "_float8", "_text"].contains(typeName): self = .array
        case .identifier where isText || typeName == "uuid": self = .text
        default: return nil
        }
    }
}
