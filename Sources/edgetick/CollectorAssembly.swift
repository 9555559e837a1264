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

/// Everything that `run` runs, put together and opened; nothing moves before ``serviceGroup()`` is run.
struct CollectorAssembly {
    let buffer: TickBuffer
    let connections: ConnectionSet
    let sync: SyncService?
    let universes: UniverseService
    let web: WebListener
    private let relay: RelayService?
    private let probe: CollectorProbe
    private let board: StatusBoard
    private let backfill: BackfillService?
    private let simulator: FeedSimulator?
    private let supervisor: SupervisorSocket?
    /// Whether SIGHUP has the settings read again.
    private let rereads: Bool
    private let logger: Logger

    /// Opens the files, resolves the symbols and prepares the connections.
    ///
    /// - Parameter simulator: A feed to use in place of the one in the settings; bound, not yet running.
    /// - Parameter reread: Reads the settings anew when SIGHUP comes; without it the signal is left alone.
    /// - Throws: What the modules throw; nothing stays open then.
    static func open(
        _ settings: Settings, simulator: (feed: FeedSimulator, url: String)? = nil,
        reread: (@Sendable () throws -> Settings)? = nil, logger: Logger
    ) async throws -> CollectorAssembly {
        let url = simulator?.url ?? settings.feed.url
        let webConfiguration = try WebListener.configuration(settings)
        let upstream = try settings.upstream()
        let buffer = try TickBuffer.open(
            directory: settings.dataDirectory, options: settings.bufferOptions, logger: Logger(label: "buffer"))
        do {
            // Behind the files, so that a second collector hears of the first and not of a port.
            try webConfiguration.checkAddress()
            let mirror = try UniverseMirror.open(directory: settings.dataDirectory, access: .readWrite)
            if let name = mirror.setAside {
                logger.error(
                    "universe.sqlite could not be read and was set aside; pull or import the universes anew",
                    metadata: ["file": "\(name)"])
            }
            let relayed = settings.relayConfiguration.map { ($0, RelayTap(before: buffer)) }
            let tap = EventTap(before: relayed?.1 ?? buffer as any EventSink)
            let seen = try? mirror.changeCounter()
            let cache = settings.relationshipCache(mirror)
            let (plan, waits) = try await settings.symbolPlan(cache, mirror, upstream, logger)
            settings.tellCovered(plan, logger)
            let connections = try settings.connectionSet(
                plan, waits: waits, url: url, sink: tap, previousLife: buffer.previousLife, logger: logger)
            let symbols = Symbols(
                plan: plan, cache: cache, connections: connections, rules: settings.symbolRules(url: url),
                logger: Logger(label: "symbols"))
            let sync = upstream.map { configuration in
                SyncService(
                    buffer: buffer,
                    uploader: Uploader(
                        configuration: configuration, bufferID: buffer.id, logger: Logger(label: "upload")),
                    interval: settings.upload.interval, batchRows: settings.upload.batchRows,
                    logger: Logger(label: "upload"))
            }
            if sync == nil {
                logger.notice("DATABASE_URI is not set: events are collected and not uploaded")
            }
            var again: (@Sendable () throws -> UniverseService.Settings)?
            if let reread {
                // Which connections there are stays until the next start; one that several gave way to stays alone.
                let gaveWay = settings.gaveWay(plan)
                again = {
                    let settings = try reread()
                    return settings.universes(gaveWay ? settings.singleWish.map { [$0] } ?? [] : settings.wishes)
                }
            }
            let universes = UniverseService(
                mirror: mirror, seen: seen, symbols: symbols,
                source: upstream.map { UniverseSource(configuration: $0) },
                settings: settings.universes(plan.wishes), reread: again, giveBackMemory: FreedMemory.giveBack,
                logger: Logger(label: "universes"))
            let relay = relayed.map { configuration, tap in
                RelayService(
                    configuration: configuration, tap: tap, buffer: buffer, refusal: { symbols.refusal(of: $0) },
                    logger: Logger(label: "relay"))
            }
            var relayState: (@Sendable () -> RelayState)?
            if let relay { relayState = { relay.state } }
            let probe = CollectorProbe(
                collector: settings.collectorID, version: EdgeTick.version, maximumBytes: settings.buffer.maximumBytes,
                feedDelay: Double(settings.feedDelay) / 1000, buffer: buffer, connections: connections, sync: sync,
                symbols: symbols, universes: universes, relay: relayState)
            let board = StatusBoard(collector: { probe.snapshot() }, latency: { tap.latency })
            let web = WebListener(
                configuration: webConfiguration, board: board,
                collector: RunningCollector(
                    directory: settings.dataDirectory, mirror: mirror, sync: sync, symbols: symbols,
                    universes: universes),
                tap: tap, directory: settings.dataDirectory)
            let backfill = try settings.backfillService(buffer: buffer)
            // Last, since nothing closes it before the services run.
            do {
                try await relay?.bind()
            } catch {
                await backfill?.close()
                throw error
            }
            return CollectorAssembly(
                buffer: buffer, connections: connections, sync: sync, universes: universes, web: web, relay: relay,
                probe: probe, board: board, backfill: backfill, simulator: simulator?.feed,
                supervisor: SupervisorSocket(environment: ProcessInfo.processInfo.environment, process: getpid()),
                rereads: reread != nil, logger: logger)
        } catch {
            await buffer.close()
            throw error
        }
    }

    /// The services in the order in which they stop last: connections first, then the upload, the buffer, the API.
    func serviceGroup(watching: [any Service] = [], stopsOnSignals: Bool = true) -> ServiceGroup {
        var services: [any Service] = [StatusBeat(board: board)]
        if let supervisor {
            services.append(
                SupervisionService(
                    socket: supervisor, verdict: { [board] in HealthVerdict(board.sample.health) },
                    logger: Logger(label: "supervisor")))
        }
        services += [web, BufferService(buffer: buffer)] as [any Service]
        if let sync { services.append(sync) }
        services.append(
            LogbookService(connections: connections, buffer: buffer, sync: sync, logger: Logger(label: "logbook")))
        if let backfill { services.append(backfill) }
        if let relay { services.append(relay) }
        if let simulator { services.append(simulator) }
        services.append(universes)
        if rereads { services.append(Interrupts.HangUps { [universes] in universes.rereadNow() }) }
        services.append(CodePages.ReleaseService())
        services.append(connections)
        services += watching
        services.append(WebListener.StopNotice(probe: probe))
        if let supervisor { services.append(SupervisionService.StopNotice(socket: supervisor)) }
        var configuration = ServiceGroupConfiguration(
            services: services.map {
                .init(
                    service: $0, successTerminationBehavior: .gracefullyShutdownGroup,
                    failureTerminationBehavior: .gracefullyShutdownGroup)
            },
            gracefulShutdownSignals: stopsOnSignals ? [.sigterm, .sigint] : [], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(9)
        return ServiceGroup(configuration: configuration)
    }
}
