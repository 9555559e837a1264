import Backfill
import Collector
import Feed
import FeedServer
import Logging
import MarketData
import Relay
import Upstream
import WebAPI
import Wire

/// The checks of `doctor` that ask others: the running collector, the feed, the database.
struct NetworkChecks {
    private static let feedPatience: Duration = .seconds(15)

    let settings: Settings
    /// Whether a collector runs on these files.
    let isRunning: Bool

    /// The HTTP API: the running collector's own verdict, or whether its address is free.
    func http() async -> [Finding] {
        if isRunning {
            guard let api = LocalAPI(settings) else {
                return [
                    .warning(
                        "http", "a collector runs but its HTTP address is not known; it may be starting or stopping")
                ]
            }
            do throws(LocalAPI.Failure) {
                let checks = try await api.status().health.checks
                return [.ok("http", "\(api.address) answers")]
                    + StatusText.inOrder(checks.keys).compactMap { name in
                        guard let check = checks[name] else { return nil }
                        let text = "\(name): \(check.detail ?? "")"
                        switch check.status {
                        case .ok: return .ok("running", text)
                        case .degraded: return .warning("running", text)
                        case .failing: return .failure("running", text, .unavailable)
                        }
                    }
            } catch {
                return [.failure("http", error.description, .unavailable)]
            }
        }
        do throws(WebError) {
            try WebListener.configuration(settings).checkAddress()
            return [.ok("http", "\(HostName.authority(settings.http.host, port: settings.http.port)) is free")]
        } catch {
            return [.failure("http", error)]
        }
    }

    /// The relay: whether its address is free and its TLS files are right.
    func relay() async -> Finding? {
        guard let configuration = settings.relayConfiguration else {
            return .note("relay", "off: RELAY_PORT is not set")
        }
        // The running collector's own health, above, covers the relay.
        guard !isRunning else { return nil }
        do {
            try await configuration.check()
            let keys = configuration.keys.isEmpty ? "every key is accepted" : configuration.keys.count.counted("key")
            return .ok(
                "relay",
                "\(HostName.authority(configuration.server.host, port: configuration.server.port)) is free; \(keys), "
                    + (configuration.server.tls == nil ? "without TLS" : "over TLS")
                    + (configuration.maximumOnDemand.map { "; up to \($0.counted("symbol")) on demand" } ?? ""))
        } catch {
            return .failure("relay", error)
        }
    }

    /// The feed: host name, route, certificate, key and plan, tested with a login and one subscribed symbol.
    ///
    /// Runs only on request: one login more than the account allows disconnects another client.
    func feed(logsIn: Bool) async -> [Finding] {
        switch settings.feed.source {
        case .none: return [.note("feed", "USE_MASSIVE_API=false: there is no feed to collect from")]
        case .simulator: return [.ok("feed", "the built-in simulator")]
        case .feed: break
        }
        let proxy = settings.feed.proxy(for: settings.feed.url)
        let way = proxy.map { [Finding.note("feed", "reached through the proxy \($0)")] } ?? []
        return way + [await login(logsIn)]
    }

    private func login(_ logsIn: Bool) async -> Finding {
        if isRunning { return .note("feed", "in use by the running collector; see its health above") }
        guard logsIn else {
            return .note(
                "feed",
                "not tried: if the account has no connection left, a login disconnects another client; "
                    + "use --login to try")
        }
        do {
            var configuration = try settings.feedConfiguration(named: "doctor", url: settings.feed.url)
            configuration.reconnect.maximumFailures = 1
            let probe = FeedConnection(
                configuration: configuration, interest: .symbols([Symbol("AAPL")].compactMap { $0 }), sink: NoSink(),
                logger: Logger(label: "feed") { _ in SwiftLogNoOpLogHandler() })
            let task = Task { try await probe.run() }
            defer { task.cancel() }
            let end = ContinuousClock.now + Self.feedPatience
            while ContinuousClock.now < end {
                let snapshot = probe.snapshot
                if snapshot.status == .connected { return .ok("feed", "\(configuration.endpoint): logged in") }
                if let error = snapshot.lastError { return .failure("feed", error) }
                try await Task.sleep(for: .milliseconds(50))
            }
            let late = "did not complete the login within \(Self.feedPatience.spoken)"
            return .failure("feed", "\(configuration.endpoint) \(late)", .unavailable)
        } catch {
            return .failure("feed", error)
        }
    }

