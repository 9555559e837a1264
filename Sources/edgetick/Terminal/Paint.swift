import FoundationEssentials
import Glibc

/// Colours a terminal's text; leaves a pipe's text as it is.
struct Paint {
    /// A colour, as the parameter of its escape sequence.
    enum Level: String {
        case good = "32"
        case warning = "33"
        case bad = "31;1"
        case faint = "2"
    }

    let isOn: Bool

    /// Colours if standard output is a terminal that supports them and NO_COLOR is not set.
    static func ofStandardOutput() -> Paint {
        let environment = ProcessInfo.processInfo.environment
        let refuses = environment["NO_COLOR"].map { !$0.isEmpty } ?? false
        return Paint(isOn: isatty(STDOUT_FILENO) == 1 && environment["TERM"] != "dumb" && !refuses)
    }

    func callAsFunction(_ text: String, _ level: Level) -> String {
        isOn ? "\u{1B}[\(level.rawValue)m\(text)\u{1B}[0m" : text
    }
}

extension String {
    /// The text in at most `width` characters, with an ellipsis if it is cut.
    func cut(to width: Int) -> String { count <= width ? self : String(prefix(max(0, width - 1))) + "…" }

    /// The text broken at spaces into at most `limit` lines of `width` characters; the rest is cut off.
    func lines(of width: Int, atMost limit: Int) -> [String] {
        var lines: [String] = []
        var rest = self[...]
        while lines.count < limit - 1, rest.count > width {
            let piece = rest.prefix(width + 1)
            let end = piece.lastIndex(of: " ") ?? piece.index(before: piece.endIndex)
            lines.append(String(rest[..<end]))
            rest = rest[end...].drop { $0 == " " }
        }
        return lines + [String(rest).cut(to: width)]
    }
}
