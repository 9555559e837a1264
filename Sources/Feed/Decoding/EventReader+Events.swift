import MarketData

extension EventReader {
    /// Returns the kind of event that `ev` names; `nil` for a status message. Throws if `ev` is missing or unknown.
    @inline(__always)
    func kind() throws(Rejection) -> EventKind? {
        if fields.others & FieldKey.ev.bit != 0, fields.kind(.ev) == .string {
            let start = fields.start(.ev)
            switch fields.length(.ev) {
            case 1:
                switch bytes[start] {
                case UInt8(ascii: "T"): return .trade
                case UInt8(ascii: "Q"): return .quote
                case UInt8(ascii: "A"): return .secondBar
                default: break
                }
            case 2 where bytes[start] == UInt8(ascii: "A") && bytes[start &+ 1] == UInt8(ascii: "M"):
                return .minuteBar
            default: break
            }
        }
        return try otherKind()
    }

    /// Returns the symbol of an event of a kind; throws if it is missing or invalid.
    func symbol(of kind: EventKind) throws(Rejection) -> Symbol {
        switch kind {
        case .limitBand, .imbalance: try symbol(.ticker)
        case .minuteBar, .secondBar, .trade, .quote, .fairValue: try symbol()
        }
    }

    @inline(never)
    private func otherKind() throws(Rejection) -> EventKind? {
        guard has(.ev) else { throw Rejection(.missingEvent) }
        guard fields.others & FieldKey.ev.bit != 0 else { throw Rejection(.wrongType, .ev) }
        let name: String?
        switch fields.kind(.ev) {
        case .string: name = String(decoding: text(.ev).prefix(16), as: UTF8.self)
        case .escapedString: name = withUnescaped(.ev) { String(decoding: $0.prefix(16), as: UTF8.self) }
        case .null: throw Rejection(.missingEvent)
        default: throw Rejection(.wrongType, .ev)
        }
        if name == "status" { return nil }
        guard let kind = name.flatMap(EventKind.init(rawValue:)) else { throw Rejection(.unknownEvent) }
        return kind
    }

    /// Reads an `AM` or `A` message.
    @inline(__always)
    func bar(_ interval: Bar.Interval) throws(Rejection) -> Bar {
        let symbol = try symbol()
        let start = try requiredTime("s")
        var sentEnd = time("e", atLeast: 1)
        // A window that ends before it begins is not one; the rest of the bar may well be right.
        if let sent = sentEnd, sent <= start {
            fields.leaveOut("e", .badTime)
            sentEnd = nil
        }
        let end: Int64
        if let sent = sentEnd {
            guard times.contains(sent) else { throw Rejection(.badTime, "e") }
            end = sent
        } else {
            let (sum, overflow) = start.addingReportingOverflow(interval.milliseconds)
            guard !overflow else { throw Rejection(.badTime, "s") }
            end = sum
        }
        let volume = try requiredNumber(exact: .dv, rounded: "v")
        return Bar(
            symbol: symbol, interval: interval, start: start, end: end, open: try requiredNumber("o"),
            high: try requiredNumber("h"), low: try requiredNumber("l"), close: try requiredNumber("c"),
            volume: volume, vwap: number(.vw), dayVolume: number(exact: .dav, rounded: .av), dayOpen: number(.op),
            dayVWAP: number("a"), averageSize: number("z"), isOTC: flag(.otc))
    }

    /// Reads a `T` message and appends its texts to the arena.
    @inline(__always)
    func trade(in arena: inout TextArena, limit: Int) throws(Rejection) -> Trade {
        let size = try requiredNumber(exact: .ds, rounded: "s")
        var trade = Trade(
            symbol: try symbol(), time: try requiredTime("t"), price: try requiredNumber("p"), size: size,
            exchange: smallInteger("x"), tape: smallInteger("z"), sequence: integer("q"), trfID: smallInteger(.trfi),
            trfTime: moment(.trft), participantTime: moment(.pt))
        let kept = arena.bytes.count
        do {
            trade.tradeID = try keptText("i", in: &arena, limit: limit)
            trade.conditions = try integers("c", in: &arena, limit: limit)
        } catch {
            arena.removeAll(from: kept)
            throw error
        }
        return trade
    }

    /// Reads a `Q` message and appends its texts to the arena.
    @inline(__always)
    func quote(in arena: inout TextArena, limit: Int) throws(Rejection) -> Quote {
        Quote(
            symbol: try symbol(), time: try requiredTime("t"), bid: number(.bp), bidSize: number(.bs),
            bidExchange: smallInteger(.bx), ask: number(.ap), askSize: number(.as), askExchange: smallInteger(.ax),
            condition: smallInteger("c"), indicators: try integers("i", in: &arena, limit: limit),
            tape: smallInteger("z"), sequence: integer("q"), participantTime: moment(.pt))
    }

    /// Reads an `LULD` message and appends its texts to the arena.
    @inline(never)
    func limitBand(in arena: inout TextArena, limit: Int) throws(Rejection) -> LimitBand {
        let (time, nanoseconds) = try requiredMoment("t")
        return LimitBand(
            symbol: try symbol(.ticker), time: time, timeNanoseconds: nanoseconds, high: number("h"), low: number("l"),
            indicators: try integers("i", in: &arena, limit: limit), tape: smallInteger("z"), sequence: integer("q"))
    }

    /// Reads a `NOI` message and appends its texts to the arena.
    @inline(never)
    func imbalance(in arena: inout TextArena, limit: Int) throws(Rejection) -> Imbalance {
        let (time, nanoseconds) = try requiredMoment("t")
        return Imbalance(
            symbol: try symbol(.ticker), time: time, timeNanoseconds: nanoseconds, auctionTime: smallInteger(.at),
            auctionType: try keptText("a", in: &arena, limit: limit), sequence: integer("i"),
            exchange: smallInteger("x"), imbalance: number("o"), paired: number("p"), clearingPrice: number("b"))
    }

    /// Reads an `FMV` message.
    @inline(never)
    func fairValue() throws(Rejection) -> FairValue {
        let (time, nanoseconds) = try requiredMoment("t")
        return FairValue(
            symbol: try symbol(), time: time, timeNanoseconds: nanoseconds, value: try requiredNumber(.fmv))
    }

    func status() throws(Rejection) -> FeedStatus {
        guard let status = try string(.status) else { throw Rejection(.missingField, .status) }
        return FeedStatus(status: status, message: optional(string, .message) ?? "")
    }
}
