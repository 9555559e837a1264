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
                    end: try ifOfType(whole, "e").flatMap { $0 > start ? $0 : nil } ?? start &+ interval.milliseconds,
                    open: try need(number("o")),
                    high: try need(number("h")), low: try need(number("l")), close: try need(number("c")),
                    volume: try need(ifOfType(decimal, "dv") ?? number("v")), vwap: try ifOfType(number, "vw"),
                    dayVolume: try ifOfType(decimal, "dav") ?? ifOfType(number, "av"),
                    dayOpen: try ifOfType(number, "op"),
                    dayVWAP: try ifOfType(number, "a"), averageSize: try ifOfType(number, "z"),
                    isOTC: try ifOfType(flag, "otc")))
        }

        func trade() throws -> String {
            var arena = TextArena()
            let sentID = try ifOfType(text, "i").flatMap { $0.utf8.contains(0) ? nil : $0 }
            let tradeID = try (sentID ?? ifOfType(whole, "i").map { "\($0)" }).map { arena.append($0) }
            let conditions = try list("c").map { arena.append($0) }
            return EventLine.line(
                Trade(
                    symbol: try symbol(), time: try need(whole("t")), price: try need(number("p")),
                    size: try need(ifOfType(decimal, "ds") ?? number("s")), exchange: try ifOfType(small, "x"),
                    tape: try ifOfType(small, "z"), tradeID: tradeID, conditions: conditions,
                    sequence: try ifOfType(whole, "q"),
                    trfID: try ifOfType(small, "trfi"),
                    trfTime: try otherTime("trft"), participantTime: try otherTime("pt")), arena)
        }

        func otherTime(_ name: String) throws -> Int64? {
            guard let sent = try ifOfType(whole, name), sent >= 0 else { return nil }
            let time = sent < 100_000_000_000_000_000 ? sent : sent / 1_000_000
            return time <= 253_402_300_799_999 ? time : nil
        }

        func quote() throws -> String {
            var arena = TextArena()
            let indicators = try list("i").map { arena.append($0) }
            return EventLine.line(
                Quote(
                    symbol: try symbol(), time: try need(whole("t")), bid: try ifOfType(number, "bp"),
                    bidSize: try ifOfType(number, "bs"),
                    bidExchange: try ifOfType(small, "bx"), ask: try ifOfType(number, "ap"),
                    askSize: try ifOfType(number, "as"),
                    askExchange: try ifOfType(small, "ax"), condition: try ifOfType(small, "c"), indicators: indicators,
                    tape: try ifOfType(small, "z"), sequence: try ifOfType(whole, "q"),
                    participantTime: try otherTime("pt")),
                arena)
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
            let list =
                try ifOfType({ try fields.decodeIfPresent([Int32].self, forKey: Name(stringValue: $0)) }, name)
                ?? ifOfType(small, name).map { [$0] }
            return list.map { "[" + $0.map(String.init).joined(separator: ",") + "]" }
        }

        func flag(_ name: String) throws -> Bool? {
            try fields.decodeIfPresent(Bool.self, forKey: Name(stringValue: name))
        }

        /// The value of a field that an event can be without; `nil` for another type. A number that Foundation can't
        /// read may be one that we can, and throws.
        func ifOfType<Value>(_ read: (String) throws -> Value?, _ name: String) throws -> Value? {
            do { return try read(name) } catch DecodingError.typeMismatch { return nil }
        }

        /// A decimal in a string, or a number.
        func decimal(_ name: String) throws -> Double? {
            guard let text = try? text(name) else { return try number(name) }
            guard text.utf8.allSatisfy("0123456789+-.eE".utf8.contains) else { throw Missing() }
            return try JSONDecoder().decode([Double].self, from: Data("[\(text)]".utf8)).first
        }
    }
}
