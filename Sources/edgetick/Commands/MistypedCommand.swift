import ArgumentParser
import MarketData

/// A command or option that doesn't exist, and those that may have been meant. Pure.
enum MistypedCommand {
    /// What the parser adds to the root, the ones that people type first.
    private static let ownOptions = [
        "--version", "--help", "--help-hidden", "--generate-completion-script", "--experimental-dump-help",
    ]

    /// What to say of a command line; `nil` when its commands exist, or when it names none.
    static func remark(_ arguments: [String], root: any ParsableCommand.Type) -> String? {
        // What follows `help` names a command too.
        let arguments = arguments.first == "help" ? Array(arguments.dropFirst()) : arguments
        if let option = arguments.first, option.hasPrefix("--"), !ownOptions.contains(option) {
            let near = NearestNames.nearest(to: option, among: ownOptions.prefix(2))
            return near.isEmpty ? nil : "there is no option \(option); did you mean \(near.joined(separator: " or "))?"
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
                return unknownOption(
                    arguments[place...], of: command.configuration.defaultSubcommand ?? command, path)
            }
            guard let child = children.first(where: { $0.configuration.commandName == argument }) else {
                let near = NearestNames.nearest(
                    to: argument, among: children.compactMap { $0.configuration.commandName })
                return "there is no command \"\(path) \(argument)\""
                    + (near.isEmpty
                        ? "; \(path) --help lists them" : "; did you mean \(near.joined(separator: " or "))?")
            }
            command = child
            path += " " + argument
        }
        return nil
    }

    /// What to say of an option that the command doesn't have. The parser takes its value for an argument, and finds fault
    /// with that first.
    private static func unknownOption(
        _ arguments: ArraySlice<String>, of command: any ParsableCommand.Type, _ path: String
    ) -> String? {
        let names = arguments.prefix { $0 != "--" }.filter { $0.hasPrefix("--") }.map { $0.prefix { $0 != "=" } }
        guard !names.isEmpty else { return nil }
        let known = options(of: command) + ownOptions
        guard let option = names.first(where: { !known.contains(String($0)) }) else { return nil }
        let near = NearestNames.nearest(to: String(option), among: known)
        return "there is no option \(option)"
            + (near.isEmpty ? "; \(path) --help lists them" : "; did you mean \(near.joined(separator: " or "))?")
    }

    /// The options that a command's help lists, at the beginning of lines: `--upstream/--no-upstream`, `-h, --help`.
    private static func options(of command: any ParsableCommand.Type) -> [String] {
        command.helpMessage(for: command, includeHidden: true, columns: 200).split(separator: "\n")
            .filter { $0.hasPrefix("  -") }
            .flatMap { $0.dropFirst(2).prefix { $0 != "<" }.split { " ,/".contains($0) } }
            .filter { $0.hasPrefix("--") }.map { String($0) }
    }

    /// The arguments with `--from -2h` as `--from=-2h`: by themselves, `-2h` are an option `2` and the `h` of help.
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

    /// What has several letters behind one hyphen, which no option has. The parser takes them for options one by one, and
    /// prints the help where an `h` is among them.
    private static func clusters(_ arguments: [String]) -> [String] {
        joined(arguments).prefix { $0 != "--" }.filter { $0.hasPrefix("-") && !$0.hasPrefix("--") && $0.count > 2 }
    }

    private static func isNumber(_ argument: String) -> Bool {
        argument.hasPrefix("-") && argument.dropFirst().first?.isNumber == true
    }
}
