import FoundationEssentials
import Glibc
import MarketData

/// One page of a route's answer.
struct PagedAnswer<Result: Decodable>: Decodable {
    /// `OK`, or `DELAYED` when the plan gets the data later; `nil` when the server sends no status.
    var status: String?
    var results: PageResults<Result>?
    /// The parts that the server says are missing. A relay says so if its buffer begins later, for instance.
    var missing: MissingParts?
    /// The address of the next page; `nil` on the last page.
    var next_url: String?

    /// How many results the page has; `nil` for a page without a list of them.
    var count: Int? { results?.count }

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

/// The parts that a server says are missing.
struct MissingParts: Decodable {
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

/// The results of a page. Those that can't be read are only counted, so that they don't spoil the others.
struct PageResults<Value: Decodable>: Decodable {
    private struct Readable: Decodable {
        let value: Value?

        init(from decoder: any Decoder) { value = try? Value(from: decoder) }
    }

    var values: [Value]
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

/// A bar of REST aggregates.
struct RESTBar: Decodable {
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

typealias AggregateAnswer = PagedAnswer<RESTBar>

extension AggregateAnswer {
    /// Returns the bars of a page that start within the span that was asked for, and the number of results left out
    /// because they can't be read, start off a window boundary or in another age, or have impossible numbers.
    func bars(of symbol: Symbol, interval: Bar.Interval, starts: ClosedRange<Int64>) -> (bars: [Bar], leftOut: Int) {
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
        let misplaced = (results?.values ?? []).count { starts.isFar(from: $0.t) }
        return (bars, wanted.count - bars.count + misplaced + (results?.unreadable ?? 0))
    }
}

extension ClosedRange<Int64> {
    /// Whether a time in milliseconds is more than a year outside the span. A server may send a little more than was
    /// asked for; if its times are that far off, they are in another unit, and do not mean that nothing was traded.
    func isFar(from time: Int64) -> Bool {
        let year: Int64 = 366 * 86_400_000
        return time < Swift.max(lowerBound, .min + year) - year || time > Swift.min(upperBound, .max - year) + year
    }
}
