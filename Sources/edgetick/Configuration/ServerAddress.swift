import MarketData

/// The parts of a URL that decide whether it may be used.
struct ServerAddress: Equatable {
    /// In lower case.
    var scheme: String
    /// Without the brackets of an IPv6 address.
    var host: String

    /// Parses a URL; `nil` if it is malformed, or has a user name, a fragment or characters that a URL can't have.
    init?(_ url: String) {
        guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        guard let colon = url.firstIndex(of: ":"), url[colon...].hasPrefix("://") else { return nil }
        scheme = url[..<colon].lowercased()
        let rest = url[url.index(colon, offsetBy: 3)...]
        var authority = rest.prefix { !"/?#".contains($0) }
        guard !scheme.isEmpty, !authority.contains("@"), !rest.contains("#") else { return nil }
        if authority.first == "[" {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            host = String(authority[authority.index(after: authority.startIndex)..<end])
            authority = authority[authority.index(after: end)...]
            guard host.contains(":") else { return nil }
        } else {
            let name = authority.prefix { $0 != ":" }
            host = String(name)
            authority = authority.dropFirst(name.count)
        }
        guard HostName.isPossible(host) else { return nil }
        if !authority.isEmpty {
            guard authority.first == ":", let port = UInt16(authority.dropFirst()), port > 0 else { return nil }
        }
    }

    var isLoopback: Bool { HostName.isLoopback(host) }

    /// Whether the host is one of the feed's delayed ones: `delayed.`, `delayed-business.` and the like.
    var isDelayed: Bool {
        let name = host.lowercased()
        return name.hasPrefix("delayed.") || name.hasPrefix("delayed-")
    }
}
