import Feed
import FeedServer
import FeedServerSupport
import FeedSimulator
import Foundation
import LedgerSupport
import Logging
import MarketData
import ServiceLifecycle
import Store
import TestSupport
import Testing

@testable import Collector
@testable import Relay

/// A buffer with a relay before it, and the means to feed both.
final class RelayRig: Sendable {
    let workspace: Workspace
    let buffer: TickBuffer
    let tap: RelayTap
    let service: RelayService
    let port: Int

    private init(
        _ configuration: RelayConfiguration, _ symbols: (RelayTap) throws -> any RelayedSymbols
    ) async throws {
        // On a loaded machine a client may be slow to log in; and the tests' clients answer no pings.
        var configuration = configuration
        let usual = RelayConfiguration()
        if configuration.server.loginTimeout == usual.server.loginTimeout {
            configuration.server.loginTimeout = .seconds(100)
        }
        if configuration.server.pingInterval == usual.server.pingInterval {
            configuration.server.pingInterval = .seconds(100)
        }
        workspace = try Workspace()
        buffer = try TickBuffer.scratch(in: workspace.path)
        tap = RelayTap(before: buffer, limit: configuration.queueBytes)
        service = RelayService(
            configuration: configuration, tap: tap, buffer: buffer, symbols: try symbols(tap), logger: Self.quiet)
        port = try await service.bind()
    }

    static let quiet = Logger(label: "relay", factory: { _ in SwiftLogNoOpLogHandler() })

    /// Signals that the services run: a group that is told to stop before that fails when it runs.
    private struct Start: Service {
        let begun: AsyncStream<Void>.Continuation

        func run() async throws {
            begun.finish()
            try? await gracefulShutdown()
        }
    }

    /// Some symbols that are collected, whatever anybody asks for; `nil` for all.
    struct Fixed: RelayedSymbols {
        var collected: Set<Symbol>?
        /// Since when they are collected, in milliseconds since the Unix epoch.
        var since = Int64.min
        /// Symbols that are wanted but not collected yet.
        var unanswered: Set<Symbol> = []
        /// Called when that is asked, which is after the bars are read.
        var whenAsked: @Sendable () -> Void = {}

        func admit(_ channels: [FeedChannel]) -> [FeedChannel: String] {
            let others = channels.filter { channel in
                channel.symbol.map { collectedSince(channel.kind, of: $0) == nil } ?? false
            }
            return Dictionary(others.map { ($0, "nobody asked for \($0.symbol?.description ?? "")") }) { first, _ in
                first
            }
        }

        func collectedSince(_ kind: EventKind, of symbol: Symbol) -> Int64? {
            whenAsked()
            guard let collected, !collected.contains(symbol) else { return since }
            return nil
        }

        func collectedSince(_ channels: [FeedChannel]) -> [FeedChannel: Int64] {
            var times: [FeedChannel: Int64] = [:]
            for channel in channels {
                guard let symbol = channel.symbol, !unanswered.contains(symbol) else { continue }
                times[channel] = collectedSince(channel.kind, of: symbol)
            }
            return times
        }

        func unwanted(among symbols: some Collection<Symbol> & Sendable) -> [Symbol] {
            symbols.filter { collected?.contains($0) == false }
        }

        var present: Int64 { WallClock.milliseconds() }

        func reviewDemand(isRead: (Symbol) -> Bool) -> DemandReview { DemandReview() }
    }

    /// Runs a relay while `body` does, then stops it as a shutdown would.
    ///
    /// - Parameters:
    ///   - collected: The symbols that are collected; `nil` for all.
    ///   - symbols: Knows what is collected, in place of that.
    static func run(
        _ configuration: RelayConfiguration = RelayConfiguration(), collected: Set<Symbol>? = nil,
        symbols: ((RelayTap) throws -> any RelayedSymbols)? = nil, _ body: @Sendable (RelayRig) async throws -> Void
    ) async throws {
        let rig = try await RelayRig(configuration, symbols ?? { _ in Fixed(collected: collected) })
        let (starting, begun) = AsyncStream.makeStream(of: Void.self)
        let group = ServiceGroup(services: [rig.service, Start(begun: begun)], logger: quiet)
        let running = Task { try await group.run() }
        for await _ in starting {}
        do {
            try await body(rig)
        } catch {
            await group.triggerGracefulShutdown()
            _ = await running.result
            await rig.buffer.close()
            throw error
        }
        await group.triggerGracefulShutdown()
        try await running.value
        await rig.buffer.close()
    }

