import FoundationEssentials
import Glibc

/// Colours a terminal's text; leaves a pipe's text as it is.
struct Paint {
    enum Level {
        case good
        case warning
        case bad
        case faint
    }

    let isOn: Bool

    /// Colours if standard output is a terminal that supports them and NO_COLOR is not set.
    static func ofStandardOutput() -> Paint {
        let environment = ProcessInfo.processInfo.environment
        let refuses = environment["NO_COLOR"].map { !$0.isEmpty } ?? false
        return Paint(isOn: isatty(STDOUT_FILENO) == 1 && environment["TERM"] != "dumb" && !refuses)
    }

    /// The text in the level's colour.
    func callAsFunction(_ text: String, _ level: Level) -> String {
        guard isOn else { return text }
        let code =
            switch level {
            case .good: "32"
            case .warning: "33"
            case .bad: "31;1"
            case .faint: "2"
            }
        return "\u{1B}[\(code)m\(text)\u{1B}[0m"
    }
}

extension String {
    /// The text in at most `width` characters, with an ellipsis if it is cut.
    func cut(to width: Int) -> String {
        count <= width ? self : String(prefix(max(0, width - 1))) + "…"
    }

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
