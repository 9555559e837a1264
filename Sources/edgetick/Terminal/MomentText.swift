import ArgumentParser
import FoundationEssentials
import MarketData

/// Moments as people write them on a command line.
enum MomentText {
    /// The accepted forms, for help and errors.
    static let syntax =
        "2026-01-05, 2026-01-05T14:30, 2026-01-05T14:30:00Z (UTC without a zone), 1767623400 or 1767623400000 (Unix seconds "
        + "or milliseconds), -90m, -2h, -3d or now"

    /// Returns the moment in milliseconds since the Unix epoch, or `nil` if the text is none. Pure.
    ///
    /// - Parameter now: The moment, in milliseconds since the Unix epoch, that `now` means and that spans such as `-2h`
    ///   count back from.
    static func milliseconds(_ text: String, now: Int64) -> Int64? {
        let text = String(text[...].trimmingBlanks())
        if text == "now" { return now }
        if text.hasPrefix("-"), let unit = text.last, let amount = Int64(text.dropFirst().dropLast()) {
            let units: [Character: Int64] = ["s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000]
            guard let length = units[unit], amount >= 0, amount < 1_000_000 else { return nil }
            return now - amount * length
        }
        // As seconds, the years 1973 to 5138; as milliseconds, 1973 to 33658.
        if text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }), let number = Int64(text) {
            switch text.utf8.count {
            case 9...11: return number * 1000
            case 12...15: return number
            default: return nil
            }
        }
        return absolute(text)
    }

    static func argument(_ text: String) throws -> Int64 {
        guard let moment = milliseconds(text, now: WallClock.milliseconds()) else {
            throw ValidationError("\"\(text.escapingControls)\" is not a point in time; write \(syntax)")
        }
        return moment
    }

    /// The moment as `2026-01-05T14:30:00Z`, with milliseconds unless they are zero.
    static func text(_ milliseconds: Int64) -> String {
        milliseconds % 1000 == 0 ? WallClock.text(milliseconds: milliseconds) : exactText(milliseconds)
    }

    /// The same with milliseconds in any case.
    static func exactText(_ milliseconds: Int64) -> String {
        let rest = (milliseconds % 1000 + 1000) % 1000
        return "\(WallClock.text(milliseconds: milliseconds).dropLast()).\(String(1000 + rest).dropFirst())Z"
    }

    private static func absolute(_ text: String) -> Int64? {
        var text = text.replacing(" ", with: "T")
        guard let place = text.firstIndex(of: "T") else { return parse(text + "T00:00:00Z") }
        var clock = String(text[text.index(after: place)...])
        var zone = "Z"
        if clock.hasSuffix("Z") {
            clock.removeLast()
        } else if let sign = clock.lastIndex(where: { $0 == "+" || $0 == "-" }) {
            zone = String(clock[sign...])
            clock = String(clock[..<sign])
        }
        if clock.split(separator: ":", omittingEmptySubsequences: false).count == 2 { clock += ":00" }
        text = text[..<place] + "T" + clock
        return parse(text + zone) == nil || parse(text + "Z") == nil ? nil : parse(text + zone)
    }

    private static func parse(_ text: String) -> Int64? {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: text.contains("."))
        guard let date = try? Date(text, strategy: style) else { return nil }
        let milliseconds = Int64((date.timeIntervalSince1970 * 1000).rounded())
        // The parser carries over: day 31 of a short month, or hour 25, would become another moment. A fraction that rounds
        // up to the next second is none of that.
        let second = Int64(date.timeIntervalSince1970.rounded(.down)) * 1000
        let isExact = !text.hasSuffix("Z") || MomentText.text(second).prefix(19) == text.prefix(19)
        return isExact ? milliseconds : nil
    }
}
