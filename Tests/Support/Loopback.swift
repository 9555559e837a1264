import Foundation

/// No test reaches beyond loopback: the feed's key would go along.
public enum Loopback {
    /// A program was to be started that would ask another host.
    public struct Left: Error, CustomStringConvertible {
        /// The setting and the host.
        public let description: String
    }

    /// Where nothing listens; the discard service is on no machine of today.
    static let closed = "127.0.0.1:9"

    /// The product's settings, with closed ports of loopback where they name no feed or REST server, so that the
    /// provider's own hosts are never what is left.
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

    /// The hosts in the addresses that a value holds.
    static func hosts(of value: String) -> [Substring] {
        guard let scheme = value.range(of: "://") else { return [] }
        let authority = value[scheme.upperBound...].prefix { !"/?#".contains($0) }
        let hosts = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        return hosts.split(separator: ",").map { host in
            host.hasPrefix("[") ? host.dropFirst().prefix { $0 != "]" } : host.prefix { $0 != ":" }
        }
    }

    static func isLoopback(_ host: Substring) -> Bool {
        ["", "localhost", "::1"].contains(host.lowercased()) || host.hasPrefix("127.")
    }
}
