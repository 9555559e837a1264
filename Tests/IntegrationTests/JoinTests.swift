import Foundation
import TestSupport
import Testing

/// Setting up a new box with one command.
@Suite(
    .blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(3)))
struct JoinTests {
    private let workspace: Workspace
    private let database: Database

    init() throws {
        workspace = try Workspace()
        database = try Database(in: PostgresCluster.shared())
    }

    private func edgetick(
        _ arguments: String..., environment: [String: String] = [:], shell: String? = nil
    ) async throws -> (status: Int32, output: [String]) {
        let usual = ["EDGETICK_DATA_DIR": workspace.file("data"), "HTTP_PORT": "0"]
        let process =
            if let shell {
                try ChildProcess(
                    "/bin/sh", ["-c", shell], environment: usual.merging(environment) { $1 }, directory: workspace.path)
            } else {
                try ChildProcess(
                    Places.edgetick, arguments, environment: usual.merging(environment) { $1 },
                    directory: workspace.path)
            }
        return (try await process.exit(within: .seconds(60)), process.output)
    }

    private func mode(_ name: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: workspace.file(name))
        return (attributes[.posixPermissions] as? NSNumber)?.intValue ?? 0
    }

    @Test func `tables, groups and settings are there afterwards, and no secret was printed`() async throws {
        let secret = "a-very-secret-key-4711"
        let joined = try await edgetick(
            "join", database.uri, "--group", "nyc", "--symbols", "AAPL", "--id", "nyc-1",
            environment: ["MASSIVE_API_KEY": secret, "WEBSOCKET_CONNECTION_2_SYMBOLS": "MSFT"])
        #expect(joined.status == 0, "\(joined.output)")
        #expect(!joined.output.contains { $0.contains(secret) })
        #expect(try database.value("SELECT count(*) FROM edgetick_collectors") == "0")
        #expect(try mode(".env") == 0o600)
        #expect(FileManager.default.fileExists(atPath: workspace.file("data/universe.sqlite")))
        let config = try await edgetick("config", "--json")
        #expect(config.status == 0, "\(config.output)")
        let text = try String(contentsOfFile: workspace.file(".env"), encoding: .utf8)
        for line in [
            "MASSIVE_API_KEY=\(secret)", "WEBSOCKET_CONNECTION_2_SYMBOLS=MSFT", "SYMBOLS=AAPL", "COLLECTOR_GROUP=nyc",
            "COLLECTOR_ID=nyc-1",
            "EDGETICK_DATA_DIR=\(workspace.file("data"))",
        ] { #expect(text.contains(line + "\n"), "\(line)") }
        #expect(joined.output.last == "next: edgetick doctor && edgetick run")
    }

    @Test func `a file of settings that is there is not written over without being asked to`() async throws {
        _ = try workspace.write("SYMBOLS=IBM\n", to: ".env")
        let refused = try await edgetick("join", database.uri)
        #expect(refused.status == 64 && refused.output.contains { $0.contains("--force") }, "\(refused.output)")
        #expect(try String(contentsOfFile: workspace.file(".env"), encoding: .utf8) == "SYMBOLS=IBM\n")
        let forced = try await edgetick("join", database.uri, "--force")
        #expect(forced.status == 0, "\(forced.output)")
        #expect(try mode(".env") == 0o600)
        #expect(forced.output.contains { $0.contains("MASSIVE_API_KEY=") })
        #expect(forced.output.contains { $0.contains("SYMBOL_UNIVERSE_KEY=") })
    }

    @Test func `a database that is not there, or a setting at fault, leaves nothing behind`() async throws {
        let away = "postgresql://u:geheim@127.0.0.1:\(try PostgresCluster.freePort())/nowhere"
        let failed = try await edgetick("join", away)
        #expect(failed.status == 69, "\(failed.output)")
        #expect(!failed.output.contains { $0.contains("geheim") }, "\(failed.output)")
        let wrong = try await edgetick("join", database.uri, "--shard", "auto")
        #expect(wrong.status == 78 && wrong.output.contains { $0.contains("COLLECTOR_GROUP") }, "\(wrong.output)")
        #expect(!FileManager.default.fileExists(atPath: workspace.file(".env")))
    }

    @Test func `a universe that is not there sets up no box`() async throws {
        let refused = try await edgetick("join", database.uri, "--universe", "nasdaq100")
        #expect(refused.status == 78, "\(refused.output)")
        #expect(refused.output.contains { $0.contains("--universe nasdaq100") }, "\(refused.output)")
        #expect(!FileManager.default.fileExists(atPath: workspace.file(".env")))
        let group = try workspace.write("AAPL\nMSFT\n", to: "nasdaq100.csv")
        let imported = try await edgetick("universe", "import", group, "--name", "nasdaq100")
        #expect(imported.status == 0, "\(imported.output)")
        let joined = try await edgetick("join", database.uri, "--universe", "nasdaq100")
        #expect(joined.status == 0, "\(joined.output)")
        #expect(!joined.output.contains { $0.contains("\\n") }, "\(joined.output)")
    }

    @Test func `the URI can come from standard input, and odd values are read back as they were`() async throws {
        let odd = "it's #1; a $HOME \"key\""
        let joined = try await edgetick(
            environment: ["SYMBOL_UNIVERSE_KEY": odd],
            shell: "echo '\(database.uri)' | '\(Places.edgetick)' join - --file box.env")
        #expect(joined.status == 0, "\(joined.output)")
        let config = try await edgetick("config", "--json", "--env-file", "box.env")
        #expect(config.output.contains { $0.contains(#"it's #1; a $HOME \"key\""#) }, "\(config.output)")
        #expect(joined.output.last == "next: edgetick doctor --env-file box.env && edgetick run --env-file box.env")
    }
}
