import MarketData
import Synchronization

/// The trades and quotes that the replay has passed, in the form that the REST API returns.
///
/// It also holds those that passed while no client was connected, since clients fetch those over REST.
final class TickArchive: Sendable {
    private struct Key: Hashable {
        var symbol: Symbol
        var isTrade: Bool
    }

    /// One symbol's events of one kind, as the feed wrote them, with times in milliseconds. They are in order of time;
    /// events of the same time are in the order in which they passed.
    private struct Passed {
        private struct Event {
            var time: Int64
            var object: Range<Int>
        }

        private var events: [Event] = []
        private var bytes: [UInt8] = []

        mutating func append(_ object: UnsafeRawBufferPointer, time: Int64) {
            let event = Event(time: time, object: bytes.count..<bytes.count + object.count)
            bytes.append(contentsOf: object)
            // Most events arrive in order, so the search is rarely needed.
            let isLast = events.last.map { $0.time <= time } ?? true
            events.insert(event, at: isLast ? events.endIndex : place(where: { $0 > time }))
        }

        /// Returns the places of the events within a range of times.
        func places(of times: Range<Int64>) -> Range<Int> {
            place { $0 >= times.lowerBound }..<place { $0 >= times.upperBound }
        }

        func event(_ place: Int) -> (object: [UInt8], time: Int64) {
            (Array(bytes[events[place].object]), events[place].time)
        }

        /// Returns the first place whose time meets a condition; all later times must meet it too.
        private func place(where isBehind: (Int64) -> Bool) -> Int {
            var (low, high) = (0, events.count)
            while low < high {
                let middle = (low + high) / 2
                if isBehind(events[middle].time) { high = middle } else { low = middle + 1 }
            }
            return low
        }
    }

    private let passed = Mutex<[Key: Passed]>([:])

    /// Adds the trades and quotes of some frames.
    func add(_ block: FrameBlock, _ range: Range<Int>) {
        passed.withLock { passed in
            for index in range where !block.frames[index].kinds.isDisjoint(with: [.trade, .quote]) {
                block.withText(of: block.frames[index]) { text in
                    _ = FrameScan.forEachEvent(text) { event in
                        guard event.kind == .trade || event.kind == .quote else { return }
                        let object = UnsafeRawBufferPointer(rebasing: text[event.range])
                        guard let symbol = FrameScan.symbol(of: object),
                            let time = FrameScan.time(of: object, kind: event.kind)
                        else { return }
                        let key = Key(symbol: symbol, isTrade: event.kind == .trade)
                        passed[key, default: Passed()].append(object, time: time)
                    }
                }
            }
        }
    }

    /// Returns at most `limit` events within a span, in the form of the REST API, after skipping `offset`; and whether
    /// more follow.
    func events(
        of symbol: Symbol, isTrade: Bool, times: Range<Int64>, ascending: Bool, from offset: Int, limit: Int
    ) -> (objects: [[UInt8]], hasMore: Bool) {
        passed.withLock { passed in
            guard let all = passed[Key(symbol: symbol, isTrade: isTrade)] else { return ([], false) }
            let places = all.places(of: times)
            let page = ascending ? places.dropFirst(offset).prefix(limit) : places.dropLast(offset).suffix(limit)
            let objects = page.map { place in
                let (object, time) = all.event(place)
                return Self.tick(object, time: time, isTrade: isTrade)
            }
            return (ascending ? objects : objects.reversed(), places.count > offset + limit)
        }
    }

    private static let tradeNames: [(StaticString, String)] = [
        ("x", "exchange"), ("i", "id"), ("p", "price"), ("q", "sequence_number"), ("c", "conditions"), ("z", "tape"),
        ("trfi", "trf_id"), ("e", "correction"),
    ]
    private static let quoteNames: [(StaticString, String)] = [
        ("ax", "ask_exchange"), ("ap", "ask_price"), ("as", "ask_size"), ("bx", "bid_exchange"), ("bp", "bid_price"),
        ("bs", "bid_size"), ("i", "indicators"), ("q", "sequence_number"), ("z", "tape"),
    ]

    /// Returns the object in the form of the REST API: with its field names, nanoseconds, and a quote's condition as an
    /// array.
    private static func tick(_ object: [UInt8], time: Int64, isTrade: Bool) -> [UInt8] {
        object.withUnsafeBytes { object in
            var output = Array("{\"sip_timestamp\":\(time)000000".utf8)
            func add(_ name: String, _ value: some Sequence<UInt8>) {
                output += Array(",\"\(name)\":".utf8)
                output += value
            }
            for (name, full) in isTrade ? tradeNames : quoteNames {
                if let value = ObjectFields.value(of: name, in: object) { add(full, object[value]) }
            }
            let own = ObjectFields.integer("pt", in: object) ?? time
            add("participant_timestamp", Array("\(FrameScan.isNanoseconds(own) ? own : own * 1_000_000)".utf8))
            if isTrade {
                if let value = ObjectFields.value(of: "ds", in: object) {
                    add("size", object[value].filter { $0 != UInt8(ascii: "\"") })
                } else if let value = ObjectFields.value(of: "s", in: object) {
                    add("size", object[value])
                }
                if let received = ObjectFields.integer("trft", in: object) {
                    add("trf_timestamp", Array("\(received)000000".utf8))
                }
            } else if let value = ObjectFields.value(of: "c", in: object) {
                add("conditions", [UInt8(ascii: "[")] + object[value] + [UInt8(ascii: "]")])
            }
            output.append(UInt8(ascii: "}"))
            return output
        }
    }
}
