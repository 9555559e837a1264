import Collector
import Feed
import Foundation
import MarketData
import ServiceLifecycle
import Store

/// Shows a collector at work for a while: one line that redraws itself on a terminal, a line every five seconds in a
/// pipe. Ends the run when the time is over.
struct DemoDisplay: Service {
    private let collector: CollectorAssembly
    private let limit: Duration
    private let isTerminal = isatty(STDOUT_FILENO) == 1

    init(collector: CollectorAssembly, limit: Duration) {
        self.collector = collector
        self.limit = limit
    }

    func run() async throws {
        if let address = await collector.web.address { printNow("Dashboard: \(address)\n\n") }
        let started = ContinuousClock.now
        let pause: Duration = isTerminal ? .milliseconds(250) : .seconds(5)
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled, ContinuousClock.now - started < limit {
                show(after: ContinuousClock.now - started)
                try? await Task.sleep(for: min(pause, started + limit - .now))
            }
        }
        show(after: min(.now - started, limit))
        if isTerminal { printNow("\n") }
    }

    private func show(after elapsed: Duration) {
        let statistics = collector.buffer.statistics
        let connection = collector.connections.snapshot.members.first?.feed
        var parts = [
            "\(Int(elapsed / .seconds(1)).description.aligned(to: 3)) s", connection?.status.rawValue ?? "no feed",
        ]
        parts += EventStream.allCases.map { "\(statistics[$0].appended.grouped) \($0.rawValue)" }
        if let sync = collector.sync {
            parts.append(sync.status.failure == nil ? "\(sync.status.rows.grouped) uploaded" : "upload failing")
        }
        let line = parts.joined(separator: "  ")
        printNow(isTerminal ? "\r\u{1B}[2K\(line)" : line + "\n")
    }
}
