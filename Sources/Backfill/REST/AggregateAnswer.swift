import FoundationEssentials
import Glibc
import MarketData

/// One page of a route's answer.
protocol PagedAnswer: Decodable {
    /// Where the next page is; `nil` on the last.
    var nextURL: String? { get }
    /// Reads a page.
    static func read(_ bytes: [UInt8], _ what: String) throws(BackfillError) -> Self
}

extension PagedAnswer {
    /// Reads a page.
    static func read(_ bytes: [UInt8], _ what: String) throws(BackfillError) -> Self { try decode(bytes, what) }

    static func decode(_ bytes: [UInt8], _ what: String) throws(BackfillError) -> Self {
        do {
            return try JSONDecoder().decode(Self.self, from: Data(bytes))
        } catch {
            throw BackfillError(.badAnswer, "the REST server's answer is not JSON of \(what); check MASSIVE_REST_URL")
        }
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

    var status: String?
    var results: [Result]?
    var nextURL: String?

    enum CodingKeys: String, CodingKey {
        case status
        case results
        case nextURL = "next_url"
    }

    /// Reads a page, the usual form of it quickly.
    static func read(_ bytes: [UInt8], _ what: String) throws(BackfillError) -> AggregateAnswer {
        if let usual = AggregateScan.read(bytes) { return usual }
        return try decode(bytes, what)
    }

    /// The bars of a page; those outside the span that was asked for, or with impossible numbers, are left out.
    func bars(of symbol: Symbol, interval: Bar.Interval, starts: ClosedRange<Int64>) -> [Bar] {
        (results ?? []).compactMap { result in
            let numbers = [result.o, result.h, result.l, result.c, result.v]
            guard starts.contains(result.t), result.t % interval.milliseconds == 0, numbers.allSatisfy(\.isFinite),
                result.v >= 0
            else { return nil }
            return Bar(
                symbol: symbol, interval: interval, start: result.t, end: result.t + interval.milliseconds,
                open: result.o, high: result.h, low: result.l, close: result.c, volume: result.v,
                vwap: result.vw.flatMap { $0.isFinite ? $0 : nil }, isOTC: result.otc)
        }
    }
}
