import ArgumentParser
import Foundation
import TestSupport
import Testing

@testable import edgetick

/// What a person copies from the documents or the help is accepted as it is written there.
@Suite(.timeLimit(.minutes(1))) struct ShownCommandsTests {
    /// Returns the command lines of a text that begin with `edgetick`, without what the shell does with them.
    private static func commands(in lines: some Sequence<Substring>) -> [String] {
        lines.compactMap { line in
            // Before it there may be settings, `sudo`, and the word Example.
            guard let place = line.range(of: #"(^|[ (])edgetick "#, options: .regularExpression),
                line[..<place.lowerBound].split(separator: " ").allSatisfy({ word in
                    word.contains("=") || word == "sudo" || word.hasPrefix("Example")
                })
            else { return nil }
            let command = line[place.upperBound...].prefix { !"#|&;<>)".contains($0) }
            return command.trimmingCharacters(in: .whitespaces).replacing("$FEED", with: "8765")
        }
    }

    private static func documents() throws -> [String] {
        let docs = try FileManager.default.contentsOfDirectory(atPath: Places.repository + "/docs")
            .filter { $0.hasSuffix(".md") }.map { "docs/" + $0 }
        return try (["README.md"] + docs.sorted()).flatMap { name in
            let text = try String(contentsOfFile: "\(Places.repository)/\(name)", encoding: .utf8)
            return commands(in: text.split(separator: "\n").filter { $0.hasPrefix("    ") })
        }
    }

    private static func help() -> [String] {
        var shown: [String] = []
        var commands: [any ParsableCommand.Type] = [EdgeTick.self]
        while let command = commands.popLast() {
            shown += Self.commands(in: command.configuration.discussion.split(separator: "\n"))
            commands += command.configuration.subcommands
        }
        return shown
    }

    @Test func `every command that the documents and the help show is taken`() throws {
        let (documents, help) = (try Self.documents(), Self.help())
        #expect(documents.count > 40 && help.count > 60, "\(documents.count), \(help.count)")
        for command in documents + help {
            let arguments = command.split(separator: " ").map { String($0.trimmingPrefix("'")) }
            #expect(MistypedCommand.remark(arguments, root: EdgeTick.self) == nil, "edgetick \(command)")
            do {
                _ = try EdgeTick.parseAsRoot(MistypedCommand.joined(arguments))
            } catch {
                #expect(EdgeTick.exitCode(for: error) == .success, "edgetick \(command): \(error)")
            }
        }
    }
}
