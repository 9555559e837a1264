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

    @Test func `keys that are adopted are written as EdgeTick's own, and a secret's file stays where the secret is`()
        async throws
    {
        let secret = "a-very-secret-key-4711"
        let token = try workspace.write("a-token-for-the-page\n", to: "token")
        let joined = try await edgetick(
            "join", database.uri,
            environment: [
                "POLYGON_API_KEY": secret, "https_proxy": "http://127.0.0.1:9", "HTTP_TOKEN_FILE": token,
                "WEBSOCKET_PER_SECOND_ENABLED": "true",
            ])
        #expect(joined.status == 0, "\(joined.output)")
        let text = try String(contentsOfFile: workspace.file(".env"), encoding: .utf8)
        for line in [
            "MASSIVE_API_KEY=\(secret)", "HTTPS_PROXY=http://127.0.0.1:9", "HTTP_TOKEN_FILE=\(token)",
            "FEED_EVENTS=AM,A",
        ] { #expect(text.contains("\n\(line)\n"), "\(line)") }
        #expect(!text.contains("for-the-page") && !joined.output.contains { $0.contains("MASSIVE_API_KEY=") })
    }

    @Test func `a file that is replaced keeps the data directory, and a service's own is written`() async throws {
        let directory = workspace.file("state")
        _ = try workspace.write("EDGETICK_DATA_DIR=\(directory)\nSYMBOLS=IBM\n", to: ".env")
        let service = workspace.file("service")
        for (options, environment, expected) in [
            (["--force"], [:], directory), (["--file", "service.env"], ["STATE_DIRECTORY": service], service),
        ] as [([String], [String: String], String)] {
            let process = try ChildProcess(
                Places.edgetick, ["join", database.uri] + options, environment: environment, directory: workspace.path)
            #expect(try await process.exit(within: .seconds(60)) == 0, "\(process.output)")
            #expect(FileManager.default.fileExists(atPath: expected + "/universe.sqlite"))
            let text = try String(
                contentsOfFile: workspace.file(options.last == "--force" ? ".env" : "service.env"), encoding: .utf8)
            #expect(text.contains("\nEDGETICK_DATA_DIR=\(expected)\n") && !text.contains("IBM"))
        }
    }

    @Test func `both databases get their tables, and doctor says which one a table is in`() async throws {
        let ticks = try Database(in: PostgresCluster.shared())
        let joined = try await edgetick(
            "join", database.uri, environment: ["DATABASE_URI_TICKS": ticks.uri, "FEED_EVENTS": "AM,T"])
        #expect(joined.status == 0, "\(joined.output)")
        #expect(joined.output.contains { $0.contains("DATABASE_URI_TICKS: trades") }, "\(joined.output)")
        #expect(try ticks.value("SELECT count(*) FROM trades") == "0")
        #expect(try database.value("SELECT count(*) FROM ohlcv_1min") == "0")
        let doctor = try await edgetick("doctor")
        #expect(doctor.output.contains { $0.contains("DATABASE_URI_TICKS: trades") }, "\(doctor.output)")
        #expect(doctor.output.contains { $0.contains(" ohlcv_1min") && !$0.contains("TICKS") }, "\(doctor.output)")
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

    @Test func `a damaged mirror is replaced, and the one that is kept is named`() async throws {
        let first = try await edgetick("join", database.uri, "--symbols", "AAPL")
        #expect(first.status == 0, "\(first.output)")
        _ = try workspace.write("no database", to: "data/universe.sqlite")
        let again = try await edgetick("join", database.uri, "--symbols", "AAPL", "--force")
        #expect(again.status == 0, "\(again.output)")
        let warning = "universe.sqlite was damaged and is kept as"
        #expect(again.output.contains { $0.contains(warning) && $0.contains("universe-bad-") }, "\(again.output)")
    }

    @Test func `with --json everything is in one object, and after a failure what was found before it`() async throws {
        func object(_ output: [String]) throws -> [String: Any] {
            let line = try #require(output.first { $0.hasPrefix("{") }, "\(output)")
            return try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
        }
        func texts(_ object: [String: Any], of subject: String) -> [String] {
            let findings = object["findings"] as? [[String: Any]] ?? []
            return findings.filter { $0["subject"] as? String == subject }.compactMap { $0["text"] as? String }
        }
        let refused = try await edgetick("join", database.uri, "--universe", "nasdaq100", "--json")
        #expect(refused.status == 78, "\(refused.output)")
        #expect(refused.output.contains { $0.contains("--universe nasdaq100") }, "\(refused.output)")
        let found = try object(refused.output)
        #expect(found["file"] is NSNull && (found["next"] as? [String])?.isEmpty == true, "\(found)")
        #expect(texts(found, of: "schema").contains { $0.hasPrefix("ohlcv_1min: created") }, "\(found)")

        let joined = try await edgetick("join", database.uri, "--symbols", "AAPL", "--json")
        #expect(joined.status == 0, "\(joined.output)")
        #expect(!joined.output.contains { $0.hasPrefix("ok ") || $0.hasPrefix("next: ") }, "\(joined.output)")
        let done = try object(joined.output)
        #expect(done["file"] as? String == ".env")
        #expect(texts(done, of: "schema").contains { $0.hasPrefix("ohlcv_1min: present") }, "\(done)")
        #expect(!texts(done, of: "universes").isEmpty, "\(done)")
        #expect((done["next"] as? [String])?.last == "edgetick doctor && edgetick run", "\(done)")
    }

    @Test func `the URI can come from standard input, and odd values are read back as they were`() async throws {
        let odd = "it's#1; a $HOME \"key\""
        let joined = try await edgetick(
            environment: ["SYMBOL_UNIVERSE_KEY": odd],
            shell: "echo '\(database.uri)' | '\(Places.edgetick)' join - --file box.env")
        #expect(joined.status == 0, "\(joined.output)")
        let config = try await edgetick("config", "--json", "--env-file", "box.env")
        #expect(config.output.contains { $0.contains(#"it's#1; a $HOME \"key\""#) }, "\(config.output)")
        #expect(joined.output.last == "next: edgetick doctor --env-file box.env && edgetick run --env-file box.env")
    }
}
