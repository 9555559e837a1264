import MarketData
import Testing

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct UnknownKeysTests {
    private func findings(environment: [String] = [], file: [String] = [], values: [String] = []) -> [SettingFinding] {
        var others: [String: SettingOrigin] = [:]
        for (index, name) in file.enumerated() { others[name] = .file(path: ".env", line: index + 1) }
        for name in environment { others[name] = .environment }
        var set: [String: SettingsSnapshot.Value] = [:]
        for name in values { set[name] = .init(text: "x", origin: .environment) }
        return UnknownKeys.findings(in: SettingsSnapshot(values: set, others: others))
    }

    @Test(arguments: [
        ("HTTP_PROT", "HTTP_PORT"), ("BUFFER_MAX_BYTE", "BUFFER_MAX_BYTES"), ("MASSIVE_APIKEY", "MASSIVE_API_KEY"),
        ("WEBSOCKET_CONNECTION_2_SYMBOL", "WEBSOCKET_CONNECTION_2_SYMBOLS"), ("SYNC_INTERVALL", "SYNC_INTERVAL"),
        ("WEBSOCKET_CONNECTION_1_UNIVERSEKEY", "WEBSOCKET_CONNECTION_1_UNIVERSE_KEY"), ("FEED_EVENT", "FEED_EVENTS"),
        ("UNIVERSE_CACHE_TLL", "UNIVERSE_CACHE_TTL"), ("EDGETICK_DATADIR", "EDGETICK_DATA_DIR"),
        ("USE_MULTI_CONNECTIONS", "USE_MULTI_CONNECTION"),
    ])
    func `a mistyped key is a fault in a file and a warning in the environment`(name: String, nearest: String) throws {
        let inFile = try #require(findings(file: [name]).first)
        #expect(inFile.severity == .fault)
        #expect(inFile.text.contains("nearest: \(nearest)"))
        #expect(inFile.description == "\(name) (.env:1): \(inFile.text)")
        let inEnvironment = try #require(findings(environment: [name]).first)
        #expect(inEnvironment.severity == .warning)
        #expect(inEnvironment.text.contains("nearest: \(nearest)"))
    }

    @Test func `a key of our own that resembles nothing is reported all the same`() throws {
        let finding = try #require(findings(file: ["BUFFER_ZZZZZZZZZZZZZZZZZZZZ"]).first)
        #expect(finding.severity == .fault)
        #expect(finding.text.contains("edgetick config"))
    }

    @Test(arguments: ["BACKFILL_OLDEST_DAY", "RECONCILE_WEEKDAYS", "SHARD_WEIGHTS", "USE_MULTI_REGION"])
    func `a key that begins like one of ours is reported, whatever follows`(name: String) {
        #expect(findings(file: [name]).map(\.severity) == [.fault])
        #expect(findings(environment: [name]).map(\.severity) == [.warning])
    }

    @Test func `a key in small letters is told to be written in capitals`() throws {
        #expect(findings(file: ["http_port"]).first?.text.contains("write it in capitals: HTTP_PORT") == true)
        #expect(findings(environment: ["symbols"]).first?.text.contains("SYMBOLS") == true)
    }

    @Test func `a near miss without a prefix of ours is as one with it unless the real key is set`() {
        #expect(findings(file: ["SYBMOLS"]).map(\.severity) == [.fault])
        #expect(findings(file: ["SYBMOLS"], values: ["SYMBOLS"]).isEmpty)
        // Often enough this is another program's own name.
        #expect(findings(file: ["DATABASE_URL"]).map(\.severity) == [.warning])
        #expect(findings(file: ["DATABASE_URL"], values: ["DATABASE_URI"]).isEmpty)
        #expect(findings(environment: ["SYMBOL"]).map(\.severity) == [.warning])
        #expect(findings(environment: ["ENVIROMENT"]).map(\.severity) == [.warning])
    }

    @Test func `other programs' names are left alone`() {
        let names = [
            "PATH", "HOME", "LANG", "TERM", "HTTP_PROXY", "http_proxy", "LOG_DIR", "PGPASSWORD", "USER",
            "LOGNAME", "DEBUG", "HOSTNAME", "INVOCATION_ID", "STATE_DIRECTORY", "TZ", "POSTGRES_PASSWORD", "feed_me",
            "DATABASE_POOL_SIZE", "LOG_ROTATION", "NO_COLOR", "USE_CELERY",
        ]
        #expect(findings(environment: names) == [])
        #expect(findings(file: names.filter { $0 != "feed_me" }) == [])
    }

    @Test func `a mistyped key in a file refuses the start`() throws {
        let file = EnvironmentFile(path: ".env", bytes: Array("HTTP_PROT=80\nSYMBOLS=A\n".utf8))
        #expect(throws: SettingFaults.self) {
            try Settings.validate(SettingsSnapshot(environment: [:], file: file), host: sampleHost)
        }
        #expect(try validate(["HTTP_PROT": "80"]).remarks.map(\.key) == ["HTTP_PROT"])
    }
}
