import Testing

@testable import Feed

@Suite(.timeLimit(.minutes(3))) struct FrameAssemblerTests {
    private typealias Header = WebSocketFrameAssembler.Header

    private static func header(_ opcode: UInt8, final: Bool = true, length: Int = 10) -> Header {
        Header(isFinal: final, opcode: opcode, length: length)
    }

    /// The verdicts for a series of frames: "ok", or a violation's close code.
    private func verdicts(_ headers: [Header], maximumBytes: Int = 100) -> [String] {
        var assembler = WebSocketFrameAssembler(maximumBytes: maximumBytes)
        return headers.map { header in
            if case .violation(let violation) = assembler.take(header) { return "\(violation.code)" }
            return "ok"
        }
    }

    private func run(_ headers: [Header], maximumBytes: Int = 100) -> [WebSocketFrameAssembler.Verdict] {
        var assembler = WebSocketFrameAssembler(maximumBytes: maximumBytes)
        return headers.map { assembler.take($0) }
    }

    @Test func `a message in one frame is whole`() {
        #expect(run([Self.header(1), Self.header(1, length: 0)]) == [.text, .text])
    }

    @Test func `fragments are joined, with control frames between them`() {
        let frames = [
            Self.header(1, final: false), Self.header(9), Self.header(0, final: false, length: 0), Self.header(0xA),
            Self.header(0), Self.header(1),
        ]
        #expect(run(frames) == [.keep, .ping, .keep, .pong, .joined, .text])
    }

    @Test func `binary messages are skipped, whole or in fragments`() {
        let frames = [Self.header(2), Self.header(2, final: false), Self.header(0, final: false), Self.header(0)]
        #expect(run(frames) == [.skipBinary, .drop, .drop, .skipBinary])
    }

    @Test func `the cap holds for one frame and for the sum of fragments`() {
        #expect(run([Self.header(1, length: 100)]) == [.text])
        #expect(verdicts([Self.header(1, length: 101)]) == ["1009"])
        #expect(
            verdicts([
                Self.header(1, final: false, length: 60), Self.header(0, final: false, length: 40),
                Self.header(0, length: 1),
            ]) == ["ok", "ok", "1009"])
        #expect(verdicts([Self.header(2, final: false, length: 60), Self.header(0, length: .max)]) == ["ok", "1009"])
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7] as [UInt8])
    func `reserved bits are refused, as no extension was negotiated`(bits: UInt8) {
        for opcode in [0, 1, 2, 8, 9, 10] as [UInt8] {
            #expect(verdicts([Header(reservedBits: bits, opcode: opcode, length: 0)]) == ["1002"])
        }
    }

    @Test func `a frame that looks compressed is refused in words`() {
        guard case .violation(let violation) = run([Header(reservedBits: 4, opcode: 1, length: 9)])[0] else {
            Issue.record("taken")
            return
        }
        #expect(violation.explanation.contains("compressed frame (RSV1) though no compression was negotiated"))
    }

    @Test(arguments: [3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF] as [UInt8])
    func `reserved opcodes are refused`(opcode: UInt8) {
        #expect(verdicts([Self.header(opcode)]) == ["1002"])
    }

    @Test func `what only clients may send is refused`() {
        #expect(verdicts([Header(opcode: 1, isMasked: true, length: 5)]) == ["1002"])
    }

    @Test(arguments: [8, 9, 10] as [UInt8])
    func `control frames are whole and short`(opcode: UInt8) {
        #expect(verdicts([Self.header(opcode, length: 125)]) == ["ok"])
        #expect(verdicts([Self.header(opcode, length: 126)]) == ["1002"])
        #expect(verdicts([Self.header(opcode, final: false)]) == ["1002"])
    }

    @Test func `continuations follow a beginning, and beginnings an end`() {
        #expect(verdicts([Self.header(0)]) == ["1002"])
        #expect(verdicts([Self.header(1, final: false), Self.header(1)]) == ["ok", "1002"])
        #expect(verdicts([Self.header(1), Self.header(0)]) == ["ok", "1002"])
    }

    @Test(arguments: [1000, 1001, 1002, 1003, 1007, 1008, 1011, 1012, 1014, 3000, 4999] as [UInt16])
    func `close codes that may be sent are read with their reason`(code: UInt16) {
        let payload = [UInt8(code >> 8), UInt8(code & 0xFF)] + Array("späte Ruhe".utf8)
        #expect(
            WebSocketFrameAssembler.readClose(payload)
                == .success(.init(code: code, reason: "späte Ruhe")))
    }

    @Test(arguments: [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] as [UInt16])
    func `other close codes break the protocol`(code: UInt16) {
        let result = WebSocketFrameAssembler.readClose([UInt8(code >> 8), UInt8(code & 0xFF)])
        guard case .failure(let violation) = result else {
            Issue.record("taken")
            return
        }
        #expect(violation.code == 1002)
    }

    @Test func `a close frame may be empty, but not half a code, nor other than UTF-8`() {
        #expect(WebSocketFrameAssembler.readClose([]) == .success(.init(code: nil, reason: "")))
        #expect((try? WebSocketFrameAssembler.readClose([3]).get()) == nil)
        guard case .failure(let violation) = WebSocketFrameAssembler.readClose([0x03, 0xE8, 0xC3]) else {
            Issue.record("taken")
            return
        }
        #expect(violation.code == 1007)
    }
}

@Suite(.timeLimit(.minutes(3))) struct UTF8CheckTests {
    private func isValid(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { UTF8Check.isValid($0) } }

    @Test func `text of any script and any length is valid`() {
        for length in 0...70 {
            let ascii = [UInt8](repeating: 0x7F, count: length)
            #expect(isValid(ascii))
            #expect(isValid(ascii + Array("é€😀".utf8) + ascii))
        }
    }

    @Test(
        arguments: [
            [0x80], [0xC3], [0xC0, 0xAF], [0xE0, 0x80, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xFF],
            [0xF0, 0x9F, 0x98],
        ] as [[UInt8]])
    func `ill-formed bytes are found wherever they stand`(bad: [UInt8]) {
        for length in 0...70 {
            let ascii = [UInt8](repeating: 0x41, count: length)
            #expect(!isValid(ascii + bad))
            #expect(!isValid(ascii + bad + [0x41] + ascii))
        }
    }
}
