import Glibc

/// Asks a person before something is done that can't be undone.
enum Confirmation {
    /// Whether the person agrees; anything but `y` or `yes` means no.
    ///
    /// - Throws: ``CommandFailure`` if standard input is not a terminal.
    static func isGiven(_ question: String) throws(CommandFailure) -> Bool {
        guard isatty(STDIN_FILENO) == 1 else {
            throw CommandFailure(.usage, "standard input is not a terminal, so nobody can confirm: add --yes")
        }
        _ = StandardStream.write(Array("\(question) [y/N] ".utf8), to: STDERR_FILENO)
        let answer = readLine()?.lowercased() ?? ""
        return answer == "y" || answer == "yes"
    }
}
