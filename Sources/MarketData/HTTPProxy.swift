/// A proxy that opens connections to other machines on request (the method CONNECT).
public struct HTTPProxy: Sendable, Equatable {
    /// The host name or address, without the brackets of an IPv6 address.
    public let host: String
    /// The TCP port.
    public let port: Int
    /// `user:password`, decoded; `nil` when the URL has none.
    public let credentials: Secret?

    /// Reads `http://[user:password@]host[:port]`; the scheme may be left out, and the port is 80 by default. `nil` for
    /// anything else, including other kinds of proxies.
    public init?(_ url: String) {
        guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        var rest = url[...]
        if let slashes = url.firstRange(of: "://") {
            guard url[..<slashes.lowerBound].lowercased() == "http" else { return nil }
            rest = url[slashes.upperBound...]
        }
        if rest.last == "/" { rest = rest.dropLast() }
        guard !rest.contains("/"), !rest.contains("?"), !rest.contains("#") else { return nil }
        if let at = rest.lastIndex(of: "@") {
            guard let decoded = PercentText.decode(rest[..<at]), decoded.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
            else { return nil }
            credentials = Secret(decoded.contains(":") ? decoded : decoded + ":")
            rest = rest[rest.index(after: at)...]
        } else {
            credentials = nil
        }
        if rest.first == "[" {
            guard let end = rest.firstIndex(of: "]") else { return nil }
            host = String(rest[rest.index(after: rest.startIndex)..<end])
            rest = rest[rest.index(after: end)...]
        } else {
            host = String(rest.prefix { $0 != ":" })
            rest = rest.dropFirst(host.count)
        }
        guard !host.isEmpty, host.utf8.count <= 253 else { return nil }
        if rest.isEmpty { rest = ":80" }
        guard rest.first == ":", let number = UInt16(rest.dropFirst()), number > 0 else { return nil }
        port = Int(number)
    }
}

extension HTTPProxy: CustomStringConvertible {
    /// The host and port, without the credentials.
    public var description: String { HostName.authority(host, port: port) }
}
