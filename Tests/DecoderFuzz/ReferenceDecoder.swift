public import Feed
import MarketData

/// Reads events as the feed's description says, from ``ReferenceJSON``, for comparing with the decoder.
public enum ReferenceDecoder {
    /// What a value of the frame's array is.
    public enum Outcome {
        /// An event, as ``EventLine`` writes it.
        case event(String)
        /// A status message.
        case status(FeedStatus)
        /// Nothing that the feed sends.
        case rejected
    }

    /// Reads one element of a frame.
    public static func read(_ value: ReferenceJSON) -> Outcome {
        guard case .object(let fields) = value, let event = Fields(fields) else { return .rejected }
        return event.outcome ?? .rejected
    }

    private struct Fields {
        var values: [String: ReferenceJSON] = [:]

        init?(_ fields: [(name: [UInt8]?, value: ReferenceJSON)]) {
            for field in fields {
                guard let name = field.name else { continue }
                values[String(decoding: name, as: UTF8.self)] = field.value
            }
        }

        /// `nil` when anything that must be there is missing or wrong.
        var outcome: Outcome? {
            guard case .string(let name?)? = values["ev"] else { return nil }
            do {
                switch String(decoding: name, as: UTF8.self) {
                case "AM": return .event(try bar(.minute))
                case "A": return .event(try bar(.second))
                case "T": return .event(try trade())
                case "Q": return .event(try quote())
                case "LULD": return .event(try limitBand())
                case "NOI": return .event(try imbalance())
                case "FMV": return .event(try fairValue())
                case "status":
                    let status = FeedStatus(
                        status: try required(text("status")), message: (try? text("message")) ?? "")
                    return .status(status)
                default: return nil
                }
            } catch {
                return nil
            }
        }

        struct Wrong: Error {}

        func required<Value>(_ value: Value?) throws -> Value {
            guard let value else { throw Wrong() }
            return value
        }

        func present(_ name: String) -> ReferenceJSON? {
            guard let value = values[name] else { return nil }
            if case .null = value { return nil }
            return value
        }

        func bar(_ interval: Bar.Interval) throws -> String {
            let start = try required(time("s"))
            let end = (try? time("e")).flatMap { $0 > start ? $0 : nil }
            guard end != nil || start <= Int64.max - interval.milliseconds else { throw Wrong() }
            var bar = Bar(
                symbol: try symbol(), interval: interval, start: start, end: end ?? start + interval.milliseconds,
                open: try required(number("o")), high: try required(number("h")), low: try required(number("l")),
                close: try required(number("c")), volume: try required((try? decimal("dv")) ?? number("v")))
            bar.vwap = try? number("vw")
            bar.dayVolume = (try? decimal("dav")) ?? (try? number("av"))
            bar.dayOpen = try? number("op")
            bar.dayVWAP = try? number("a")
            bar.averageSize = try? number("z")
            if case .bool(let value)? = present("otc") { bar.isOTC = value }
            return EventLine.line(bar)
        }

        func trade() throws -> String {
            var arena = TextArena()
            var trade = Trade(
                symbol: try symbol(), time: try required(time("t")), price: try required(number("p")),
                size: try required((try? decimal("ds")) ?? number("s")))
            trade.exchange = try? small("x")
            trade.tape = try? small("z")
            trade.tradeID = (keptText("i") ?? (try? integer("i")).map { "\($0)" }).map { arena.append($0) }
            trade.conditions = (try? integers("c")).map { arena.append($0) }
            trade.sequence = try? integer("q")
            trade.trfID = try? small("trfi")
            trade.trfTime = otherTime("trft")
            trade.participantTime = otherTime("pt")
            return EventLine.line(trade, arena)
        }

        func quote() throws -> String {
            var arena = TextArena()
            var quote = Quote(symbol: try symbol(), time: try required(time("t")))
            quote.bid = try? number("bp")
            quote.bidSize = try? number("bs")
            quote.bidExchange = try? small("bx")
            quote.ask = try? number("ap")
            quote.askSize = try? number("as")
            quote.askExchange = try? small("ax")
            quote.condition = try? small("c")
            quote.indicators = (try? integers("i")).map { arena.append($0) }
            quote.tape = try? small("z")
            quote.sequence = try? integer("q")
            quote.participantTime = otherTime("pt")
            return EventLine.line(quote, arena)
        }

        /// The exchange's or the reporting facility's time in milliseconds; what is larger than any year in milliseconds
        /// is in nanoseconds. None is later than the year 9999.
        func otherTime(_ name: String) -> Int64? {
            guard let sent = try? integer(name), sent >= 0 else { return nil }
            let time = sent < 100_000_000_000_000_000 ? sent : sent / 1_000_000
            return time <= 253_402_300_799_999 ? time : nil
        }

