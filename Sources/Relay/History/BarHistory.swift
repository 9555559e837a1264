import FeedServer
import MarketData
import NIOPosix
import Store

/// Answers requests for the provider's REST aggregates from the buffer, so that one client object serves history and
/// stream. Those for trades and quotes are refused.
struct BarHistory: Sendable {
    /// Clients wait ten seconds for a response.
    private static let patience: Duration = .seconds(8)
    /// The maximum number of gaps and drops in one response.
    private static let maximumGaps = 100

    let configuration: RelayConfiguration
    let keys: KeyRing
    let buffer: TickBuffer
    let symbols: any RelayedSymbols
    let failures: ReadFailures

    /// A part of the range that the buffer does not have.
    private struct Missing {
        var starts: ClosedRange<Int64>
        var why: String

        var json: String {
            "{\"from\":\(starts.lowerBound),\"to\":\(starts.upperBound),\"why\":\(JSONString.quoted(why))}"
        }

        /// Returns one part that covers both.
        func joined(with other: Missing) -> Missing {
            let first = min(starts.lowerBound, other.starts.lowerBound)
            let last = max(starts.upperBound, other.starts.upperBound)
            return Missing(starts: first...last, why: "gaps in parts of this time")
        }
    }

    /// Returns the response to a request; `nil` if the request is not for this route.
    func answer(_ request: PlainRequest) async -> PlainAnswer? {
        let reading = AggregateRequest.read(request)
        let isForTicks = ["/v3/trades/", "/v3/quotes/"].contains { request.path.hasPrefix($0) }
        guard reading != .elsewhere || isForTicks else { return nil }
        guard keys.admits(request.key ?? "") else { return .unknownKey }
        switch reading {
        case .elsewhere: return .fault(403, "a relay serves only bars, not trades or quotes")
        case .fault(let text): return .fault(400, text)
        case .request(let wanted): return await answer(wanted, origin: request.origin)
        }
    }

    private func answer(_ wanted: AggregateRequest, origin: String) async -> PlainAnswer {
        do {
            // The response includes everything that came before the request.
            try await buffer.flush()
            let found = try await NIOThreadPool.singleton.runIfActive { try read(wanted) }
            guard let found else {
                return .fault(503, "reading the buffer takes too long at the moment: ask for newer bars", retryAfter: 5)
            }
            let missing = missing(
                wanted, found.gaps, heldSince: try await buffer.beginning(of: .bars, receivedFrom: 0).heldSince)
            return wanted.answer(
                found.bars, next: found.next, origin: origin,
                missing: missing.isEmpty ? nil : "[\(missing.map(\.json).joined(separator: ","))]")
        } catch {
            failures.occurred("bars could not be read for a client", error)
            return .fault(503, "the buffer can't be read at the moment", retryAfter: 5)
        }
    }

    /// Reads gaps and bars; `nil` if that takes too long.
    ///
    /// The order matters: a gap may be filled meanwhile, so gaps are read before the bars. Rows may be deleted or their
    /// file set aside, so the start of what the buffer holds is read after them.
    private func read(_ wanted: AggregateRequest) throws -> (bars: [[UInt8]], next: Int64?, gaps: [Missing])? {
        let end = ContinuousClock.now + Self.patience
        let gaps = try gaps(in: wanted)
        let found = try TickHistory(directory: buffer.directory).bars(
            TickHistory.BarQuery(
                symbol: wanted.symbol, interval: wanted.interval, from: wanted.starts.lowerBound,
                to: wanted.starts.upperBound + 1, limit: .max)
        ) { _, _ in ContinuousClock.now < end }
        guard found.isComplete else { return nil }
        let bars = wanted.isAscending ? found.values : found.values.reversed()
        var text = RowText()
        let page = bars.prefix(wanted.limit).map { bar in
            text.writeAggregate(bar)
            return text.bytes
        }
        return (page, bars.count > page.count ? bars[page.count].start : nil, gaps)
    }

    private func missing(_ wanted: AggregateRequest, _ gaps: [Missing], heldSince: Int64?) -> [Missing] {
        let kind = EventKind(wanted.interval)
        let interval = wanted.interval.milliseconds
        let (first, last) = (wanted.starts.lowerBound, wanted.starts.upperBound)
        var missing: [Missing] = []
        func add(through end: Int64, _ why: String) {
            missing.append(Missing(starts: first...min(last, end), why: why))
        }
        if !configuration.kinds.contains(kind) {
            add(through: last, "FEED_EVENTS does not include \(kind.rawValue), so these bars are not collected")
        } else if let since = symbols.collectedSince(kind, of: wanted.symbol) {
            // A bar comes when its window is over, so the last one that did not come ended by then.
            if first + interval <= since {
                add(through: since - interval, "\(wanted.symbol) has been collected since \(since)")
            }
        } else {
            add(through: last, "\(wanted.symbol) is not collected")
        }
        guard let heldSince else {
            add(through: last, "the buffer holds no bars")
            return missing
        }
        if first < heldSince { add(through: heldSince - 1, "the buffer holds bars from \(heldSince)") }
        return missing + gaps
    }

    /// Returns the gaps and drops in the range.
    private func gaps(in wanted: AggregateRequest) throws -> [Missing] {
        let kind = EventKind(wanted.interval)
        let interval = wanted.interval.milliseconds
        var gaps: [Missing] = []
        func add(_ span: ClosedRange<Int64>, _ why: String) {
            guard span.overlaps(wanted.starts) else { return }
            let part = Missing(starts: span.clamped(to: wanted.starts), why: why)
            guard gaps.count == Self.maximumGaps, let last = gaps.popLast() else { return gaps.append(part) }
            // Clients assume that what is not listed is complete, so the last part covers all the others.
            gaps.append(last.joined(with: part))
        }
        let span = wanted.starts.lowerBound...wanted.starts.upperBound + interval
        try GapLog.lacking(kind, of: wanted.symbol, in: span, directory: buffer.directory) { gap in
            // A bar comes when its window is over, so the first one that may be missing began before the gap.
            let first = gap.from - gap.from % interval
            add(first...max(first, gap.to ?? .max), "a gap: \(gap.cause.rawValue)")
        }
        let drops = try TickHistory(directory: buffer.directory).lostBars(
            within: wanted.starts.lowerBound..<wanted.starts.upperBound + 1)
        for drop in drops where drop.symbol == nil || drop.symbol == wanted.symbol {
            add(drop.starts, "dropped by the buffer")
        }
        return gaps
    }
}
