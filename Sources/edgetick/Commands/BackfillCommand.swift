import ArgumentParser
import Backfill
import FoundationEssentials
import Glibc
import Logging
import MarketData
import Store
import Universe
import Wire

/// Fills gaps from the REST API.
struct BackfillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backfill", abstract: "Fill gaps with bars, trades and quotes from the REST API.",
        discussion: """
            Example: edgetick backfill
                     edgetick backfill --ticks
                     edgetick backfill --from 2026-08-03T13:30:00Z --to 2026-08-03T20:00:00Z --symbols AAPL,MSFT

            Without --from it fills the open gaps of the buffer, from where an earlier run left them. With --from it brings
            every bar of the span that is not in the buffer, whatever gaps there are. A bar that the stream brought is
            never replaced.

            Trades and quotes of a gap are fetched where what the stream brought around it can be recognised: the rows are
            still in the file, or the database has a unique index (edgetick migrate --tick-identity). --ticks fetches them
            all the same, also for gaps that were closed without them.

            A running collector holds the buffer and fills gaps by itself.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @Option(help: "Start of a span: a day or a moment, 2026-08-03 or 2026-08-03T13:30:00Z.") var from: String?
    @Option(help: "End of the span; now unless given.") var to: String?
    @Option(help: "Symbols, separated by commas; those of the buffer's newest bars unless given.") var symbols: String?
    @Flag(help: "Fetch the trades and quotes of every gap that lacks them, closed or not.") var ticks = false
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        if from == nil, to != nil || symbols != nil {
            throw ValidationError("--to and --symbols belong to a span: give --from too")
        }
        if ticks, from != nil { throw ValidationError("--ticks is about gaps: leave out --from") }
        for text in [from, to].compactMap({ $0 }) where Self.moment(text) == nil {
            throw ValidationError("'\(text)' is no time: allowed: 2026-08-03 or 2026-08-03T13:30:00Z")
        }
        if let symbols, Self.list(symbols) == nil {
            throw ValidationError("--symbols: allowed: symbols separated by commas")
        }
    }

    func run() async throws {
        try await reportingFailures {
            let settings = try options.settings(needing: .feed)
            let client = try settings.aggregatesClient()
            do {
                let buffer = try TickBuffer.open(
                    directory: settings.dataDirectory, options: settings.toolBufferOptions,
                    logger: Logger(label: "buffer"))
                do {
                    try await fill(settings, client, buffer)
                } catch {
                    await buffer.close()
                    throw error
                }
                await buffer.close()
            } catch {
                await client.shutdown()
                throw error
            }
            await client.shutdown()
        }
    }

    private func fill(_ settings: Settings, _ client: AggregatesClient, _ buffer: TickBuffer) async throws {
        let filler = GapFiller(client: client, buffer: buffer, directory: settings.dataDirectory)
        if let from, let start = Self.moment(from) {
            let end = to.flatMap(Self.moment) ?? WallClock.milliseconds()
            try await fillSpan(settings, filler, start, end)
        } else {
            try await fillGaps(settings, filler, try identified(settings, buffer))
        }
    }

    private func fillSpan(_ settings: Settings, _ filler: GapFiller, _ start: Int64, _ end: Int64) async throws {
        guard start <= end else { throw CommandFailure(.usage, "--from is later than --to") }
        let list = try symbols.flatMap(Self.list) ?? GapLog.recentSymbols(directory: settings.dataDirectory).sorted()
        let kinds = [EventKind.minuteBar, .secondBar].filter(settings.feed.events.contains)
        guard !list.isEmpty, !kinds.isEmpty else {
            throw CommandFailure(.configuration, "there is nothing to ask for: name --symbols, and bars in FEED_EVENTS")
        }
        let progress = ProgressLine(title: "backfilling", unit: "symbols", total: list.count * kinds.count)
        let work = Task {
            try await filler.fill(list, kinds, from: start, to: end) { progress.update(done: $0.done, total: $0.total) }
        }
        let result = try await Interrupts.cancelling(work)
        progress.finish(done: result.done)
        print(
            json
                ? WireJSON.text(of: ["added": result.rows, "present": result.present])
                : "added \(result.rows) bars, \(result.present) were there")
    }

    private func identified(
        _ settings: Settings, _ buffer: TickBuffer
    ) throws -> @Sendable () async -> Set<EventStream> {
        Settings.identified(try settings.upstreams(), buffer.id)
    }

    private func fillGaps(
        _ settings: Settings, _ filler: GapFiller, _ identified: @escaping @Sendable () async -> Set<EventStream>
    ) async throws {
        let states = ticks ? Set(GapState.allCases) : [.open]
        let records = try GapLog.read(directory: settings.dataDirectory, states: states).filter { record in
            record.state == .open || record.lacksTicks
        }
        let progress = ProgressLine(title: "backfilling", unit: "gaps", total: records.count)
        let work = Task { [ticks] in
            var counts: [GapState: Int] = [:]
            var failure: BackfillError?
            for (index, record) in records.enumerated() {
                try Task.checkCancellation()
                do throws(BackfillError) {
                    let access = ticks ? TickAccess.all : try await filler.access(record.gap, identified: identified)
                    counts[try await filler.fill(record, ticks: access), default: 0] += 1
                } catch {
                    // One gap's bad answer doesn't keep the others from theirs.
                    guard error.concernsRequestAlone else { throw error }
                    Logger(label: "backfill").warning(
                        "a gap could not be filled and stays open",
                        metadata: ["gap": "\(record.id)", "error": "\(error)"])
                    counts[.open, default: 0] += 1
                    failure = failure ?? error
                }
                progress.update(done: index + 1)
            }
            return (counts, failure)
        }
        let (counts, failure) = try await Interrupts.cancelling(work)
        progress.finish(done: records.count)
        try printStates(counts)
        if let failure { throw failure }
    }

    private func printStates(_ counts: [GapState: Int]) throws {
        if json {
            let states = GapState.allCases.map { ($0.rawValue, counts[$0] ?? 0) }
            return print(WireJSON.text(of: ["gaps": Dictionary(uniqueKeysWithValues: states)]))
        }
        let parts = GapState.allCases.compactMap { state in counts[state].map { "\($0) \(state.rawValue)" } }
        print(parts.isEmpty ? "no gap is open" : "gaps: " + parts.joined(separator: ", "))
    }

    private static func list(_ text: String) -> [Symbol]? {
        let list = SymbolList(text)
        return list.symbols.isEmpty || list.isWildcard || !list.refused.isEmpty ? nil : list.symbols
    }

    /// A day or a moment, in milliseconds since the Unix epoch; a day begins at 0:00 UTC.
    static func moment(_ text: String) -> Int64? {
        let day = Date.ISO8601FormatStyle().year().month().day()
        let date = (try? Date(text, strategy: .iso8601)) ?? (text.count == 10 ? try? Date(text, strategy: day) : nil)
        return date.map { Int64($0.timeIntervalSince1970 * 1000) }
    }
}