    /// This machine's clock, compared with the REST server's and the databases'.
    func clock() async -> [Finding] {
        var checks: [ClockCheck] = []
        // Other checks report whether each can be reached.
        if settings.feed.source == .feed, settings.backfill.isAutomatic, let client = try? settings.aggregatesClient() {
            let asked = WallClock.milliseconds()
            if let shown = try? await client.serverTime() {
                checks.append(
                    ClockCheck(
                        other: "the REST server's", asked: asked, answered: WallClock.milliseconds(), shown: shown,
                        coarseness: 1000))
            }
            await client.shutdown()
        }
        for configuration in (try? settings.upstreams()) ?? [] {
            let asked = WallClock.milliseconds()
            if let shown = try? await UpstreamSchema.serverTime(configuration) {
                let other = configuration.role == .main ? "the database's" : "the ticks database's"
                checks.append(ClockCheck(other: other, asked: asked, answered: WallClock.milliseconds(), shown: shown))
            }
        }
        return checks.map(\.finding)
    }

    /// The databases: connection, TLS, login, tables and rights.
    func upstream() async -> [Finding] {
        let configurations = (try? settings.upstreams()) ?? []
        guard !configurations.isEmpty else {
            let text =
                settings.upload.displayedURI == nil
                ? "DATABASE_URI is not set: events are collected but not uploaded"
                : "DATABASE_URI is invalid, so no database was checked"
            return [.note("upstream", text)]
        }
        var findings: [Finding] = []
        for configuration in configurations { findings += await upstream(configuration) }
        return findings
    }

    private func upstream(_ configuration: UpstreamConfiguration) async -> [Finding] {
        do {
            let tables = try await UpstreamSchema.check(configuration, for: settings.feed.events)
            let recipe = SchemaChange.recipe(tables)
            let place = configuration.role.place
            let uri = place + settings.upload.displayedURI(of: configuration.role)
            return [.ok("upstream", "\(uri) answers")] + tables.map { Finding.table($0, at: place) }
                + tables.flatMap { table in table.warnings.map { .warning("schema", "\(place)\(table.table): \($0)") } }
                + (recipe.isEmpty
                    ? [] : [.note("schema", "\(place)for the tables' owner: \(recipe.joined(separator: " "))")])
                + (try await UpstreamEngines.look(configuration)).map { remark in
                    remark.isWarning ? .warning("engine", place + remark.text) : .note("engine", place + remark.text)
                }
        } catch {
            return [.failure("upstream", error)]
        }
    }

    /// The fleet: the boxes that share the database, and their state.
    func fleet() async -> [Finding] {
        guard let configuration = try? settings.upstream() else { return [] }
        let table = FleetTable(configuration: configuration)
        do throws(UpstreamError) {
            let fleet = Fleet(try await table.rows())
            await table.disconnect()
            let live = fleet.boxes.count { $0.standing == .live }
            let others = fleet.boxes.filter { $0.level > .ok && $0.row.report.id != settings.collectorID }
            return [.ok("fleet", "\(fleet.boxes.count.counted("box", "boxes")), \(live) live")]
                + fleet.remarks.map { .warning("fleet", $0) }
                + others.map { .warning("fleet", "\($0.row.report.id): \($0.detail ?? $0.standing.rawValue)") }
        } catch {
            // The check of the tables reports a missing fleet table.
            return [.note("fleet", error.description)]
        }
    }

    /// The share of the symbols that this box takes.
    func shard() -> Finding? {
        if let share = settings.fixedShare {
            return .ok("shard", "\(share.member) of \(share.map.members.count) by SHARD")
        }
        guard settings.shard == .auto else { return nil }
        guard let kept = ShardMembers.read(directory: settings.dataDirectory, group: settings.collectorGroup ?? "")
        else { return .note("shard", "auto: the first run finds the boxes that share the symbols") }
        return .ok("shard", "auto, shared last among \(kept.members.joined(separator: ", "))")
    }
}

/// Discards everything, for a connection that must not collect.
final class NoSink: EventSink {
    func offer(_ batch: EventBatch) -> Admission { .accepted }
    func whenRoom(_ resume: @escaping @Sendable () -> Void) { resume() }
    func record(_ change: GapChange) {}
}
