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
import Upstream
import WebAPI

/// Everything that `edgetick run` runs, opened and put together.
struct CollectorAssembly {
    let connections: ConnectionSet
    let buffer: TickBuffer
    /// Nothing has started before this is run.
    let group: ServiceGroup

    /// Opens the files, resolves the symbols and prepares the services.
    ///
    /// - Parameters:
    ///   - simulator: A feed to use instead of the configured one; bound, not yet running.
    ///   - reread: Reads the settings again on SIGHUP.
    ///   - hangUps: the SIGHUPs on which the settings are read again.
    /// - Throws: The errors of the modules; nothing stays open then.
    static func open(
        _ settings: Settings, simulator: (feed: FeedSimulator, url: String)?,
        reread: @escaping @Sendable () throws -> Settings, hangUps: Interrupts.HangUps, logger: Logger
    ) async throws -> CollectorAssembly {
        let url = simulator?.url ?? settings.feed.url
        let webConfiguration = try WebListener.configuration(settings)
        let upstream = try settings.upstream()
        let buffer = try TickBuffer.open(
            directory: settings.dataDirectory, options: settings.bufferOptions, logger: Logger(label: "buffer"))
        // If a later step fails, these close what its service would have closed at the end of its run.
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
            for text in settings.coveredTexts(plan) { logger.warning("\(text)") }
            let connections = try settings.connectionSet(
                plan, waits: waits, url: url, sink: tap, previousLife: buffer.previousLife,
                collected: CollectedKeeper(directory: settings.dataDirectory, logger: Logger(label: "feed")),
                logger: logger)
            let symbols = Symbols(
                plan: plan, cache: cache, connections: connections, rules: settings.symbolRules(url: url),
                logger: Logger(label: "symbols"))

            let uploads = try settings.uploaders(of: buffer.id).map { settings.syncService(buffer, $0) }
            if uploads.isEmpty { logger.notice("DATABASE_URI is not set: events are collected but not uploaded") }
            let relay = relayed.map { configuration, tap in
                RelayService(
                    configuration: configuration, tap: tap, buffer: buffer, symbols: symbols,
                    logger: Logger(label: "relay"))
            }
            let universes = settings.universeService(mirror, seen: seen, symbols, plan, upstream, relay, reread: reread)
            let requestLimit = settings.requestLimit
            let reconcile = try settings.reconcileService(
                buffer: buffer, symbols: symbols, sync: uploads.first { $0.role == .main }, upstream: upstream,
                limit: requestLimit)
            if let reconcile { closings.append { await reconcile.close() } }
            let backfill = try settings.backfillService(buffer: buffer, limit: requestLimit)
            if let backfill { closings.append { await backfill.close() } }
            let idleBackfill: BackfillState = settings.idleBackfill ?? .filling(nil)
            let fleetBoard = fleetTable.map { _ in FleetBoard(isSharing: shardStart != nil) }
            let pair = settings.pairService(
                buffer: buffer, connections: connections, upstreams: try settings.upstreams(), board: fleetBoard)

            let probe = CollectorProbe(
                collector: settings.collectorID, version: Version.number, feedDelay: Double(settings.feedDelay) / 1000,
                buffer: buffer, connections: connections, uploads: uploads, symbols: symbols, universes: universes,
                fleet: fleetBoard
            ) { [maximumBytes = settings.buffer.maximumBytes, problem = settings.reconcileProblem] snapshot in
                snapshot.maximumBytes = maximumBytes
                snapshot.relay = relay?.state
                snapshot.backfill = backfill?.state ?? idleBackfill
                snapshot.reconcile = reconcile?.state
                snapshot.reconcileProblem = problem
            }
            let board = StatusBoard(collector: { probe.snapshot() }, latency: { tap.latency })
            let fleet = settings.fleetService(
                fleetTable, fleetBoard, identity, shardStart, status: board, symbols: symbols, sink: tap)
            let reader = try settings.upstream(answeringWithin: .seconds(1)).map { UpstreamReader(configuration: $0) }
            let web = WebListener(
                configuration: webConfiguration, board: board,
                collector: RunningCollector(
                    buffer: buffer, mirror: mirror, uploads: uploads, symbols: symbols, universeService: universes,
                    fleetBoard: fleetBoard, upstream: reader,
                    letterDesk: DeadLetterDesk(
                        uploads: uploads, buffer: buffer, patience: RunningCollector.letterPatience)),
                tap: tap, directory: settings.dataDirectory)
            let supervisor = SupervisorSocket(environment: ProcessInfo.processInfo.environment, process: getpid())

            // They stop in reverse order: first the connections, then the upload, the buffer and the API.
            let lasting: [(any Service)?] = [
                board,
                HistoryKeeper(board: board, directory: settings.dataDirectory, logger: Logger(label: "history")),
                supervisor.map { socket in
                    SupervisionService(
                        socket: socket, verdict: { board.sample.health.verdict },
                        logger: Logger(label: "supervisor"))
                },
                web, StopNotice { await buffer.close() },
                // Stops after the uploads, so that its last row reports what they left.
                fleet,
            ]
            let working: [(any Service)?] = [
                LogbookService(
                    connections: connections, buffer: buffer, uploads: uploads, board: board,
                    logger: Logger(label: "logbook")),
                backfill, reconcile, pair, relay, simulator?.feed, universes,
                hangUps.service { universes.rereadNow() },
                CodePages.ReleaseService(), connections,
                StopNotice {
                    supervisor?.sayStopping()
                    probe.beginStopping()
                    fleet?.reportStop()
                },
            ]
            var services = lasting.compactMap(\.self)
            services += uploads
            services += working.compactMap(\.self)
            // Comes last, since nothing would close it if a later step failed.
            try await relay?.bind()
            return CollectorAssembly(
                connections: connections, buffer: buffer, group: Interrupts.group(services, within: .seconds(9)))
        } catch {
            for close in closings { await close() }
            await buffer.close()
            throw error
        }
    }
}

/// Runs an action when its turn to stop comes. Services stop in reverse order, so one that is listed last acts as soon
/// as the shutdown begins.
struct StopNotice: Service {
    let action: @Sendable () async -> Void

    func run() async throws {
        try? await gracefulShutdown()
        await action()
    }
}
