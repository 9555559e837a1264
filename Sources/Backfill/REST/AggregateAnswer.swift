import FoundationEssentials
import Glibc
import MarketData

/// One page of a route's answer.
protocol PagedAnswer: Decodable {
    /// `OK`, or `DELAYED` when the plan gets the data later; `nil` when the server sends no status.
    var status: String? { get }
    /// How many results the page has; `nil` for a page without a list of them.
    var count: Int? { get }
    /// The end of the parts that the server says are missing, in milliseconds since the Unix epoch; `nil` if there are
    /// none. A relay says so if its buffer begins later, for instance.
    var missingThrough: Int64? { get }
    /// The address of the next page; `nil` on the last page.
    var nextURL: String? { get }
    static func read(_ bytes: [UInt8], _ what: String) throws(BackfillError) -> Self
}

extension PagedAnswer {
    var missingThrough: Int64? { nil }

    static func read(_ bytes: [UInt8], _ what: String) throws(BackfillError) -> Self { try decode(bytes, what) }

    /// Whether the server says that the request succeeded. A successful answer without results means that there were no
    /// trades.
    var isGiven: Bool { status.map { ["OK", "DELAYED"].contains($0) } ?? (count != nil) }

    /// The status, if it is a plain word that is safe to show.
    var statusWord: String {
        guard let status, 1...32 ~= status.utf8.count, status.allSatisfy({ $0.isASCII && $0.isLetter || $0 == "_" })
        else { return "unknown" }
        return status
    }

    static func decode(_ bytes: [UInt8], _ what: String) throws(BackfillError) -> Self {
        do {
            return try JSONDecoder().decode(Self.self, from: Data(bytes))
        } catch {
            throw BackfillError(.badAnswer, "the REST server's answer is not JSON of \(what); check MASSIVE_REST_URL")
        }
    }
}

/// The results of a page. Those that can't be read are only counted, so that they don't spoil the others.
struct PageResults<Value: Decodable>: Decodable {
    private struct Readable: Decodable {
        let value: Value?

        init(from decoder: any Decoder) { value = try? Value(from: decoder) }
    }

    /// The results that can be read.
    var values: [Value]
    /// The number of results that can't be read.
    var unreadable = 0
    var count: Int { values.count + unreadable }

    init(_ values: [Value]) { self.values = values }

    init(from decoder: any Decoder) throws {
        let results = try [Readable](from: decoder)
        values = results.compactMap(\.value)
        unreadable = results.count - values.count
        guard values.isEmpty, unreadable > 0 else { return }
        throw DecodingError.dataCorrupted(
            .init(codingPath: decoder.codingPath, debugDescription: "none of the results is one of this route"))
    }
}

/// One page of REST aggregates.
struct AggregateAnswer: PagedAnswer {
    struct Result: Decodable {
        /// The window's start, in milliseconds since the Unix epoch.
        var t: Int64
        var o: Double
        var h: Double
        var l: Double
        var c: Double
        var v: Double
        var vw: Double?
        var otc: Bool?
    }

    /// The parts that the server says are missing.
    struct Missing: Decodable {
        private struct Part: Decodable {
            var from: Int64
            var to: Int64
        }

        /// The start of the last bar of all parts, in milliseconds since the Unix epoch; `nil` if there are none. Parts
        /// that can't be read may be anywhere, and so count as the last of all bars.
        var through: Int64?

        init(from decoder: any Decoder) {
            guard let parts = try? [Part](from: decoder), parts.allSatisfy({ $0.from <= $0.to }) else {
                through = .max
                return
            }
            through = parts.map(\.to).max()
        }
    }

    var status: String?
    var results: PageResults<Result>?
    var missing: Missing?
    var nextURL: String?
    var count: Int? { results?.count }
    var missingThrough: Int64? { missing?.through }

    enum CodingKeys: String, CodingKey {
        case status
        case results
        case missing
        case nextURL = "next_url"
    }

    /// Reads a page, by the fast path if it has the usual form.
    static func read(_ bytes: [UInt8], _ what: String) throws(BackfillError) -> AggregateAnswer {
        if let usual = AggregateScan.read(bytes) { return usual }
        return try decode(bytes, what)
    }

    /// Returns the bars of a page that start within the span that was asked for, and the number of results left out
    /// because they can't be read, start off a window boundary, or have impossible numbers.
    func bars(
        of symbol: Symbol, interval: Bar.Interval, starts: ClosedRange<Int64>
    ) -> (bars: [Bar], leftOut: Int) {
        let wanted = (results?.values ?? []).filter { starts.contains($0.t) }
        let bars = wanted.compactMap { result -> Bar? in
            let numbers = [result.o, result.h, result.l, result.c, result.v]
            guard result.t % interval.milliseconds == 0, numbers.allSatisfy(\.isFinite), result.v >= 0 else {
                return nil
            }
            return Bar(
                symbol: symbol, interval: interval, start: result.t, end: result.t + interval.milliseconds,
                open: result.o, high: result.h, low: result.l, close: result.c, volume: result.v,
                vwap: result.vw.flatMap { $0.isFinite ? $0 : nil }, isOTC: result.otc)
        }
        return (bars, wanted.count - bars.count + (results?.unreadable ?? 0))
    }
}
