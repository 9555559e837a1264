import MarketData
import Testing

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct SettingsSnapshotTests {
    private func snapshot(_ environment: [String: String], _ file: String = "") throws -> SettingsSnapshot {
        SettingsSnapshot(environment: environment, file: EnvironmentFile(path: ".env", bytes: Array(file.utf8)))
    }

    @Test func `the process environment wins over the file`() throws {
        let snapshot = try snapshot(["HTTP_PORT": "1"], "HTTP_PORT=2\nLOG_LEVEL=debug\n")
        #expect(snapshot[\.http.port] == .init(text: "1", origin: .environment))
        #expect(snapshot[\.logLevel] == .init(text: "debug", origin: .file(path: ".env", line: 2)))
        #expect(snapshot[\.connections.symbols] == nil)
    }

    @Test func `an empty value counts as not set, and hides the file's when it stands in the environment`() throws {
        let snapshot = try snapshot(["SYMBOLS": "", "LOG_LEVEL": " "], "SYMBOLS=AAPL\nHTTP_HOST=\nLOG_LEVEL=debug")
        #expect(snapshot[\.connections.symbols] == nil)
        #expect(snapshot[\.logLevel] == nil)
        #expect(snapshot[\.http.host] == nil)
    }

    @Test func `the keys of numbered connections are found`() throws {
        let snapshot = try snapshot(["WEBSOCKET_CONNECTION_2_SYMBOLS": "A"], "WEBSOCKET_CONNECTION_12_NAME=x")
        #expect(snapshot.values["WEBSOCKET_CONNECTION_2_SYMBOLS"]?.text == "A")
        #expect(snapshot.values["WEBSOCKET_CONNECTION_12_NAME"]?.origin == .file(path: ".env", line: 1))
    }

    @Test func `of other names only the origin is kept`() throws {
        let snapshot = try snapshot(["PATH": "/bin", "BOTH": "1"], "MASSIVE_API_KY=hunter2\nBOTH=2")
        #expect(snapshot.values.isEmpty)
        #expect(snapshot.others["PATH"] == .environment)
        #expect(snapshot.others["BOTH"] == .environment)
        #expect(snapshot.others["MASSIVE_API_KY"] == .file(path: ".env", line: 1))
    }

    private func secretFile(_ path: String) -> SettingsSnapshot.SecretFile {
        switch path {
        case "/run/secrets/key": .text("file-key\n")
        case "/run/secrets/keys": .text("\nfirst-relay-key-4711\r\n second-relay-key-815 \n\n")
        case "/run/secrets/noted": .text("# of the notebooks\n first-relay-key-4711\n#second-relay-key-815\n")
        case "/run/secrets/notes": .text("# none yet\n")
        case "/run/secrets/empty": .text(" \n")
        default: .fault("\(path) can't be read")
        }
    }

    private func snapshot(secrets environment: [String: String], _ file: String = "") throws -> SettingsSnapshot {
        SettingsSnapshot(
            environment: environment, file: EnvironmentFile(path: ".env", bytes: Array(file.utf8)),
            reading: secretFile)
    }

    @Test(arguments: [
        "MASSIVE_API_KEY", "DATABASE_URI", "DATABASE_URI_TICKS", "HTTP_TOKEN", "HTTPS_PROXY", "ALL_PROXY",
    ])
    func `every secret may stand in a file of its own`(key: String) throws {
        let name = key + "_FILE"
        let found = try snapshot(secrets: [name: "/run/secrets/key"])
        #expect(found.values[key] == .init(text: "file-key", origin: .secretFile(path: "/run/secrets/key")))
        #expect(found.findings.isEmpty && found.others.isEmpty)
        for path in ["/run/secrets/empty", "/run/secrets/none"] {
            let wrong = try snapshot(secrets: [name: path])
            #expect(wrong.values[key] == nil)
            #expect(wrong.findings.map(\.key) == [name] && wrong.findings[0].severity == .fault)
        }
        let both = try snapshot(secrets: [name: "/run/secrets/key", key: "other"])
        #expect(both.findings.map(\.severity) == [.fault])
        let outside = try snapshot(secrets: [name: "/run/secrets/key"], "\(key)=other")
        #expect(outside.values[key]?.text == "file-key" && outside.findings.map(\.severity) == [.note])
        let inside = try snapshot(secrets: [key: "other"], "\(name)=/run/secrets/key")
        #expect(inside.values[key]?.text == "other" && inside.findings.map(\.severity) == [.note])
    }

    @Test func `each of several keys may stand on a line of the file, and of one value's file the first line counts`()
        throws
    {
        let found = try snapshot(secrets: ["RELAY_KEYS_FILE": "/run/secrets/keys"])
        #expect(found.values["RELAY_KEYS"]?.text == "first-relay-key-4711,second-relay-key-815")
        #expect(found.findings.map(\.severity) == [.note] && found.findings[0].text.contains("2 lines"))
        for key in ["MASSIVE_API_KEY", "DATABASE_URI", "DATABASE_URI_TICKS", "HTTP_TOKEN"] {
            let first = try snapshot(secrets: [key + "_FILE": "/run/secrets/keys"])
            #expect(first.values[key]?.text == "first-relay-key-4711")
            #expect(first.findings.map(\.severity) == [.warning] && first.findings[0].text.contains("2 lines"))
        }
        #expect(secretFile("/run/secrets/keys").secret == "first-relay-key-4711")
    }

    @Test func `a line of the file of keys that begins with # is no key, and is named`() throws {
        let found = try snapshot(secrets: ["RELAY_KEYS_FILE": "/run/secrets/noted"])
        #expect(found.values["RELAY_KEYS"]?.text == "first-relay-key-4711")
        #expect(found.findings.map(\.severity) == [.warning])
        #expect(found.findings[0].text.contains("a key can't begin with #"))
        let none = try snapshot(secrets: ["RELAY_KEYS_FILE": "/run/secrets/notes"])
        #expect(none.values["RELAY_KEYS"] == nil && none.findings.map(\.severity) == [.fault])
        #expect(none.findings[0].text.contains("begins with #, as no key can"))
    }

    @Test func `quotes and comments that docker leaves in the environment are left out, with a note`() throws {
        let found = try snapshot([
            "MASSIVE_API_KEY": "\"key-1\"", "SYMBOLS": "'AAPL'", "USE_MULTI_CONNECTION": "false  # or omit",
            "HTTP_TOKEN": "half\"quoted", "COLLECTOR_ID": "\"open",
        ])
        #expect(found.values["MASSIVE_API_KEY"]?.text == "key-1" && found.values["SYMBOLS"]?.text == "AAPL")
        #expect(found.values["USE_MULTI_CONNECTION"]?.text == "false")
        #expect(found.values["HTTP_TOKEN"]?.text == "half\"quoted" && found.values["COLLECTOR_ID"]?.text == "\"open")
        #expect(found.findings.count == 3 && found.findings.allSatisfy { $0.severity == .note })
    }

    @Test func `a variable that nothing sets is a fault where the key is one of ours`() throws {
        #expect(try snapshot([:], "DATABASE_URI=postgresql://u:${NONE}@h/db").findings.map(\.severity) == [.fault])
        #expect(try snapshot([:], "REDIS_URL=redis://${NONE}/0").findings.isEmpty)
    }

    @Test func `a name in small letters is another name`() throws {
        let snapshot = try snapshot(["http_port": "1", "HTTP_PORT": "2"])
        #expect(snapshot[\.http.port]?.text == "2")
        #expect(snapshot.others["http_port"] == .environment)
    }

    @Test func `values stay as they are`() throws {
        let uri = "postgresql://u:p%40,w=1@h:5432/db?sslmode=require"
        #expect(try snapshot(["DATABASE_URI": uri])[\.upload.databaseURI]?.text == uri)
        #expect(try snapshot([:], "SYMBOLS=AAPL, BRK.B,*")[\.connections.symbols]?.text == "AAPL, BRK.B,*")
    }

    @Test(arguments: [
        "WEBSOCKET_CONNECTION_0_NAME", "WEBSOCKET_CONNECTION_01_NAME", "WEBSOCKET_CONNECTION_NAME",
        "WEBSOCKET_CONNECTION_1_NAMES", "WEBSOCKET_CONNECTION_1NAME", "WEBSOCKET_CONNECTION_1_",
        "WEBSOCKET_CONNECTION_x_NAME",
        "WEBSOCKET_CONNECTION_99999999999999999999_NAME",
    ])
    func `names that merely resemble a connection's key are none`(name: String) {
        #expect(ConnectionKey(name: name) == nil)
    }

    @Test func `every key of a connection is read back from its name`() {
        let names = Settings.Connection.settings(3).map(\.name)
        #expect(names.count == 6)
        #expect(names.allSatisfy { ConnectionKey(name: $0)?.name == $0 })
    }
}
