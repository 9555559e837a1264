import Foundation
import TestSupport
import Testing

/// Mistakes that users can make; each gets one line that says what to do, and the documented exit code.
@Suite(.blocking, .timeLimit(.minutes(5))) struct WrongInputTests {
    @Test func `an unreadable or half-written .env is named with its lines and ends with 78, and doctor goes on`()
        async throws
    {
        let box = try Box(feed: "ws://127.0.0.1:9/stocks")
        _ = try box.workspace.write("SYMBOLS=AAPL\nMASSIVE_API_KEY=\"unterminated\nLOG_LEVEL", to: ".env")
        let (status, output) = try await box.edgetick("run")
        #expect(status == 78)
        let doctor = try await box.edgetick("doctor")
        #expect(doctor.0 == 78 && doctor.1.contains { $0.contains("sqlite") }, "\(doctor.1)")
        for line in [".env:2: ", ".env:3: "] {
            #expect(output.contains { $0.contains(line) }, "\(output)")
            #expect(doctor.1.contains { $0.contains(line) }, "\(doctor.1)")
        }
        let missing = try await box.edgetick("run", "--env-file", "nowhere.env")
        #expect(missing.0 == 78)
        #expect(missing.1.count == 1 && missing.1[0].contains("nowhere.env"), "\(missing.1)")
    }

    @Test func `a pipe without a writer in the place of a file of settings or a secret ends no command's life`()
        async throws
    {
        let box = try Box(feed: "ws://127.0.0.1:9/stocks")
        let pipe = box.workspace.file(".env")
        #expect(mkfifo(pipe, 0o600) == 0)
        let settings = try await box.edgetick("config")
        #expect(
            settings.0 == 78 && settings.1.contains { $0.contains("it is a pipe, and nobody wrote into it for 10 s") })
        try FileManager.default.moveItem(atPath: pipe, toPath: box.workspace.file("uri"))
        let secret = try await box.edgetick("config", environment: ["DATABASE_URI_FILE": box.workspace.file("uri")])
        #expect(secret.0 == 78 && secret.1.contains { $0.contains("it is a pipe") }, "\(secret.1)")
    }

    @Test(arguments: ["HTTP_TOKEN=0123456789abcdef0123456789abcdef", "HTTPS_PROXY=http://box:passphrase@127.0.0.1:9"])
    func `doctor warns of secrets that every user may open, and of a data directory that every user may change`(
        secret: String
    ) async throws {
        let box = try Box(feed: "ws://127.0.0.1:9/stocks")
        let places = [".env", "uri", "data"]
        _ = try box.workspace.write("\(secret)\n", to: places[0])
        let uri = try box.workspace.write("postgresql://box@127.0.0.1:9/none\n", to: places[1])
        try FileManager.default.createDirectory(
            atPath: box.workspace.file(places[2]), withIntermediateDirectories: true)
        for isOpen in [true, false] {
            for place in places {
                try FileManager.default.setAttributes(
                    [.posixPermissions: isOpen ? 0o757 : 0o750], ofItemAtPath: box.workspace.file(place))
            }
            let doctor = try await box.edgetick("doctor", environment: ["DATABASE_URI_FILE": uri])
            let warnings = doctor.1.filter {
                $0.hasPrefix("WARN") && $0.contains("every user of this machine may")
            }
            #expect(warnings.count == (isOpen ? 3 : 0), "\(doctor.1)")
        }
    }

    @Test func `every wrong setting is reported at once, with 78 and no secret`() async throws {
        let box = try Box(feed: "http://127.0.0.1:9", more: ["SYNC_INTERVAL": "soon", "BUFFER_SYNCHRONOUS": "maybe"])
        let (status, output) = try await box.edgetick("run")
        #expect(status == 78)
        for key in ["MASSIVE_WEBSOCKET_URL", "SYNC_INTERVAL", "BUFFER_SYNCHRONOUS"] {
            #expect(output.contains { $0.contains(key) }, "\(key) in \(output)")
        }
        #expect(!output.contains { $0.contains("integration-test-key") })
    }

    @Test func `a wrong password of the database ends with 78 and is not shown`() async throws {
        let cluster = try PostgresCluster.shared()
        let role = "wrong_\(UUID().uuidString.prefix(8).lowercased())"
        _ = try cluster.psql(
            "CREATE ROLE \(role) LOGIN PASSWORD 'right one' IN ROLE password_users", database: "postgres")
        let name = try cluster.makeDatabase()
        let box = try Box.known()
        let uri = cluster.uri(name, user: role, password: "hunter2-canary")
        for command in ["sync", "migrate"] {
            let (status, output) = try await box.edgetick(command, environment: ["DATABASE_URI": uri])
            #expect(status == 78, "\(command): \(output)")
            #expect(output.contains { $0.contains(role) }, "\(output)")
            #expect(!output.contains { $0.contains("hunter2-canary") }, "\(output)")
        }
    }

    @Test func `a bad DATABASE_URI ends with 78 and without showing its password`() async throws {
        let box = try Box(feed: "ws://127.0.0.1:9/stocks", database: "mysql://root:hunter2-canary@localhost/x")
        let (status, output) = try await box.edgetick("sync")
        #expect(status == 78, "\(output)")
        #expect(!output.contains { $0.contains("hunter2-canary") })
    }

    @Test(arguments: [
        ("PGOPTIONS", "-cstatement_timeout=0"), ("PGHOSTADDR", "127.0.0.2"), ("PGSSLKEY", "engine:key"),
        ("PGTARGETSESSIONATTRS", "standby"), ("PGKRBSRVNAME", "other"),
    ])
    func `what libpq takes from the environment is held to the rules of the URI`(name: String, value: String)
        async throws
    {
        let box = try Box(
            feed: "ws://127.0.0.1:9/stocks", database: "postgresql://u@127.0.0.1:9/x", more: [name: value])
        let (status, output) = try await box.edgetick("sync")
        #expect(status == 78, "\(output)")
        #expect(output.contains { $0.contains(name) }, "\(output)")
    }

    @Test func `what the environment may set is taken`() async throws {
        let settings = [
            "DATABASE_URI": "postgresql://u@127.0.0.1:9/x", "PGOPTIONS": "-csearch_path=market",
            "PGCLIENTENCODING": "latin1", "PGCONNECT_TIMEOUT": "3",
        ]
        let (status, output) = try await Box.known().edgetick("sync", environment: settings)
        #expect(status == 69, "\(output)")
    }

    @Test func `an unknown universe refuses to start when told so, and names the nearest`() async throws {
        let box = try Box(
            feed: "ws://127.0.0.1:9/stocks",
            more: ["SYMBOLS": "", "SYMBOL_UNIVERSE_KEY": "nasdaq10", "UNIVERSE_FALLBACK": "error"])
        let list = try box.workspace.write("symbol\nAAPL\nMSFT\n", to: "nasdaq100.csv")
        #expect(try await box.edgetick("universe", "import", list).0 == 0)
        let (status, output) = try await box.edgetick("run")
        #expect(status == 78, "\(output)")
        #expect(output.contains { $0.contains("nasdaq10") && $0.contains("nasdaq100") }, "\(output)")
    }

    @Test func `a second collector on the same files exits by itself and names the first`() async throws {
        let feed = try await SimulatedFeed(captures: [Places.repository + "/Fixtures/captures/demo.ndjson"])
        let box = try Box(feed: feed.url)
        let first = try box.start("run")
        try await first.line(containing: "collecting")
        let (status, output) = try await box.edgetick("run")
        #expect(status == 75, "\(output)")
        #expect(output.contains { $0.contains("\(first.pid)") }, "\(output)")
        try await first.stop()
    }

    @Test func `a port that is taken ends the simulator with 69`() async throws {
        let feed = try await SimulatedFeed(captures: [Places.repository + "/Fixtures/captures/demo.ndjson"])
        let port = try #require(URL(string: feed.url)?.port)
        let box = try Box(feed: feed.url)
        let (status, output) = try await box.edgetick("simulate", "--synthetic", "AAPL", "--port", "\(port)")
        #expect(status == 69, "\(output)")
        #expect(output.contains { $0.contains("\(port)") }, "\(output)")
    }

    @Test func `a data directory that is not writable ends with 74, as root too`() async throws {
        let box = try Box(feed: "ws://127.0.0.1:9/stocks", more: ["EDGETICK_DATA_DIR": "/proc/edgetick"])
        let (status, output) = try await box.edgetick("run")
        #expect(status == 74, "\(output)")
        #expect(output.count { $0.contains("/proc/edgetick") } == 1, "\(output)")
        let file = try box.workspace.write("", to: "file")
        let doctor = try await box.edgetick("doctor", environment: ["EDGETICK_DATA_DIR": "\(file)/below/data"])
        #expect(doctor.0 == 74, "\(doctor.1)")
        #expect(doctor.1.contains { $0.contains("this user may not write to \(file)") }, "\(doctor.1)")
    }

    @Test func `a data directory that is a link to a disk that is not mounted fails doctor too`() async throws {
        let box = try Box(feed: "ws://127.0.0.1:9/stocks")
        let link = box.workspace.file("link")
        #expect(symlink(box.workspace.file("disk") + "/edgetick", link) == 0)
        let (status, output) = try await box.edgetick("run", environment: ["EDGETICK_DATA_DIR": link])
        #expect(status == 74, "\(output)")
        let doctor = try await box.edgetick("doctor", environment: ["EDGETICK_DATA_DIR": link])
        #expect(doctor.0 == 74, "\(doctor.1)")
        #expect(doctor.1.contains { $0.contains("\(link) is a link to something that is not there") }, "\(doctor.1)")
    }

    @Test func `a buffer's file that is a link fails doctor, as it does the collector`() async throws {
        let box = try Box.known()
        let file = box.workspace.file("elsewhere.sqlite")
        try FileManager.default.moveItem(atPath: box.ticks, toPath: file)
        #expect(symlink(file, box.ticks) == 0)
        for command in ["run", "doctor"] {
            let (status, output) = try await box.edgetick(command)
            #expect(status == 78, "\(output)")
            #expect(output.contains { $0.contains("ticks.sqlite: it is a symbolic link") }, "\(output)")
        }
    }

    @Test(.enabled(if: geteuid() != 0, "root may write every file"))
    func `a file that may only be read fails doctor, as it does the collector`() async throws {
        let box = try Box(feed: "ws://127.0.0.1:9/stocks")
        let data = box.workspace.file("closed")
        let settings = ["EDGETICK_DATA_DIR": data]
        let collector = try box.start("run", environment: settings)
        try await collector.line(containing: "HTTP is ready")
        try await collector.stop()
        #expect(chmod(data + "/ticks.sqlite", 0o400) == 0)
        for command in ["run", "doctor"] {
            let (status, output) = try await box.edgetick(command, environment: settings)
            #expect(status == 74, "\(output)")
            #expect(output.contains { $0.contains("ticks.sqlite") && $0.contains("writ") }, "\(output)")
        }
    }

    @Test func `a refused key is said once, with the setting's name and not the key`() async throws {
        let feed = try await SimulatedFeed(
            captures: [Places.repository + "/Fixtures/captures/demo.ndjson"], key: "another-key")
        let box = try Box(feed: feed.url)
        let collector = try box.start("run")
        try await collector.line(containing: "MASSIVE_API_KEY")
        try await collector.stop()
        #expect(!collector.output.contains { $0.contains("integration-test-key") })
    }
}
