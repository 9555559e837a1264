import CPostgres
import Glibc

/// Reads connection URIs with libpq's own parser and keeps out what has no business in one.
enum ConnectionURI {
    static let escapeAdvice =
        "write special characters of user and password as %40 for @, %2F for /, %3A for :, %25 for %"

    /// The options that may be set.
    ///
    /// Left out on purpose: `service` (reads server and password from other files), `krbsrvname`, `gsslib`,
    /// `gssencmode` (Kerberos), `replication`, `fallback_application_name`, `authtype`, `tty`, and whatever newer
    /// versions of libpq add until it was looked at.
    private static let allowed: Set<String> = [
        "host", "hostaddr", "port", "dbname", "user", "password", "passfile", "connect_timeout", "application_name",
        "client_encoding", "options", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
        "tcp_user_timeout", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "sslcrldir",
        "sslsni", "sslcompression", "ssl_min_protocol_version", "ssl_max_protocol_version", "channel_binding",
        "requirepeer", "require_auth", "target_session_attrs",
    ]

    static func error(_ text: String) -> UpstreamError {
        UpstreamError(.configuration, "read DATABASE_URI", text)
    }

    /// What the URI sets, and what libpq adds from the environment and by itself. The environment is held to the same
    /// rules: what it sets counts as if it stood in the URI.
    static func parse(_ uri: String) throws(UpstreamError) -> (given: [String: String], defaults: [String: String]) {
        try checkScheme(uri)
        guard getenv("PGSERVICE") == nil else {
            throw error("the environment variable PGSERVICE is set, which would change the server unseen; unset it")
        }
        var message: UnsafeMutablePointer<CChar>?
        guard let parsed = PQconninfoParse(uri, &message) else {
            let text = message.map { String(cString: $0) } ?? "out of memory"
            PQfreemem(message)
            throw error("libpq can't read it: \(withoutQuotations(text)) (\(escapeAdvice))")
        }
        let given = values(parsed)
        for key in given.keys.sorted() where !allowed.contains(key) {
            throw error(
                "the option \(key) is not allowed here; allowed are \(allowed.sorted().joined(separator: ", "))")
        }
        try check(given)
        let defaults = PQconndefaults()
        defer { if let defaults { PQconninfoFree(defaults) } }
        if let defaults { try check(environment: environment(defaults), given) }
        return (given, defaults.map { pairs($0) } ?? [:])
    }

    private static func checkScheme(_ uri: String) throws(UpstreamError) {
        if uri.hasPrefix("postgresql://") || uri.hasPrefix("postgres://") {
            guard !uri.utf8.contains(0) else { throw error("it has a NUL character in it") }
            return
        }
        let scheme = uri.split(separator: ":", maxSplits: 1).first.map(String.init) ?? ""
        throw error(
            scheme.hasPrefix("postgresql+") || scheme.hasPrefix("postgres+")
                ? "leave out the driver's name: write postgresql:// in place of \(scheme)://"
                : "it must begin with postgresql://, as in postgresql://user@host:5432/database")
    }

    private static func check(_ given: [String: String]) throws(UpstreamError) {
        guard given["dbname"]?.contains(where: { $0 == "@" || $0 == "/" }) != true else {
            throw error("the database's name has an @ or a / in it (\(escapeAdvice))")
        }
        if let encoding = given["client_encoding"], !["utf8", "utf-8", "unicode"].contains(encoding.lowercased()) {
            throw error("client_encoding is always UTF8; leave it out")
        }
        if let key = given["sslkey"], key.contains(":") {
            throw error("sslkey must be a file: an OpenSSL engine (engine:key) would load other code")
        }
        if let attributes = given["target_session_attrs"], !["any", "read-write", "primary"].contains(attributes) {
            throw error("target_session_attrs=\(attributes) finds servers that take no writes; use read-write")
        }
        if let options = given["options"] { try check(options: options) }
    }

    /// Options that the environment sets: each variable's name and value by its option.
    private static func environment(
        _ list: UnsafeMutablePointer<PQconninfoOption>
    ) -> [String: (variable: String, value: String)] {
        var found: [String: (variable: String, value: String)] = [:]
        var option = list
        while let keyword = option.pointee.keyword {
            if let name = option.pointee.envvar, let value = getenv(name), value.pointee != 0 {
                found[String(cString: keyword)] = (String(cString: name), String(cString: value))
            }
            option += 1
        }
        return found
    }

    private static func check(
        environment: [String: (variable: String, value: String)], _ given: [String: String]
    ) throws(UpstreamError) {
        // Kerberos encryption is never used and the encoding is always UTF8, whatever is asked for.
        let overridden: Set = ["client_encoding", "gssencmode"]
        for (option, (variable, value)) in environment.sorted(by: { $0.key < $1.key })
        where !overridden.contains(option) {
            let named = UpstreamError(
                .configuration, "read the environment variable \(variable)",
                "it sets what DATABASE_URI may not set either; unset it")
            guard allowed.contains(option) else { throw named }
            if option == "hostaddr", given["host"] != nil, given["hostaddr"] == nil {
                throw UpstreamError(
                    .configuration, "read the environment variable \(variable)",
                    "it would lead the connection to another server than DATABASE_URI names; unset it, or write "
                        + "hostaddr into DATABASE_URI")
            }
            guard given[option] == nil else { continue }
            do throws(UpstreamError) {
                try check([option: value])
            } catch {
                throw UpstreamError(.configuration, "read the environment variable \(variable)", error.text)
            }
        }
    }

    /// `options` may choose the schema and the role; other settings are this program's own.
    private static func check(options: String) throws(UpstreamError) {
        var words = options.split(separator: " ").map(String.init)
        while !words.isEmpty {
            var word = words.removeFirst()
            if word == "-c", !words.isEmpty { word += words.removeFirst() }
            let setting = word.hasPrefix("--") || word.hasPrefix("-c") ? word.dropFirst(2) : ""
            let name = setting.split(separator: "=", maxSplits: 1).first ?? ""
            guard ["search_path", "role"].contains(String(name)) else {
                throw error("options may hold -csearch_path=… and -crole=… only")
            }
        }
    }

    private static func values(_ list: UnsafeMutablePointer<PQconninfoOption>) -> [String: String] {
        defer { PQconninfoFree(list) }
        return pairs(list)
    }

    private static func pairs(_ list: UnsafeMutablePointer<PQconninfoOption>) -> [String: String] {
        var values: [String: String] = [:]
        var option = list
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val, value.pointee != 0 {
                values[String(cString: keyword)] = String(cString: value)
            }
            option += 1
        }
        return values
    }

    /// The text with whatever stands in quotation marks left out: it may be a piece of the password.
    private static func withoutQuotations(_ text: String) -> String {
        var result = ""
        for (index, part) in text.split(separator: "\"", omittingEmptySubsequences: false).enumerated() {
            result += index.isMultiple(of: 2) ? String(part) : "\"…\""
        }
        return result.split(whereSeparator: \.isNewline).joined(separator: " ")
    }
}
