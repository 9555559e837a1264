import Foundation
import TestSupport
import Testing

/// Blocks of settings as in a platform's documents: with each block, the collector collects what the available lists
/// contain, or says what is missing.
@Suite(.timeLimit(.minutes(5))) struct SettingsCasesTests {
    private struct Finding: Decodable {
        var subject: String
        var level: String
        var text: String
    }

    /// Returns a box with lists of realistic sizes, of made-up symbols: `nasdaq100`, `sp500`, `dow30` and the ETF
    /// `SPY`.
    private static func box() async throws -> CollectorBox {
        let box = try CollectorBox(feed: "ws://127.0.0.1:9/stocks", settings: ["SYMBOLS": "", "HTTP_PORT": "0"])
        for (name, type, count, first) in [
            ("nasdaq100", "UNIVERSE", 102, 0), ("dow30", "UNIVERSE", 30, 0), ("sp500", "UNIVERSE", 505, 50),
            ("SPY", "ETF", 504, 50),
        ] {
            let symbols = (first..<first + count).map(Self.symbol)
            let file = try box.workspace.write("symbol\n" + symbols.joined(separator: "\n"), to: "\(name).csv")
            let (status, output) = try await box.run("universe", "import", file, "--name", name, "--type", type)
            try #require(status == 0, "\(output)")
        }
        return box
    }

    /// Returns a symbol of three letters for a number.
    private static func symbol(_ number: Int) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        let chosen: [Character] = [letters[number / 676], letters[number / 26 % 26], letters[number % 26]]
        return String(chosen)
    }

    private func doctor(_ box: CollectorBox, _ file: String) async throws -> [Finding] {
        let (_, output) = try await box.run("doctor", "--json", "--env-file", file)
        let start = try #require(output.firstIndex { $0.hasPrefix("[") }, "\(output)")
        let end = try #require(output.lastIndex { $0.hasSuffix("]") }, "\(output)")
        return try JSONDecoder().decode([Finding].self, from: Data(output[start...end].joined(separator: "\n").utf8))
    }

    @Test(arguments: [
        (
            "USE_MULTI_CONNECTION=true\nWEBSOCKET_CONNECTION_1_NAME=tech\nWEBSOCKET_CONNECTION_1_UNIVERSE_KEY=nasdaq100  # all",
            ["tech: 102 symbols from universe key"]
        ),
        ("WEBSOCKET_CONNECTION_1_UNIVERSE_KEY=nasdaq100", ["set USE_MULTI_CONNECTION=true"]),
        ("WEBSOCKET_CONNECTION_1_SYMBOLS=AAPL,NVDA", ["set USE_MULTI_CONNECTION=true"]),
        ("SYMBOL_UNIVERSE_KEY=SPY:nasdaq100", ["554 symbols from universe key"]),
        (
            "SYMBOL_UNIVERSE_KEY=leaders:top_100",
            ["THE DEFAULT LIST IS COLLECTED", "leaders:top_100", "8 symbols from the default list"]
        ),
        (
            "USE_MULTI_CONNECTION=false\nWEBSOCKET_CONNECTION_1_UNIVERSE_KEY=dow30",
            ["THE DEFAULT LIST IS COLLECTED", "or USE_MULTI_CONNECTION=true for"]
        ),
        (
            """
            USE_MULTI_CONNECTION=true
            WEBSOCKET_CONNECTION_1_NAME=first
            WEBSOCKET_CONNECTION_1_UNIVERSE_KEY=nasdaq100
            WEBSOCKET_CONNECTION_2_ENABLED=true
            WEBSOCKET_CONNECTION_2_NAME=My Watch List
            WEBSOCKET_CONNECTION_2_SYMBOLS=AAA,AAB
            """, ["My Watch List delivers nothing: all that it names (2 symbols) is already on first"]
        ),
        (
            "USE_MULTI_CONNECTION=true\nWEBSOCKET_CONNECTION_1_UNIVERSE_KEY=tech:top_20",
            ["tech:top_20", "names no universe or ETF"]
        ),
        (
            """
            USE_MULTI_CONNECTION=true
            WEBSOCKET_ROUTING_STRATEGY=round_robin
            WEBSOCKET_CONNECTION_1_UNIVERSE_KEY=nasdaq100
            WEBSOCKET_CONNECTION_2_ENABLED=true
            """, ["primary: 102 symbols from universe key", "secondary: takes its share"]
        ),
        ("USE_MULTI_CONNECTION=true|false", ["allowed: true or false"]),
    ])
    func `a block collects what is at hand, or says what is missing`(block: String, words: [String]) async throws {
        let box = try await Self.box()
        let findings = try await doctor(box, try box.workspace.write(block, to: "block.env"))
        for word in words {
            #expect(
                findings.contains { ["configuration", "symbols"].contains($0.subject) && $0.text.contains(word) },
                "\(word) in \(findings.map(\.text))")
        }
    }

    private static let shared: [String] = {
        let directory = Places.repository + "/../shared/cases/settings"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.sorted().map { directory + "/" + $0 }
    }()

    @Test(.enabled(if: !shared.isEmpty, "../shared/cases/settings is not there"))
    func `every block of the platform's documents does`() async throws {
        let box = try await Self.box()
        let advice = [
            "symbols from", "set USE_MULTI_CONNECTION=true", "names no universe or ETF", "allowed: true or false",
            "THE DEFAULT LIST IS COLLECTED",
        ]
        for file in Self.shared {
            let findings = try await doctor(box, file).filter { ["configuration", "symbols"].contains($0.subject) }
            #expect(
                findings.contains { finding in advice.contains { finding.text.contains($0) } },
                "\(file): \(findings.map(\.text))")
            // The commands agree: `config` refuses what `doctor` calls a failure.
            let isRefused = findings.contains { $0.level == "failure" && $0.subject == "configuration" }
            #expect(try await box.run("config", "--env-file", file).status == (isRefused ? 78 : 0), "\(file)")
        }
    }
}
