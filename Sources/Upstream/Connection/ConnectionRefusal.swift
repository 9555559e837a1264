/// The meaning of libpq's message about a failed connection attempt.
struct ConnectionRefusal {
    /// The message in one line, without the code and libpq's `LOCATION` part.
    let text: String
    /// The server's code; `nil` if no server was reached or it sent none.
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

    /// The line without libpq's own advice, a question after the reason.
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

    /// Words in PgBouncer's messages about conditions that pass by themselves.
    private static let passing = [
        "timeout", "server_login_retry", "cannot connect", "server down", "no more connections", "exceeded",
        "shutting down",
    ]

    /// The kind of problem.
    ///
    /// Without a code, only libpq's wording distinguishes a rejected certificate from a dropped connection.
    func reason(duringTLS: Bool) -> UpstreamError.Reason {
        // A server, or a pooler in front of it, that rejects the startup parameters will reject them again. But
        // PgBouncer also uses this code when its server is down or its pool is full.
        if sqlState == "08P01" { return Self.passing.contains(where: text.contains) ? .connectionLost : .configuration }
        // While connecting, this code means that the database accepts no connections; elsewhere it is about a table.
        if sqlState == "55000" { return .login }
        if let sqlState { return UpstreamError.Reason(sqlState: sqlState) }
        if needsPassword { return .login }
        // What libpq says with target_session_attrs, read-write and primary.
        if ["read-only", "hot standby"].contains(where: text.contains) { return .readOnly }
        let isCut = ["SYSCALL", "closed the connection", "timeout", "not receive data", "not send"]
            .contains(where: text.contains)
        let isAboutTLS = duringTLS || text.contains("SSL") || text.contains("certificate")
        if isAboutTLS, !isCut { return .tls }
        if text.contains("invalid ") { return .configuration }
        return .connectionLost
    }
}
