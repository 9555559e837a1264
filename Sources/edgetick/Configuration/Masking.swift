import MarketData

/// Shows values without their secrets.
///
/// A secret key is shown as a mask, the database URI without its password. In addition, no text shown may contain the
/// value of a secret: somebody may have pasted a key under another name.
struct Masking: Sendable, ConcealsContents {
    static let mask = Secret("").description

    /// Shorter secrets are not searched for in other texts: a password `info` must not hide every log level.
    private static let shortestSearched = 6

    private let secrets: [String]
    private let ofDatabase: Set<String>

    /// Collects the secrets among what was set.
    init(_ snapshot: SettingsSnapshot) {
        var secrets: Set<String> = []
        var ofDatabase: Set<String> = []
        for setting in Settings.all {
            guard let text = snapshot.values[setting.name]?.text else { continue }
            switch setting.display {
            case .plain, .path: continue
            case .secret: secrets.insert(text)
            case .secrets: secrets.formUnion(text.split(separator: ",").map { String($0.trimmingBlanks()) })
            case .databaseURI: ofDatabase.formUnion([text] + Masking.passwords(in: text))
            case .proxy: secrets.formUnion(Masking.passwords(in: text))
            }
        }
        self.ofDatabase = ofDatabase.subtracting(secrets)
        self.secrets = secrets.union(ofDatabase).filter { $0.count >= Masking.shortestSearched }
            .sorted { ($0.count, $0) > ($1.count, $1) }
    }

    /// Whether others must not read a setting's value. A proxy's URL is a secret only if it has a password.
    static func holdsSecret(_ text: String, _ display: SettingDisplay) -> Bool {
        display.isSecret || (display == .proxy && !passwords(in: text).isEmpty)
    }

    /// A setting's value as shown to people.
    func show(_ text: String, _ display: SettingDisplay) -> String {
        switch display {
        case .plain, .path: plain(text)
        case .secret, .secrets: Masking.mask
        case .proxy: plain(Masking.proxy(text))
        // The URI's password is already masked. If it were searched for too, a password `postgres` would hide the
        // scheme.
        case .databaseURI:
            Masking.line(hiding(secrets.filter { !ofDatabase.contains($0) }, in: Masking.databaseURI(text)))
        }
    }

    /// Any text, on one line and cut at 120 characters.
    func plain(_ text: String) -> String { Masking.line(hiding(secrets, in: text)) }

    private static func line(_ shown: String) -> String { DisplayText.escaped(shown, limit: 120) }

    private func hiding(_ secrets: [String], in text: String) -> String {
        var shown = text
        for secret in secrets where shown.contains(secret) {
            shown = shown.split(separator: secret, omittingEmptySubsequences: false).joined(separator: Masking.mask)
        }
        return shown
    }

    /// The query parameters of a database URI that are not secret.
    private static let harmless: Set = [
        "sslmode", "sslrootcert", "application_name", "connect_timeout", "target_session_attrs", "host",
        "hostaddr", "port", "dbname", "user", "gssencmode", "channel_binding", "keepalives",
    ]

    /// A database URI without its password; only a mask if it is unclear what the password is.
    static func databaseURI(_ uri: String) -> String {
        guard let colon = uri.firstIndex(of: ":"), uri[colon...].hasPrefix("://") else { return mask }
        let scheme = uri[..<colon]
        guard scheme == "postgresql" || scheme == "postgres" else { return mask }
        let rest = uri[uri.index(colon, offsetBy: 3)...]
        let authority = rest.prefix { !"/?#".contains($0) }
        var tail = rest.dropFirst(authority.count)
        guard authority.count(where: { $0 == "@" }) <= 1, !tail.contains("@"), !tail.contains("#") else { return mask }
        var result = "\(scheme)://"
        if let at = authority.firstIndex(of: "@") {
            let user = authority[..<at]
            result += user.prefix { $0 != ":" }
            if user.contains(":") { result += ":" + mask }
            result += authority[at...]
        } else {
            // Without `@`, a colon is followed by a port, or by a password whose `@` was forgotten.
            guard authority.split(separator: ",").allSatisfy(isHostAndPort) else { return mask }
            result += authority
        }
        let path = tail.prefix { $0 != "?" }
        guard !path.contains(":") else { return mask }
        tail = tail.dropFirst(path.count)
        result += path
        guard tail.first == "?" else { return result }
        let parameters = tail.dropFirst().split(separator: "&").map { parameter in
            let name = parameter.prefix { $0 != "=" }
            return harmless.contains(String(name))
                ? String(parameter) : "\(name.count == parameter.count ? mask : "\(name)=\(mask)")"
        }
        return result + "?" + parameters.joined(separator: "&")
    }

    /// A proxy's URL without its user and password.
    static func proxy(_ url: String) -> String {
        guard let at = url.lastIndex(of: "@") else { return url }
        let scheme = url.firstRange(of: "://").map { url[..<$0.upperBound] } ?? ""
        return "\(scheme)\(mask)\(url[at...])"
    }

    private static func isHostAndPort(_ text: Substring) -> Bool {
        let text = text.first == "[" ? text.drop { $0 != "]" } : text
        guard let colon = text.firstIndex(of: ":") else { return true }
        let port = text[text.index(after: colon)...]
        return port.isEmpty || UInt16(port) != nil
    }

    /// Everything in a URI, however malformed, that may be a password.
    private static func passwords(in uri: String) -> [String] {
        var found: [String] = []
        if let at = uri.lastIndex(of: "@") {
            var user = uri[..<at]
            if let slashes = user.firstRange(of: "//") { user = user[slashes.upperBound...] }
            if let colon = user.firstIndex(of: ":") { found.append(String(user[user.index(after: colon)...])) }
        }
        for parameter in uri.split(whereSeparator: { "?& ".contains($0) }) {
            guard let equals = parameter.firstIndex(of: "="), parameter[..<equals].contains("password") else {
                continue
            }
            found.append(String(parameter[parameter.index(after: equals)...]))
        }
        return found + found.compactMap { PercentText.bytes(of: $0) }.map { String(decoding: $0, as: UTF8.self) }
    }
}
