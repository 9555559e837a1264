import FeedSimulator
import FoundationEssentials
import Glibc
import MarketData
import ServiceLifecycle
import Store
import Synchronization

/// A demo from its first event to its last: lets the script's acts happen, shows what is stored meanwhile, and at the end
/// lets everything that was sent arrive.
///
/// One line redraws itself on a terminal; a pipe gets a line every five seconds.
final class DemoStage: Service {
    /// What is up when the show is over.
    private struct Cast {
        var collector: DemoProcess?
        var isDatabaseUp: Bool
    }

    private let simulator: FeedSimulator
    private let collector: DemoCollector
    private let database: DemoDatabase?
    private let isUploading: Bool
    private let limit: Duration?
    private let isTerminal = isatty(STDOUT_FILENO) == 1
    private let found = Mutex<DemoBalance?>(nil)

    /// - Parameters:
    ///   - database: The demo's own; `nil` without one.
    ///   - isUploading: Whether there is a database, the demo's own or another.
    ///   - limit: How long it goes on; `nil` until a graceful shutdown.
    init(
        simulator: FeedSimulator, collector: DemoCollector, database: DemoDatabase?, isUploading: Bool, limit: Duration?
    ) {
        self.simulator = simulator
        self.collector = collector
        self.database = database
        self.isUploading = isUploading
        self.limit = limit
    }

    /// What came of every event; `nil` before the end.
    var balance: DemoBalance? { found.withLock { $0 } }

    func run() async throws {
        let feed = Task { [simulator] in try await simulator.run() }
        if database != nil { try await collector.run("migrate") }
        let (process, address) = try await collector.start(port: nil)
        welcome(address)
        let port = URL(string: address)?.port
        var cast = Cast(collector: process, isDatabaseUp: true)
        do {
            try await play(&cast, port: port)
            printNow(isTerminal ? "\n" : "")
            feed.cancel()
            // Ends when the collector has read everything and has closed the connection.
            try await feed.value
            await cast.collector?.end(SIGTERM)
            cast.collector = nil
            let balance = try await accounts(cast)
            found.withLock { $0 = balance }
        } catch {
            feed.cancel()
            await cast.collector?.end(SIGKILL)
            throw error
        }
    }

    private func play(_ cast: inout Cast, port: Int?) async throws {
        var script = DemoScript(limit: limit, hasDatabase: database != nil)
        let started = ContinuousClock.now
        var lastLine = Duration.zero - .seconds(5)
        while true {
            let elapsed = ContinuousClock.now - started
            if let limit, elapsed >= limit { break }
            if let act = script.next(after: elapsed) {
                printNow((isTerminal ? "\r\u{1B}[2K" : "") + "\(seconds(elapsed)) s  \(act.words)\n")
                try await perform(act, &cast, port: port)
            }
            if isTerminal || elapsed - lastLine >= .seconds(5) {
                show(after: elapsed)
                lastLine = elapsed
            }
            let wasStopped = await cancelWhenGracefulShutdown {
                (try? await Task.sleep(for: .milliseconds(250))) == nil
            }
            if wasStopped { break }
        }
        show(after: ContinuousClock.now - started)
    }

    private func perform(_ act: DemoScript.Act, _ cast: inout Cast, port: Int?) async throws {
        switch act {
        case .cutFeed: simulator.dropClients()
        case .killCollector:
            await cast.collector?.end(SIGKILL)
            cast.collector = nil
        case .startCollector: cast.collector = try await collector.start(port: port).process
        case .stopDatabase:
            try await database?.stop()
            cast.isDatabaseUp = false
        case .startDatabase:
            try await database?.start()
            cast.isDatabaseUp = true
        }
    }

    /// Uploads what is left, and counts.
    private func accounts(_ cast: Cast) async throws -> DemoBalance {
        var upstream: [EventStream: (rows: Int, events: Int)]?
        if let database {
            if !cast.isDatabaseUp { try await database.start() }
            try await collector.run("sync")
            upstream = try await database.counts()
        } else if isUploading {
            // Another database may hold other rows: the file says what it has confirmed.
            try? await collector.run("sync")
            let report = try BufferReport.read(directory: collector.directory)
            upstream = Dictionary(
                uniqueKeysWithValues: EventStream.allCases.map {
                    ($0, (Int(report[$0].acknowledgedSequence), Int(report[$0].acknowledgedSequence)))
                })
        }
        return DemoBalance(
            sent: simulator.statistics.events, audit: try BufferAudit.read(directory: collector.directory),
            upstream: upstream)
    }

    private func welcome(_ address: String) {
        var text = "\nDashboard: \(address)\n"
        let environment = ProcessInfo.processInfo.environment
        if let here = environment["SSH_CONNECTION"]?.split(separator: " "), here.count == 4,
            let port = URL(string: address)?.port
        {
            let user = environment["USER"].map { "\($0)@" } ?? ""
            text += "You are logged in from elsewhere. There: ssh -L \(port):127.0.0.1:\(port) \(user)\(here[2])\n"
        }
        text += "Files:     \(collector.directory)\n"
        if let database {
            text += "Database:  \(database.uri)\n"
        } else if isUploading {
            text += "Database:  DATABASE_URI, which is left alone\n"
        } else {
            text += "Database:  none; install PostgreSQL to see one stopped, or set DATABASE_URI\n"
        }
        printNow(text + (limit == nil ? "Ctrl-C ends it and counts.\n\n" : "\n"))
    }

    private func show(after elapsed: Duration) {
        guard let report = try? BufferReport.read(directory: collector.directory) else { return }
        let rows = EventStream.allCases.map { "\(report[$0].lastSequence.grouped) \($0.rawValue)" }
        var parts = ["\(seconds(elapsed)) s"] + rows
        if isUploading {
            parts.append("\(report.streams.values.reduce(0) { $0 + $1.acknowledgedSequence }.grouped) uploaded")
        }
        let statistics = simulator.statistics
        parts.append(statistics.subscriptions > 0 ? "feed connected" : "feed disconnected")
        let line = parts.joined(separator: "  ")
        printNow(isTerminal ? "\r\u{1B}[2K\(line)" : line + "\n")
    }

    private func seconds(_ elapsed: Duration) -> String {
        Int(elapsed / .seconds(1)).description.aligned(to: 3)
    }
}
