import MarketData
import Testing
import Wire

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct MaskingTests {
    @Test(arguments: [
        ("postgresql://me:pw@db:5432/ticks", "postgresql://me:••••@db:5432/ticks"),
        ("postgres://me@db/ticks?sslmode=require", "postgres://me@db/ticks?sslmode=require"),
        ("postgresql://db:5432,db2:5433/ticks", "postgresql://db:5432,db2:5433/ticks"),
        ("postgresql:///ticks?host=/run/postgresql", "postgresql:///ticks?host=/run/postgresql"),
        ("postgresql://[::1]:5432/ticks", "postgresql://[::1]:5432/ticks"),
        ("postgresql://me:@db/x", "postgresql://me:••••@db/x"),
        (
            "postgresql://db/x?user=me&password=pw&sslpassword=pw2",
            "postgresql://db/x?user=me&password=••••&sslpassword=••••"
        ),
        ("postgresql://postgres:postgres@db/postgres", "postgresql://postgres:••••@db/postgres"),
        ("postgresql://me:p@w@db/x", "••••"), ("postgresql://me:p/w@db/x", "••••"),
        ("postgresql://me:p?w@db/x", "••••"),
        ("postgresql://me:p#w@db/x", "••••"), ("postgresql://me:pw", "••••"), ("postgresql://db/me:pw", "••••"),
        ("host=db password=pw", "••••"), ("me:pw@db", "••••"), ("postgresql://db/x?pw", "postgresql://db/x?••••"),
    ])
    func `a database URI is shown without its password, or not at all`(uri: String, shown: String) {
        #expect(Masking.databaseURI(uri) == shown)
        let snapshot = SettingsSnapshot(values: ["DATABASE_URI": .init(text: uri, origin: .environment)])
        #expect(Masking(snapshot).show(uri, .databaseURI) == shown)
    }

    @Test func `control characters and endless values do not reach the terminal`() {
        let masking = Masking(SettingsSnapshot())
        #expect(masking.plain("a\u{1B}[31m\nb") == "a\\u{1b}[31m\\nb")
        #expect(masking.plain(String(repeating: "x", count: 500)).count == 121)
    }
}

