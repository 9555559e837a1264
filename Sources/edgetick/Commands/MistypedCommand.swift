import ArgumentParser
import MarketData

/// Finds a command or option that doesn't exist, and suggests what may have been meant. Pure.
enum MistypedCommand {
    /// The options that the parser adds to the root command, most used first.
    private static let ownOptions = [
        "--version", "--help", "--help-hidden", "--generate-completion-script", "--experimental-dump-help",
    ]

    /// What may have been meant by a name, or what lists the names.
    private static func hint(_ name: String, _ known: [String], _ path: String) -> String {
        "; " + (NearestNames.guess(name, among: known, joinedBy: " or ") ?? "\(path) --help lists them")
    }

    /// The error for a command line; `nil` if nothing is wrong with it, or if the parser's own error will do.
    static func remark(_ arguments: [String], root: any ParsableCommand.Type) -> String? {
        // The words after `help` name commands too.
        let arguments = arguments.first == "help" ? Array(arguments.dropFirst()) : arguments
        if let option = arguments.first, option.hasPrefix("--"), !ownOptions.contains(option) {
            let guess = NearestNames.guess(option, among: ownOptions.prefix(2), joinedBy: " or ")
            return guess.map { "there is no option \(option); \($0)" }
        }
        if let option = clusters(arguments).first {
            return "there is no option \(option); "
                + (isNumber(option)
                    ? "a number or a time follows its option, such as --from -2h"
                    : "options of several letters begin with two hyphens: -\(option)")
        }
        var command = root
        var path = root.configuration.commandName ?? ""
        for (place, argument) in arguments.enumerated() {
            let children = command.configuration.subcommands
            guard !children.isEmpty, !argument.hasPrefix("-"), argument != "help" else {
                return unknownOption(arguments[place...], of: command.configuration.defaultSubcommand ?? command, path)
            }
            guard let child = children.first(where: { $0.configuration.commandName == argument }) else {
                return "there is no command \"\(path) \(argument)\""
                    + hint(argument, children.compactMap { $0.configuration.commandName }, path)
            }
            command = child
            path += " " + argument
        }
        return nil
    }

    /// The error for an option that the command doesn't have. Left to itself, the parser would take the option's value
    /// for an argument and report that first.
    private static func unknownOption(
        _ arguments: ArraySlice<String>, of command: any ParsableCommand.Type, _ path: String
    ) -> String? {
        let names = arguments.prefix { $0 != "--" }.filter { $0.hasPrefix("--") }.map { $0.prefix { $0 != "=" } }
        guard !names.isEmpty else { return nil }
        let known = options(of: command) + ownOptions
        guard let option = names.first(where: { !known.contains(String($0)) }) else { return nil }
        return "there is no option \(option)" + hint(String(option), known, path)
    }

    /// The options in a command's help, from the beginnings of its lines: `--upstream/--no-upstream`, `-h, --help`.
    private static func options(of command: any ParsableCommand.Type) -> [String] {
        command.helpMessage(for: command, includeHidden: true, columns: 200).split(separator: "\n")
            .filter { $0.hasPrefix("  -") }
            .flatMap { $0.dropFirst(2).prefix { $0 != "<" }.split { " ,/".contains($0) } }
            .filter { $0.hasPrefix("--") }.map { String($0) }
    }

    /// Turns `--from -2h` into `--from=-2h`: on its own, the parser reads `-2h` as an option `2` and the `h` of help.
    static func joined(_ arguments: [String]) -> [String] {
        var result: [String] = []
        for (place, argument) in arguments.enumerated() {
            if result.contains("--") { return result + arguments[place...] }
            if isNumber(argument), let option = result.last, option.hasPrefix("--"), !option.contains("=") {
                result[result.count - 1] = "\(option)=\(argument)"
            } else {
                result.append(argument)
            }
        }
        return result
    }

    /// The arguments with several letters after one hyphen; no option has that form. The parser splits them into
    /// one-letter options, and prints the help if one is an `h`.
    private static func clusters(_ arguments: [String]) -> [String] {
        joined(arguments).prefix { $0 != "--" }.filter { $0.hasPrefix("-") && !$0.hasPrefix("--") && $0.count > 2 }
    }

    private static func isNumber(_ argument: String) -> Bool {
        argument.hasPrefix("-") && argument.dropFirst().first?.isNumber == true
    }
}

extension NearestNames {
    /// The question whether one of the nearest candidates was meant; `nil` if none is near.
    static func guess(
        _ name: String, among candidates: some Sequence<String>, joinedBy separator: String = ", "
    ) -> String? {
        let near = nearest(to: name, among: candidates)
        return near.isEmpty ? nil : "did you mean \(near.joined(separator: separator))?"
    }
}
