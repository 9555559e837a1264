/// A host with an optional port, as the headers `Host` and `Origin` carry it: in lower case, without a final dot.
public struct HostName: Equatable, Sendable {
    /// The name or address; an IPv6 address without its brackets.
    public var name: String
    /// The port, when one is given.
    public var port: Int?

    /// Reads `name`, `name:port`, `[address]` or `[address]:port`; `nil` for anything else.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count <= 270,
            text.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) || ".-_:[]%".contains($0) })
        else { return nil }
        var rest = Substring(text.lowercased())
        if rest.first == "[" {
            guard let end = rest.firstIndex(of: "]") else { return nil }
            name = String(rest[rest.index(after: rest.startIndex)..<end])
            guard name.contains(":") else { return nil }
            rest = rest[rest.index(after: end)...]
        } else if rest.count(where: { $0 == ":" }) > 1 {
            // A bare IPv6 address, which a setting may hold.
            name = String(rest)
            rest = ""
        } else {
            let end = rest.firstIndex(of: ":") ?? rest.endIndex
            name = String(rest[..<end])
            rest = rest[end...]
        }
        if name.hasSuffix(".") { name.removeLast() }
        guard !name.isEmpty else { return nil }
        guard !rest.isEmpty else { return }
        guard rest.first == ":", let port = UInt16(rest.dropFirst()), rest.dropFirst().first != "+" else { return nil }
        self.port = Int(port)
    }

    /// Returns a host and its port as a URL has them, an IPv6 address in brackets.
    public static func authority(_ host: String, port: Int?) -> String {
        (host.contains(":") ? "[\(host)]" : host) + (port.map { ":\($0)" } ?? "")
    }

    /// Whether a text can be a host name or an address, without a port.
    public static func isPossible(_ text: some StringProtocol) -> Bool {
        guard !text.isEmpty, text.utf8.count <= 253 else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"): true
            default: false
            }
        }
    }

    /// Whether the name is an IP address. Unlike a name, a hostile page can't make it point to this machine.
    public var isAddress: Bool {
        name.contains(":") || Self.isIPv4(Substring(name))
    }

    /// Whether a name or address, without a port, refers to this machine only: `localhost`, 127.0.0.0/8, the same
    /// mapped to IPv6, or `::1`. Other ways to write these are not recognised: a resolver may read them differently.
    public static func isLoopback(_ text: String) -> Bool {
        guard let host = HostName(text), host.port == nil, !text.hasSuffix(".") else { return false }
        let mapped = "::ffff:"
        let address = host.name.hasPrefix(mapped) ? host.name.dropFirst(mapped.count) : Substring(host.name)
        return ["localhost", "::1"].contains(host.name) || (address.hasPrefix("127.") && isIPv4(address))
    }

    private static func isIPv4(_ text: Substring) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { part in UInt8(part).map { String($0) == part } ?? false }
    }
}

/// The names by which clients may address a server: those of the loopback interface and its own.
///
/// A page whose own name resolves to this machine could read everything (DNS rebinding), so other names are refused.
/// Ports are not checked, so that a tunnel from another local port works.
public struct ServedHosts: Sendable {
    private let names: Set<String>
    private let takesAnyAddress: Bool

    /// - Parameters:
    ///   - host: The address that is bound; `0.0.0.0` and `::` bind all.
    ///   - others: Further names.
    public init(host: String, others: [String] = []) {
        names = Set(["localhost", "127.0.0.1", "::1"] + ([host] + others).compactMap { HostName($0)?.name })
        takesAnyAddress = host == "0.0.0.0" || host == "::"
    }

    /// Whether a host is one of these names, or any address when the server listens on all.
    public func contain(_ host: HostName) -> Bool { names.contains(host.name) || (takesAnyAddress && host.isAddress) }
}
