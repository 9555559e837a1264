/// One response, or a part of one: a JSON object whose members are the type's properties.
///
/// The properties are spelled as they are in JSON, so that a search for a name finds the server, the commands, the page
/// and the document. Times are integers in milliseconds since the Unix epoch and end in `_ms`; durations are numbers of
/// seconds and end in `_seconds`. A member is never left out: an unknown value is `null`.
package protocol WireObject: Codable, Sendable {
    /// The name in the API's document and in docs/json.md: `SyncStream` for `SyncJSON.Stream`.
    static var schemaName: String { get }
    /// The meanings of members whose names don't say it.
    static var meanings: [String: String] { get }
    /// The limits that the server enforces on members, beyond their types.
    static var bounds: [String: Bounds] { get }
}

extension WireObject {
    package static var schemaName: String {
        String(reflecting: Self.self).split(separator: ".").dropFirst().joined().replacing("JSON", with: "")
    }
    package static var meanings: [String: String] { [:] }
    package static var bounds: [String: Bounds] { [:] }
}

extension CaseIterable where Self: RawRepresentable<String> {
    /// What belongs to each case, by the case's name in JSON; cases without anything are left out.
    static func byName<Value>(_ value: (Self) -> Value?) -> [String: Value] {
        Dictionary(uniqueKeysWithValues: allCases.compactMap { name in value(name).map { (name.rawValue, $0) } })
    }

    /// The cases' names in JSON, for a member's meaning.
    static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
}

/// The limits of a text, a list or a number. The server checks them, and the API's document states them.
package struct Bounds: Sendable, Equatable {
    /// The fewest characters or elements, or the least number.
    package var minimum: Int?
    /// The most characters or elements, or the greatest number.
    package var maximum: Int?
    /// The regular expression that a text must match.
    package var pattern: String?

    package init(_ range: ClosedRange<Int>) { (minimum, maximum) = (range.lowerBound, range.upperBound) }

    package init(minimum: Int? = nil, maximum: Int? = nil, pattern: String? = nil) {
        self.minimum = minimum
        self.maximum = maximum
        self.pattern = pattern
    }

    /// A symbol as the feed writes it; `MarketData.Symbol` has the same rule in bytes.
    package static let symbol = Bounds(minimum: 1, maximum: 16, pattern: #"^[!#-)+\-./0-9:-\[\]-~]{1,16}$"#)
}