        func limitBand() throws -> String {
            var arena = TextArena()
            let (time, nanoseconds) = try moment()
            var band = LimitBand(symbol: try symbol("T"), time: time, timeNanoseconds: nanoseconds)
            band.high = try? number("h")
            band.low = try? number("l")
            band.indicators = (try? integers("i")).map { arena.append($0) }
            band.tape = try? small("z")
            band.sequence = try? integer("q")
            return EventLine.line(band, arena)
        }

        func imbalance() throws -> String {
            var arena = TextArena()
            let (time, nanoseconds) = try moment()
            var event = Imbalance(symbol: try symbol("T"), time: time, timeNanoseconds: nanoseconds)
            event.auctionTime = try? small("at")
            event.auctionType = (keptText("a") ?? (try? integer("a")).map { "\($0)" }).map { arena.append($0) }
            event.sequence = try? integer("i")
            event.exchange = try? small("x")
            event.imbalance = try? number("o")
            event.paired = try? number("p")
            event.clearingPrice = try? number("b")
            return EventLine.line(event, arena)
        }

        func fairValue() throws -> String {
            let (time, nanoseconds) = try moment()
            return EventLine.line(
                FairValue(
                    symbol: try symbol(), time: time, timeNanoseconds: nanoseconds, value: try required(number("fmv"))),
                TextArena())
        }

        /// A time in milliseconds, or in nanoseconds as its size tells.
        func moment() throws -> (Int64, Int64?) {
            let value = try required(time("t"))
            return value >= 100_000_000_000_000_000 ? (value / 1_000_000, value) : (value, nil)
        }

        func symbol(_ name: String = "sym") throws -> Symbol {
            guard case .string(let bytes?)? = values[name] else { throw Wrong() }
            guard let symbol = Symbol(String(decoding: bytes, as: UTF8.self)) else { throw Wrong() }
            return symbol
        }

        func text(_ name: String) throws -> String? {
            guard let value = present(name) else { return nil }
            guard case .string(let bytes?) = value else { throw Wrong() }
            return String(decoding: bytes, as: UTF8.self)
        }

        /// A text that a database can hold: one without a NUL.
        func keptText(_ name: String) -> String? {
            (try? text(name)).flatMap { $0.utf8.contains(0) ? nil : $0 }
        }

        func number(_ name: String) throws -> Double? {
            guard let value = present(name) else { return nil }
            guard case .number(let text) = value, let number = Double(text), number.isFinite else { throw Wrong() }
            return number
        }

        func decimal(_ name: String) throws -> Double? {
            guard let value = present(name) else { return nil }
            guard case .string(let bytes?) = value else { return try number(name) }
            guard case .number(let text)? = ReferenceJSON.prefix(bytes[...], depth: 0)?.value,
                text.utf8.count == bytes.count, let number = Double(text), number.isFinite
            else { throw Wrong() }
            return number
        }

        func integer(_ name: String) throws -> Int64? {
            guard let value = present(name) else { return nil }
            guard case .number(let text) = value else { throw Wrong() }
            return try required(Self.integer(text))
        }

        func time(_ name: String) throws -> Int64? {
            let value = try integer(name)
            if let value, value <= 0 { throw Wrong() }
            return value
        }

        func small(_ name: String) throws -> Int32? {
            try integer(name).map { try required(Int32(exactly: $0)) }
        }

        func integers(_ name: String) throws -> String? {
            guard let value = present(name) else { return nil }
            let values = if case .array(let values) = value { values } else { [value] }
            let texts = try values.map { value in
                guard case .number(let text) = value else { throw Wrong() }
                return String(try required(Self.integer(text).flatMap { Int32(exactly: $0) }))
            }
            return "[" + texts.joined(separator: ",") + "]"
        }

        /// The integer that a number in any form is, on its digits as text.
        static func integer(_ text: String) -> Int64? {
            let parts = text.lowercased().split(separator: "e")
            let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
            let fraction = mantissa.count > 1 ? String(mantissa[1]) : ""
            var digits = mantissa[0].drop { $0 == "-" } + fraction
            digits = digits.drop { $0 == "0" }
            if digits.isEmpty { return 0 }
            guard var exponent = parts.count > 1 ? Int(parts[1]) : 0 else { return nil }
            exponent -= fraction.count
            while exponent < 0 {
                guard digits.popLast() == "0" else { return nil }
                exponent += 1
            }
            guard digits.count + exponent <= 19 else { return nil }
            return Int64((text.hasPrefix("-") ? "-" : "") + digits + String(repeating: "0", count: exponent))
        }
    }
}
