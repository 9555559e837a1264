import MarketData

/// A request over HTTP.
public struct PlainRequest: Sendable, Equatable {
    /// The path and query.
    var target: String
    /// The `Authorization` header.
    var authorization: String?
    /// The server's address as the client wrote it (`http://HOST`), for links.
    public var origin: String
    /// The `Host` header; `nil` if the client sent none, or several.
    public var host: String?
    /// Whether a browser sent the request on behalf of a web page.
    public var isOfPage = false

    /// The path without the query.
    public var path: String { target.firstIndex(of: "?").map { String(target[..<$0]) } ?? target }

    /// The query's parameters, by name.
    public var query: [String: String] {
        guard let mark = target.firstIndex(of: "?") else { return [:] }
        var query: [String: String] = [:]
        for pair in target[target.index(after: mark)...].split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1).map(String.init)
            if sides.count == 2 { query[sides[0]] = PercentText.decode(sides[1]) ?? sides[1] }
        }
        return query
    }

    /// The key that the client sent, in the `Authorization` header or, as the JavaScript client does, in the query.
    public var key: String? {
        let bearer = "Bearer "
        guard let authorization, authorization.hasPrefix(bearer) else { return query["apiKey"] }
        return String(authorization.dropFirst(bearer.count))
    }
}

/// The answer to a plain HTTP request: a JSON document.
public struct PlainAnswer: Sendable, Equatable {
    /// The HTTP status.
    public var status: Int
    /// The document.
    public var body: [UInt8]
    /// The header `Retry-After`, in seconds.
    var retryAfter: Int?

    /// Makes an answer; see the properties for meaning.
    public init(status: Int, body: [UInt8], retryAfter: Int? = nil) {
        self.status = status
        self.body = body
        self.retryAfter = retryAfter
    }

    /// The answer to a request without an accepted key, in the provider's words.
    public static let unknownKey = fault(401, "Unknown API Key")

    /// Makes an error in the provider's form; `retryAfter` is in seconds.
    public static func fault(_ status: Int, _ text: String, retryAfter: Int? = nil) -> PlainAnswer {
        PlainAnswer(
            status: status, body: Array("{\"status\":\"ERROR\",\"error\":\(JSONString.quoted(text))}".utf8),
            retryAfter: retryAfter)
    }
}
