import Foundation
import MarketData

/// Reads frames with Foundation's `JSONDecoder`, a reader that has nothing in common with ours.
public enum FoundationDecoder {
    /// The elements of a frame, each as ``EventLine`` writes it; `nil` for one that isn't an event with all it needs.
    /// `nil` for a frame that Foundation takes for no array of JSON.
    public static func read(_ frame: [UInt8]) -> [String?]? {
        try? JSONDecoder().decode([Element].self, from: Data(frame)).map(\.line)
    }

    private struct Element: Decodable {
        let line: String?

        init(from decoder: any Decoder) throws {
            guard let fields = try? decoder.container(keyedBy: Name.self) else {
                line = nil
                return
            }
            line = try? EventFields(fields: fields).line()
        }
    }

    fileprivate struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private struct Missing: Error {}

    private struct EventFields {
        let fields: KeyedDecodingContainer<Name>

        func line() throws -> String? {
            switch try need(text("ev")) {
            case "AM": try bar(.minute)
            case "A": try bar(.second)
            case "T": try trade()
            case "Q": try quote()
            default: nil
            }
        }

        func bar(_ interval: Bar.Interval) throws -> String {
            let start = try need(whole("s"))
            return EventLine.line(
                Bar(
                    symbol: try symbol(), interval: interval, start: start,
                    end: try whole("e") ?? start + interval.milliseconds, open: try need(number("o")),
                    high: try need(number("h")), low: try need(number("l")), close: try need(number("c")),
                    volume: try need(decimal("dv") ?? number("v")), vwap: try number("vw"),
                    dayVolume: try decimal("dav") ?? number("av"), dayOpen: try number("op"),
                    dayVWAP: try number("a"), averageSize: try number("z"),
                    isOTC: try fields.decodeIfPresent(Bool.self, forKey: Name(stringValue: "otc"))))
        }

        func trade() throws -> String {
            var arena = TextArena()
            let tradeID = try text("i").map { arena.append($0) }
            let conditions = try list("c").map { arena.append($0) }
            return EventLine.line(
                Trade(
                    symbol: try symbol(), time: try need(whole("t")), price: try need(number("p")),
                    size: try need(decimal("ds") ?? number("s")), exchange: try small("x"), tape: try small("z"),
                    tradeID: tradeID, conditions: conditions, sequence: try whole("q"), trfID: try small("trfi"),
                    trfTime: try whole("trft")), arena)
        }

        func quote() throws -> String {
            var arena = TextArena()
            let indicators = try list("i").map { arena.append($0) }
            return EventLine.line(
                Quote(
                    symbol: try symbol(), time: try need(whole("t")), bid: try number("bp"), bidSize: try number("bs"),
                    bidExchange: try small("bx"), ask: try number("ap"), askSize: try number("as"),
                    askExchange: try small("ax"), condition: try small("c"), indicators: indicators,
                    tape: try small("z"), sequence: try whole("q")), arena)
        }

        func need<Value>(_ value: Value?) throws -> Value {
            guard let value else { throw Missing() }
            return value
        }

        func symbol() throws -> Symbol { try need(Symbol(need(text("sym")))) }

        func text(_ name: String) throws -> String? {
            try fields.decodeIfPresent(String.self, forKey: Name(stringValue: name))
        }

        func number(_ name: String) throws -> Double? {
            try fields.decodeIfPresent(Double.self, forKey: Name(stringValue: name))
        }

        func whole(_ name: String) throws -> Int64? {
            try fields.decodeIfPresent(Int64.self, forKey: Name(stringValue: name))
        }

        func small(_ name: String) throws -> Int32? {
            try fields.decodeIfPresent(Int32.self, forKey: Name(stringValue: name))
        }

        func list(_ name: String) throws -> String? {
            try fields.decodeIfPresent([Int32].self, forKey: Name(stringValue: name))
                .map { "[" + $0.map(String.init).joined(separator: ",") + "]" }
        }

        /// A decimal in a string, or a number.
        func decimal(_ name: String) throws -> Double? {
            guard let text = try? text(name) else { return try number(name) }
            return try JSONDecoder().decode([Double].self, from: Data("[\(text)]".utf8)).first
        }
    }
}
