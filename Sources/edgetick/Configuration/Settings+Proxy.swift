import MarketData

extension Settings.Feed {
    /// The proxy for a URL; `nil` for a direct connection. This machine is always reached directly.
    func proxy(for url: String) -> HTTPProxy? {
        guard let address = ServerAddress(url), !address.isLoopback, !isUnproxied(address.host) else { return nil }
        return ["wss", "https"].contains(address.scheme) ? proxy ?? generalProxy : generalProxy
    }

    /// Whether NO_PROXY names the host, a domain above it, or everything.
    private func isUnproxied(_ host: String) -> Bool {
        let host = host.lowercased()
        return unproxied.contains { entry in
            let name = entry.lowercased().drop { $0 == "." || $0 == "*" && entry != "*" }.drop { $0 == "." }
            return name == "*" || host == name || host.hasSuffix("." + name)
        }
    }
}

extension SettingKind<HTTPProxy> {
    static var proxy: SettingKind {
        SettingKind(
            "an address such as http://user:password@host:port; other kinds of proxies are not supported",
            display: .proxy
        ) { HTTPProxy($0) }
    }
}

extension SettingKind<[String]> {
    /// Hosts and domains in the form of NO_PROXY; an entry that is neither matches nothing.
    static var noProxy: SettingKind {
        SettingKind("host names and domains separated by commas, or *") { text in
            text.split { $0 == "," || $0 == " " }.map { String($0) }
        }
    }
}
