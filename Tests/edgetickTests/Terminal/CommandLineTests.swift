import ArgumentParser
import MarketData
import Testing

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct CommandLineTests {
    @Test(arguments: [
        (["stauts"], "there is no command \"edgetick stauts\"; did you mean status?"),
        (["universe", "imprt", "x.csv"], "there is no command \"edgetick universe imprt\"; did you mean import?"),
        (["help", "statsu"], "there is no command \"edgetick statsu\"; did you mean status?"),
        (["--verison"], "there is no option --verison; did you mean --version?"),
        (["quit"], "there is no command \"edgetick quit\"; edgetick --help lists them"),
        (
            ["status", "-watch"],
            "there is no option -watch; options of several letters begin with two hyphens: --watch"
        ),
        (["coverage", "--dte", "2026-11-25"], "there is no option --dte; did you mean --date or --to?"),
        (["status", "--wach=1"], "there is no option --wach; did you mean --watch?"),
        (["dead-letters", "discard", "--al"], "there is no option --al; did you mean --all?"),
        (
            ["tail", "AAPL", "--something"],
            "there is no option --something; edgetick tail --help lists them"
        ),
        (
            ["query", "AAPL", "-2h"],
            "there is no option -2h; a number or a time follows its option, such as --from -2h"
        ),
    ])
    func `a mistyped command is told the nearest, and never answered with the help`(arguments: [String], remark: String)
    {
        #expect(MistypedCommand.remark(arguments, root: EdgeTick.self) == remark)
    }

    @Test(
        arguments: [
            [], ["--version"], ["--help"], ["help"], ["help", "status"], ["--generate-completion-script", "bash"],
            ["status", "--watch"], ["tail", "AAPL"], ["universe", "--json"],
            ["universe", "resolve", "nasdaq100"], ["query", "AAPL", "--from", "-2h"], ["status", "-h"],
            ["universe", "import", "--", "--odd.csv"], ["coverage", "--no-upstream", "--by=week"],
            ["run", "--version"],
        ] as [[String]])
    func `what exists is left to its own parser`(arguments: [String]) {
        #expect(MistypedCommand.remark(arguments, root: EdgeTick.self) == nil)
    }

    @Test(arguments: [
        "--env-file[", "--file[", "--output[", "--capture[", "--tls-certificate[", "--tls-key[", "--data-dir[",
        "--from-file[", ":file:", ":files:",
    ])
    func `where a file or directory is named, Tab completes its name`(argument: String) {
        let lines = EdgeTick.completionScript(for: .zsh).split(separator: "\n").filter { $0.contains(argument) }
        #expect(!lines.isEmpty)
        for line in lines { #expect(line.contains("_files"), "\(line)") }
    }

    @Test func `what symbols are asked for as has one form for each meaning, and a universe is named`() throws {
        func wish(_ arguments: String...) throws -> String? { try SymbolOptions.parse(arguments).wish }
        #expect(try wish() == nil)
        #expect(try wish("MSFT", "--symbols", "brk-b,AAPL,MSFT") == "AAPL,BRK.B,MSFT")
        #expect(try wish("--universe", "SPY", "AAPL") == "AAPL,universe SPY")
        #expect(try wish("SPY") != wish("--universe", "SPY"))
    }

    @Test(
        arguments: [
            (["query", "AAPL", "--from", "-2h", "--bogus"], ["query", "AAPL", "--from=-2h", "--bogus"]),
            (["query", "--from", "-2h", "--to", "-1h"], ["query", "--from=-2h", "--to=-1h"]),
            (["query", "--from=-2h"], ["query", "--from=-2h"]),
            (["query", "--", "--x", "-2"], ["query", "--", "--x", "-2"]),
        ] as [([String], [String])])
    func `a time before now belongs to the option before it`(written: [String], read: [String]) throws {
        #expect(MistypedCommand.joined(written) == read)
    }

    @Test(
        arguments: [
            ["query", "AAPL", "--from", "-2h", "--bogus"], ["gaps", "--since", "-2h"],
            ["query", "AAPL", "--limit", "-5"],
            ["status", "--json", "-2h"],
        ] as [[String]])
    func `a wrong argument beside a time before now is a usage error`(arguments: [String]) {
        do {
            _ = try EdgeTick.parseAsRoot(MistypedCommand.joined(arguments))
            Issue.record("parsed")
        } catch {
            #expect(EdgeTick.exitCode(for: error) == .validationFailure)
        }
    }

    @Test(
        arguments: [
            (["sync", "--dry-run", "--again", "--from", "-1h"], "--dry-run can't be combined with --again"),
            (["sync", "--dry-run", "--watch"], "--dry-run can't be combined with --watch"),
            (["sync", "--dry-run", "--set-aside", "--yes"], "--dry-run can't be combined with --set-aside or --yes"),
            (["sync", "--yes"], "--yes goes with --again"),
            (["universe", "export", "x", "--format", "json"], "one group is written as CSV"),
            (["universe", "export", "--type", "ETF"], "--type goes with a group's name"),
            (["universe", "show", "AAPL", "--stock", "--type", "ETF"], "--stock can't be combined with --type"),
            (["universe", "push", "--dry-run", "--hand-over"], "--dry-run can't be combined with --hand-over"),
            (
                ["universe", "import", "--sector-etfs", "--mode", "incremental", "--strict"],
                "--sector-etfs without a file can't be combined with --mode incremental or --strict"
            ),
            (["universe", "report", "--markdown", "--json"], "--markdown can't be combined with --json"),
            (["status", "--check", "--watch"], "--check can't be combined with --watch"),
            (["fleet", "--forget", "box", "--json"], "--forget can't be combined with --json"),
            (["config", "--markdown", "--json"], "give only one of --json, --template and --markdown"),
            (["config", "--template", "--json"], "give only one of --json, --template and --markdown"),
            (["query", "AAPL", "--stream", "trades", "--interval", "1"], "--interval is about bars, not trades"),
            (["migrate", "--policies", "--print", "--yes"], "--print changes nothing: leave out --yes"),
            (["migrate", "--print", "--json"], "--print can't be combined with --json"),
            (["query", "AAPL", "--format", "csv", "--json"], "--json can't be combined with --format csv"),
            (
                ["repair", "--send-again", "--id", "00000000-0000-0000-0000-000000000000"],
                "--id can't be combined with --send-again"
            ),
            (["simulate", "--capture", "x", "--rate", "2", "--seed", "2"], "combined with --rate or --seed"),
            (["simulate", "--synthetic", "AAPL", "--loop"], "--synthetic can't be combined with --loop"),
            (["simulate", "--capture", "x", "--loop", "--exit-when-done"], "--loop can't be combined"),
        ] as [([String], String)])
    func `options of which one would have no effect are a usage error that names them`(
        arguments: [String], says: String
    ) {
        expectRefusal(of: arguments, saying: says)
    }

    private func expectRefusal(of arguments: [String], saying text: String) {
        do {
            _ = try EdgeTick.parseAsRoot(MistypedCommand.joined(arguments))
            Issue.record("parsed")
        } catch {
            #expect(EdgeTick.exitCode(for: error) == .validationFailure)
            #expect(EdgeTick.message(for: error).contains(text), "\(EdgeTick.message(for: error))")
        }
    }

    @Test(
        arguments: [
            (["export", "--output", ""], "--output is empty: name a directory"),
            (["backfill", "--from", "2099-01-01"], "--from is later than now"),
            (["backfill", "--from", "2026-01-02", "--to", "2026-01-01"], "--from is later than --to"),
        ] as [([String], String)])
    func `an empty directory or span is a usage error, before any file is made`(arguments: [String], says: String) {
        expectRefusal(of: arguments, saying: says)
    }

    @Test(
        arguments: [
            ["sync", "--dry-run", "--json"], ["sync", "--watch", "--set-aside"],
            ["sync", "--again", "--from", "1", "--yes"],
            ["universe", "export", "x", "--type", "ETF", "--format", "CSV"],
            ["universe", "export", "--format", "json"],
            ["universe", "push", "--dry-run", "--force"],
            ["universe", "import", "--sector-etfs", "--force", "--dry-run"],
            ["query", "AAPL", "--stream", "trades", "--interval", "60"], ["query", "AAPL", "--interval", "1"],
            ["query", "AAPL", "--format", "json", "--json"], ["migrate", "--policies", "--json"],
            ["migrate", "--policies", "--print"], ["simulate", "--capture", "x", "--loop", "--now"],
            ["simulate", "--synthetic", "AAPL", "--rate", "2", "--seed", "2", "--resume"],
        ] as [[String]])
    func `options that have an effect together are taken`(arguments: [String]) throws {
        _ = try EdgeTick.parseAsRoot(MistypedCommand.joined(arguments))
    }

    @Test func `a page that fits its window is drawn whole, and no line of an older one stays`() {
        #expect(
            TerminalScreen.frame("one\ntwo\n", columns: 80, rows: 2) == "\u{1B}[Hone\u{1B}[K\r\ntwo\u{1B}[K\u{1B}[J")
    }

    @Test func `a page that is too tall says how much is hidden`() {
        let frame = TerminalScreen.frame("one\ntwo\nthree\nfour\n", columns: 80, rows: 3)
        #expect(frame.contains("two") && !frame.contains("three"))
        #expect(frame.contains("… 2 more lines"))
        #expect(frame.split(separator: "\r\n").count == 3)
    }

    @Test(arguments: [
        ("plain", 5, "plain"), ("plainer", 5, "plai…"), ("\u{1B}[31mred\u{1B}[0m", 3, "\u{1B}[31mred\u{1B}[0m"),
        ("\u{1B}[31mredder\u{1B}[0m", 4, "\u{1B}[31mred…\u{1B}[0m"), ("東京証券", 5, "東京…"), ("東京", 4, "東京"),
    ])
    func `a line is cut by what a terminal shows of it, and its colour ends there`(
        line: String, columns: Int, cut: String
    ) {
        #expect(line.cut(toColumns: columns) == cut)
        #expect(TerminalScreen.frame(line + "\n", columns: columns, rows: 2) == "\u{1B}[H\(cut)\u{1B}[K\u{1B}[J")
    }

    @Test func `no command's help is wrapped before the terminal wraps it`() {
        var commands: [any ParsableCommand.Type] = [EdgeTick.self]
        while let command = commands.popLast() {
            let configuration = command.configuration
            let name = configuration.commandName ?? ""
            #expect(configuration.discussion == configuration.discussion.unwrapped, "\(name)")
            #expect(!configuration.abstract.contains("\n"), "\(name)")
            let examples = configuration.discussion.split(separator: "\n").filter {
                $0.contains("edgetick ") && ($0.hasPrefix("Example") || $0.hasPrefix(" "))
            }
            #expect(examples.allSatisfy { $0.count <= 80 }, "\(name)")
            commands += configuration.subcommands
        }
    }

    @Test(arguments: [(0, "0 boxes"), (1, "1 box"), (2, "2 boxes"), (1024, "1,024 boxes")])
    func `one is one, and more are many`(count: Int, text: String) {
        #expect(count.counted("box", "boxes") == text)
    }
}
