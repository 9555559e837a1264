import Foundation

/// Confines the programs that tests start to loopback: a request to another host would carry the feed's key.
public enum Loopback {
    /// The error of a test that would start a program with the address of another host.
    public struct Left: Error, CustomStringConvertible {
        /// The setting and the host.
        public let description: String
    }

    /// An address where nothing listens; port 9 is the discard service, which no current machine runs.
    static let closed = "127.0.0.1:9"

    /// Returns the product's settings, with a closed loopback port for the feed and the REST server unless they name
    /// one. So the defaults, the provider's own hosts, never apply.
    ///
    /// - Throws: ``Left`` when a setting's address is on another host.
    public static func settings(_ settings: [String: String]) throws(Left) -> [String: String] {
        for (name, value) in settings.sorted(by: { $0.key < $1.key }) {
            for host in hosts(of: value) where !isLoopback(host) {
                throw Left(
                    description: "\(name) leads to \(host): tests start programs with addresses on loopback alone")
            }
        }
        let usual = ["MASSIVE_WEBSOCKET_URL": "ws://\(closed)/stocks", "MASSIVE_REST_URL": "http://\(closed)"]
        return usual.merging(settings) { $1 }
    }

    /// Returns the hosts of the addresses that a value holds.
    static func hosts(of value: String) -> [Substring] {
        guard let scheme = value.range(of: "://") else { return [] }
        let authority = value[scheme.upperBound...].prefix { !"/?#".contains($0) }
        let hosts = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        return hosts.split(separator: ",").map { host in
            host.hasPrefix("[") ? host.dropFirst().prefix { $0 != "]" } : host.prefix { $0 != ":" }
        }
    }

    static func isLoopback(_ host: Substring) -> Bool {
        // Names below localhost are this machine too (RFC 6761).
        ["", "localhost", "::1"].contains(host.lowercased()) || host.hasPrefix("127.") || host.hasSuffix(".localhost")
    }
}
