extension String {
    /// The text with each paragraph on one line, for whoever wraps it to a terminal's width. A paragraph of examples, or with
    /// an indented line, keeps its lines.
    var unwrapped: String {
        split(separator: "\n\n", omittingEmptySubsequences: false).map { paragraph in
            let lines = paragraph.split(separator: "\n", omittingEmptySubsequences: false)
            let isLaidOut = paragraph.hasPrefix("Example") || lines.contains { $0.first == " " }
            return isLaidOut ? String(paragraph) : lines.joined(separator: " ")
        }.joined(separator: "\n\n")
    }
}
