import ArgumentParser
import Feed
import Foundation
import Logging
import MarketData
import Store
import TestSupport
import Testing

@testable import Upstream
@testable import edgetick

let sampleHost = HostFacts(
    hostName: "box.local", homeDirectory: "/home/me", stateDirectory: nil, workingDirectory: "/my dir")

/// Validates values of the process environment.
func validate(
    _ environment: [String: String], needs: Settings.Needs = [], host: HostFacts = sampleHost
) throws -> (settings: Settings, remarks: [SettingFinding]) {
    try Settings.validate(SettingsSnapshot(environment: environment, file: nil), host: host, needs: needs)
}

/// The faults of values of the process environment.
func faults(
    _ environment: [String: String], needs: Settings.Needs = [], host: HostFacts = sampleHost
) -> [SettingFinding] {
    do throws(SettingFaults) {
        _ = try Settings.validate(SettingsSnapshot(environment: environment, file: nil), host: host, needs: needs)
        return []
    } catch {
        return error.faults
    }
}

@Suite(.timeLimit(.minutes(1))) struct SettingsTests {
    @Test func `without anything set the defaults hold`() throws {
        let settings = try validate([:]).settings
        #expect(settings.feed.source == .feed)
        #expect(settings.feed.apiKey == nil)
        #expect(settings.feed.url == "wss://socket.massive.com/stocks")
        #expect(settings.feed.restURL == "https://api.massive.com")
        #expect(settings.feed.allowsPlaintext == false)
        #expect(settings.feed.caFile == nil)
        #expect(settings.feed.events == [.minuteBar])
        #expect(settings.feed.reconnect.maximumFailures == 0)
        #expect(settings.feed.reconnect.firstDelay == .seconds(5))
        #expect(settings.connections.isMulti == false)
        #expect(settings.connections.list.map(\.name) == ["primary"])
        #expect(settings.connections.list[0].universeKey == nil)
        #expect(settings.connections.maximum == 3)
        #expect(settings.connections.rules.strategy == .manual)
        #expect(settings.connections.rules.healthInterval == .seconds(30))
        #expect(settings.connections.rules.rebalances)
        #expect(settings.connections.rules.failsOver)
        #expect(settings.universe.environment == .default)
        #expect(settings.universe.fallback == .default)
        #expect(settings.universe.cacheTTL == .seconds(3600))
        #expect(settings.universe.pullInterval == .seconds(3600))
        #expect(settings.dataDirectory == "/home/me/.local/share/edgetick")
        #expect(settings.collectorID == "box.local")
        #expect(settings.buffer.maximumBytes == 8 << 30)
        #expect(settings.buffer.fullPolicy == .dropOldest)
        #expect(settings.buffer.retention == .seconds(86_400))
        #expect(settings.buffer.commitInterval == .fixed(.milliseconds(50)))
        #expect(settings.buffer.synchronous == .full)
        #expect(settings.upload.databaseURI == nil)
        #expect(settings.upload.interval == .seconds(5))
        #expect(settings.upload.batchRows == 20_000)
        #expect(settings.upload.statementTimeout == .seconds(60))
        #expect(settings.upload.barTimestamp == .start)
        #expect(settings.http.host == "127.0.0.1")
        #expect(settings.http.port == 8080)
        #expect(settings.http.token == nil)
        #expect(settings.logLevel == .info)
        #expect(settings.logFormat == .text)
    }

    @Test func `every key takes effect`() throws {
        let settings = try validate([
            "USE_MASSIVE_API": "yes", "MASSIVE_API_KEY": "key-1", "MASSIVE_WEBSOCKET_URL": "ws://127.0.0.1:9000/x",
            "MASSIVE_REST_URL": "http://localhost:9001", "MASSIVE_WEBSOCKET_CA_FILE": "ca.pem",
            "FEED_EVENTS": " am, A,T ,q,luld, NOI,Fmv",
            "MASSIVE_WEBSOCKET_MAX_RETRIES": "7", "MASSIVE_WEBSOCKET_RECONNECT_DELAY": "500ms",
            "MASSIVE_WEBSOCKET_MAX_RECONNECT_DELAY": "20", "HTTPS_PROXY": "http://proxy.example:3128",
            "ALL_PROXY": "other.example:8080", "NO_PROXY": "a.example, .b.example",
            "MASSIVE_WEBSOCKET_ALLOW_PLAINTEXT": "1", "SYMBOL_UNIVERSE_KEY": "sp500:dow30", "SYMBOLS": "AAPL,MSFT",
            "WEBSOCKET_CONNECTIONS_MAX": "5", "WEBSOCKET_ROUTING_STRATEGY": "Load-Balanced",
            "WEBSOCKET_HEALTH_CHECK_INTERVAL": "2m", "WEBSOCKET_AUTO_REBALANCE": "no",
            "WEBSOCKET_FAILOVER_ENABLED": "0",
            "ENVIRONMENT": "prod", "UNIVERSE_FALLBACK": "error", "UNIVERSE_CACHE_TTL": "60",
            "UNIVERSE_PULL_INTERVAL": "0",
            "EDGETICK_DATA_DIR": "~/ticks", "BUFFER_MAX_BYTES": "500MB", "BUFFER_FULL_POLICY": "reject-new",
            "BUFFER_RETENTION_HOURS": "48", "BUFFER_COMMIT_INTERVAL_MS": "20", "BUFFER_SYNCHRONOUS": "normal",
            "DATABASE_URI": "postgresql://me:pw@db/ticks", "SYNC_INTERVAL": "10", "SYNC_BATCH_ROWS": "100",
            "SYNC_STATEMENT_TIMEOUT": "1m", "BAR_TIMESTAMP": "end", "COLLECTOR_ID": "edge-1", "HTTP_HOST": "0.0.0.0",
            "HTTP_PORT": "0", "HTTP_TOKEN": "a-token-of-some-length", "LOG_LEVEL": "debug", "LOG_FORMAT": "json",
        ]).settings
        #expect(settings.feed.apiKey?.reveal() == "key-1")
        #expect(settings.feed.url == "ws://127.0.0.1:9000/x")
        #expect(settings.feed.restURL == "http://localhost:9001")
        #expect(settings.feed.allowsPlaintext)
        #expect(settings.feed.caFile == "/my dir/ca.pem")
        #expect(settings.feed.events == Set(EventKind.allCases))
        #expect(settings.feed.reconnect.maximumFailures == 7)
        #expect(settings.feed.reconnect.firstDelay == .milliseconds(500))
        #expect(settings.feed.reconnect.cap == .seconds(20))
        #expect(settings.feed.proxy?.description == "proxy.example:3128")
        #expect(settings.feed.generalProxy?.port == 8080)
        #expect(settings.feed.unproxied == ["a.example", ".b.example"])
        #expect(
            settings.connections.list == [
                .init(number: 1, name: "primary", universeKey: "sp500:dow30", symbols: "AAPL,MSFT", priority: 1)
            ])
        #expect(settings.connections.maximum == 5)
        #expect(settings.connections.rules.strategy == .loadBalanced)
        #expect(settings.connections.rules.healthInterval == .seconds(120))
        #expect(!settings.connections.rules.rebalances)
        #expect(!settings.connections.rules.failsOver)
        #expect(settings.universe.environment == .prod)
        #expect(settings.universe.fallback == .error)
        #expect(settings.universe.cacheTTL == .seconds(60))
        #expect(settings.universe.pullInterval == nil)
        #expect(settings.dataDirectory == "/home/me/ticks")
        #expect(settings.buffer.maximumBytes == 500_000_000)
        #expect(settings.buffer.fullPolicy == .rejectNew)
        #expect(settings.buffer.retention == .seconds(48 * 3600))
        #expect(settings.buffer.commitInterval == .fixed(.milliseconds(20)))
        #expect(settings.buffer.synchronous == .normal)
        #expect(settings.upload.databaseURI?.reveal() == "postgresql://me:pw@db/ticks")
        #expect(settings.upload.displayedURI == "postgresql://me:••••@db/ticks")
        #expect(settings.upload.interval == .seconds(10))
        #expect(settings.upload.batchRows == 100)
        #expect(settings.upload.statementTimeout == .seconds(60))
        #expect(settings.upload.barTimestamp == .end)
        #expect(settings.collectorID == "edge-1")
        #expect(settings.http.host == "0.0.0.0")
        #expect(settings.http.port == 0)
        #expect(settings.http.token?.reveal() == "a-token-of-some-length")
        #expect(settings.logLevel == .debug)
        #expect(settings.logFormat == .json)
    }

    @Test func `commits may pace themselves`() throws {
        #expect(try validate(["BUFFER_COMMIT_INTERVAL_MS": "Auto"]).settings.buffer.commitInterval == .automatic)
    }

    @Test func `each key's default passes its own check`() throws {
        var environment: [String: String] = [:]
        for setting in Settings.all { environment[setting.name] = setting.defaultText(on: sampleHost) }
        for setting in Settings.Connection.settings(1) {
            environment[setting.name] = setting.defaultText(on: sampleHost)
        }
        #expect(faults(environment) == [])
        #expect(Settings.all.allSatisfy { !$0.meaning.isEmpty && !$0.allowed.isEmpty })
    }

    @Test func `each name and each place has one key`() {
        #expect(Set(Settings.all.map(\.name)).count == Settings.all.count)
        #expect(Set(Settings.all.map(\.path)).count == Settings.all.count)
    }

    @Test func `a wrong value leaves the default in effect, so that one fault brings no other`() throws {
        var settings = Settings()
        var reader = SettingReader(
            SettingsSnapshot(environment: ["SYNC_BATCH_ROWS": "x", "HTTP_HOST": "a/b"], file: nil), host: sampleHost)
        reader.read(Settings.all, into: &settings)
        #expect(settings.upload.batchRows == 20_000)
        #expect(settings.http.host == "127.0.0.1")
        #expect(Set(reader.findings.map(\.key)) == ["SYNC_BATCH_ROWS", "HTTP_HOST"])
    }

    @Test(arguments: [
        ("USE_MASSIVE_API", "maybe", "true or false"), ("USE_MULTI_CONNECTION", "2", "true or false"),
        ("MASSIVE_API_KEY", "two words", "spaces"), ("MASSIVE_WEBSOCKET_URL", "socket.massive.com", "wss://host"),
        ("MASSIVE_WEBSOCKET_URL", "https://socket.massive.com", "wss://host"),
        ("MASSIVE_WEBSOCKET_URL", "ws://feed.example.com", "MASSIVE_WEBSOCKET_ALLOW_PLAINTEXT"),
        ("MASSIVE_REST_URL", "http://api.example.com", "MASSIVE_WEBSOCKET_ALLOW_PLAINTEXT"),
        ("MASSIVE_REST_URL", "wss://api.example.com", "https://host"),
        ("FEED_EVENTS", "AM,B", "AM, A, T, Q, LULD, NOI, FMV"),
        ("FEED_EVENTS", ",", "AM, A, T, Q, LULD, NOI, FMV"), ("MASSIVE_WEBSOCKET_MAX_RETRIES", "-1", "0 to 1000000"),
        ("MASSIVE_WEBSOCKET_RECONNECT_DELAY", "0", "from 100ms to 1h"),
        ("MASSIVE_WEBSOCKET_CA_FILE", "~other/ca.pem", "whole path"), ("WEBSOCKET_CONNECTIONS_MAX", "0", "1 to 16"),
        ("WEBSOCKET_ROUTING_STRATEGY", "roundrobin", "nearest: round-robin"),
        ("WEBSOCKET_HEALTH_CHECK_INTERVAL", "never", "1s to 1h"),
        ("ENVIRONMENT", "production", "DEFAULT, TEST, UAT, PROD"), ("UNIVERSE_FALLBACK", "none", "default, error"),
        ("UNIVERSE_CACHE_TTL", "0", "1s to 30d"), ("UNIVERSE_PULL_INTERVAL", "5", "0 = by hand"),
        ("BUFFER_MAX_BYTES", "8X", "8GiB"), ("BUFFER_MAX_BYTES", "1KiB", "from 1MiB"),
        ("BUFFER_FULL_POLICY", "drop", "drop-oldest"),
        ("BUFFER_RETENTION_HOURS", "-3", "hours"), ("BUFFER_COMMIT_INTERVAL_MS", "0", "milliseconds"),
        ("BUFFER_COMMIT_INTERVAL_MS", "1m", "1ms to 10s"), ("BUFFER_SYNCHRONOUS", "off", "full, normal"),
        ("DATABASE_URI", "host=db user=me", "postgresql://"), ("DATABASE_URI", "mysql://me@db/x", "postgresql://"),
        ("DATABASE_URI", "postgresql://me:a b@db/x", "%20"), ("SYNC_INTERVAL", "1ms", "100ms to 1d"),
        ("SYNC_BATCH_ROWS", "0", "1 to 1000000"),
        ("SYNC_BATCH_ROWS", "1e6", "whole number"), ("SYNC_STATEMENT_TIMEOUT", "2h", "1h"),
        ("BAR_TIMESTAMP", "middle", "start, end"),
        ("COLLECTOR_ID", "my box", "letters, digits"), ("HTTP_HOST", "a/b", "address"),
        ("HTTP_HOST", "0.0.0.0", "HTTP_TOKEN"),
        ("HTTP_HOST", "::", "HTTP_TOKEN"), ("HTTP_PORT", "99999", "0 to 65535"), ("HTTP_PORT", "+80", "0 to 65535"),
        ("HTTP_TOKEN", "tökens", "ASCII"), ("LOG_LEVEL", "verbose", "trace, debug"),
        ("LOG_LEVEL", "warnin", "nearest: warning"),
        ("LOG_FORMAT", "xml", "text, json"),
    ])
    func `a wrong value is refused with what is allowed`(key: String, value: String, words: String) throws {
        let found = faults([key: value])
        let fault = try #require(found.first)
        #expect(found.count == 1)
        #expect(fault.key == key)
        #expect(fault.origin == .environment)
        #expect(fault.text.contains(words))
        #expect(!fault.description.contains("\n"))
        if Settings.all.contains(where: { $0.name == key && [.plain, .path].contains($0.display) }) {
            #expect(fault.description.hasPrefix("\(key)=\(value) (environment): "))
        } else {
            #expect(fault.description.hasPrefix("\(key)="))
            #expect(fault.value?.contains(Masking.mask) == true)
            #expect(fault.value != value)
        }
    }

    @Test func `all faults are reported at once`() throws {
        let found = faults([
            "HTTP_PORT": "x", "BUFFER_MAX_BYTES": "x", "LOG_LEVEL": "x", "SYNC_INTERVAL": "x", "ENVIRONMENT": "x",
            "FEED_EVENTS": "x",
        ])
        #expect(
            Set(found.map(\.key)) == [
                "HTTP_PORT", "BUFFER_MAX_BYTES", "LOG_LEVEL", "SYNC_INTERVAL", "ENVIRONMENT", "FEED_EVENTS",
            ])
        let error = SettingFaults(faults: found, remarks: [])
        #expect(CommandFailure(error).lines.count == 6)
        #expect(CommandFailure(error).status == .configuration)
    }

    @Test func `collecting needs the feed's key unless the data is synthetic`() throws {
        #expect(faults([:]).isEmpty)
        #expect(faults([:], needs: .feed).map(\.key) == ["MASSIVE_API_KEY"])
        #expect(faults(["MASSIVE_API_KEY": "k"], needs: .feed).isEmpty)
        let synthetic = try validate(["USE_SYNTHETIC_DATA": "true"], needs: .feed)
        #expect(synthetic.settings.feed.source == .simulator)
        let without = try validate(["USE_MASSIVE_API": "false"], needs: .feed)
        #expect(without.settings.feed.source == .none)
        #expect(without.remarks.contains { $0.severity == .warning && $0.key == "USE_MASSIVE_API" })
    }

    @Test func `what is made up has a directory of its own, and no way into a database`() throws {
        let synthetic = try validate(["USE_SYNTHETIC_DATA": "true", "EDGETICK_DATA_DIR": "/data"], needs: .feed)
        #expect(synthetic.settings.dataDirectory == "/data/synthetic")
        #expect(synthetic.remarks.contains { $0.severity == .note && $0.text.contains("/data/synthetic") })
        let both = ["USE_SYNTHETIC_DATA": "true", "DATABASE_URI": "postgresql://localhost/market"]
        #expect(faults(both, needs: .feed).map(\.key) == ["USE_SYNTHETIC_DATA"])
        #expect(faults(both, needs: .database).map(\.key) == ["USE_SYNTHETIC_DATA"])
        let reconcile = try ReconcileCommand.parse(["--from-file", "2025-11-24.csv.gz"])
        #expect(faults(both, needs: reconcile.needs).map(\.key) == ["USE_SYNTHETIC_DATA"])
        #expect(faults([:], needs: reconcile.needs).isEmpty, "a file needs neither key nor database")
        #expect(faults(both).isEmpty, "who only reads is not in the way")
        #expect(try validate(["EDGETICK_DATA_DIR": "/data"]).settings.dataDirectory == "/data")
    }

    @Test func `a database for ticks goes beside the one for bars, and each gets its streams`() throws {
        let two = try validate([
            "DATABASE_URI": "postgresql://a@localhost/bars",
            "DATABASE_URI_TICKS": "postgresql://b:secret9@localhost/ticks",
        ]).settings
        let upstreams = try two.upstreams()
        #expect(upstreams.map(\.role) == [.main, .ticks])
        #expect(upstreams.map(\.streams) == [[.bars], EventStream.allCases.filter { $0 != .bars }])
        #expect(two.upload.displayedURI(of: .ticks) == "postgresql://b:••••@localhost/ticks")
        let one = try validate(["DATABASE_URI": "postgresql://a@localhost/bars"]).settings
        #expect(try one.upstreams().map(\.streams) == [EventStream.allCases])
        #expect(faults(["DATABASE_URI_TICKS": "postgresql://localhost/ticks"]).map(\.key) == ["DATABASE_URI_TICKS"])
        let wrong = faults([
            "DATABASE_URI": "postgresql://localhost/bars", "DATABASE_URI_TICKS": "postgresql://localhost/t?sslmode=odd",
        ])
        #expect(wrong.map(\.key) == ["DATABASE_URI_TICKS"])
    }

    @Test func `two boxes that share symbols by number need a group before both upload ticks`() throws {
        let bars = ["SHARD": "1/3", "SHARD_REPLICAS": "2", "DATABASE_URI": "postgresql://localhost/market"]
        let ticks = bars.merging(["FEED_EVENTS": "AM,T,Q"]) { $1 }
        let found = faults(ticks)
        #expect(found.map(\.key) == ["SHARD_REPLICAS"])
        #expect(found.first?.text.contains("the trades and quotes of both boxes") == true, "\(found)")
        #expect(faults(ticks.merging(["COLLECTOR_GROUP": "nyc"]) { $1 }).isEmpty)
        #expect(faults(ticks.merging(["SHARD_REPLICAS": "1"]) { $1 }).isEmpty)
        #expect(faults(ticks.filter { $0.key != "DATABASE_URI" }).isEmpty && faults(bars).isEmpty)
    }

    @Test func `batches grow by themselves unless their size is set`() throws {
        #expect(try validate([:]).settings.upload.mostBatchRows == 100_000)
        #expect(try validate(["SYNC_BATCH_ROWS": "5000"]).settings.upload.mostBatchRows == 5000)
    }

    @Test func `uploading needs a database`() {
        #expect(faults([:], needs: .database).map(\.key) == ["DATABASE_URI"])
        #expect(faults(["DATABASE_URI": "postgres://db/x"], needs: .database).isEmpty)
    }

    @Test func `a login is read again from the file that has the database's address`() throws {
        let workspace = try Workspace()
        func write(_ password: String) throws -> String {
            try workspace.write("postgresql://u:\(password)@db.example/market\n", to: "uri")
        }
        let snapshot = SettingsSnapshot(
            environment: ["DATABASE_URI_FILE": try write("old")], file: nil, reading: EnvironmentFile.secret)
        let upstream = try #require(try Settings.validate(snapshot, host: sampleHost).settings.upstream())
        func password() -> String? { upstream.renewed().settings.credentials["password"]?.reveal() }
        #expect(password() == "old")
        _ = try write("new")
        #expect(password() == "new")
        try FileManager.default.removeItem(atPath: workspace.file("uri"))
        #expect(password() == "old", "what was read at the start counts on")
    }

    @Test func `a key that is set and unusable is one fault, not also a missing one`() {
        #expect(faults(["MASSIVE_API_KEY": "a b"], needs: .feed).map(\.key) == ["MASSIVE_API_KEY"])
    }

    @Test func `plaintext to another machine needs leave`() {
        #expect(
            faults(["MASSIVE_WEBSOCKET_URL": "ws://feed.local", "MASSIVE_WEBSOCKET_ALLOW_PLAINTEXT": "true"]).isEmpty)
        #expect(faults(["MASSIVE_WEBSOCKET_URL": "ws://[::1]:80/x"]).isEmpty)
    }

    @Test func `a token that is short or no header carries is refused`() throws {
        for token in ["short", "fifteen-letters", "sixteen letters and a space"] {
            #expect(faults(["HTTP_TOKEN": token]).map(\.key) == ["HTTP_TOKEN"], "\(token)")
        }
        #expect(faults(["HTTP_HOST": "0.0.0.0", "HTTP_TOKEN": "a-token-of-some-length"]).isEmpty)
    }

    @Test func `names for a proxy are host names`() throws {
        let settings = try validate(["HTTP_ALLOWED_HOSTS": "dash.example.com, ,10.0.0.7"]).settings
        #expect(settings.http.allowedHosts == ["dash.example.com", "10.0.0.7"])
        #expect(faults(["HTTP_ALLOWED_HOSTS": "https://dash.example.com"]).map(\.key) == ["HTTP_ALLOWED_HOSTS"])
    }

    @Test func `the data directory is the service's, else the user's, else must be said`() throws {
        var service = sampleHost
        service.stateDirectory = "/var/lib/edgetick"
        #expect(try validate([:], host: service).settings.dataDirectory == "/var/lib/edgetick")
        #expect(try validate(["EDGETICK_DATA_DIR": "x"], host: service).settings.dataDirectory == "/my dir/x")
        var nobody = sampleHost
        nobody.homeDirectory = nil
        #expect(faults([:], host: nobody).map(\.key) == ["EDGETICK_DATA_DIR"])
        #expect(faults(["EDGETICK_DATA_DIR": "~/x"], host: nobody).map(\.key) == ["EDGETICK_DATA_DIR"])
        #expect(faults(["EDGETICK_DATA_DIR": "/x"], host: nobody).isEmpty)
    }

    @Test func `a host without a usable name still has a collector's name`() throws {
        var odd = sampleHost
        odd.hostName = "größer box"
        #expect(try validate([:], host: odd).settings.collectorID == "grerbox")
        odd.hostName = nil
        #expect(try validate([:], host: odd).settings.collectorID == "edgetick")
    }

    @Test func `this machine's facts are found`() {
        #expect(HostFacts.current(environment: [:]).homeDirectory != nil, "cron leaves HOME out")
        let facts = HostFacts.current(environment: ["HOME": "/home/x", "STATE_DIRECTORY": "/var/lib/a:/var/lib/b"])
        #expect(facts.workingDirectory.hasPrefix("/"))
        #expect(facts.hostName?.isEmpty == false)
        #expect(facts.stateDirectory == "/var/lib/a")
        #expect(facts.homeDirectory == "/home/x")
    }
}
