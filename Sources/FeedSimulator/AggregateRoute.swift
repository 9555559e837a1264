import FeedServer
import MarketData

/// Handles requests for REST aggregates; pure except for the archive.
struct AggregateRoute {
    let archive: AggregateArchive
    /// The only key that is accepted; `nil` accepts every key.
    let apiKey: Secret?

    /// Returns the answer to a request, or `nil` when the request is for another route.
    func answer(_ request: PlainRequest) -> PlainAnswer? {
        let reading = AggregateRequest.read(request)
        if reading == .elsewhere { return nil }
        if let apiKey, request.key.map(apiKey.matches) != true { return .fault(401, "Unknown API Key") }
        switch reading {
        case .elsewhere: return nil
        case .fault(let text): return .fault(400, text)
        case .request(let wanted):
            let found = archive.bars(
                of: wanted.symbol, isMinute: wanted.interval == .minute, starts: wanted.starts,
                isAscending: wanted.isAscending, limit: wanted.limit)
            return wanted.answer(found.bars, next: found.next, origin: request.origin)
        }
    }
}
