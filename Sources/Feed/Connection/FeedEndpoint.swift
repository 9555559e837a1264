import MarketData
import NIOCore

/// Where a feed is: a checked WebSocket URL.
///
/// A query may contain a token, so no description shows it.
public struct FeedEndpoint: Sendable, Equatable {
    /// The host name or address, without the brackets of an IPv6 address.
    let host: String
    /// The TCP port: 443 for `wss`, 80 for `ws` when the URL names none.
    let port: Int
    /// Whether TLS is used (`wss`).
    let usesTLS: Bool
    /// Whether `ws` was allowed to a host other than this machine.
    public let allowsPlaintext: Bool
    /// The path and query that the handshake asks for.
    let requestTarget: String

    /// Checks a URL of the form `wss://host[:port][/path][?query]`.
    ///
    /// The API key is sent over this connection, so `ws` is accepted only for this machine (`localhost`, 127.0.0.0/8,
    /// `::1`) or if `allowsPlaintext` is set. A user name or a fragment is not allowed (RFC 6455, section 3).
    ///
    /// - Throws: ``FeedError/Reason/invalidConfiguration`` or ``FeedError/Reason/plaintextRefused``.
    public init(url: String, allowsPlaintext: Bool) throws(FeedError) {
        guard let separator = url.firstRange(of: "://") else {
            throw Self.invalid("the feed URL has no scheme; write wss://host/path")
        }
        switch url[..<separator.lowerBound].lowercased() {
        case "wss": usesTLS = true
        case "ws": usesTLS = false
        case let other:
            throw Self.invalid("the feed URL's scheme '\(DisplayText.escaped(other, limit: 16))' is not wss or ws")
        }
        let rest = url[separator.upperBound...]
        let authorityEnd = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        (host, port) = try Self.parse(authority: rest[..<authorityEnd], defaultPort: usesTLS ? 443 : 80)
        requestTarget = try Self.parse(target: rest[authorityEnd...])
        self.allowsPlaintext = allowsPlaintext
        if !usesTLS, !allowsPlaintext, !isLoopback {
            throw FeedError(
                .plaintextRefused, operation: "configure",
                message: "ws://\(host) would send the API key unencrypted; use wss://, or allow plaintext for this feed"
            )
        }
    }

    /// Whether the host is this machine by name or address.
    var isLoopback: Bool { HostName.isLoopback(host) }

    /// Whether the host is an address, which TLS server name indication does not allow (RFC 6066, section 3).
    var hostIsAddress: Bool { (try? SocketAddress(ipAddress: host, port: port)) != nil }

    /// The handshake's Host header, with the port unless it is the scheme's default.
    var hostHeader: String { HostName.authority(host, port: port == (usesTLS ? 443 : 80) ? nil : port) }

    private static func invalid(_ message: String) -> FeedError {
        FeedError(.invalidConfiguration, operation: "configure", message: message)
    }

    private static func parse(authority: Substring, defaultPort: Int) throws(FeedError) -> (String, Int) {
        guard !authority.contains("@") else {
            throw invalid("the feed URL contains a user name or password; the feed accepts only the API key")
        }
        let host: Substring
        let portText: Substring
        if authority.first == "[" {
            guard let end = authority.firstIndex(of: "]") else {
                throw invalid("the feed URL's IPv6 address has no closing bracket")
            }
            host = authority[authority.index(after: authority.startIndex)..<end]
            portText = authority[authority.index(after: end)...]
            guard host.contains(":"), (try? SocketAddress(ipAddress: String(host), port: 1)) != nil else {
                throw invalid("the feed URL's IPv6 address is not valid")
            }
        } else {
            let end = authority.firstIndex(of: ":") ?? authority.endIndex
            host = authority[..<end]
            portText = authority[end...]
        }
        guard HostName.isPossible(host) else {
            throw invalid("the feed URL's host is empty or contains characters that host names cannot have")
        }
        guard !portText.isEmpty else { return (String(host), defaultPort) }
        guard portText.first == ":", let port = Int(portText.dropFirst()), (1...65535).contains(port),
            portText.dropFirst().utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 })
        else {
            throw invalid("the feed URL's port is not a number from 1 to 65535")
        }
        return (String(host), port)
    }

    private static func parse(target: Substring) throws(FeedError) -> String {
        guard target.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }) else {
            throw invalid("the feed URL's path contains spaces, a fragment or characters that need percent-encoding")
        }
        return target.first == "/" ? String(target) : "/" + target
    }
}

extension FeedEndpoint: CustomStringConvertible {
    /// The URL without its query.
    public var description: String {
        let path = requestTarget.prefix { $0 != "?" }
        return "\(usesTLS ? "wss" : "ws")://\(hostHeader)\(path)"
    }
}

extension FeedEndpoint: CustomDebugStringConvertible, CustomReflectable {
    /// The URL without its query.
    public var debugDescription: String { description }

    /// A mirror that shows no query.
    public var customMirror: Mirror { Mirror(self, children: ["url": description]) }
}

extension SocketAddress {
    /// Whether the address is this machine's own.
    var isLoopback: Bool { ipAddress.map { HostName.isLoopback($0) } ?? false }
}