    /// A client that is logged in.
    func client(
        key: String = "any key of some length", subscribingTo channels: String? = nil
    ) async throws -> TestClient {
        let client = try await TestClient.connect(port: port)
        try await client.login(key: key)
        if let channels { try await client.subscribe(channels) }
        return client
    }

    /// Takes frames in as a connection does: decoded, and with their text when somebody wants it.
    func take(_ frames: [String]) throws { try #require(tap.offer(batch(frames)) != .refused) }

    /// What a connection makes of frames.
    func batch(_ frames: [String]) -> EventBatch {
        var decoder = FrameDecoder()
        var statuses: [FeedStatus] = []
        var batch = EventBatch(connection: "primary", receivedMicroseconds: WallClock.microseconds())
        if !tap.wantedText.isEmpty { batch.sent = SentEvents(tap.wantedText) }
        for frame in frames {
            Array(frame.utf8).withUnsafeBytes { decoder.decode($0, into: &batch, statuses: &statuses) }
        }
        return batch
    }

    /// Adds gaps of one symbol and time to the file, as another program would.
    func addGaps(_ count: Int, of symbol: String, _ event: EventKind, from: Int64, to: Int64) throws {
        try Command.sqlite(
            workspace.file("ticks.sqlite"),
            """
            WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers LIMIT \(count))
            INSERT INTO gaps (connection, symbols, events, from_ms, to_ms, cause, recorded_us)
            SELECT 'primary', '\(symbol)', '\(event.rawValue)', \(from), \(to), 'disconnected', 1 FROM numbers
            """)
    }

    /// Takes numbered events in, a few a frame.
    func take(_ plan: LedgerPlan, _ numbers: Range<UInt64>) throws {
        try take(frames(plan, numbers))
    }
}

/// A configuration with something of its own.
func configured(_ change: (inout RelayConfiguration) -> Void) -> RelayConfiguration {
    var configuration = RelayConfiguration()
    change(&configuration)
    return configuration
}

/// Frames of numbered events.
func frames(_ plan: LedgerPlan, _ numbers: Range<UInt64>) -> [String] {
    stride(from: numbers.lowerBound, to: numbers.upperBound, by: 10).map { start in
        "[\(texts(plan, start..<min(start + 10, numbers.upperBound)).joined(separator: ","))]"
    }
}

/// The JSON of numbered events.
func texts(_ plan: LedgerPlan, _ numbers: Range<UInt64>) -> [String] {
    numbers.map { String(decoding: plan.event($0).json, as: UTF8.self) }
}

/// Numbered events of all kinds that happen now.
func plan(_ symbols: [String] = ["AAPL", "MSFT", "BRK.B"], kinds: [EventKind] = EventKind.allCases) -> LedgerPlan {
    LedgerPlan(
        kinds: kinds, symbols: symbols.compactMap { Symbol($0) }, start: WallClock.milliseconds() - 3_600_000, step: 1)
}

extension TestClient.Received {
    /// The JSON of each event, as it came.
    var objects: [String] {
        events.flatMap { frame in
            let inner = frame.dropFirst().dropLast()
            return inner.split(separator: "},{").map { part in
                (part.hasPrefix("{") ? "" : "{") + part + (part.hasSuffix("}") ? "" : "}")
            }
        }
    }

    /// How many replays are complete.
    var replaysDone: Int { statuses.count { $0.hasSuffix("events replayed") } }

    /// The statuses of one word, with their messages.
    func messages(_ status: String) -> [String] {
        texts.filter { $0.contains("\"status\":\"\(status)\"") }.flatMap { text in
            text.split(separator: "\"message\":\"").dropFirst().map { String($0.prefix { $0 != "\"" }) }
        }
    }
}

/// Events by kind and symbol, in the order in which they came.
func lanes(_ objects: [String]) -> [String: [String]] {
    Dictionary(grouping: objects) { object in
        object.split(separator: ",").prefix(2).joined(separator: ",")
    }
}

/// What an event says, whatever the order and the spelling of its numbers.
func fields(_ object: String) throws -> NSDictionary {
    try #require(try JSONSerialization.jsonObject(with: Data(object.utf8)) as? NSDictionary)
}
