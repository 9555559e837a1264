import Glibc
import MarketData

/// The options given to libpq: those of a URI, completed with safe defaults.
struct ConnectionSettings: Sendable {
    /// A server to try, as the URI lists it.
    struct Server: Sendable, Equatable {
        /// A name, an address or a socket's directory; `nil` for libpq's default socket.
        var host: String?
        /// An address to use instead of looking the name up.
        var address: String?
        var port: String?

        /// Whether traffic to it stays on this machine.
        var isLocal: Bool {
            guard let place = address ?? host, !place.isEmpty else { return true }
            return isSocket || HostName.isLoopback(place)
        }

        /// Whether it is reached through a Unix socket.
        var isSocket: Bool {
            guard address == nil, let host, !host.isEmpty else { return address == nil }
            return host.hasPrefix("/") || host.hasPrefix("@")
        }
    }

    /// The servers, in the order to try them; never empty.
    let servers: [Server]
    /// libpq's other options, except the secret ones.
    let options: [String: String]
    /// The passwords in the URI, by option.
    let credentials: [String: Secret]
    /// Texts that must not appear in an error.
    let secrets: SecretTexts
    /// The servers, database and user, for people.
    let target: String
    /// Warnings about the URI, one line each.
    let warnings: [String]
    /// The limit for connecting that the URI itself sets (`connect_timeout`).
    let connectTimeout: Duration?

    init(uri: String) throws(UpstreamError) {
        let (given, defaults) = try ConnectionURI.parse(uri)
        func value(_ key: String) -> String? { given[key] ?? defaults[key] }

        servers = try Self.servers(host: value("host"), address: value("hostaddr"), port: value("port"))
        var options = given
        for key in ["host", "hostaddr", "port", "connect_timeout", "password", "sslpassword"] { options[key] = nil }
        credentials = given.filter { $0.key.hasSuffix("password") }.mapValues(Secret.init)
        connectTimeout = try given["connect_timeout"].map { text throws(UpstreamError) in
            guard let seconds = Int(text), seconds > 0 else {
                throw ConnectionURI.error("connect_timeout must be a number of seconds above 0")
            }
            return .seconds(seconds)
        }

        let isRemote = servers.contains { !$0.isLocal }
        if isRemote, given["sslmode"] == nil { options["sslmode"] = "verify-full" }
        let mode = options["sslmode"] ?? defaults["sslmode"] ?? "prefer"
        if mode.hasPrefix("verify-") { options["sslrootcert"] = try Self.rootCertificates(value("sslrootcert")) }
        warnings =
            isRemote && mode != "verify-full"
            ? ["sslmode=\(mode) doesn't verify the server's identity; remove it to use verify-full"] : []

        // libpq would try Kerberos encryption first if a ticket is available; here a connection uses TLS or is local.
        options["gssencmode"] = "disable"
        options["client_encoding"] = "UTF8"
        let fallbacks = [
            "application_name": "edgetick", "keepalives": "1", "keepalives_idle": "30", "keepalives_interval": "10",
            "keepalives_count": "3",
        ]
        options.merge(fallbacks) { set, _ in set }
        self.options = options

        secrets = SecretTexts([value("password"), value("sslpassword")].compactMap(\.self))
        let places = servers.map { server in
            let host = server.host ?? server.address ?? "local socket"
            let port = server.port ?? defaults["port"] ?? "5432"
            return "\(HostName.authority(host, port: nil)):\(port)"
        }
        let user = value("user") ?? "the system user"
        let place = value("options").flatMap { $0.split(separator: " ").first { ConnectionURI.isPlace($0) } }
        target =
            "\(places.joined(separator: ","))/\(value("dbname") ?? user) as \(user)" + (place.map { ", \($0)" } ?? "")
    }

    /// Whether both lead to the same database in the same way; the login may differ. Without `dbname` the user also
    /// names the database, so then the user must match.
    func leadsWhere(_ other: ConnectionSettings) -> Bool {
        func way(_ settings: ConnectionSettings) -> [String: String] {
            settings.options.filter { $0.key != "user" || settings.options["dbname"] == nil }
        }
        return servers == other.servers && way(self) == way(other)
    }

    /// Splits libpq's parallel comma-separated lists by the rules of the manual, 34.1.1.3.
    private static func servers(host: String?, address: String?, port: String?) throws(UpstreamError) -> [Server] {
        func list(_ text: String?) -> [String]? {
            guard let text, !text.isEmpty else { return nil }
            return text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        }
        let hosts = list(host)
        let addresses = list(address)
        let ports = list(port) ?? []
        let count = max(hosts?.count ?? 0, addresses?.count ?? 0, 1)
        guard [hosts, addresses].allSatisfy({ $0 == nil || $0?.count == count }) else {
            throw ConnectionURI.error("host and hostaddr list different numbers of servers")
        }
        guard ports.count <= 1 || ports.count == count else {
            throw ConnectionURI.error("it has \(ports.count) ports for \(count) servers")
        }
        for port in ports where !port.isEmpty {
            guard let number = Int(port), (1...65535).contains(number) else {
                // The value isn't shown: after an unescaped slash it may be part of the password.
                throw ConnectionURI.error("the port is not a number from 1 to 65535 (\(ConnectionURI.escapeAdvice))")
            }
        }
        func given(_ text: String?) -> String? { text?.isEmpty == false ? text : nil }
        return try (0..<count).map { index throws(UpstreamError) in
            let host = hosts?[index]
            guard host?.contains("@") != true || host?.hasPrefix("@") == true else {
                throw ConnectionURI.error("the host has an @ in it (\(ConnectionURI.escapeAdvice))")
            }
            return Server(
                host: given(host), address: given(addresses?[index]),
                port: given(ports.count > 1 ? ports[index] : ports.first))
        }
    }

    /// The file of certificate authorities to check servers against: the named one, else libpq's default file if it
    /// exists (`nil`), else the system's. (`sslrootcert=system` exists only since libpq 16.)
    private static func rootCertificates(_ named: String?) throws(UpstreamError) -> String? {
        if let named, named != "system" { return named }
        if named == nil, let home = homeDirectory(), access(home + "/.postgresql/root.crt", R_OK) == 0 { return nil }
        let bundles = [
            "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
            "/etc/ssl/cert.pem",
        ]
        if let bundle = bundles.first(where: { access($0, R_OK) == 0 }) { return bundle }
        throw UpstreamError(
            .tls, "look for certificate authorities",
            "sslrootcert isn't set, and the system has no list of them (on Debian, install ca-certificates)")
    }

    private static func homeDirectory() -> String? {
        if let home = getenv("HOME") { return String(cString: home) }
        guard let entry = getpwuid(geteuid()) else { return nil }
        return String(cString: entry.pointee.pw_dir)
    }
}
