import Testing

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct SettingsSnapshotTests {
    private func snapshot(_ environment: [String: String], _ file: String = "") throws -> SettingsSnapshot {
        SettingsSnapshot(environment: environment, file: try EnvironmentFile(path: ".env", bytes: Array(file.utf8)))
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
