/// One answer, or a part of one: a JSON object whose members are the type's properties.
///
/// The properties are spelled as they go out, so that a search for a name finds the server, the commands, the page and
/// the document alike. Times are integers in milliseconds since the Unix epoch and end in `_ms`; durations are numbers
/// of seconds and end in `_seconds`. A member is never left out: what is not known is `null`.
package protocol WireObject: Codable, Sendable {
    /// What members mean whose names don't say it.
    static var meanings: [String: String] { get }
    /// What the server asks of members beyond their types.
    static var bounds: [String: Bounds] { get }
}

extension WireObject {
    package static var meanings: [String: String] { [:] }
    package static var bounds: [String: Bounds] { [:] }
}

/// The limits of a text, a list or a number; checked by the server and printed in the document.
package struct Bounds: Sendable, Equatable {
    /// The least characters, elements, or number.
    package var minimum: Int?
    /// The most characters, elements, or number.
    package var maximum: Int?
    /// The regular expression that a text matches.
    package var pattern: String?

    package init(_ range: ClosedRange<Int>) { (minimum, maximum) = (range.lowerBound, range.upperBound) }

    package init(minimum: Int? = nil, maximum: Int? = nil, pattern: String? = nil) {
        self.minimum = minimum
        self.maximum = maximum
        self.pattern = pattern
    }

    /// A symbol as the feed writes it: `MarketData.Symbol` says the same in bytes.
    package static let symbol = Bounds(minimum: 1, maximum: 16, pattern: #"^[!#-)+\-./0-9:-\[\]-~]{1,16}$"#)
}
