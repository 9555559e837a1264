import FeedServer
import MarketData

/// Answers `GET /v3/trades/{symbol}` and `/v3/quotes/{symbol}`, newest first unless asked otherwise; pure except for
/// the archive.
struct TickRoute {
    let archive: TickArchive
    /// The only key that is accepted; `nil` accepts every key.
    let apiKey: Secret?
    /// Whether requests are refused, as for a key whose plan doesn't include ticks.
    var isRefused = false

    /// What a request asks for; the cursor for the next page contains all of it.
    private struct Question {
        var times: Range<Int64>
        var ascending: Bool
        var limit: Int
        var offset = 0

        var cursor: String { "\(times.lowerBound)_\(times.upperBound)_\(ascending ? 1 : 0)_\(limit)_\(offset)" }

        init(times: Range<Int64>, ascending: Bool, limit: Int) {
            self.times = times
            self.ascending = ascending
            self.limit = limit
        }

        init?(cursor: String) {
            let parts = cursor.split(separator: "_").compactMap { Int64($0) }
            guard parts.count == 5, parts[0] <= parts[1] else { return nil }
            self.init(times: parts[0]..<parts[1], ascending: parts[2] == 1, limit: Int(parts[3]))
            offset = Int(parts[4])
        }
    }

    /// Returns the answer to a request, or `nil` when the request is for another route.
    func answer(_ request: PlainRequest) -> PlainAnswer? {
        let parts = request.path.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
        guard parts.count == 3, parts[0] == "v3", ["trades", "quotes"].contains(parts[1]) else { return nil }
        if let apiKey, request.key.map(apiKey.matches) != true { return .fault(401, "Unknown API Key") }
        if isRefused { return .fault(403, "Not entitled to this data") }
        guard let symbol = PercentText.decode(parts[2]).flatMap({ Symbol($0) }),
            var question = Self.question(request.query)
        else {
            return .fault(
                400, "invalid request: check the ticker, the cursor, and that timestamp.gte is not after timestamp.lt")
        }
        let found = archive.events(
            of: symbol, isTrade: parts[1] == "trades", times: question.times, ascending: question.ascending,
            from: question.offset, limit: question.limit)
        var body = Array("{\"status\":\"OK\",\"results\":[".utf8)
        for (index, object) in found.objects.enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            body += object
        }
        body.append(UInt8(ascii: "]"))
        if found.hasMore {
            question.offset += question.limit
            body += Array(",\"next_url\":\"\(request.origin)\(request.path)?cursor=\(question.cursor)\"".utf8)
        }
        body.append(UInt8(ascii: "}"))
        return PlainAnswer(status: 200, body: body)
    }

    /// Parses the query. Its times are in nanoseconds, those of the archive in milliseconds.
    private static func question(_ query: [String: String]) -> Question? {
        if let cursor = query["cursor"] { return Question(cursor: cursor) }
        func milliseconds(_ name: String) -> Int64? {
            query["timestamp.\(name)"].flatMap { Int64($0) }.map { ($0 + 999_999) / 1_000_000 }
        }
        let from = milliseconds("gte") ?? 0
        let to = milliseconds("lt") ?? .max / 2_000_000
        guard from <= to else { return nil }
        return Question(
            times: from..<to, ascending: query["order"] == "asc",
            limit: min(50_000, max(1, query["limit"].flatMap { Int($0) } ?? 1000)))
    }
}
