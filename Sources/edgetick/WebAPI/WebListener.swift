import Collector
import Glibc
import Logging
import MarketData
import ServiceLifecycle
import Store
import WebAPI

/// The HTTP API of a collector as a service, and the file through which commands find its address.
struct WebListener: Service {
    /// The file in the data directory that names the address while the collector runs.
    static let addressFileName = "http.address"

    private let server: WebServer
    private let configuration: WebConfiguration
    private let addressFile: String
    private let logger: Logger

    init(
        configuration: WebConfiguration, board: StatusBoard, collector: RunningCollector, tap: EventTap,
        directory: String
    ) {
        self.configuration = configuration
        addressFile = directory + "/" + Self.addressFileName
        logger = Logger(label: "http")
        server = WebServer(configuration: configuration, board: board, source: collector, tap: tap, logger: logger)
    }

    static func configuration(_ settings: Settings) throws(WebError) -> WebConfiguration {
        try WebConfiguration(
            host: settings.http.host, port: settings.http.port, token: settings.http.token,
            names: settings.http.allowedHosts)
    }

    /// The address for a client on this machine, once the server listens; `nil` if it did not start.
    var address: String? {
        get async {
            guard let port = await server.port else { return nil }
            let host = ["0.0.0.0": "127.0.0.1", "::": "::1"][configuration.host] ?? configuration.host
            return "http://\(HostName.authority(host, port: port))/"
        }
    }

    func run() async throws {
        // A file left by a killed process would send commands to the wrong address.
        unlink(addressFile)
        defer { unlink(addressFile) }
        async let _: Void = writeAddress()
        try await server.run()
    }

    /// Writes the address for the other commands; on a full disk it tries again until there is room.
    private func writeAddress() async {
        guard let address = await address else { return }
        var failure = LogThrottle<String, ContinuousClock.Instant>()
        while !PrivateFile.replace(addressFile, with: Array((address + "\n").utf8)) {
            let reason = String(cString: strerror(errno))
            if let occurrences = failure.occurred(addressFile, reason, now: .now) {
                logger.warning(
                    "the HTTP address can't be written for other edgetick commands; until it is, they read the files instead",
                    metadata: ["file": "\(addressFile)", "error": "\(reason)", "occurrences": "\(occurrences)"])
            }
            guard (try? await Task.sleep(for: .seconds(1))) != nil else { return }
        }
    }
}
