import MarketData
import TestSupport
import Testing

@testable import Upstream

/// Texts from outside stay texts in SQL, wherever Unicode puts the bounds of its characters.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct QuotingTests {
    /// U+0D4E joins what follows it into its own character, U+0301 what precedes it.
    private static let texts = [
        "it's", "a\\'b", "\u{D4E}'; DROP TABLE trades; --", "'\u{301}", "\u{D4E}\\' \u{D4E}\\", "\\\u{301}'",
        "\u{D4E}\"; x", "\"\u{301}", "'\r\n'", "\u{600}'\u{200D}'",
    ]

    @Test(arguments: texts) func `a text comes back as it went`(text: String) async throws {
        let sandbox = try await Sandbox.migrated()
        let connection = try PostgresConnection.connect(sandbox.configuration(), interrupt: Wakeup())
        defer { connection.finish() }
        let rows = try connection.run("SELECT \(SQLText.literal(text))", "read").last?.rows
        #expect(rows?.first?.first.map { $0.map { Array($0.utf8) } } == Array(text.utf8))
        let name = String(text.prefix { $0 != "\r\n" })
        let named = try connection.run(
            "SELECT \(SQLText.identifier(name)) FROM (SELECT 7) AS t(\(SQLText.identifier(name)))", "read")
        #expect(named.last?.rows == [["7"]])
        #expect(try sandbox.run("SELECT count(*) FROM trades") == "0")
    }
}
