import FoundationEssentials
import MarketData
import Universe
import Wire

/// A parameter of a route: one value defines how it is read and how the API's document describes it.
struct Parameter<Value: Sendable>: DescribedParameter {
    let name: String
    let place: ParameterPlace
    let meaning: String
    let schema: Schema
    /// The value if a request omits the parameter or leaves it blank; `nil` if it is required.
    let standard: Value?
    /// The error for a text that ``read`` refuses.
    let fault: String
    let read: @Sendable (String) -> Value?

    var isRequired: Bool { standard == nil }

    /// Returns the value of a text, or the standard for `nil` and a blank text.
    func value(of text: String?) throws(Problem) -> Value {
        guard let text, !text.isEmpty else {
            if let standard { return standard }
            throw .parameter(name, "is missing")
        }
        guard let value = read(text) else { throw .parameter(name, fault) }
        return value
    }
}

enum ParameterPlace: String, Encodable, Sendable {
    case path
    case query
}

/// The properties of a parameter that the API's document shows.
protocol DescribedParameter: Sendable {
    var name: String { get }
    var place: ParameterPlace { get }
    var meaning: String { get }
    var schema: Schema { get }
    var isRequired: Bool { get }
}

/// The kinds of parameters.
enum Parameters {
    static let symbolFault = "is not a symbol in the feed's form, such as AAPL or BRK.B"
    private static let anySpelling = "; any usual spelling is understood"
    private static let spelling = Schema.text(Bounds(1...64))

    private static func symbol(_ text: some StringProtocol) -> Symbol? {
        text.utf8.count <= 64 ? Symbol(spelled: String(text)) : nil
    }

    /// A text in the path, within bounds in bytes.
    static func part(_ name: String, _ meaning: String, atMost limit: Int) -> Parameter<String> {
        Parameter(
            name: name, place: .path, meaning: meaning, schema: .text(Bounds(1...limit)), standard: nil,
            fault: "must have 1 to \(limit) bytes", read: { $0.utf8.count <= limit ? $0 : nil })
    }

    /// A symbol that is required.
    static func symbol(_ name: String, _ place: ParameterPlace, _ meaning: String) -> Parameter<Symbol> {
        Parameter(
            name: name, place: place, meaning: meaning + anySpelling, schema: spelling, standard: nil,
            fault: symbolFault, read: { symbol($0) })
    }

    /// A symbol that may be left out.
    static func anySymbol(_ name: String, _ meaning: String) -> Parameter<Symbol?> {
        Parameter(
            name: name, place: .query, meaning: meaning + anySpelling, schema: spelling, standard: .some(nil),
            fault: symbolFault, read: { symbol($0).map(Optional.some) })
    }

    /// Symbols separated by commas.
    static func symbols(_ name: String, _ meaning: String, atMost limit: Int) -> Parameter<Set<Symbol>> {
        Parameter(
            name: name, place: .query, meaning: meaning + anySpelling, schema: .list(spelling, Bounds(maximum: limit)),
            standard: [], fault: "must be at most \(limit) symbols, separated by commas",
            read: { text in
                let pieces = text.split(separator: ",")
                let found = pieces.compactMap { symbol($0) }
                let symbols = Set(found)
                return found.count == pieces.count && symbols.count <= limit ? symbols : nil
            })
    }

    static func number(_ name: String, _ meaning: String, _ range: ClosedRange<Int>, standard: Int) -> Parameter<Int> {
        Parameter(
            name: name, place: .query, meaning: "\(meaning); \(standard) when left out",
            schema: .integer(Bounds(range)), standard: standard,
            fault: "must be a whole number from \(range.lowerBound) to \(range.upperBound)",
            read: { Int($0).flatMap { range.contains($0) ? $0 : nil } })
    }

    /// A time, in milliseconds since the Unix epoch.
    static func time(_ name: String, _ meaning: String) -> Parameter<Int64?> {
        Parameter(
            name: name, place: .query, meaning: meaning + ": Unix seconds, or a time as 2026-01-05T14:30:00Z",
            schema: .text(Bounds()), standard: .some(nil),
            fault: "must be Unix seconds or a time as 2026-01-05T14:30:00Z",
            read: { milliseconds($0).map(Optional.some) })
    }

    /// Reads Unix seconds (with or without decimals) or ISO 8601 with a zone.
    private static func milliseconds(_ text: String) -> Int64? {
        if let seconds = Double(text) {
            // A time after the year 9999 is a mistake.
            return seconds.magnitude < 253_402_300_800 ? Int64((seconds * 1000).rounded()) : nil
        }
        for style in [Date.ISO8601FormatStyle(), Date.ISO8601FormatStyle(includingFractionalSeconds: true)] {
            guard let date = try? style.parse(text) else { continue }
            return isExact(text, style) ? Int64((date.timeIntervalSince1970 * 1000).rounded()) : nil
        }
        return nil
    }

    /// Whether the clock shows the time as it is written: the parser carries over, and February 30 would become a day in
    /// March.
    private static func isExact(_ text: String, _ style: Date.ISO8601FormatStyle) -> Bool {
        guard let zone = text.lastIndex(where: { "Z+-".contains($0) }),
            let clock = try? style.parse(String(text[..<zone]) + "Z")
        else { return false }
        let milliseconds = Int64((clock.timeIntervalSince1970 * 1000).rounded(.down))
        return WallClock.text(milliseconds: milliseconds).prefix(19) == text.prefix(19)
    }

    /// A day of the New York calendar that may be left out.
    static func day(_ name: String, _ meaning: String) -> Parameter<TradingDay?> {
        Parameter(
            name: name, place: .query, meaning: meaning + ", as 2026-11-24",
            schema: .text(Bounds(pattern: #"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"#)), standard: .some(nil),
            fault: "must be a date such as 2026-11-24", read: { TradingDay($0).map(Optional.some) })
    }

    /// A text that may be left out.
    static func text(_ name: String, _ meaning: String) -> Parameter<String?> {
        Parameter(
            name: name, place: .query, meaning: meaning, schema: .text(Bounds()), standard: .some(nil), fault: "",
            read: { .some($0) })
    }

    /// A word of an enumeration that may be left out, in upper or lower case.
    static func word<Word: CaseIterable & RawRepresentable & Sendable>(
        _ name: String, _ meaning: String, of type: Word.Type
    ) -> Parameter<Word?> where Word.RawValue == String {
        let words = Word.allCases.map(\.rawValue)
        return Parameter(
            name: name, place: .query, meaning: meaning, schema: .words(words), standard: .some(nil),
            fault: "must be one of: " + words.joined(separator: ", "),
            read: { text in
                let word = Word.allCases.first { $0.rawValue.lowercased() == text.lowercased() }
                return word.map(Optional.some)
            })
    }

    /// Words of an enumeration, separated by commas.
    static func words<Word: CaseIterable & RawRepresentable & Sendable & Hashable>(
        _ name: String, _ meaning: String, of type: Word.Type
    ) -> Parameter<Set<Word>> where Word.RawValue == String {
        let words = Word.allCases.map(\.rawValue)
        return Parameter(
            name: name, place: .query, meaning: meaning, schema: .list(.words(words), Bounds()), standard: [],
            fault: "must be one or more of: " + words.joined(separator: ", "),
            read: { text in
                let pieces = text.split(separator: ",").map { Word(rawValue: String($0)) }
                return pieces.contains(nil) ? nil : Set(pieces.compactMap(\.self))
            })
    }
}
