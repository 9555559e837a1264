import FeedServer
import Logging
import MarketData
import NIOPosix
import Store

/// Answers requests for the provider's REST aggregates from the buffer, so that one client object serves history and
/// stream.
struct BarHistory: Sendable {
    /// Clients wait ten seconds for an answer.
    private static let patience: Duration = .seconds(8)
    /// The most missing spans that one answer names.
    private static let maximumGaps = 100

    let configuration: RelayConfiguration
    let keys: KeyRing
    let buffer: TickBuffer
    let symbols: any RelayedSymbols
    let logger: Logger

    /// A part of the range that the buffer does not have.
    private struct Missing {
        var starts: ClosedRange<Int64>
        var why: String

        var json: String {
            "{\"from\":\(starts.lowerBound),\"to\":\(starts.upperBound),\"why\":\(JSONString.quoted(why))}"
        }
    }

    /// Returns the answer to a request; `nil` if the request is not for this route.
    func answer(_ request: PlainRequest) async -> PlainAnswer? {
        let reading = AggregateRequest.read(request)
        if reading == .elsewhere { return nil }
        guard keys.admits(request.key ?? "") else { return .fault(401, "Unknown API Key") }
        switch reading {
        case .elsewhere: return nil
        case .fault(let text): return .fault(400, text)
        case .request(let wanted): return await answer(wanted, origin: request.origin)
        }
    }

    private func answer(_ wanted: AggregateRequest, origin: String) async -> PlainAnswer {
        do {
            // The answer includes everything that came before the request.
            try await buffer.flush()
            let since = try await buffer.beginning(of: .bars, receivedFrom: 0).heldSince
            return try await NIOThreadPool.singleton.runIfActive { try answer(wanted, heldSince: since, origin) }
        } catch {
            logger.error("bars could not be read for a client", metadata: ["error": "\(error)"])
            return .fault(503, "the buffer can't be read at the moment", retryAfter: 5)
        }
    }

    private func answer(_ wanted: AggregateRequest, heldSince: Int64?, _ origin: String) throws -> PlainAnswer {
        let end = ContinuousClock.now + Self.patience
        let found = try TickHistory(directory: buffer.directory).bars(
            TickHistory.BarQuery(
                symbol: wanted.symbol, interval: wanted.interval, from: wanted.starts.lowerBound,
                to: wanted.starts.upperBound + 1, limit: .max)
        ) { _, _ in ContinuousClock.now < end }
        guard found.isComplete else {
            return .fault(503, "reading the buffer takes too long at the moment: ask for newer bars", retryAfter: 5)
        }
        let bars = wanted.isAscending ? found.values : found.values.reversed()
        var text = RowText()
        let page = bars.prefix(wanted.limit).map { bar in
            text.writeAggregate(bar)
            return text.bytes
        }
        let missing = try missing(wanted, heldSince: heldSince)
        return wanted.answer(
            page, next: bars.count > page.count ? bars[page.count].start : nil, origin: origin,
            missing: missing.isEmpty ? nil : "[\(missing.map(\.json).joined(separator: ","))]")
    }

    private func missing(_ wanted: AggregateRequest, heldSince: Int64?) throws -> [Missing] {
        let kind: EventKind = wanted.interval == .minute ? .minuteBar : .secondBar
        let channel = FeedChannel(kind: kind, symbol: wanted.symbol)
        var missing: [Missing] = []
        if !configuration.kinds.contains(kind) {
            missing.append(
                Missing(
                    starts: wanted.starts,
                    why: "FEED_EVENTS does not include \(kind.rawValue), so these bars are not collected"))
        } else if !symbols.collects(channel) {
            missing.append(Missing(starts: wanted.starts, why: "\(wanted.symbol) is not collected"))
        }
        guard let heldSince else {
            return missing + [Missing(starts: wanted.starts, why: "the buffer holds no bars")]
        }
        if wanted.starts.lowerBound < heldSince {
            let end = min(wanted.starts.upperBound, heldSince - 1)
            missing.append(
                Missing(starts: wanted.starts.lowerBound...end, why: "the buffer holds bars from \(heldSince)"))
        }
        var gaps: [Missing] = []
        for record in try GapLog.read(directory: buffer.directory, states: GapState.lacking) {
            let gap = record.gap
            guard gap.events.contains(kind), gap.symbols.isEmpty || gap.symbols.contains(wanted.symbol),
                record.settled[kind]?.contains(wanted.symbol) != true
            else { continue }
            // A bar comes when its window is over, so the first one that may be missing began before the gap.
            let first = gap.from - gap.from % wanted.interval.milliseconds
            let span = first...max(first, gap.to ?? .max)
            guard span.overlaps(wanted.starts) else { continue }
            gaps.append(Missing(starts: span.clamped(to: wanted.starts), why: "a gap: \(gap.cause.rawValue)"))
        }
        let drops = try TickHistory(directory: buffer.directory).lostBars(
            within: wanted.starts.lowerBound..<wanted.starts.upperBound + 1)
        for drop in drops where drop.symbol == nil || drop.symbol == wanted.symbol {
            guard drop.starts.overlaps(wanted.starts) else { continue }
            gaps.append(Missing(starts: drop.starts.clamped(to: wanted.starts), why: "dropped by the buffer"))
        }
        return missing + gaps.suffix(Self.maximumGaps)
    }
}
