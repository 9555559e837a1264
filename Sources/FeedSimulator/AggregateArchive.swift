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
            for index in range where !block.frames[index].kinds.isDisjoint(with: .bars) {
                block.withText(of: block.frames[index]) { text in
                    _ = FrameScan.forEachEvent(text) { event in
                        guard event.kind.isSubset(of: .bars) else { return }
                        let object = UnsafeRawBufferPointer(rebasing: text[event.range])
                        guard let symbol = FrameScan.symbol(of: object),
                            let start = ObjectFields.integer("s", in: object)
                        else { return }
                        let key = Key(symbol: symbol, isMinute: event.kind == .minuteBar)
                        bars[key, default: [:]][start] = Self.aggregate(object, start)
                    }
                }
            }
        }
    }

    /// Returns at most `limit` bars that start within a span, in order, and the start of the first one left out.
    func bars(
        of symbol: Symbol, isMinute: Bool, starts: ClosedRange<Int64>, isAscending: Bool, limit: Int
    ) -> (bars: [[UInt8]], next: Int64?) {
        bars.withLock { bars in
            let all = bars[Key(symbol: symbol, isMinute: isMinute)] ?? [:]
            let found = all.keys.filter(starts.contains).sorted { isAscending ? $0 < $1 : $0 > $1 }
            return (found.prefix(limit).compactMap { all[$0] }, found.count > limit ? found[limit] : nil)
        }
    }

    private static func aggregate(_ object: UnsafeRawBufferPointer, _ start: Int64) -> [UInt8] {
        var output = Array("{\"t\":\(start)".utf8)
        var hasExactVolume = false
        func add(_ name: StaticString, _ value: Range<Int>) {
            output.append(contentsOf: Array(",\"\(name)\":".utf8))
            let text = object[value]
            let isQuoted = text.first == UInt8(ascii: "\"")
            output.append(contentsOf: isQuoted ? text.dropFirst().dropLast() : text)
        }
        if let exact = ObjectFields.value(of: "dv", in: object) {
            hasExactVolume = true
            add("v", exact)
        }
        for name in ["o", "h", "l", "c", "vw"] as [StaticString] {
            if let value = ObjectFields.value(of: name, in: object) { add(name, value) }
        }
        if !hasExactVolume, let value = ObjectFields.value(of: "v", in: object) { add("v", value) }
        output.append(UInt8(ascii: "}"))
        return output
    }
}
