import Testing

/// One exchange of the case list by which WebSocket clients are commonly tested (groups 1–7, 9 and 10 of Autobahn's).
struct ConformanceCase: Sendable {
    /// What the client must do.
    enum Outcome: Sendable, Equatable {
        /// The connection stays open, `trades` messages with trades arrived, and the pings were answered with `pongs`.
        case stands(trades: Int, pongs: [[UInt8]])
        /// The client fails the connection with a code.
        case fails(UInt16)
        /// The client answers the close.
        case closes
    }

    let name: String
    let wire: [[UInt8]]
    let outcome: Outcome
    /// How many bytes to send at a time; 0 sends all at once.
    var chop = 0

    private init(_ name: String, _ wire: [[UInt8]], _ outcome: Outcome, chop: Int = 0) {
        self.name = name
        self.wire = wire
        self.outcome = outcome
        self.chop = chop
    }

    private static func stands(_ trades: Int = 0, _ pongs: [[UInt8]] = []) -> Outcome {
        .stands(trades: trades, pongs: pongs)
    }

    private static let trade = WireBytes.trade(1)

    /// Frames of each length at which the header's form changes: text and binary, whole and in small pieces.
    static let framing: [ConformanceCase] =
        [0, 125, 126, 127, 128, 65_535, 65_536].flatMap { length in
            let text = length < trade.count ? [] : WireBytes.trade(1, bytes: length)
            return [0, 997].map { chop in
                ConformanceCase(
                    "1.1 text of \(text.count), chops of \(chop)", [WireBytes.frame(1, text)],
                    stands(text.isEmpty ? 0 : 1), chop: chop)
            } + [
                ConformanceCase(
                    "1.2 binary of \(length)", [WireBytes.frame(2, [UInt8](repeating: 0xFE, count: length))], stands())
            ]
        }

    static let pings: [ConformanceCase] = {
        let long = [UInt8](repeating: 0xFE, count: 125)
        let ten = (0..<10).map { Array("payload-\($0)".utf8) }
        return [
            ConformanceCase("2.1 empty ping", [WireBytes.frame(9)], stands(0, [[]])),
            ConformanceCase(
                "2.2 ping with text", [WireBytes.frame(9, Array("Hello".utf8))], stands(0, [Array("Hello".utf8)])),
            ConformanceCase(
                "2.3 ping with bytes", [WireBytes.frame(9, [0, 0xFF, 0xFE, 0xFD])], stands(0, [[0, 0xFF, 0xFE, 0xFD]])),
            ConformanceCase("2.4 ping of 125", [WireBytes.frame(9, long)], stands(0, [long])),
            ConformanceCase("2.5 ping of 126", [WireBytes.frame(9, long + [1])], .fails(1002)),
            ConformanceCase("2.6 ping of 125, byte by byte", [WireBytes.frame(9, long)], stands(0, [long]), chop: 1),
            ConformanceCase("2.7 pong nobody asked for", [WireBytes.frame(10)], stands()),
            ConformanceCase("2.8 pong with text", [WireBytes.frame(10, Array("unasked".utf8))], stands()),
            ConformanceCase(
                "2.9 pong, then ping", [WireBytes.frame(10, [1]), WireBytes.frame(9, [2])], stands(0, [[2]])),
            ConformanceCase("2.10 ten pings", ten.map { WireBytes.frame(9, $0) }, stands(0, ten)),
            ConformanceCase(
                "2.11 ten pings, byte by byte", ten.map { WireBytes.frame(9, $0) }, stands(0, ten), chop: 1),
        ]
    }()

