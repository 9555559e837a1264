import FeedServer
import MarketData

/// Answers `GET /v2/aggs/ticker/{symbol}/range/1/{minute|second}/{from}/{to}`; pure, but for the archive.
struct AggregateRoute {
    let archive: AggregateArchive
    /// The only key that is let in; `nil` lets every key in.
    let apiKey: Secret?

    /// The answer to a request; `nil` when it is not of this route.
    func answer(_ request: PlainRequest) -> PlainAnswer? {
        let (path, query) = Self.split(request.target)
        let parts = path.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
        guard parts.count == 9, parts[0] == "v2", parts[1] == "aggs", parts[2] == "ticker", parts[4] == "range" else {
            return nil
        }
        if let apiKey, request.authorization != "Bearer \(apiKey.reveal())" {
            return error(401, "Unknown API Key")
        }
        guard let symbol = Symbol(Self.unescaped(parts[3])), parts[5] == "1", ["minute", "second"].contains(parts[6]),
            let from = Int64(parts[7]), let to = Int64(parts[8]), from <= to
        else { return error(400, "the range is not understood") }
        let limit = min(50_000, max(1, query["limit"].flatMap { Int($0) } ?? 5000))
        let start = max(from, query["cursor"].flatMap { Int64($0) } ?? from)
        let found = archive.bars(
            of: symbol, isMinute: parts[6] == "minute", starts: min(start, to)...to, limit: limit)
        var body = Array(
            "{\"ticker\":\"\(symbol)\",\"status\":\"OK\",\"adjusted\":false,\"resultsCount\":\(found.bars.count)".utf8)
        if !found.bars.isEmpty {
            body += Array(",\"results\":[".utf8)
            for (index, bar) in found.bars.enumerated() {
                if index > 0 { body.append(UInt8(ascii: ",")) }
                body += bar
            }
            body.append(UInt8(ascii: "]"))
        }
        if let next = found.next {
            body += Array(",\"next_url\":\"\(request.origin)\(path)?cursor=\(next)&limit=\(limit)\"".utf8)
        }
        body.append(UInt8(ascii: "}"))
        return PlainAnswer(status: 200, body: body)
    }

    private func error(_ status: Int, _ text: String) -> PlainAnswer {
        PlainAnswer(status: status, body: Array("{\"status\":\"ERROR\",\"error\":\"\(text)\"}".utf8))
    }

    private static func split(_ target: String) -> (path: String, query: [String: String]) {
        guard let mark = target.firstIndex(of: "?") else { return (target, [:]) }
        var query: [String: String] = [:]
        for pair in target[target.index(after: mark)...].split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1).map(String.init)
            if sides.count == 2 { query[sides[0]] = sides[1] }
        }
        return (String(target[..<mark]), query)
    }

    /// Undoes percent encoding; text that is not encoded well stays as it is.
    private static func unescaped(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
