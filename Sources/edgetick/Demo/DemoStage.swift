import FeedSimulator
import FoundationEssentials
import Glibc
import MarketData
import ServiceLifecycle
import Store
import Synchronization

/// The parts of a running demo.
struct DemoProps: Sendable {
    let simulator: FeedSimulator
    let collector: DemoCollector
    /// The demo's own server; `nil` without one.
    let database: DemoDatabase?
    /// The URI given with --database, without its password.
    let givenDatabase: String?

    var isUploading: Bool { database != nil || givenDatabase != nil }
}

/// Runs a demo from its preparation to its last event: performs the script's acts, shows what is stored so far, and
/// waits at the end until everything that was sent has arrived.
///
/// One line redraws itself on a terminal; a pipe gets a line every five seconds.
final class DemoStage: Service {
    /// What is currently running.
    private struct Cast {
        var collector: DemoProcess?
        var isDatabaseUp: Bool
    }

    private let prepare: @Sendable () async throws -> DemoProps
    private let remark: String?
    private let limit: Duration?
    private let isTerminal = isatty(STDOUT_FILENO) == 1
    private let found = Mutex<DemoBalance?>(nil)

    /// - Parameters:
    ///   - limit: How long the demo runs; `nil` means until a graceful shutdown.
    ///   - remark: The `Settings:` line of the welcome text; `nil` for none.
    ///   - prepare: Creates the demo's parts. They are removed again if the demo is stopped before it starts.
    init(limit: Duration?, remark: String?, prepare: @escaping @Sendable () async throws -> DemoProps) {
        self.prepare = prepare
        self.remark = remark
        self.limit = limit
    }

    /// The account of all events; `nil` until the demo has ended, or if it was stopped before the first event.
    var balance: DemoBalance? { found.withLock { $0 } }

    func run() async throws {
        let props = try await prepare()
        try await closing({ await props.database?.remove() }) {
            let balance = try await perform(props)
            found.withLock { $0 = balance }
        }
    }

    private func perform(_ props: DemoProps) async throws -> DemoBalance? {
        guard !Task.isShuttingDownGracefully else { return nil }
        let feed = Task { [simulator = props.simulator] in try await simulator.run() }
        defer { feed.cancel() }
        if props.database != nil { try await props.collector.run("migrate") }
        guard !Task.isShuttingDownGracefully else { return nil }
        let (process, address) = try await props.collector.start(port: nil)
        var cast = Cast(collector: process, isDatabaseUp: true)
        do {
            if welcome(address, props) { try await play(&cast, props, port: URL(string: address)?.port) }
            _ = say(isTerminal ? "\n" : "")
            feed.cancel()
            // Ends when the collector has read everything and has closed the connection.
            try await feed.value
            await cast.collector?.end(SIGTERM)
            cast.collector = nil
            guard props.simulator.statistics.eventsSent > 0 else { return nil }
            return try await accounts(cast, props)
        } catch {
            await cast.collector?.end(SIGKILL)
            throw error
        }
    }

    private func play(_ cast: inout Cast, _ props: DemoProps, port: Int?) async throws {
        var script = DemoScript(limit: limit, hasDatabase: props.database != nil)
        let started = ContinuousClock.now
        var lastLine = Duration.zero - .seconds(5)
        var isHeard = true
        while isHeard {
            let elapsed = ContinuousClock.now - started
            if let limit, elapsed >= limit { break }
            if let act = script.next(after: elapsed) {
                isHeard = say((isTerminal ? "\r\u{1B}[2K" : "") + "\(DemoLine.seconds(elapsed))  \(act.rawValue)\n")
                try await perform(act, &cast, props, port: port)
            }
            if isTerminal || elapsed - lastLine >= .seconds(5) {
                isHeard = show(props, after: elapsed) && isHeard
                lastLine = elapsed
            }
            let wasStopped = await cancelWhenGracefulShutdown {
                (try? await Task.sleep(for: .milliseconds(250))) == nil
            }
            if wasStopped { break }
        }
        _ = show(props, after: ContinuousClock.now - started)
    }

