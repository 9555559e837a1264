import FeedServer
import Logging
import MarketData
import NIOCore
import NIOPosix

/// Takes frames from the source and sends them to the clients that have subscribed; the loop of one task.
struct Replay {
    let configuration: SimulatorConfiguration
    let source: any FrameSource
    let registry: ClientRegistry
    let logger: Logger

    /// Runs to the source's end, and until the clients' sockets have taken everything.
    func run() async throws {
        if configuration.startingClients > 0 { try await waitForReceivers(configuration.startingClients) }
        registry.update { $0.phase = .replaying }
        logger.info("replay started")
        var clock =
            source.isLive ? ReplayClock(liveAt: WallClock.milliseconds(), .now) : ReplayClock(configuration.pace)
        var spent: Set<Int> = []
        var upcoming = try await nextBlock()
        while let block = upcoming {
            // Prepared ahead, so that the time this takes doesn't delay its first events.
            async let following = nextBlock()
            var next = isPast(block) ? block.frames.count : 0
            while next < block.frames.count {
                let end = try await waitForDue(block, from: next, &clock)
                next = try await deliver(block, next..<end, &spent, &clock)
            }
            upcoming = try await following
        }
        try await registry.signal.wait { registry.clients.allSatisfy { $0.connection.pendingBytes == 0 } }
        registry.update { $0.phase = .done }
        logger.info("replay done", metadata: ["frames": "\(registry.statistics.passedFrames)"])
    }

    /// Whether a live block's time has passed already, because nobody was listening.
    private func isPast(_ block: FrameBlock) -> Bool {
        guard source.isLive, let last = block.frames.last else { return false }
        return last.time < WallClock.milliseconds() - 1000
    }

    private func nextBlock() async throws -> FrameBlock? {
        let source = self.source
        let block = try await NIOThreadPool.singleton.runIfActive { try source.nextBlock() }
        if let block, block.skippedStatuses + block.corrections > 0 {
            registry.update { statistics in
                statistics.skippedStatuses += block.skippedStatuses
                if block.corrections > 0 { statistics.faults["late-corrections", default: 0] += block.corrections }
            }
        }
        return block
    }

    /// Waits until `count` clients are receiving and no subscription has changed for the settle time.
    private func waitForReceivers(_ count: Int) async throws {
        while true {
            try await registry.signal.wait { registry.receivers.count >= count }
            let changes = registry.subscriptionChanges
            try await Task.sleep(for: configuration.settleTime, clock: .continuous)
            if registry.subscriptionChanges == changes, registry.receivers.count >= count { return }
        }
    }

    /// Waits until the frame at `start` is due; returns the end of the run of frames that are due then.
    private func waitForDue(_ block: FrameBlock, from start: Int, _ clock: inout ReplayClock) async throws -> Int {
        if configuration.pace == .flatOut { return block.frames.count }
        let due = clock.due(block.frames[start].time, now: .now)
        if due > .now { try await Task.sleep(until: due, clock: .continuous) }
        let now = ContinuousClock.Instant.now
        var end = start + 1
        while end < block.frames.count, clock.due(block.frames[end].time, now: now) <= now { end += 1 }
        return end
    }

    /// Sends a run of frames; returns the index of the first frame still to be sent.
    private func deliver(
        _ block: FrameBlock, _ range: Range<Int>, _ spent: inout Set<Int>, _ clock: inout ReplayClock
    ) async throws -> Int {
        let receivers = try await receiversWithRoom()
        guard !receivers.isEmpty else {
            if configuration.absenceInEffect == .misses {
                passed(block, range, missed: range.count)
                return range.upperBound
            }
            try await waitForReceivers(1)
            clock.paused()
            return source.isLive ? block.frames.count : range.lowerBound
        }
        if receivers.allSatisfy(\.isPlain) {
            // Counted before it is sent: whoever has received a frame finds it in the statistics.
            passed(block, range, missed: 0)
            // All filters are taken at once, so that every client's subscriptions count as of the same moment.
            for (client, filter) in receivers.map({ ($0, $0.filter) }) { send(block, range, to: client, filter) }
            return range.upperBound
        }
        return sendWithFaults(block, range, to: receivers, &spent)
    }

    /// Returns the receiving clients, once none of them has too much waiting.
    private func receiversWithRoom() async throws -> [ReplayClient] {
        while true {
            try Task.checkCancellation()
            let version = registry.signal.version
            let receivers = registry.receivers
            let slow = receivers.filter { $0.connection.pendingBytes > configuration.outboundLimitBytes }
            if slow.isEmpty { return receivers }
            guard configuration.dropsSlowClients else {
                try await registry.signal.wait(past: version)
                continue
            }
            for client in slow {
                client.connection.close(code: 1008, reason: "slow consumer", status: .tooSlow)
                logger.info("slow client closed", metadata: ["client": "\(client.connection.id)"])
            }
            registry.update { $0.slowConsumers += slow.count }
        }
    }

    private func send(_ block: FrameBlock, _ range: Range<Int>, to client: ReplayClient, _ filter: FrameFilter) {
        var kinds: KindSet = []
        for index in range { kinds.formUnion(block.frames[index].kinds) }
        var output = Outgoing()
        if filter.subscriptions.wantsAll(of: kinds) {
            for index in range { output.counts += block.frames[index].counts }
            output.frames = range.count
            output.bytes = block.wire(of: range)
        } else {
            for index in range { output.append(block.frames[index], of: block, filter) }
        }
        hand(output, to: client)
    }

    private func sendWithFaults(
        _ block: FrameBlock, _ range: Range<Int>, to receivers: [ReplayClient], _ spent: inout Set<Int>
    ) -> Int {
        var lanes = receivers.map { FaultyLane($0) }
        var index = range.lowerBound
        while index < range.upperBound, lanes.contains(where: { $0.ending == nil }) {
            for lane in lanes.indices where lanes[lane].ending == nil {
                lanes[lane].append(block.frames[index], of: block, &spent)
            }
            index += 1
        }
        passed(block, range.lowerBound..<index, missed: 0)
        for lane in lanes {
            if !lane.faults.isEmpty { registry.update { $0.faults.merge(lane.faults, uniquingKeysWith: +) } }
            hand(lane.output, to: lane.client)
            lane.carryOutEnding()
        }
        guard index < range.upperBound, configuration.absenceInEffect == .misses else { return index }
        passed(block, index..<range.upperBound, missed: range.upperBound - index)
        return range.upperBound
    }

    private func hand(_ output: Outgoing, to client: ReplayClient) {
        registry.update { statistics in
            statistics.frames += output.frames
            statistics.bytes += output.bytes.readableBytes
            for kind in EventKind.allCases where output.counts[KindSet(kind)] > 0 {
                statistics.events[kind, default: 0] += output.counts[KindSet(kind)]
            }
            statistics.otherEvents += output.counts[.other]
        }
        client.connection.send(output.bytes)
    }

    private func passed(_ block: FrameBlock, _ range: Range<Int>, missed: Int) {
        guard let last = range.last else { return }
        registry.archive?.add(block, range)
        registry.ticks?.add(block, range)
        registry.update { statistics in
            statistics.passedFrames += range.count
            statistics.eventTime = block.frames[last].time
            statistics.missedFrames += missed
        }
    }
}
