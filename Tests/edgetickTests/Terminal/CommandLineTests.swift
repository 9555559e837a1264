import Testing

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct CommandLineTests {
    @Test(arguments: [
        (["stauts"], "there is no command \"edgetick stauts\"; did you mean status?"),
        (["universe", "imprt", "x.csv"], "there is no command \"edgetick universe imprt\"; did you mean import?"),
        (["quit"], "there is no command \"edgetick quit\"; edgetick --help lists them"),
    ])
    func `a mistyped command is told the nearest`(arguments: [String], remark: String) {
        #expect(MistypedCommand.remark(arguments, root: EdgeTick.self) == remark)
    }

    @Test(
        arguments: [
            [], ["--version"], ["help", "stauts"], ["status", "--watch"], ["tail", "AAPL"], ["universe", "--json"],
            ["universe", "resolve", "nasdaq100"],
        ] as [[String]])
    func `what exists is left to its own parser`(arguments: [String]) {
        #expect(MistypedCommand.remark(arguments, root: EdgeTick.self) == nil)
    }

    @Test func `a page that fits its window is drawn whole, and no line of an older one stays`() {
        #expect(TerminalScreen.frame("one\ntwo\n", rows: 2) == "\u{1B}[Hone\u{1B}[K\r\ntwo\u{1B}[K\u{1B}[J")
    }

    @Test func `a page that is too tall says how much is hidden`() {
        let frame = TerminalScreen.frame("one\ntwo\nthree\nfour\n", rows: 3)
        #expect(frame.contains("two") && !frame.contains("three"))
        #expect(frame.contains("… 2 more lines"))
        #expect(frame.split(separator: "\r\n").count == 3)
    }
}
