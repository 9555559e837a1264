import FoundationEssentials
import Glibc
import MarketData

/// One page of REST aggregates.
struct AggregateAnswer: Decodable {
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

    /// Reads a page.
    static func read(_ bytes: [UInt8]) throws(BackfillError) -> AggregateAnswer {
        do {
            return try JSONDecoder().decode(AggregateAnswer.self, from: Data(bytes))
        } catch {
            throw BackfillError(
                .badAnswer, "the REST server's answer is not JSON of aggregates; check MASSIVE_REST_URL")
        }
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
