/// A proxy that opens connections to other machines on request (the method CONNECT).
public struct HTTPProxy: Sendable, Equatable {
    /// The host name or address, without the brackets of an IPv6 address.
    public let host: String
    /// The TCP port.
    public let port: Int
    /// `user:password`, decoded; `nil` when the proxy asks for none.
    public let credentials: Secret?

    /// Reads `http://[user:password@]host[:port]`; the scheme may be left out. `nil` when it is no such address, and for
    /// other kinds of proxies.
    public init?(_ url: String) {
        guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        var rest = url[...]
        if let slashes = Self.separator(url) {
            guard url[..<slashes.lowerBound].lowercased() == "http" else { return nil }
            rest = url[slashes.upperBound...]
        }
        if rest.last == "/" { rest = rest.dropLast() }
        guard !rest.contains("/"), !rest.contains("?"), !rest.contains("#") else { return nil }
        if let at = rest.lastIndex(of: "@") {
            guard let decoded = Self.decoded(rest[..<at]) else { return nil }
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
        guard !rest.isEmpty else {
            port = 80
            return
        }
        guard rest.first == ":", let number = UInt16(rest.dropFirst()), number > 0 else { return nil }
        port = Int(number)
    }

    private static func separator(_ url: String) -> Range<String.Index>? {
        guard let colon = url.firstIndex(of: ":"), url[colon...].hasPrefix("://") else { return nil }
        return colon..<url.index(colon, offsetBy: 3)
    }

    private static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let code = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16),
                code >= 0x20, code != 0x7F
            else { return nil }
            bytes.append(code)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

extension HTTPProxy: CustomStringConvertible {
    /// The host and port, without the credentials.
    public var description: String { "\(host.contains(":") ? "[\(host)]" : host):\(port)" }
}
