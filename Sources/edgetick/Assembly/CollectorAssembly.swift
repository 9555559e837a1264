import Backfill
import Collector
import Feed
import FeedSimulator
import FoundationEssentials
import Glibc
import Logging
import MarketData
import Relay
import ServiceLifecycle
import Store
import UnixSignals
import Upstream
import WebAPI

/// Everything that `edgetick run` runs, put together and opened; nothing starts before ``serviceGroup()`` is run.
struct CollectorAssembly {
    let buffer: TickBuffer
    let connections: ConnectionSet
    let uploads: [SyncService]
    private let fleet: FleetService?
    let universes: UniverseService
    let web: WebListener
    private let relay: RelayService?
    private let probe: CollectorProbe
    private let board: StatusBoard
    private let hour: HistoryKeeper
    private let backfill: BackfillService?
    private let reconcile: ReconcileService?
    private let pair: PairService?
    private let simulator: FeedSimulator?
    private let supervisor: SupervisorSocket?
    /// What SIGHUP does; `nil` if the signal is not handled.
    private let hangUps: Interrupts.HangUps?
    private let logger: Logger

    /// Opens the files, resolves the symbols and prepares the connections.
    ///
    /// - Parameter simulator: A feed to use instead of the configured one; bound, not yet running.
    /// - Parameter reread: Reads the settings again on SIGHUP; without it the signal is not handled.
    /// - Parameter endsWithTerminal: Whether the closing of the terminal ends the collector.
    /// - Throws: The errors of the modules; nothing stays open then.
    static func open(
        _ settings: Settings, simulator: (feed: FeedSimulator, url: String)? = nil,
        reread: (@Sendable () throws -> Settings)? = nil, endsWithTerminal: Bool = false, logger: Logger
    ) async throws -> CollectorAssembly {
        let url = simulator?.url ?? settings.feed.url
        let webConfiguration = try WebListener.configuration(settings)
        let upstream = try settings.upstream()
        let buffer = try TickBuffer.open(
            directory: settings.dataDirectory, options: settings.bufferOptions, logger: Logger(label: "buffer"))
        // They close what otherwise closes when it has run.
        var closings: [@Sendable () async -> Void] = []
        do {
            // After the files are opened, so that a second collector reports the first one and not a port in use.
            try webConfiguration.checkAddress()
            let mirror = try settings.mirror(logger)
            let relayed = settings.relayConfiguration.map { ($0, RelayTap(before: buffer, limit: $0.queueBytes)) }
            let tap = EventTap(before: relayed?.1 ?? buffer as any EventSink)
            let seen = try? mirror.changeCounter()
            let cache = settings.relationshipCache(mirror)
            var (plan, waits) = try await settings.symbolPlan(cache, mirror, upstream, logger)
            let fleetTable = upstream.map { FleetTable(configuration: $0) }
            let identity = settings.fleetIdentity(file: buffer.id)
            let shardStart = await settings.shardStart(identity, in: fleetTable, logger: Logger(label: "fleet"))
            if let share = shardStart?.share ?? settings.fixedShare { plan.take(share) }
            settings.tellCovered(plan, logger)
            let connections = try settings.connectionSet(
                plan, waits: waits, url: url, sink: tap, previousLife: buffer.previousLife, logger: logger)
            let symbols = Symbols(
                plan: plan, cache: cache, connections: connections, rules: settings.symbolRules(url: url),
                logger: Logger(label: "symbols"))
            let uploads = try settings.uploaders(of: buffer.id).map { settings.syncService(buffer, $0) }
            if uploads.isEmpty {
                logger.notice("DATABASE_URI is not set: events are collected and not uploaded")
            }
            let relay = relayed.map { configuration, tap in
                RelayService(
                    configuration: configuration, tap: tap, buffer: buffer, symbols: symbols,
                    logger: Logger(label: "relay"))
            }
            let universes = UniverseService(
                mirror: mirror, seen: seen, symbols: symbols,
                source: upstream.map { UniverseSource(configuration: $0) },
                settings: settings.universes(plan.wishes), reread: settings.rereading(reread, since: plan, relay),
                giveBackMemory: FreedMemory.giveBack,
                logger: Logger(label: "universes"))
            var relayState: (@Sendable () -> RelayState)?
            if let relay { relayState = { relay.state } }
            let fleetBoard = fleetTable.map { _ in FleetBoard(isSharing: shardStart != nil) }
            let reconcile = try settings.reconcileService(
                buffer: buffer, symbols: symbols, sync: uploads.first { $0.role == .main }, upstream: upstream)
            var reconcileState: (@Sendable () -> ReconcileState)?
            if let reconcile {
                reconcileState = { reconcile.state }
                closings.append { await reconcile.close() }
            }
            let backfill = try settings.backfillService(buffer: buffer)
            if let backfill { closings.append { await backfill.close() } }
            let idleBackfill: BackfillState = settings.idleBackfill ?? .filling(nil)
            let probe = CollectorProbe(
                collector: settings.collectorID, version: Version.number, maximumBytes: settings.buffer.maximumBytes,
                feedDelay: Double(settings.feedDelay) / 1000, buffer: buffer, connections: connections,
                uploads: uploads, symbols: symbols, universes: universes, relay: relayState,
                backfill: { backfill?.state ?? idleBackfill }, reconcile: reconcileState,
                reconcileProblem: settings.reconcileProblem, fleet: fleetBoard)
            let board = StatusBoard(collector: { probe.snapshot() }, latency: { tap.latency })
            let hour = HistoryKeeper(
                board: board, directory: settings.dataDirectory, logger: Logger(label: "history"))
            let web = WebListener(
                configuration: webConfiguration, board: board,
                collector: RunningCollector(
                    buffer: buffer, mirror: mirror, uploads: uploads, symbols: symbols, universes: universes,
                    fleet: fleetBoard,
                    upstream: try settings.upstream(answeringWithin: .seconds(1)).map {
                        UpstreamReader(configuration: $0)
                    }),
                tap: tap, directory: settings.dataDirectory)
            var fleet: FleetService?
            if let fleetTable, let fleetBoard {
                fleet = settings.fleetService(
                    fleetTable, fleetBoard, identity, shardStart, status: board, symbols: symbols, sink: tap)
            }
            let pair = settings.pairService(
                buffer: buffer, connections: connections, upstreams: try settings.upstreams())
            // Comes last, since nothing would close it if a later step failed.
            try await relay?.bind()
            return CollectorAssembly(
                buffer: buffer, connections: connections, uploads: uploads, fleet: fleet, universes: universes,
                web: web, relay: relay, probe: probe, board: board, hour: hour, backfill: backfill,
                reconcile: reconcile, pair: pair, simulator: simulator?.feed,
                supervisor: SupervisorSocket(environment: ProcessInfo.processInfo.environment, process: getpid()),
                hangUps: reread.map { _ in
                    Interrupts.HangUps(endsWithTerminal: endsWithTerminal) { universes.rereadNow() }
                }, logger: logger)
        } catch {
            for close in closings { await close() }
            await buffer.close()
            throw error
        }
    }

