import ArgumentParser
import MarketData

/// A command that doesn't exist, and those that may have been meant. Pure.
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
        var command = root
        var path = root.configuration.commandName ?? ""
        for argument in arguments {
            let children = command.configuration.subcommands
            guard !children.isEmpty, !argument.hasPrefix("-"), argument != "help" else { return nil }
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
}
