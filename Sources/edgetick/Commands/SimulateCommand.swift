import ArgumentParser
import FeedServer
import FeedSimulator
import FoundationEssentials
import Logging
import MarketData

/// Serves recorded or synthetic events with the feed's protocol.
struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "Serve recorded or synthetic events in the feed's protocol.",
        discussion: """
            Example: edgetick simulate --capture day.ndjson.gz --speed 60
                     edgetick simulate --synthetic AAPL,MSFT --fault drop-every=1000

            A capture has one text frame per line, as the feed sent it; several are merged by time. The key that
            clients must send is taken from SIMULATOR_API_KEY; without it, every key is accepted.

            Faults (--fault, repeatable):
              \(Fault.syntax.joined(separator: "\n  "))
            """.unwrapped)

    @Option(name: .long, parsing: .upToNextOption, help: "Capture files, .ndjson or .ndjson.gz.", completion: .file())
    var capture: [String] = []
    @Option(help: "Symbols, separated by commas, for a random walk in place of a capture.") var synthetic: String?
    @Option(help: "Synthetic trades per second and symbol.") var rate: Double = 1
    @Option(help: "Seed of the random walk.") var seed: UInt64 = 1
    @Option(help: "How fast: a factor (1 is as recorded), or flat-out.") var speed = Speed(pace: .speed(1))
    @Option(help: "Address to listen on.") var host = "127.0.0.1"
    @Option(help: "Port to listen on; 0 for any free one.") var port = 8765
    @Option(help: "PEM file with the server's certificate, for wss.", completion: .file()) var tlsCertificate: String?
    @Option(help: "PEM file with the certificate's key.", completion: .file()) var tlsKey: String?
    @Option(help: "How many clients with one key may be logged in at once.") var limit: Int?
    @Option(help: "A fault to inject, as listed above; may be repeated.") var fault: [String] = []
    @Flag(help: "Repeat the capture endlessly.") var loop = false
    @Flag(help: "Shift the capture's times so that it starts now.") var now = false
    @Flag(help: "Pause while no client is connected.") var resume = false
    @Flag(help: "Also serve the bars, trades and quotes sent so far as the REST API does, on the same port.")
    var aggregates = false
    @Flag(help: "Exit when everything is sent.") var exitWhenDone = false

    func validate() throws {
        guard capture.isEmpty != (synthetic == nil) else {
            throw ValidationError("Give either --capture files or --synthetic symbols.")
        }
        if synthetic == nil {
            try refuse(["--rate": rate != 1, "--seed": seed != 1], with: "--capture")
        } else {
            // A synthetic market has no end.
            try refuse(["--loop": loop, "--now": now, "--exit-when-done": exitWhenDone], with: "--synthetic")
        }
        if loop { try refuse(["--exit-when-done": exitWhenDone], with: "--loop") }
        guard (tlsCertificate == nil) == (tlsKey == nil) else {
            throw ValidationError("--tls-certificate and --tls-key go together.")
        }
    }

    func run() async throws {
        try await reportingFailures {
            LoggingSystem.bootstrap { LineLogHandler(label: $0, level: .notice, format: .text) }
            let simulator = FeedSimulator(configuration: try simulation(), logger: Logger(label: "simulator"))
            let port = try await simulator.bind()
            let scheme = tlsCertificate == nil ? "ws" : "wss"
            printNow("listening on \(scheme)://\(HostName.authority(host, port: port))/stocks\n")
            try await Interrupts.serving([simulator])
            let statistics = simulator.statistics
            print("sent \(statistics.eventsSent) events in \(statistics.frames) frames")
            for remark in statistics.remarks { print(remark) }
        }
    }

    private func simulation() throws -> SimulatorConfiguration {
        var configuration = SimulatorConfiguration(source: try source())
        configuration.server.host = host
        configuration.server.port = port
        if let tlsCertificate, let tlsKey {
            configuration.server.tls = .init(certificateFile: tlsCertificate, keyFile: tlsKey)
        }
        configuration.apiKey = ProcessInfo.processInfo.environment["SIMULATOR_API_KEY"].map { Secret($0) }
        configuration.connectionLimit = limit
        configuration.pace = speed.pace
        configuration.absence = resume ? .pauses : nil
        configuration.exitsWhenDone = exitWhenDone
        configuration.servesAggregates = aggregates
        configuration.servesTicks = aggregates
        configuration.faults = try fault.map { text throws(SimulatorError) in try Fault(text) }
        return configuration
    }

    private func source() throws -> SimulatorConfiguration.Source {
        guard let synthetic else {
            let start = now ? WallClock.milliseconds() : nil
            return .captures(CaptureReplay(files: capture, passes: loop ? nil : 1, start: start))
        }
        let names = synthetic.split(separator: ",").map { String($0.trimmingBlanks()) }
        let symbols = try names.map { name in
            guard let symbol = Symbol(name) else {
                throw CommandFailure(.usage, "--synthetic: \"\(name)\" is not a symbol; write symbols as AAPL,BRK.B")
            }
            return symbol
        }
        var feed = SyntheticFeed(symbols: symbols)
        feed.kinds = Set(EventKind.allCases)
        feed.seed = seed
        feed.tradesPerSecond = rate
        return .synthetic(feed)
    }
}

/// How fast a replay goes, as written on the command line.
struct Speed: ExpressibleByArgument {
    let pace: SimulatorConfiguration.Pace

    init(pace: SimulatorConfiguration.Pace) { self.pace = pace }

    init?(argument: String) {
        if argument == "flat-out" {
            pace = .flatOut
        } else if let factor = Double(argument), factor > 0, factor.isFinite {
            pace = .speed(factor)
        } else {
            return nil
        }
    }

    var defaultValueDescription: String { "1" }
}
