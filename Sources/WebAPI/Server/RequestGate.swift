import HTTPTypes
import MarketData

/// Decides from its head alone whether a request is allowed.
///
/// - The request's form must leave no doubt about its host and its end.
/// - `Host` must be one of ours (``ServedHosts``).
/// - A browser's request must come from our own page, except for the page's own files and the health routes. Another
///   site couldn't read the response, but could cause expensive requests at will.
/// - If a token is set, every request must carry it, except for the page's own files and the health routes.
struct RequestGate: Sendable {
    private let hosts: ServedHosts
    private let token: Secret?

    init(_ configuration: WebConfiguration) {
        hosts = ServedHosts(host: configuration.host, others: configuration.names)
        token = configuration.token
    }

    /// Refuses a request that another program on the way could read differently (RFC 9112, sections 3.2 and 6.1).
    func checkForm(_ head: HTTPRequest) throws(Problem) {
        // It is uncertain where such a request ends, so nothing after it is read.
        guard head.headerFields[values: .furtherHost].isEmpty else {
            throw Problem(.badRequest, "The request has more than one Host header.", closes: true)
        }
        let codings = head.headerFields[values: .transferEncoding].map { $0.lowercased() }
        guard codings.isEmpty || codings == ["chunked"] else {
            throw Problem(.notImplemented, "The only supported transfer coding is chunked.", closes: true)
        }
    }

    /// Refuses a request that is addressed to another host.
    func checkHost(_ head: HTTPRequest) throws(Problem) {
        guard let text = head.authority, let host = HostName(text) else {
            throw Problem(.badRequest, "The request has no valid Host header.")
        }
        guard hosts.contain(host) else {
            throw Problem(
                .misdirectedRequest, slug: "foreign-host",
                "This server does not answer to the name in the Host header. "
                    + "Use the address of HTTP_HOST, or add the name to HTTP_ALLOWED_HOSTS, as for one of a proxy.")
        }
    }

    /// Refuses a request that another site's page makes through a browser.
    func checkOrigin(_ head: HTTPRequest) throws(Problem) {
        let problem = Problem(
            .forbidden, slug: "foreign-origin", "A browser may send this request only from the server's own page.")
        let site = head.headerFields[.secFetchSite]
        if let origin = head.headerFields[.origin] {
            guard let end = origin.firstRange(of: "://"), let from = HostName(origin[end.upperBound...]),
                let host = head.authority.flatMap({ HostName($0) })
            else { throw problem }
            let usual = origin.hasPrefix("https") ? 443 : 80
            guard from.name == host.name else { throw problem }
            // A proxy may pass the name on but not its port (nginx's $host); then the browser's Sec-Fetch-Site decides.
            // Not on loopback, where any program could listen on another port.
            let isPortLost =
                host.port == nil && !HostName.isLoopback(host.name) && (site ?? "same-origin") == "same-origin"
            guard (from.port ?? usual) == (host.port ?? usual) || isPortLost else { throw problem }
        } else if let site, site != "same-origin", site != "none" {
            throw problem
        }
    }

    /// Whether the request carries the token, or no token is required.
    func isAuthorized(_ head: HTTPRequest) -> Bool {
        guard let token else { return true }
        let parts = (head.headerFields[.authorization] ?? "").split(separator: " ", maxSplits: 1)
        return parts.count == 2 && parts[0].lowercased() == "bearer" && token.matches(String(parts[1]))
    }
}

extension HTTPField.Name {
    /// The first Host field becomes the authority; this name matches the others.
    fileprivate static let furtherHost = HTTPField.Name("Host") ?? .origin
    fileprivate static let secFetchSite = HTTPField.Name("Sec-Fetch-Site") ?? .origin
}
