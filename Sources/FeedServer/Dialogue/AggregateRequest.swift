public import MarketData

/// A request for the provider's REST aggregates: `/v2/aggs/ticker/{symbol}/range/1/{minute|second}/{from}/{to}`.
public struct AggregateRequest: Sendable, Equatable {
    /// The result of reading a request.
    public enum Reading: Sendable, Equatable {
        /// The request is for another route.
        case elsewhere
        /// The request is invalid, with the reason.
        case fault(String)
        /// The request is valid.
        case request(AggregateRequest)
    }

    /// The maximum number of bars in any response.
    static let maximumLimit = 50_000

    /// The ticker.
    public var symbol: Symbol
    /// The length of the bars.
    public var interval: Bar.Interval
    /// The starts of the first and the last bar, in milliseconds since the Unix epoch; for a further page, what is left
    /// of the range.
    public var starts: ClosedRange<Int64>
    /// Whether the oldest bars come first.
    public var isAscending: Bool
    /// The maximum number of bars in the answer.
    public var limit: Int
    private var path: String

    /// Reads a request.
    public static func read(_ request: PlainRequest) -> Reading {
        let parts = request.path.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
        guard parts.count == 9, parts[0] == "v2", parts[1] == "aggs", parts[2] == "ticker", parts[4] == "range" else {
            return .elsewhere
        }
        guard let symbol = PercentText.decode(parts[3]).flatMap({ Symbol($0) }) else {
            return .fault("the path has no valid ticker")
        }
        let lengths: [String: Bar.Interval] = ["minute": .minute, "second": .second]
        guard parts[5] == "1", let interval = lengths[parts[6]] else {
            return .fault("only bars of 1 minute or 1 second are available, not of \(parts[5]) \(parts[6])")
        }
        guard let first = span(parts[7]), let last = span(parts[8]), first.lowerBound < last.upperBound else {
            return .fault(
                "from and to must be dates (YYYY-MM-DD) or Unix times in milliseconds, and from must not be after to")
        }
        let (from, to) = (first.lowerBound, last.upperBound - 1)
        let sort = request.query["sort"] ?? "asc"
        guard ["asc", "desc"].contains(sort) else { return .fault("sort must be asc or desc") }
        let limit = request.query["limit"] ?? "5000"
        guard let limit = Int(limit), limit > 0 else {
            return .fault("limit must be a whole number above 0 (at most \(maximumLimit) bars are returned)")
        }
        var wanted = AggregateRequest(
            symbol: symbol, interval: interval, starts: from...to, isAscending: sort == "asc",
            limit: min(limit, maximumLimit), path: request.path)
        if let cursor = request.query["cursor"] {
            guard let cursor = Int64(cursor), wanted.starts.contains(cursor) else {
                return .fault("the cursor doesn't belong to this range")
            }
            wanted.starts = wanted.isAscending ? cursor...to : from...cursor
        }
        return .request(wanted)
    }

    /// Returns the millisecond that a text names, or the whole of a day in New York.
    private static func span(_ text: String) -> Range<Int64>? {
        guard let time = Int64(text), UnixTime.possible.contains(time) else { return TradingCalendar.newYorkDay(text) }
        return time..<time + 1
    }

    /// Returns the answer in the provider's form, with the JSON of at most ``limit`` bars in the requested order.
    ///
    /// - Parameters:
    ///   - next: The start of the first bar of the next page; `nil` when this is the last page.
    ///   - origin: The server's address as the client wrote it.
    ///   - missing: The parts of the range that are missing, as JSON; `nil` if nothing is known to be missing.
    public func answer(_ bars: [[UInt8]], next: Int64?, origin: String, missing: String? = nil) -> PlainAnswer {
        var body = Array(
            "{\"ticker\":\"\(symbol)\",\"status\":\"OK\",\"adjusted\":false,\"queryCount\":\(bars.count),".utf8)
        body += Array("\"resultsCount\":\(bars.count),\"count\":\(bars.count)".utf8)
        if !bars.isEmpty {
            body += Array(",\"results\":[".utf8)
            for (index, bar) in bars.enumerated() {
                if index > 0 { body.append(UInt8(ascii: ",")) }
                body += bar
            }
            body.append(UInt8(ascii: "]"))
        }
        if let next {
            let rest = "cursor=\(next)&limit=\(limit)&sort=\(isAscending ? "asc" : "desc")"
            body += Array(",\"next_url\":\(JSONString.quoted("\(origin)\(path)?\(rest)"))".utf8)
        }
        if let missing { body += Array(",\"missing\":\(missing)".utf8) }
        body.append(UInt8(ascii: "}"))
        return PlainAnswer(status: 200, body: body)
    }
}
