import FeedServer
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

    /// The events as the feed wrote them, with times in milliseconds, in order of time; events of the same time are in
    /// the order in which they passed.
    private let passed = Mutex<[Key: [(time: Int64, object: [UInt8])]]>([:])

    func add(_ block: FrameBlock, _ range: Range<Int>) {
        passed.withLock { passed in
            block.forEachEvent(of: [.trade, .quote], in: range) { object, kind in
                guard let symbol = FrameScan.symbol(of: object), let time = FrameScan.time(of: object, kind: kind)
                else { return }
                let key = Key(symbol: symbol, isTrade: kind == .trade)
                let place = passed[key]?.partitioningIndex { $0.time > time } ?? 0
                passed[key, default: []].insert((time, Array(object)), at: place)
            }
        }
    }

    /// Returns the events of one page, in the form of the REST API, and whether more follow.
    private func events(of symbol: Symbol, isTrade: Bool, _ wanted: Page) -> (objects: [[UInt8]], hasMore: Bool) {
        let (ascending, offset, limit) = (wanted.ascending, wanted.offset, wanted.limit)
        return passed.withLock { passed in
            guard let all = passed[Key(symbol: symbol, isTrade: isTrade)] else { return ([], false) }
            let first = all.partitioningIndex { $0.time >= wanted.times.lowerBound }
            let places = first..<all.partitioningIndex { $0.time >= wanted.times.upperBound }
            let page = ascending ? places.dropFirst(offset).prefix(limit) : places.dropLast(offset).suffix(limit)
            let objects = page.map { Self.tick(all[$0].object, time: all[$0].time, isTrade: isTrade) }
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
            add("participant_timestamp", nanoseconds(ObjectFields.integer("pt", in: object) ?? time).utf8)
            if isTrade {
                if let value = ObjectFields.value(of: "ds", in: object) {
                    add("size", object[value].filter { $0 != UInt8(ascii: "\"") })
                } else if let value = ObjectFields.value(of: "s", in: object) {
                    add("size", object[value])
                }
                if let received = ObjectFields.integer("trft", in: object) {
                    add("trf_timestamp", nanoseconds(received).utf8)
                }
            } else if let value = ObjectFields.value(of: "c", in: object) {
                add("conditions", [UInt8(ascii: "[")] + object[value] + [UInt8(ascii: "]")])
            }
            output.append(UInt8(ascii: "}"))
            return output
        }
    }

    /// Returns a time in nanoseconds, as text; it may have been sent in milliseconds.
    private static func nanoseconds(_ time: Int64) -> String {
        UnixTime.isNanoseconds(time) ? "\(time)" : "\(time)000000"
    }

    /// The page that a request asks for; the cursor for the next page contains all of it.
    private struct Page {
        var times: Range<Int64>
        var ascending: Bool
        var limit: Int
        var offset = 0

        var cursor: String { "\(times.lowerBound)_\(times.upperBound)_\(ascending ? 1 : 0)_\(limit)_\(offset)" }
    }

    /// Returns the response to `GET /v3/trades/{symbol}` or `/v3/quotes/{symbol}`, newest first unless asked otherwise;
    /// `nil` when the request is for another route.
    ///
    /// - Parameters:
    ///   - isAdmitted: Whether the request's key is accepted.
    ///   - isRefused: Whether requests are refused, as for a key whose plan doesn't include ticks.
    func answer(_ request: PlainRequest, isAdmitted: Bool, isRefused: Bool) -> PlainAnswer? {
        let parts = request.path.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
        guard parts.count == 3, parts[0] == "v3", ["trades", "quotes"].contains(parts[1]) else { return nil }
        guard isAdmitted else { return .unknownKey }
        if isRefused { return .fault(403, "Not entitled to this data") }
        guard let symbol = PercentText.decode(parts[2]).flatMap({ Symbol($0) }),
            var wanted = Self.page(request.query)
        else {
            return .fault(
                400, "invalid request: check the ticker, the cursor, and that timestamp.gte is not after timestamp.lt")
        }
        let found = events(of: symbol, isTrade: parts[1] == "trades", wanted)
        var body = Array("{\"status\":\"OK\",\"results\":[".utf8)
        body += found.objects.joined(separator: [UInt8(ascii: ",")])
        body.append(UInt8(ascii: "]"))
        if found.hasMore {
            wanted.offset += wanted.limit
            body += Array(",\"next_url\":\"\(request.origin)\(request.path)?cursor=\(wanted.cursor)\"".utf8)
        }
        body.append(UInt8(ascii: "}"))
        return PlainAnswer(status: 200, body: body)
    }

    /// The maximum number of ticks in one page.
    private static let maximumTicks = 50_000

    /// Parses the query. Its times are in nanoseconds, those of the archive in milliseconds.
    private static func page(_ query: [String: String]) -> Page? {
        if let cursor = query["cursor"] {
            let parts = cursor.split(separator: "_").compactMap { Int64($0) }
            guard parts.count == 5, parts[0] <= parts[1], (1...maximumTicks).contains(Int(parts[3])),
                (0...Int.max / 2).contains(Int(parts[4]))
            else { return nil }
            return Page(
                times: parts[0]..<parts[1], ascending: parts[2] == 1, limit: Int(parts[3]), offset: Int(parts[4]))
        }
        func milliseconds(_ name: String) -> Int64? {
            query["timestamp.\(name)"].flatMap { Int64($0) }.map { $0 / 1_000_000 + ($0 % 1_000_000 > 0 ? 1 : 0) }
        }
        let from = milliseconds("gte") ?? 0
        let to = milliseconds("lt") ?? .max / 2_000_000
        guard from <= to else { return nil }
        return Page(
            times: from..<to, ascending: query["order"] == "asc",
            limit: min(maximumTicks, max(1, query["limit"].flatMap { Int($0) } ?? 1000)))
    }
}
