import FeedServer
import LedgerSupport
import Logging
import MarketData
import Synchronization
import Testing

@testable import FeedSimulator

/// Runs a simulator while `body` runs, then cancels it.
func withSimulator(
    _ configuration: SimulatorConfiguration,
    _ body: (FeedSimulator, _ port: Int) async throws -> Void
) async throws {
    let simulator = FeedSimulator(configuration: configuration, logger: quiet)
    let port = try await simulator.bind()
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await simulator.run() }
        do {
            try await body(simulator, port)
        } catch {
            group.cancelAll()
            throw error
        }
        group.cancelAll()
        try await group.waitForAll()
    }
}

/// A logger that shows only errors.
var quiet: Logger {
    var logger = Logger(label: "simulator")
    logger.logLevel = .error
    return logger
}

/// Returns a configuration with short waits, for quick tests.
func configuration(_ source: SimulatorConfiguration.Source, _ faults: [String] = []) throws -> SimulatorConfiguration {
    var configuration = SimulatorConfiguration(source: source)
    configuration.settleTime = .milliseconds(30)
    configuration.server.closeTimeout = .milliseconds(500)
    configuration.faults = try faults.map { try Fault($0) }
    return configuration
}

/// Returns the configuration of a feed that sends these frames.
func configuration(lines: [String], _ faults: [String] = []) throws -> SimulatorConfiguration {
    var time: Int64 = 0
    let frames = lines.map { line in
        let text = Array(line.utf8)
        time = max(time, text.withUnsafeBytes { FrameScan.time(of: $0) } ?? 0)
        return SimulatorConfiguration.Frame(text: text, time: time)
    }
    return try configuration(.frames { frames.indices.contains($0) ? frames[$0] : nil }, faults)
}

/// Returns frames of numbered events, one a line.
func ledgerLines(
    _ kinds: [EventKind] = usualKinds, symbols: [String] = ["AAPL", "MSFT", "BRK.B"], frames: Int,
    eventsPerFrame: Int = 5
) -> [String] {
    let plan = LedgerPlan(kinds: kinds, symbols: symbols.compactMap { Symbol($0) })
    return (0..<frames).map { frame in
        let events = (0..<eventsPerFrame).map { offset in
            String(decoding: plan.event(UInt64(frame * eventsPerFrame + offset)).json, as: UTF8.self)
        }
        return "[\(events.joined(separator: ","))]"
    }
}

let allChannels = "AM.*,A.*,T.*,Q.*"

/// The kinds of those channels.
let usualKinds: [EventKind] = [.minuteBar, .secondBar, .trade, .quote]

/// Returns all frames of a source, as text.
func frames(of source: any FrameSource) throws -> [String] {
    var lines: [String] = []
    while let block = try source.nextBlock() {
        for frame in block.frames {
            lines.append(block.withText(of: frame) { String(decoding: $0, as: UTF8.self) })
        }
    }
    return lines
}
