import MarketData

/// An event's identity while two connections may deliver it: its kind and everything it says, folded into 128 bits.
///
/// Two events with the same fingerprint are taken for the same one. A corrected bar says something else, so it is
/// another event. Among a million events held at a time, two different ones share a fingerprint with a probability of
/// about 10⁻²⁷.
struct EventFingerprint: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64

    func hash(into hasher: inout Hasher) { hasher.combine(low) }

    private init(_ folder: Folder) {
        high = folder.high
        low = folder.low
    }

    /// - Parameter era: distinguishes one period of sharing from the next.
    init(_ bar: Bar, era: UInt32) {
        var folder = Folder(kind: bar.interval == .minute ? 1 : 2, era, bar.symbol)
        folder.add(UInt64(bitPattern: bar.start), UInt64(bitPattern: bar.end))
        folder.add(bar.open.bitPattern, bar.high.bitPattern)
        folder.add(bar.low.bitPattern, bar.close.bitPattern)
        folder.add(bar.volume.bitPattern, Folder.bits(bar.vwap))
        folder.add(Folder.bits(bar.dayVolume), Folder.bits(bar.dayOpen))
        folder.add(Folder.bits(bar.dayVWAP), Folder.bits(bar.averageSize))
        folder.add(bar.isOTC.map { $0 ? 1 : 2 } ?? 0, 0)
        self.init(folder)
    }

    init(_ trade: Trade, text: TextArena, era: UInt32) {
        var folder = Folder(kind: 3, era, trade.symbol)
        folder.add(UInt64(bitPattern: trade.time), Folder.bits(trade.sequence))
        folder.add(trade.price.bitPattern, trade.size.bitPattern)
        folder.add(Folder.bits(trade.exchange), Folder.bits(trade.tape))
        folder.add(Folder.bits(trade.trfID), Folder.bits(trade.trfTime))
        folder.add(Folder.bits(trade.participantTime), 0)
        folder.add(trade.tradeID, text)
        folder.add(trade.conditions, text)
        self.init(folder)
    }

    init(_ quote: Quote, text: TextArena, era: UInt32) {
        var folder = Folder(kind: 4, era, quote.symbol)
        folder.add(UInt64(bitPattern: quote.time), Folder.bits(quote.sequence))
        folder.add(Folder.bits(quote.bid), Folder.bits(quote.bidSize))
        folder.add(Folder.bits(quote.ask), Folder.bits(quote.askSize))
        folder.add(Folder.bits(quote.bidExchange), Folder.bits(quote.askExchange))
        folder.add(Folder.bits(quote.condition), Folder.bits(quote.tape))
        folder.add(Folder.bits(quote.participantTime), 0)
        folder.add(quote.indicators, text)
        self.init(folder)
    }

    init(_ event: LimitBand, text: TextArena, era: UInt32) {
        var folder = Folder(kind: 5, era, event.symbol)
        folder.add(UInt64(bitPattern: event.time), Folder.bits(event.timeNanoseconds))
        folder.add(Folder.bits(event.high), Folder.bits(event.low))
        folder.add(Folder.bits(event.tape), Folder.bits(event.sequence))
        folder.add(event.indicators, text)
        self.init(folder)
    }

    init(_ event: Imbalance, text: TextArena, era: UInt32) {
        var folder = Folder(kind: 6, era, event.symbol)
        folder.add(UInt64(bitPattern: event.time), Folder.bits(event.timeNanoseconds))
        folder.add(Folder.bits(event.auctionTime), Folder.bits(event.sequence))
        folder.add(Folder.bits(event.exchange), Folder.bits(event.imbalance))
        folder.add(Folder.bits(event.paired), Folder.bits(event.clearingPrice))
        folder.add(event.auctionType, text)
        self.init(folder)
    }

    init(_ event: FairValue, era: UInt32) {
        var folder = Folder(kind: 7, era, event.symbol)
        folder.add(UInt64(bitPattern: event.time), Folder.bits(event.timeNanoseconds))
        folder.add(event.value.bitPattern, 0)
        self.init(folder)
    }
}

/// Folds words into 128 bits by full multiplications, in two lanes with separate secrets.
private struct Folder {
    /// Drawn once per process, so that nobody outside can construct equal fingerprints.
    private static let secrets = (secret(), secret(), secret(), secret())

    private static func secret() -> UInt64 { UInt64.random(in: .min ... .max) | 1 }

    var high: UInt64
    var low: UInt64
    private let secrets: (UInt64, UInt64, UInt64, UInt64)

    @inline(__always)
    init(kind: UInt64, _ era: UInt32, _ symbol: Symbol) {
        secrets = Self.secrets
        high = secrets.0 ^ kind
        low = secrets.1 ^ UInt64(era)
        add(symbol)
    }

    @inline(__always)
    mutating func add(_ first: UInt64, _ second: UInt64) {
        let left = (first ^ secrets.2 ^ low).multipliedFullWidth(by: second ^ secrets.3 ^ high)
        let right = (first ^ secrets.1 ^ high.byteSwapped).multipliedFullWidth(by: second ^ secrets.0 ^ low.byteSwapped)
        // Adding the previous state keeps a product of zero from erasing it.
        high = (left.high ^ left.low) &+ (high &* 0x9E37_79B9_7F4A_7C15) &+ second
        low = (right.high ^ right.low) &+ (low &* 0xD6E8_FEB8_6659_FD93) &+ first
    }

    @inline(__always)
    private mutating func add(_ symbol: Symbol) {
        symbol.withUTF8 { bytes in
            var words: (UInt64, UInt64) = (0, 0)
            for (index, byte) in bytes.enumerated() {
                if index < 8 {
                    words.0 |= UInt64(byte) &<< UInt64(index &* 8)
                } else {
                    words.1 |= UInt64(byte) &<< UInt64((index &- 8) &* 8)
                }
            }
            add(words.0, words.1)
        }
    }

    mutating func add(_ range: TextRange?, _ text: TextArena) {
        guard let range else { return add(.max, 0) }
        text.withUTF8(range) { bytes in
            add(UInt64(bytes.count), 1)
            var word: UInt64 = 0
            for (index, byte) in bytes.enumerated() {
                word = word &<< 8 | UInt64(byte)
                if index & 7 == 7 {
                    add(word, 2)
                    word = 0
                }
            }
            add(word, 3)
        }
    }

    /// Absent values differ from every value that occurs.
    static func bits(_ value: Double?) -> UInt64 { value?.bitPattern ?? 0x7FF8_DEAD_BEEF_0001 }
    static func bits(_ value: Int64?) -> UInt64 { value.map { UInt64(bitPattern: $0) } ?? 0x8000_0000_0000_0001 }
    static func bits(_ value: Int32?) -> UInt64 { value.map { UInt64(UInt32(bitPattern: $0)) } ?? 0x1_0000_0000 }
}
