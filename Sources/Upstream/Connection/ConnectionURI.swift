import CPostgres
import Glibc

/// Reads connection URIs with libpq's own parser and rejects options that a URI must not set.
enum ConnectionURI {
    static let escapeAdvice =
        "write special characters of user and password as %40 for @, %2F for /, %3A for :, %25 for %"

    /// The options that may be set.
    ///
    /// Left out on purpose: `service` (reads server and password from other files), `krbsrvname`, `gsslib` (Kerberos),
    /// `replication`, `fallback_application_name`, `authtype`, `tty`, and whatever newer versions of libpq add, until
    /// it has been reviewed.
    private static let allowed: Set<String> = [
        "host", "hostaddr", "port", "dbname", "user", "password", "passfile", "connect_timeout", "application_name",
        "client_encoding", "options", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
        "tcp_user_timeout", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "sslcrldir",
        "sslsni", "sslcompression", "ssl_min_protocol_version", "ssl_max_protocol_version", "channel_binding",
        "requirepeer", "require_auth", "target_session_attrs", "gssencmode", "sslnegotiation",
    ]

    private static let tlsModes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]

    /// The options of other clients: what each does there, and the equivalent here.
    private static let foreign: [String: String] = {
        let pooling = "sets up that client's own pool"
        let search = "chooses the schema, as options=-csearch_path%3DNAME does here"
        let prepared = "concerns prepared statements, which are not used here"
        let limit = "limits the wait for a response, as SYNC_STATEMENT_TIMEOUT does here"
        let certificates = "concerns certificates, as sslmode and sslrootcert do here"
        return [
            "pgbouncer": prepared, "prepareThreshold": prepared, "prepared_statements": prepared,
            "prepared_statement_cache_size": prepared, "statement_cache_size": prepared,
            "preparedStatementCacheQueries": prepared,
            "schema": search, "currentSchema": search,
            "connection_limit": pooling, "pool_timeout": pooling, "pool_size": pooling, "max_overflow": pooling,
            "pool_max_conns": pooling, "pool_min_conns": pooling, "max_conns": pooling, "workaround": pooling,
            "supa": pooling, "reserve": pooling,
            "socket_timeout": limit, "command_timeout": limit, "statement_timeout": limit, "socketTimeout": limit,
            "connectTimeout": "is what connect_timeout is here", "timeout": "is what connect_timeout is here",
            "ApplicationName": "is what application_name is here",
            "targetServerType": "is what target_session_attrs is here",
            "sslaccept": certificates, "sslfactory": certificates, "ssl_check_hostname": certificates,
            "sslidentity": "is what sslcert and sslkey are here",
            "uselibpqcompat": "gives sslmode the meaning that it has here",
            "reWriteBatchedInserts": "concerns only that client",
            "server_settings": "lists settings that only that client sends",
            "async_fallback": "concerns only that client",
        ]
    }()

    static func error(_ text: String) -> UpstreamError {
        UpstreamError(.configuration, "read the database's URI", text)
    }

    /// The options that the URI sets, and those that libpq adds from the environment and its defaults. Environment
    /// variables are checked by the same rules as the URI.
    static func parse(_ uri: String) throws(UpstreamError) -> (given: [String: String], defaults: [String: String]) {
        try checkScheme(uri)
        let (uri, foreignFaults) = withoutForeignOptions(uri)
        guard getenv("PGSERVICE") == nil else {
            throw error("the environment variable PGSERVICE is set, which could silently change the server; unset it")
        }
        var message: UnsafeMutablePointer<CChar>?
        guard let parsed = PQconninfoParse(uri, &message) else {
            let text = message.map { String(cString: $0) } ?? "out of memory"
            PQfreemem(message)
            let fault = "libpq can't read it: \(withoutQuotations(text)) (\(escapeAdvice))"
            throw error((foreignFaults + [fault]).joined(separator: "; "))
        }
        let given = values(parsed)
        PQconninfoFree(parsed)
        let refused = given.keys.filter { !allowed.contains($0) }.sorted()
        let faults =
            foreignFaults + refused.map { "the option \($0) is not allowed here: leave it out" } + faults(in: given)
        guard faults.isEmpty else { throw error(faults.joined(separator: "; ")) }
        let defaults = PQconndefaults()
        defer { if let defaults { PQconninfoFree(defaults) } }
        if let defaults { try checkEnvironment(defaults, given) }
        return (given, defaults.map { values($0) } ?? [:])
    }

    private static func checkScheme(_ uri: String) throws(UpstreamError) {
        if uri.hasPrefix("postgresql://") || uri.hasPrefix("postgres://") {
            guard !uri.utf8.contains(0) else { throw error("it has a NUL character in it") }
            return
        }
        let scheme = uri.split(separator: ":", maxSplits: 1).first.map(String.init) ?? ""
        let example = "as in postgresql://user:password@host:5432/database"
        if scheme == "jdbc" { throw error("leave out jdbc: and write user and password before the host, \(example)") }
        if !uri.contains("://"), uri.contains("=") {
            throw error("it is a list of key=value pairs: write a URI instead, \(example)")
        }
        throw error(
            scheme.hasPrefix("postgresql+") || scheme.hasPrefix("postgres+")
                ? "leave out the driver's name: write postgresql:// instead of \(scheme)://"
                : "it must begin with postgresql://, \(example)")
    }

    /// The URI without the options that libpq doesn't have, and what is wrong with those options.
    private static func withoutForeignOptions(_ uri: String) -> (uri: String, faults: [String]) {
        guard let mark = uri.firstIndex(of: "?") else { return (uri, []) }
        var faults: [String] = []
        let kept = uri[uri.index(after: mark)...].split(separator: "&").filter { option in
            let name = String(option.prefix { $0 != "=" })
            if let meaning = foreign[name] {
                faults.append("remove the option \(name): it belongs to another client, where it \(meaning)")
                return false
            }
            if name == "sslmode", option.hasSuffix("=no-verify") {
                faults.append(
                    "sslmode=no-verify belongs to another client: use sslmode=require to encrypt without verifying the "
                        + "server, or leave sslmode out to verify it")
                return false
            }
            if name == "ssl", option != "ssl=true" {
                faults.append("the option ssl accepts only true (the same as sslmode=require): use sslmode instead")
                return false
            }
            // The option only saves a round trip, with libpq 17.
            return !(name == "sslnegotiation" && PQlibVersion() < 170_000)
        }
        return (uri[..<mark] + (kept.isEmpty ? "" : "?" + kept.joined(separator: "&")), faults)
    }

    private static func faults(in given: [String: String]) -> [String] {
        var faults: [String] = []
        if given["dbname"]?.contains(where: { $0 == "@" || $0 == "/" }) == true {
            faults.append("the database's name has an @ or a / in it (\(escapeAdvice))")
        }
        if let encoding = given["client_encoding"], !["utf8", "utf-8", "unicode"].contains(encoding.lowercased()) {
            faults.append("client_encoding is always UTF8; leave it out")
        }
        if let key = given["sslkey"], key.contains(":") {
            faults.append("sslkey must be a file: an OpenSSL engine (engine:key) would load other code")
        }
        if let mode = given["sslmode"], !tlsModes.contains(mode) {
            faults.append("sslmode must be one of \(tlsModes.joined(separator: ", "))")
        }
        if given["gssencmode"] == "require" {
            faults.append("gssencmode=require can't be met: Kerberos encryption is never used here; leave it out")
        }
        if let attributes = given["target_session_attrs"], !["any", "read-write", "primary"].contains(attributes) {
            faults.append("target_session_attrs=\(attributes) finds servers that accept no writes; use read-write")
        }
        if let options = given["options"], !areAllowed(options: options) {
            faults.append(
                "options may hold -csearch_path=… and -crole=…, and the endpoint=…, project=… or reference=… of a provider"
            )
        }
        return faults
    }

    /// Checks the options that environment variables set, by the rules of the URI.
    private static func checkEnvironment(
        _ list: UnsafeMutablePointer<PQconninfoOption>, _ given: [String: String]
    ) throws(UpstreamError) {
        // Kerberos encryption is never used and the encoding is always UTF8, whatever is asked for.
        let overridden: Set = ["client_encoding", "gssencmode"]
        let variables = entries(of: list).compactMap { entry in
            entry.envvar.map { (option: String(cString: entry.keyword), variable: String(cString: $0)) }
        }
        for (option, variable) in variables.sorted(by: { $0.option < $1.option }) where !overridden.contains(option) {
            guard let value = getenv(variable).map({ String(cString: $0) }), !value.isEmpty else { continue }
            let named = "the environment variable \(variable)"
            guard allowed.contains(option) else {
                throw error("\(named) sets what the URI may not set either; unset it")
            }
            if option == "hostaddr", given["host"] != nil, given["hostaddr"] == nil {
                throw error(
                    "\(named) would send the connection to a server other than the one in the URI; unset it, or write "
                        + "hostaddr into the URI")
            }
            guard given[option] == nil else { continue }
            if let fault = faults(in: [option: value]).first { throw error("\(named): \(fault)") }
        }
    }

    /// `options` may choose schema, role and the database behind a provider's address; EdgeTick sets all else itself.
    private static func areAllowed(options: String) -> Bool {
        var words = options.split(separator: " ").map(String.init)
        while !words.isEmpty {
            var word = words.removeFirst()
            if word == "-c", !words.isEmpty { word += words.removeFirst() }
            if isPlace(word) { continue }
            let setting = word.hasPrefix("--") || word.hasPrefix("-c") ? word.dropFirst(2) : ""
            let name = setting.split(separator: "=", maxSplits: 1).first ?? ""
            guard ["search_path", "role"].contains(String(name)) else { return false }
        }
        return true
    }

    /// Whether a word selects the database at a provider that has one address for many.
    static func isPlace(_ word: some StringProtocol) -> Bool {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, ["endpoint", "project", "reference"].contains(parts[0]), !parts[1].isEmpty else {
            return false
        }
        return parts[1].allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
    }

    private static func values(_ list: UnsafeMutablePointer<PQconninfoOption>) -> [String: String] {
        var values: [String: String] = [:]
        for entry in entries(of: list) where entry.val != nil && entry.val.pointee != 0 {
            values[String(cString: entry.keyword)] = String(cString: entry.val)
        }
        return values
    }

    /// The entries of libpq's list, which ends with one that has no keyword.
    private static func entries(of list: UnsafeMutablePointer<PQconninfoOption>) -> some Sequence<PQconninfoOption> {
        sequence(first: list) { $0 + 1 }.lazy.map(\.pointee).prefix { $0.keyword != nil }
    }

    /// The text with everything in quotation marks left out, since it may be part of the password.
    private static func withoutQuotations(_ text: String) -> String {
        let parts = text.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
        let shown = parts.map { index, part in index.isMultiple(of: 2) ? part : "\"…\"" }.joined()
        return shown.split(whereSeparator: \.isNewline).joined(separator: " ")
    }
}