    static let reserved: [ConformanceCase] =
        (1...7).map { bits in
            ConformanceCase(
                "3.\(bits) reserved bits \(bits)", [WireBytes.frame(1, trade, reserved: UInt8(bits))], .fails(1002))
        }
        + [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap { opcode in
            [[], Array("opcode".utf8)].map { payload in
                ConformanceCase(
                    "4 opcode \(opcode), \(payload.count) bytes", [WireBytes.frame(opcode, payload)], .fails(1002))
            }
        }

    static let fragmentation: [ConformanceCase] = {
        let half = trade.count / 2
        let first = WireBytes.frame(1, Array(trade[..<half]), final: false)
        let last = WireBytes.frame(0, Array(trade[half...]))
        let ping = WireBytes.frame(9, [7])
        return [
            ConformanceCase(
                "5.1 ping in fragments", [WireBytes.frame(9, [1], final: false), WireBytes.frame(0, [2])], .fails(1002)),
            ConformanceCase(
                "5.2 pong in fragments", [WireBytes.frame(10, [1], final: false), WireBytes.frame(0, [2])], .fails(1002)
            ),
            ConformanceCase("5.3 text in two", [first, last], stands(1)),
            ConformanceCase("5.5 text in two, byte by byte", [first, last], stands(1), chop: 1),
            ConformanceCase("5.6 ping between", [first, ping, last], stands(1, [[7]])),
            ConformanceCase("5.8 ping between, byte by byte", [first, ping, last], stands(1, [[7]]), chop: 1),
            ConformanceCase("5.9 continuation of nothing, then text", [last, WireBytes.frame(1, trade)], .fails(1002)),
            ConformanceCase(
                "5.12 unfinished continuation of nothing", [WireBytes.frame(0, trade, final: false)], .fails(1002)),
            ConformanceCase(
                "5.15 continuation after the end", [first, last, WireBytes.frame(0, [1], final: false)], .fails(1002)),
            ConformanceCase("5.18 text within text", [first, WireBytes.frame(1, trade)], .fails(1002)),
            ConformanceCase(
                "5.19 five fragments with pings between",
                WireBytes.fragments(1, trade, each: trade.count / 5 + 1).flatMap { [$0, ping] },
                stands(1, [[UInt8]](repeating: [7], count: 5))),
            ConformanceCase("5 binary in fragments", WireBytes.fragments(2, trade, each: 9), stands()),
            ConformanceCase(
                "5 an empty fragment between", [first, WireBytes.frame(0, [], final: false), last], stands(1)),
        ]
    }()

    /// A text message that holds these bytes in a string.
    private static func text(_ bytes: [UInt8]) -> [UInt8] {
        var text = trade
        let place = text.firstIndex(of: UInt8(ascii: "[")).map { $0 + 2 } ?? 0
        text.insert(contentsOf: Array("\"note\":\"".utf8) + bytes + Array("\",".utf8), at: place)
        return text
    }

    static let utf8: [ConformanceCase] = {
        let valid: [[UInt8]] = [
            Array("Hello-µ@ßöäüàá-UTF-8!!".utf8), Array("κόσμε".utf8), [0x7F], [0xC2, 0x80], [0xDF, 0xBF],
            [0xE0, 0xA0, 0x80], [0xEF, 0xBF, 0xBF], [0xF0, 0x90, 0x80, 0x80], [0xF4, 0x8F, 0xBF, 0xBF],
            [0xED, 0x9F, 0xBF], [0xEE, 0x80, 0x80], [0xEF, 0xBF, 0xBD], [0xEF, 0xB7, 0x90],
        ]
        let invalid: [[UInt8]] = [
            [0xCE, 0xBA, 0xE1, 0xBD, 0xB9, 0xCF, 0x83, 0xCE, 0xBC, 0xCE, 0xB5, 0xED, 0xA0, 0x80],
            [0xF4, 0x90, 0x80, 0x80], [0x80], [0xBF], [0x80, 0xBF, 0x80], [0xC0, 0x20], [0xE0, 0x20], [0xF0, 0x20],
            [0xC0], [0xE0, 0x80], [0xF0, 0x80, 0x80], [0xDF], [0xEF, 0xBF], [0xF7, 0xBF, 0xBF], [0xFE], [0xFF],
            [0xFE, 0xFE, 0xFF, 0xFF], [0xC0, 0xAF], [0xE0, 0x80, 0xAF], [0xF0, 0x80, 0x80, 0xAF],
            [0xF8, 0x80, 0x80, 0x80, 0xAF], [0xFC, 0x80, 0x80, 0x80, 0x80, 0xAF], [0xC1, 0xBF], [0xE0, 0x9F, 0xBF],
            [0xF0, 0x8F, 0xBF, 0xBF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xED, 0xAF, 0xBF], [0xED, 0xB0, 0x80],
            [0xED, 0xBF, 0xBF], [0xED, 0xA0, 0x80, 0xED, 0xB0, 0x80], [0xF8, 0x88, 0x80, 0x80, 0x80],
        ]
        return valid.flatMap { bytes in
            [
                ConformanceCase("6 valid \(bytes)", [WireBytes.frame(1, text(bytes))], stands(1)),
                ConformanceCase(
                    "6 valid \(bytes), split anywhere", WireBytes.fragments(1, text(bytes), each: 1), stands(1)),
            ]
        }
            + invalid.flatMap { bytes in
                [
                    ConformanceCase("6 invalid \(bytes)", [WireBytes.frame(1, text(bytes))], .fails(1007)),
                    ConformanceCase(
                        "6 invalid \(bytes), split anywhere", WireBytes.fragments(1, text(bytes), each: 1), .fails(1007)
                    ),
                ]
            }
    }()

    static let closing: [ConformanceCase] = {
        let half = WireBytes.frame(1, Array(trade[..<9]), final: false)
        let long = [UInt8](repeating: UInt8(ascii: "*"), count: 123)
        let allowed: [UInt16] = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]
        let forbidden: [UInt16] = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]
        return [
            ConformanceCase("7.1.1 text, then close", [WireBytes.frame(1, trade), WireBytes.close(1000)], .closes),
            ConformanceCase("7.1.2 two closes", [WireBytes.close(1000), WireBytes.close(1000)], .closes),
            ConformanceCase("7.1.3 ping after close", [WireBytes.close(1000), WireBytes.frame(9, [1])], .closes),
            ConformanceCase(
                "7.1.4 text after close", [WireBytes.close(1000), WireBytes.frame(1, WireBytes.trade(666))], .closes),
            ConformanceCase("7.1.5 close within a message", [half, WireBytes.close(1000)], .closes),
            ConformanceCase("7.3.1 close without a code", [WireBytes.close(nil)], .closes),
            ConformanceCase("7.3.2 close with half a code", [WireBytes.frame(8, [3])], .fails(1002)),
            ConformanceCase("7.3.4 close with a reason", [WireBytes.close(1000, Array("Hello World!".utf8))], .closes),
            ConformanceCase("7.3.5 close with the longest reason", [WireBytes.close(1000, long)], .closes),
            ConformanceCase("7.3.6 close with too long a reason", [WireBytes.close(1000, long + [42])], .fails(1002)),
            ConformanceCase(
                "7.5.1 close with a reason that is not UTF-8", [WireBytes.close(1000, [0xCE, 0xBA, 0xED, 0xA0, 0x80])],
                .fails(1007)),
        ]
            + allowed.map { ConformanceCase("7.7 close with \($0)", [WireBytes.close($0)], .closes) }
            + forbidden.map { ConformanceCase("7.9 close with \($0)", [WireBytes.close($0)], .fails(1002)) }
    }()

    /// Long messages in one frame, in fragments and in pieces, up to the maximum and beyond.
    static let limits: [ConformanceCase] = {
        let cap = 4 << 20
        let sizes = [64 << 10, 256 << 10, 1 << 20, cap]
        return sizes.map {
            ConformanceCase("9.1 text of \($0)", [WireBytes.frame(1, WireBytes.trade(1, bytes: $0))], stands(1))
        }
            + [64, 4096, 1 << 20].map {
                ConformanceCase(
                    "9.3 text of 1 MiB in fragments of \($0)",
                    WireBytes.fragments(1, WireBytes.trade(1, bytes: 1 << 20), each: $0), stands(1))
            }
            + [64, 2048].map {
                ConformanceCase(
                    "9.5 text of 256 KiB in chops of \($0)", [WireBytes.frame(1, WireBytes.trade(1, bytes: 256 << 10))],
                    stands(1), chop: $0)
            }
            + [
                ConformanceCase(
                    "9.2 binary of 4 MiB", [WireBytes.frame(2, [UInt8](repeating: 1, count: cap))], stands()),
                ConformanceCase(
                    "9.7 a thousand small messages", [[UInt8]](repeating: WireBytes.frame(1, trade), count: 1000),
                    stands(1000)),
                ConformanceCase(
                    "10.1.1 text of 64 KiB in fragments of 1300",
                    WireBytes.fragments(1, WireBytes.trade(1, bytes: 65_536), each: 1300), stands(1)),
                ConformanceCase("past the cap", [WireBytes.frame(1, WireBytes.trade(1, bytes: cap + 1))], .fails(1009)),
                ConformanceCase(
                    "past the cap in fragments",
                    WireBytes.fragments(1, WireBytes.trade(1, bytes: cap + 1), each: 1 << 20), .fails(1009)),
                ConformanceCase(
                    "a length past the cap, and no payload", [[0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0]], .fails(1009)),
                ConformanceCase(
                    "a length beyond 63 bits", [[0x81, 127, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]],
                    .fails(1009)),
            ]
    }()
}
