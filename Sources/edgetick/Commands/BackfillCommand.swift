import ArgumentParser
import Backfill
import Logging
import MarketData
import Store
import Universe
import Wire

/// Fills gaps from the REST API.
struct BackfillCommand: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "backfill", abstract: "Fill gaps with bars, trades and quotes from the REST API.",
        discussion: """
            Example: edgetick backfill
                     edgetick backfill --ticks
                     edgetick backfill AAPL MSFT --from -2h

            Moments: \(MomentText.syntax).
            Without symbols, those of the buffer's last day and of the universes are asked for.

            Without --from it fills the open and partial gaps of the buffer, from where an earlier run left them. With
            --from it fetches every bar of the span that is not in the buffer, whether or not there is a gap. A bar that
            came from the stream is never replaced; one that was fetched before is, if late trades have changed it.

            The last half minute, and the delay of a delayed plan before it, is left for later: the server may not have
            all of it yet.

            Trades and quotes of a gap are fetched only if those already received around it can be recognised: their rows
            are still in the file, or the database has a unique index (edgetick migrate --tick-identity). --ticks fetches
            them in any case, also for gaps that were closed without them.

            A running collector holds the buffer and fills gaps by itself.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @OptionGroup var symbols: SymbolOptions
    @Option(help: "Start of a span.", transform: MomentText.argument) var from: Int64?
    @Option(help: "End of the span; now unless given.", transform: MomentText.argument) var to: Int64?
    @Flag(help: "Fetch the trades and quotes of every gap that lacks them, closed or not.") var ticks = false
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        if from == nil, to != nil || symbols.areGiven {
            throw ValidationError("--to and symbols belong to a span: give --from too")
        }
        if ticks, from != nil { throw ValidationError("--ticks is about gaps: leave out --from") }
        if let from, from > to ?? WallClock.milliseconds() {
            throw ValidationError("--from is later than \(to == nil ? "now" : "--to")")
        }
    }

    var needs: Settings.Needs { .feed }

    func run(_ settings: Settings) async throws {
        let client = try settings.aggregatesClient()
        let advice = "it fills gaps by itself: see edgetick gaps"
        try await closing({ await client.shutdown() }) {
            try await settings.withBuffer(heldAdvice: advice, makesFile: from != nil) { buffer in
                try await fill(settings, client, buffer)
            }
        }
    }

    private func fill(_ settings: Settings, _ client: AggregatesClient, _ buffer: TickBuffer) async throws {
        let now = WallClock.milliseconds()
        let latest = now - settings.gapSettleTime.milliseconds
        guard let from else { return try await fillGaps(settings, client, buffer, latest: latest) }
        let span = (from: from, to: to ?? now)
        try await fillSpan(settings, GapFiller(client: client, buffer: buffer), span, latest: latest)
    }

    private func fillSpan(
        _ settings: Settings, _ filler: GapFiller, _ span: (from: Int64, to: Int64), latest: Int64
    ) async throws {
        let kinds = [EventKind.minuteBar, .secondBar].filter(settings.feed.events.contains)
        let list: [Symbol]
        if let chosen = try await symbols.chosen(settings) {
            list = chosen
        } else {
            let known = try filler.everySymbol(of: kinds)
            if !known.isComplete {
                printWarning(
                    "the file has too many rows a day to look through all of them: a symbol that is traded rarely and "
                        + "is in no universe may be left out; name it to be sure")
            }
            list = known.symbols.sorted()
        }
        guard !list.isEmpty, !kinds.isEmpty else {
            throw CommandFailure(
                .configuration, "there is nothing to fetch: name symbols, and add AM or A to FEED_EVENTS")
        }
        let progress = ProgressLine(title: "backfilling", unit: "symbols", total: list.count * kinds.count)
        let work = Task {
            try await filler.fill(list, kinds, from: span.from, to: span.to, latest: latest) {
                progress.update(done: $0.done, total: $0.total)
            }
        }
        let result = try await Interrupts.cancelling(work)
        progress.finish(done: result.done)
        let answer = BackfillJSON(added: result.rows, present: result.present, unreadable: result.leftOut)
        let leftOut = result.leftOut > 0 ? ", \(result.leftOut.grouped) unreadable and left out" : ""
        let text =
            "added \(result.rows.counted("bar")), \(result.present.counted("was", "were")) already there\(leftOut)"
        print(json ? WireJSON.text(of: answer) : text)
        if result.leftOut > 0 { throw ExitCode(ExitStatus.badData.rawValue) }
    }

    private func fillGaps(
        _ settings: Settings, _ client: AggregatesClient, _ buffer: TickBuffer, latest: Int64
    ) async throws {
        let choice = GapChoice(directory: settings.dataDirectory, takesClosed: ticks, latest: latest)
        let (total, tooNew) = try choice.count()
        if tooNew > 0 {
            printRemark(
                "skipped \(tooNew) of \((total + tooNew).counted("gap")) as too new: the REST server may not have all "
                    + "of the last \(settings.gapSettleTime.spoken) yet; run this again later")
        }
        let progress = ProgressLine(title: "backfilling", unit: "gaps", total: total)
        let upstreams = try settings.upstreams()
        let identified = Settings.identified(upstreams, buffer.id)
        let elsewhere = Settings.uploadedElsewhere(upstreams, buffer, settling: true)
        let work = Task { [ticks] in
            var counts: [GapState: Int] = [:]
            var failure: BackfillError?
            var done = 0
            var next = Int64.max
            while let part = try choice.part(before: next) {
                next = part.first
                var filler = GapFiller(
                    client: client, buffer: buffer, settleTime: settings.gapSettleTime, gaps: part.gaps)
                for record in part.gaps {
                    try Task.checkCancellation()
                    do throws(BackfillError) {
                        var access = TickAccess.all
                        if !ticks {
                            access = try await filler.access(
                                toFill: record, identified: identified, elsewhere: elsewhere)
                        }
                        access.budget = nil
                        counts[try await filler.fill(record, ticks: access), default: 0] += 1
                    } catch {
                        // A bad response for one gap must not keep the others from being filled.
                        guard error.concernsRequestAlone else { throw error }
                        Logger(label: "backfill").warning(
                            "a gap could not be filled and stays open",
                            metadata: ["gap": "\(record.id)", "error": "\(error)"])
                        counts[.open, default: 0] += 1
                        failure = failure ?? error
                    }
                    done += 1
                    progress.update(done: done)
                }
            }
            return (counts, failure)
        }
        let (counts, failure) = try await Interrupts.cancelling(work)
        progress.finish(done: total)
        printStates(counts)
        if let failure { throw failure }
    }

    private func printStates(_ counts: [GapState: Int]) {
        if json { return print(WireJSON.text(of: BackfilledGapsJSON(counts))) }
        let parts = GapState.allCases.compactMap { state in counts[state].map { "\($0) \(state.rawValue)" } }
        print(parts.isEmpty ? "no gaps to fill now" : "gaps: " + parts.joined(separator: ", "))
    }
}
