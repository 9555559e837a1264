import FeedServer
import MarketData
import NIOCore
import NIOPosix
import Store

/// Sends what the buffer holds of some channels, then hands over to the live events without a gap or a duplicate.
///
/// It follows the file in short reads up to the committed head. Then a mark goes into the queue of live events and, at
/// the same point, into the writer's queue; live events after it wait. The writer returns each stream's last sequence
/// before the mark. The rows up to there are all that came before, and the waiting events are all that came after.
struct ReplayJob: Sendable {
    /// The maximum number of rows in one read.
    private static let step = 10_000
    /// The maximum number of gaps in one read. Each may have the symbols of a whole market.
    private static let gapsAtOnce = 100
    /// With at most this many rows left, live events need not wait long.
    private static let near: Int64 = 20_000
    /// The maximum number of rows left for the join if the head moves as fast as the replay.
    private static let far: Int64 = 1_000_000
    /// Reading pauses while more than this many bytes wait for the client.
    private static let backlog = 1 << 20
    /// How far the clock that dates events may be ahead of this one, in milliseconds.
    private static let clockSlack: Int64 = 60_000
    /// How long the buffer may take to write what it was given.
    private static let patience: Duration = .seconds(10)

    let id: Int
    let client: FeedClient
    let room: ChangeSignal
    let channels: [FeedChannel]
    let span: ReplaySpan
    let hub: RelayHub
    let buffer: TickBuffer
    let symbols: any RelayedSymbols

    /// The reader has gone or no longer wants the replay.
    private struct Unwanted: Error {}

    private struct Progress {
        /// The last row that was read, by stream.
        var places = StreamSequences()
        var events = 0
        var subscriptions = Subscriptions()
        var text = RowText()

        mutating func want(_ channels: [FeedChannel]) {
            subscriptions = Subscriptions()
            for channel in channels { _ = subscriptions.insert(channel) }
        }
    }

    /// Runs to the end, or until nobody wants the replay any more.
    func run() async {
        let now = WallClock.milliseconds()
        let from = span.from.milliseconds(now: now)
        let to = span.to?.milliseconds(now: now)
        var progress = Progress()
        progress.want(channels)
        let drops = buffer.statistics.drops
        do {
            // Gaps and the first events may be on their way to the file.
            await flush()
            try await reportGaps(from...max(from, to ?? .max))
            try await reportLateStarts(from)
            try await hub.turns.take { try await start(from, &progress) }
            try await chase(from...max(from, to ?? .max), &progress)
            if to == nil { try await join(from, &progress) }
        } catch is Unwanted, is CancellationError {
            return
        } catch {
            hub.failures.occurred("a replay could not read the buffer", error)
            await tell(
                "replay_gap", "the buffer can't be read at the moment: events from before this message may be missing")
        }
        let dropped = buffer.statistics.drops - drops
        if dropped > 0 {
            await tell(
                "replay_gap", "the buffer dropped \(dropped.counted("event")) during the replay: some may be missing")
        }
        // Some may have been given up meanwhile.
        let rest = Array(progress.subscriptions.channels)
        let what = rest.count == 1 ? rest[0].description : rest.count.counted("channel")
        let message = StatusMessage("replay_complete", "\(what): \(progress.events) events replayed")
        _ = await hub.ask { [id] in $0.complete(id, message) }
    }

    private var streams: [EventStream] {
        let kinds = Set(channels.map(\.kind))
        return EventStream.allCases.filter { stream in kinds.contains { $0.stream == stream } }
    }

    /// Waits until what the buffer has taken is in the file, but not for a disk that does not respond. If writing fails,
    /// the join reports it to the reader.
    private func flush() async {
        let (ends, ended) = AsyncStream.makeStream(of: Void.self)
        Task { [buffer] in
            try? await buffer.flush()
            ended.finish()
        }
        let limit = Task {
            try await Task.sleep(for: Self.patience)
            ended.finish()
        }
        for await _ in ends {}
        limit.cancel()
    }

    /// Reports to the reader which events the buffer never got: those in gaps that nothing has filled. The newest are read
    /// first, a few at a time.
    private func reportGaps(_ times: ClosedRange<Int64>) async throws {
        let directory = buffer.directory
        let wanted = Set(channels)
        // A bar comes when its window is over, so the last ones may be missing in a gap that begins after their starts.
        func latest(_ kind: EventKind) -> Int64 {
            let (sum, overflows) = times.upperBound.addingReportingOverflow(kind.interval?.milliseconds ?? 0)
            return overflows ? .max : sum
        }
        let span = times.lowerBound...(channels.map { latest($0.kind) }.max() ?? times.upperBound)
        var next = Int64.max
        while true {
            let part = try await hub.turns.take {
                try await NIOThreadPool.singleton.runIfActive { [next] in
                    try GapLog.read(
                        directory: directory, states: GapState.lacking, overlapping: span, before: next,
                        limit: Self.gapsAtOnce, fills: .none)
                }
            }
            guard let oldest = part.first else { return }
            next = oldest.id
            for record in part {
                try await waitForRoom()
                var gap = record.gap
                gap.events = record.gap.events.filter { record.gap.from <= latest($0) }
                for message in GapNotice(gap, of: wanted)?.messages ?? [] { await tell(GapNotice.status, message) }
            }
        }
    }

