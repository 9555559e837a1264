import Glibc

/// A page that is redrawn on the terminal's alternate screen; the previous contents come back at the end.
struct TerminalScreen {
    /// A page, and a remark to read before it.
    typealias Page = (text: String, remark: String?)

    /// Shows a page and shows it again every two seconds, until a signal. A pipe gets one page after the other.
    static func watch(_ page: @escaping @Sendable () async throws -> Page) async throws {
        let first = try await page()
        guard isatty(STDOUT_FILENO) == 1 else {
            show(first)
            return try await Interrupts.repeating(every: .seconds(2)) {
                let next = try await page()
                printNow("\n")
                show(next)
            }
        }
        printNow("\u{1B}[?1049h\u{1B}[?25l")
        defer { printNow("\u{1B}[?25h\u{1B}[?1049l") }
        draw(first)
        try await Interrupts.repeating(every: .seconds(2)) { draw(try await page()) }
    }

    /// Prints a page once, and its remark to standard error.
    static func show(_ page: Page) {
        if let remark = page.remark { printError(remark) }
        printNow(page.text)
    }

    /// The size of the window that shows standard output; 80 by 24 if unknown.
    static func size() -> (columns: Int, rows: Int) {
        var size = winsize()
        let isKnown = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_row > 0 && size.ws_col > 0
        return isKnown ? (Int(size.ws_col), Int(size.ws_row)) : (80, 24)
    }

    /// The window's columns; `nil` if standard output is no terminal.
    static func columns() -> Int? { isatty(STDOUT_FILENO) == 1 ? size().columns : nil }

    private static func draw(_ page: Page) {
        let size = size()
        let text = (page.remark.map { $0 + "\n" } ?? "") + page.text
        printNow(frame(text, columns: size.columns, rows: size.rows))
    }

    /// The bytes that draw a page in a window. A line that is too long is cut, since wrapped lines would push the top
    /// of the page out, and the last line says how many don't fit. Pure.
    static func frame(_ page: String, columns: Int, rows: Int) -> String {
        var lines = page.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
        if lines.last == "" { lines.removeLast() }
        if lines.count > rows {
            let hidden = lines.count - rows + 1
            lines = Array(lines.prefix(max(0, rows - 1))) + ["… \(hidden) more lines: a taller window shows them"]
        }
        return "\u{1B}[H" + lines.map { $0.cut(toColumns: columns) }.joined(separator: "\u{1B}[K\r\n")
            + "\u{1B}[K\u{1B}[J"
    }
}

extension String {
    /// The text in at most `limit` columns of a terminal. Colour codes take no columns, and a cut text ends its colour.
    func cut(toColumns limit: Int) -> String {
        var total = 0
        eachCharacter { total += $1 }
        guard total > limit else { return self }
        var (kept, columns, isColoured) = ("", 0, false)
        eachCharacter { character, width in
            guard width > 0 else {
                if columns < limit { kept.append(character) }
                isColoured = isColoured || character == "\u{1B}"
                return
            }
            if columns + width < limit { kept.append(character) }
            columns += width
        }
        return kept + "…" + (isColoured ? "\u{1B}[0m" : "")
    }

    /// Calls `body` with each character and the columns it takes, which are none within a colour code.
    private func eachCharacter(_ body: (Character, Int) -> Void) {
        var isColour = false
        for character in self {
            if character == "\u{1B}" { isColour = true }
            body(character, isColour ? 0 : character.columns)
            if isColour, character == "m" { isColour = false }
        }
    }
}

extension Character {
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
        0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD,
    ]

    /// The columns that the character takes on a terminal: two for most East Asian characters.
    fileprivate var columns: Int {
        guard let value = unicodeScalars.first?.value, value >= 0x1100 else { return 1 }
        return Self.wide.contains { $0.contains(value) } ? 2 : 1
    }
}