    /// The services, which stop in reverse order: first the connections, then the upload, the buffer and the API.
    func serviceGroup() -> ServiceGroup {
        var services: [any Service] = [StatusBeat(board: board), hour]
        if let supervisor {
            services.append(
                SupervisionService(
                    socket: supervisor, verdict: { [board] in HealthVerdict(board.sample.health) },
                    logger: Logger(label: "supervisor")))
        }
        services += [web, BufferService(buffer: buffer)] as [any Service]
        // Stops after the uploads, so that its last row reports what they left.
        if let fleet { services.append(fleet) }
        services += uploads
        services.append(
            LogbookService(connections: connections, buffer: buffer, uploads: uploads, logger: Logger(label: "logbook"))
        )
        if let backfill { services.append(backfill) }
        if let reconcile { services.append(reconcile) }
        if let pair { services.append(pair) }
        if let relay { services.append(relay) }
        if let simulator { services.append(simulator) }
        services.append(universes)
        if let hangUps { services.append(hangUps) }
        services.append(CodePages.ReleaseService())
        services.append(connections)
        if let fleet { services.append(fleet.stopNotice) }
        services.append(WebListener.StopNotice(probe: probe))
        if let supervisor { services.append(SupervisionService.StopNotice(socket: supervisor)) }
        var configuration = ServiceGroupConfiguration(
            services: services.map {
                .init(
                    service: $0, successTerminationBehavior: .gracefullyShutdownGroup,
                    failureTerminationBehavior: .gracefullyShutdownGroup)
            },
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(9)
        return ServiceGroup(configuration: configuration)
    }
}
