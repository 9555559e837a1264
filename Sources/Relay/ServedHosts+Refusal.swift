import FeedServer
import MarketData

extension ServedHosts {
    /// Returns why a relay without keys refuses a request; `nil` if a program sent it to this server. Browsers let any
    /// page open a WebSocket anywhere, so pages in a browser on this machine are kept away.
    func refusal(of request: PlainRequest) -> PlainAnswer? {
        guard let host = request.host.flatMap({ HostName($0) }) else {
            return .fault(400, "the request has no valid Host header")
        }
        guard contain(host) else {
            return .fault(
                421,
                "the Host header names a host that the relay does not serve without RELAY_KEYS: connect to 127.0.0.1")
        }
        return request.isOfPage
            ? .fault(403, "web pages may connect only if the relay requires a key: set RELAY_KEYS") : nil
    }
}