    private func perform(_ act: DemoScript.Act, _ cast: inout Cast, _ props: DemoProps, port: Int?) async throws {
        switch act {
        case .cutFeed: props.simulator.dropClients()
        case .killCollector:
            await cast.collector?.end(SIGKILL)
            cast.collector = nil
        case .startCollector: cast.collector = try await props.collector.start(port: port).process
        case .stopDatabase:
            try await props.database?.stop()
            cast.isDatabaseUp = false
        case .startDatabase:
            try await props.database?.start()
            cast.isDatabaseUp = true
        }
    }

    /// Uploads what is left and counts the events.
    private func accounts(_ cast: Cast, _ props: DemoProps) async throws -> DemoBalance {
        var upstream: [EventStream: (rows: Int, events: Int)]?
        if let database = props.database {
            if !cast.isDatabaseUp { try await database.start() }
            try await props.collector.run("sync")
            upstream = try await database.counts()
        } else if props.isUploading {
            // Another database may hold other rows, so go by what the file has recorded as acknowledged.
            try? await props.collector.run("sync")
            let report = try BufferReport.read(directory: props.collector.directory)
            upstream = Dictionary(
                uniqueKeysWithValues: EventStream.allCases.map {
                    ($0, (Int(report[$0].marks.acknowledged), Int(report[$0].marks.acknowledged)))
                })
        }
        return DemoBalance(
            sent: props.simulator.statistics.events,
            audit: try BufferAudit.read(directory: props.collector.directory), upstream: upstream)
    }

    private func welcome(_ address: String, _ props: DemoProps) -> Bool {
        var text = "\nDashboard: \(address)\n"
        let environment = ProcessInfo.processInfo.environment
        if let here = environment["SSH_CONNECTION"]?.split(separator: " "), here.count == 4,
            let port = URL(string: address)?.port
        {
            let user = environment["USER"].map { "\($0)@" } ?? ""
            text += "You are logged in over SSH. On your own machine run: "
            text += "ssh -L \(port):127.0.0.1:\(port) \(user)\(here[2])\n"
        }
        text += "Candles:   \(address)#symbol?symbol=AAPL&every=1\n"
        text += "Files:     \(props.collector.directory)\n"
        text +=
            "Database:  "
            + (props.database?.uri ?? props.givenDatabase.map { "\($0), which is not stopped" }
                ?? "none; install PostgreSQL to see one stopped, or name one with --database") + "\n"
        if let remark { text += "Settings:  \(remark)\n" }
        return say(text + (limit == nil ? "Press Ctrl-C to end the demo and see the counts.\n\n" : "\n"))
    }

    private func show(_ props: DemoProps, after elapsed: Duration) -> Bool {
        guard let report = try? BufferReport.read(directory: props.collector.directory) else { return true }
        let line = DemoLine(
            elapsed: elapsed, isConnected: props.simulator.statistics.subscriptions > 0,
            rows: EventStream.allCases.map { ($0, report[$0].marks.last) },
            uploaded: props.isUploading ? report.streams.values.reduce(0) { $0 + $1.marks.acknowledged } : nil)
        // One column is left free: a line that fills the last one wraps.
        return say(isTerminal ? "\r\u{1B}[2K" + line.text.cut(to: TerminalScreen.size().columns - 1) : line.text + "\n")
    }

    /// Prints a text; returns `false` if nobody reads it any more. The demo then ends cleanly, since it has to clean
    /// up.
    private func say(_ text: String) -> Bool { StandardStream.write(Array(text.utf8), to: 1).code == 0 }
}

/// A demo's progress as one line that begins with what matters most. Pure.
struct DemoLine {
    var elapsed: Duration
    var isConnected: Bool
    /// The number of rows of each stream in the file.
    var rows: [(stream: EventStream, count: Int64)]
    /// `nil` without a database.
    var uploaded: Int64?

    var text: String {
        var parts = [Self.seconds(elapsed), isConnected ? "connected" : "disconnected"]
        if let uploaded { parts.append("\(uploaded.grouped) uploaded") }
        parts += rows.filter { $0.count > 0 }.map { $0.stream.counted($0.count) }
        return parts.joined(separator: "  ")
    }

    static func seconds(_ elapsed: Duration) -> String { Int(elapsed / .seconds(1)).description.aligned(to: 3) + " s" }
}
