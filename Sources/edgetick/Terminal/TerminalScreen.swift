import Glibc

/// A page that is drawn again and again on the terminal's other screen: what was there before comes back at the end.
struct TerminalScreen {
    static func enter() { printNow("\u{1B}[?1049h\u{1B}[?25l") }

    static func leave() { printNow("\u{1B}[?25h\u{1B}[?1049l") }

    /// Draws a page over the last one.
    static func draw(_ page: String) {
        var size = winsize()
        let isKnown = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_row > 0
        printNow(frame(page, rows: isKnown ? Int(size.ws_row) : 24))
    }

    /// What draws a page on a window of so many rows: what doesn't fit is counted in the last one. Pure.
    static func frame(_ page: String, rows: Int) -> String {
        var lines = page.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
        if lines.last == "" { lines.removeLast() }
        if lines.count > rows {
            let hidden = lines.count - rows + 1
            lines = Array(lines.prefix(max(0, rows - 1))) + ["… \(hidden) more lines: a taller window shows them"]
        }
        return "\u{1B}[H" + lines.joined(separator: "\u{1B}[K\r\n") + "\u{1B}[K\u{1B}[J"
    }
}