/// Secrets are set in every way, right and wrong, and looked for in every text that comes out.
@Suite(.timeLimit(.minutes(1))) struct SecretCanaryTests {
    static let apiKey = "canary-api-key-7c1f"
    static let password = "canary-password-9d2e"
    static let token = "canary-token-3b8a"

    private static let environments: [[String: String]] = [
        ["MASSIVE_API_KEY": apiKey, "DATABASE_URI": "postgresql://me:\(password)@db/x", "HTTP_TOKEN": token],
        ["MASSIVE_API_KEY": "\(apiKey) x", "DATABASE_URI": "mysql://me:\(password)@db", "HTTP_TOKEN": "\(token) x"],
        ["DATABASE_URI": "host=db password=\(password)"],
        ["DATABASE_URI": "postgresql://me:\(password)/@db/x"],
        ["DATABASE_URI": "postgresql://me:\(password)"],
        ["DATABASE_URI": "postgresql://db/x?password=\(password)"],
        // The same secrets pasted where they do not belong.
        [
            "MASSIVE_API_KEY": apiKey, "MASSIVE_WEBSOCKET_URL": "wss://host/x?apiKey=\(apiKey)", "COLLECTOR_ID": apiKey,
            "SYMBOLS": "AAPL,\(apiKey)", "HTTP_TOKEN": token, "HTTP_HOST": "http://\(token)", "LOG_LEVEL": token,
            "DATABASE_URI": "postgresql://me:\(password)@db/x", "HTTP_PORT": password, "FEED_EVENTS": password,
            "WEBSOCKET_CONNECTION_1_NAME": "\(apiKey) \(token)", "USE_MULTI_CONNECTION": "true",
        ],
        // And under mistyped names.
        ["MASSIVE_APIKEY": apiKey, "HTTP_TOKENS": token, "DATABASE_URL": "postgresql://me:\(password)@db/x"],
    ]

    private func expectClean(_ text: String, _ place: Comment) {
        for canary in [Self.apiKey, Self.password, Self.token] {
            #expect(!text.contains(canary), place)
        }
    }

    @Test(arguments: environments, [true, false])
    func `no secret shows in any text made of the configuration`(environment: [String: String], inFile: Bool) throws {
        let lines = environment.map { "\($0.key)='\($0.value)'\n" }.joined()
        let file = EnvironmentFile(path: ".env", bytes: Array((inFile ? lines : "").utf8))
        let snapshot = SettingsSnapshot(environment: inFile ? [:] : environment, file: file)
        var dumped = ""
        dump(file, to: &dumped)
        dump(snapshot, to: &dumped)
        dump(Masking(snapshot), to: &dumped)
        expectClean(dumped + "\(file)\(snapshot)" + String(reflecting: snapshot) + String(reflecting: file), "inputs")

        let report = SettingsReport(snapshot, host: sampleHost, needs: [.feed, .database])
        expectClean(report.table.text, "table")
        expectClean(WireJSON.text(of: report.json), "JSON")
        expectClean("\(report)", "report")
        for finding in report.findings { expectClean(finding.description, "finding") }
        do throws(SettingFaults) {
            let (settings, remarks) = try Settings.validate(snapshot, host: sampleHost)
            var text = ""
            // A list of symbols and a URL with a query are used as they are; the report shows them masked.
            dump(settings.feed.apiKey, to: &text)
            dump(settings.upload, to: &text)
            dump(settings.http, to: &text)
            expectClean(text + remarks.map(\.description).joined(), "settings")
        } catch {
            expectClean("\(error)" + String(reflecting: error), "faults")
        }
    }

    @Test func `each key of a list is hidden in other texts`() {
        let snapshot = SettingsSnapshot(
            environment: ["RELAY_KEYS": "first-relay-key-4711, second-relay-key-815"], file: nil)
        let shown = Masking(snapshot).plain("a second-relay-key-815 or first-relay-key-4711")
        #expect(!shown.contains("relay-key") && shown.contains(Masking.mask), "\(shown)")
    }

    @Test func `a half-written file shows none of its secrets`() {
        for text in [
            "MASSIVE_API_KEY \(Self.apiKey)", "A=\"\(Self.password)", "HTTP_TOKEN='\(Self.token)'x",
            "\(Self.token)\u{0}",
        ] {
            let file = EnvironmentFile(path: ".env", bytes: Array(text.utf8))
            #expect(file.findings.map(\.severity) == [.fault])
            expectClean("\(file.findings)" + String(reflecting: file.findings), "file")
        }
    }

    @Test(arguments: ["MASSIVE_API_KEY", "POLYGON_API_KEY", "HTTP_TOKEN", "DATABASE_URI", "HTTPS_PROXY", "https_proxy"])
    func `a key without a line of its own is a fault and is not shown`(key: String) {
        for separator in ["\r", " ", ";", "", ", "] {
            let text = "HTTP_HOST=127.0.0.1\(separator)\(key)=\(Self.token)"
            let file = EnvironmentFile(path: ".env", bytes: Array(text.utf8))
            let snapshot = SettingsSnapshot(environment: [:], file: file)
            let (_, findings) = Settings.examine(snapshot, host: sampleHost)
            #expect(findings.contains { $0.severity == .fault }, "\(separator)")
            expectClean("\(findings)" + String(reflecting: findings), "findings")
            #expect(snapshot[\.http.host] == nil)
        }
    }

    @Test func `the secrets themselves arrive where they are needed`() throws {
        let settings = try validate(Self.environments[0]).settings
        #expect(settings.feed.apiKey == Secret(Self.apiKey))
        #expect(settings.http.token == Secret(Self.token))
        #expect(settings.upload.databaseURI?.reveal().contains(Self.password) == true)
    }
}
