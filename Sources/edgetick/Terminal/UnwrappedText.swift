extension String {
    /// The text with each paragraph on one line, for a caller that wraps to the terminal's width. A paragraph that
    /// begins with "Example", has an indented line, or has columns in every line keeps its line breaks.
    var unwrapped: String {
        split(separator: "\n\n", omittingEmptySubsequences: false).map { paragraph in
            let lines = paragraph.split(separator: "\n", omittingEmptySubsequences: false)
            let isLaidOut =
                paragraph.hasPrefix("Example") || lines.contains { $0.first == " " }
                || lines.allSatisfy { $0.contains("  ") }
            return isLaidOut ? String(paragraph) : lines.joined(separator: " ")
        }.joined(separator: "\n\n")
    }
}
