/// What libpq's text of a failed connection attempt tells.
struct ConnectionRefusal {
    /// The text in one line, without libpq's `LOCATION` part and the code.
    let text: String
    /// The server's code, when the server was reached and refused.
    let sqlState: String?
    private let needsPassword: Bool

    /// Reads a message made with verbosity VERBOSE: `… failed: FATAL:  28P01: password …  LOCATION:  …`.
    init(_ message: String, needsPassword: Bool) {
        self.needsPassword = needsPassword
        let line = message.split(separator: "LOCATION:", maxSplits: 1).first.map(String.init) ?? message
        var words = Self.withoutQuestion(line).split(whereSeparator: \.isWhitespace).map(String.init)
        // The severity before the code is in the server's language, the code is not.
        let place = words.indices.dropFirst().first { index in
            words[index - 1].hasSuffix(":") && Self.isCode(words[index])
        }
        sqlState = place.map { String(words[$0].dropLast()) }
        if let place { words.remove(at: place) }
        text = words.joined(separator: " ")
    }

    /// Without libpq's own advice, a question behind the reason.
    private static func withoutQuestion(_ line: String) -> Substring {
        guard let start = line.firstRange(of: "Is the server running")?.lowerBound,
            let end = line[start...].firstIndex(of: "?")
        else { return line[...] }
        return line[..<start] + line[line.index(after: end)...]
    }

    private static func isCode(_ word: String) -> Bool {
        word.count == 6 && word.hasSuffix(":")
            && word.dropLast().allSatisfy { $0.isASCII && ($0.isNumber || $0.isUppercase) }
            && word.contains(where: \.isNumber)
    }

    /// What PgBouncer says of what passes by itself.
    private static let passing = [
        "timeout", "server_login_retry", "cannot connect", "server down", "no more connections", "exceeded",
        "shutting down",
    ]

    /// What kind of problem it is.
    ///
    /// Without a code only libpq's own words tell a certificate that was refused from a line that was cut.
    func reason(duringTLS: Bool) -> UpstreamError.Reason {
        // A server, or a pooler before it, that doesn't take what it is told at the start takes it no better again. PgBouncer
        // has no other code for a server that is down and for a pool that is full.
        if sqlState == "08P01" { return Self.passing.contains(where: text.contains) ? .connectionLost : .configuration }
        // Here it is about the database, which lets nobody in; elsewhere about a table.
        if sqlState == "55000" { return .login }
        if let sqlState { return UpstreamError.Reason(sqlState: sqlState) }
        if needsPassword { return .login }
        if text.contains("read-only") { return .readOnly }
        let isCut = ["SYSCALL", "closed the connection", "timeout", "not receive data", "not send"]
            .contains(where: text.contains)
        let isAboutTLS = duringTLS || text.contains("SSL") || text.contains("certificate")
        if isAboutTLS, !isCut { return .tls }
        if text.contains("invalid ") { return .configuration }
        return .connectionLost
    }
}
