import Testing

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct CodePagesTests {
    @Test func `mappings of code are told from others`() throws {
        let code = try #require(
            CodePages.executable("7f1000000000-7f1000003000 r-xp 00001000 08:01 1234   /usr/bin/edge tick\n"))
        #expect(code.start == 0x7f10_0000_0000 && code.count == 0x3000)
        for line in [
            "7f1000000000-7f1000003000 rw-p 00001000 08:01 1234 /usr/bin/edgetick",
            "7ffd000-7ffe000 r-xp 0 00:00 0 [vdso]",
            "7f1000000000-7f1000003000 r--p 00001000 08:01 1234 /usr/bin/edgetick", "", "nonsense",
            "7f1000003000-7f1000000000 r-xp 00001000 08:01 1234 /x", "7f1000000000 r-xp 0 0 0 /x",
        ] {
            #expect(CodePages.executable(line) == nil, "\(line)")
        }
    }

    @Test func `code goes on when its pages were given back`() {
        #expect(CodePages.release() > 1 << 20)
        #expect((1...1000).map { "\($0)" }.joined().count == 2893)
    }
}