    /// Reports to the reader which channels have been collected only since a later time: no gap covers the time before.
    private func reportLateStarts(_ from: Int64) async throws {
        let times = symbols.collectedSince(channels)
        var late: [Int64: [FeedChannel]] = [:]
        for channel in channels where channel.symbol != nil {
            // The feed may have yet to answer for the symbol.
            let since = times[channel] ?? .max
            if from < since { late[since, default: []].append(channel) }
        }
        for (since, channels) in late.sorted(by: { $0.key < $1.key }) {
            let what = since < .max ? "collected from \(since)" : "not collected yet"
            for list in GapNotice.lists(of: channels) {
                try await waitForRoom()
                await tell("replay_from", "\(what): \(list)")
            }
        }
    }

    /// Finds where to begin, and reports to the reader from when there is data.
    private func start(_ from: Int64, _ progress: inout Progress) async throws {
        for stream in streams {
            let received = (from - Self.clockSlack) * 1000
            let beginning = try await buffer.beginning(of: stream, receivedFrom: received, trustsClock: false)
            progress.places[stream] = beginning.after
            guard let heldSince = beginning.heldSince else {
                await tell("replay_from", "the buffer holds no \(stream.rawValue)")
                continue
            }
            if from < heldSince { await tell("replay_from", "the buffer holds \(stream.rawValue) from \(heldSince)") }
        }
    }

    /// Reads up to the committed head, until little is left.
    private func chase(_ times: ClosedRange<Int64>, _ progress: inout Progress) async throws {
        if times.upperBound < .max { try await buffer.flush() }
        var before = Int64.max
        while true {
            for stream in streams {
                try await read(stream, through: buffer.statistics[stream].marks.last, times, &progress)
            }
            if times.upperBound < .max { return }
            let statistics = buffer.statistics
            let left = streams.reduce(0) { $0 + statistics[$1].marks.last - progress.places[$1] }
            if left <= Self.near || (left >= before && left <= Self.far) { return }
            before = left
        }
    }

    /// Makes live events wait, and reads the rows before them.
    private func join(_ from: Int64, _ progress: inout Progress) async throws {
        guard let mark = try await mark() else {
            await tell(
                "replay_gap",
                "the buffer can't be written at the moment: events from before this message may be missing")
            return
        }
        for stream in streams { try await read(stream, through: mark[stream], from ... .max, &progress) }
    }

    /// Returns each stream's last sequence before the mark; `nil` if the buffer does not get there in time.
    private func mark() async throws -> StreamSequences? {
        let (marks, reached) = AsyncStream.makeStream(of: StreamSequences.self)
        _ = await hub.ask { [id] desk in
            desk.mark(id) { sequences in
                if let sequences { reached.yield(sequences) }
                reached.finish()
            }
        }
        let limit = Task {
            try await Task.sleep(for: Self.patience)
            reached.finish()
        }
        defer { limit.cancel() }
        for await mark in marks { return mark }
        try Task.checkCancellation()
        return nil
    }

    private func read(
        _ stream: EventStream, through: Int64, _ times: ClosedRange<Int64>, _ progress: inout Progress
    ) async throws {
        while progress.places[stream] < through {
            try await waitForRoom()
            let after = progress.places[stream]
            let run = try await hub.turns.take {
                try await buffer.read(stream, after: after, through: through, limit: Self.step)
            }
            let lost = run.end - after - Int64(run.batch.count)
            if lost > 0 {
                await tell(
                    "replay_gap", "\(stream.counted(lost)) \(lost == 1 ? "is" : "are") no longer in the buffer")
            }
            var frames = pack(run.batch, times, &progress)
            let events = frames.events
            let part = frames.take()
            progress.places[stream] = run.end
            progress.events += events
            let wanted = await hub.ask { [id] in $0.send(part, events: events, of: id) } ?? []
            guard !wanted.isEmpty else { throw Unwanted() }
            if wanted.count != progress.subscriptions.channels.count { progress.want(wanted) }
        }
    }

    private func pack(_ batch: BufferedBatch, _ times: ClosedRange<Int64>, _ progress: inout Progress) -> EventFrames {
        var frames = EventFrames()
        let wanted = progress.subscriptions
        func pack<Event: MarketEvent>(_ rows: [Buffered<Event>], _ write: (inout RowText, Event) -> Void) {
            for row in rows where times.contains(row.event.time) {
                guard wanted.wants(KindSet(row.event.kind), { row.event.symbol }) else { continue }
                write(&progress.text, row.event)
                progress.text.bytes.withUnsafeBytes { frames.append($0) }
            }
        }
        pack(batch.bars) { $0.write($1) }
        pack(batch.trades) { $0.write($1, text: batch.text) }
        pack(batch.quotes) { $0.write($1, text: batch.text) }
        pack(batch.limitBands) { $0.write($1, text: batch.text) }
        pack(batch.imbalances) { $0.write($1, text: batch.text) }
        pack(batch.fairValues) { $0.write($1) }
        return frames
    }

    private func waitForRoom() async throws {
        try await room.wait {
            if client.isEnding { throw Unwanted() }
            return client.pendingBytes <= Self.backlog
        }
    }

    private func tell(_ status: String, _ message: String) async {
        let message = StatusMessage(status, message)
        _ = await hub.ask { [id] in $0.tell(message, of: id) }
    }
}
