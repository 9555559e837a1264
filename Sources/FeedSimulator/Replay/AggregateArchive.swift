import FeedServer
import MarketData
import Synchronization

/// The newest version of every bar that the replay has passed, in the form that the REST aggregates return.
///
/// It also holds the bars that passed while no client was connected, since clients fetch those over REST.
final class AggregateArchive: Sendable {
    private struct Key: Hashable {
        var symbol: Symbol
        var isMinute: Bool
    }

    /// The JSON object of each bar, by the bar's start.
    private let bars = Mutex<[Key: [Int64: [UInt8]]]>([:])

    func add(_ block: FrameBlock, _ range: Range<Int>) {
        bars.withLock { bars in
            block.forEachEvent(of: .bars, in: range) { object, kind in
                guard let symbol = FrameScan.symbol(of: object), let start = ObjectFields.integer("s", in: object)
                else { return }
                let key = Key(symbol: symbol, isMinute: kind == .minuteBar)
                bars[key, default: [:]][start] = Self.aggregate(object, start)
            }
        }
    }

    /// Returns the requested bars, in order, and the start of the first one left out.
    private func bars(for wanted: AggregateRequest) -> (bars: [[UInt8]], next: Int64?) {
        bars.withLock { bars in
            let all = bars[Key(symbol: wanted.symbol, isMinute: wanted.interval == .minute)] ?? [:]
            let found = all.keys.filter(wanted.starts.contains).sorted { wanted.isAscending ? $0 < $1 : $0 > $1 }
            let limit = wanted.limit
            return (found.prefix(limit).compactMap { all[$0] }, found.count > limit ? found[limit] : nil)
        }
    }

    private static func aggregate(_ object: UnsafeRawBufferPointer, _ start: Int64) -> [UInt8] {
        var output = Array("{\"t\":\(start)".utf8)
        func add(_ name: StaticString, _ value: Range<Int>) {
            output.append(contentsOf: Array(",\"\(name)\":".utf8))
            let text = object[value]
            let isQuoted = text.first == UInt8(ascii: "\"")
            output.append(contentsOf: isQuoted ? text.dropFirst().dropLast() : text)
        }
        let exactVolume = ObjectFields.value(of: "dv", in: object)
        if let exactVolume { add("v", exactVolume) }
        for name in ["o", "h", "l", "c", "vw"] as [StaticString] {
            if let value = ObjectFields.value(of: name, in: object) { add(name, value) }
        }
        if exactVolume == nil, let value = ObjectFields.value(of: "v", in: object) { add("v", value) }
        output.append(UInt8(ascii: "}"))
        return output
    }

    /// Returns the response to a request for REST aggregates, or `nil` when the request is for another route.
    ///
    /// - Parameter isAdmitted: Whether the request's key is accepted.
    func answer(_ request: PlainRequest, isAdmitted: Bool) -> PlainAnswer? {
        switch AggregateRequest.read(request) {
        case .elsewhere: return nil
        case .fault where !isAdmitted, .request where !isAdmitted: return .unknownKey
        case .fault(let text): return .fault(400, text)
        case .request(let wanted):
            let found = bars(for: wanted)
            return wanted.answer(found.bars, next: found.next, origin: request.origin)
        }
    }
}
