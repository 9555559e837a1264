import Foundation
import Logging
import MarketData
import Store
import Synchronization
import TestSupport
import Testing
import Upstream

@testable import Backfill

/// A Tuesday with a full session.
private let day = TradingDay("2024-01-02")!
/// 9:30 in New York.
private let opening = day.session!.regularOpen

private func bar(_ minute: Int, close: Double = 10, volume: Double = 100, vwap: Double? = nil) -> Bar {
    let start = opening + Int64(minute) * 60_000
    return Bar(
        symbol: Symbol("AAPL")!, interval: .minute, start: start, end: start + 60_000, open: 10, high: 11, low: 9,
        close: close, volume: volume, vwap: vwap)
}

@Suite(.timeLimit(.minutes(1))) struct TradingDayTests {
    @Test func `a day is read as it is written, and nothing else is a day`() {
        #expect(TradingDay("2026-11-24")?.description == "2026-11-24")
        #expect(
            ["2026-2-24", "2026-02-30", "20261124", "2026-13-01", "", "2026-11-24T"].allSatisfy {
                TradingDay($0) == nil
            })
    }

    @Test func `a day is final a quarter of an hour after its trading, an early close included`() throws {
        let half = try #require(TradingDay("2026-11-27")?.session)
        #expect(TradingDay.lastFinal(at: half.close + 15 * 60_000).description == "2026-11-27")
        // Thanksgiving is left out.
        #expect(TradingDay.lastFinal(at: half.close + 15 * 60_000 - 1).description == "2026-11-25")
        #expect((half.regularClose - half.regularOpen) / 60_000 == 210)
    }

    @Test func `a time of day is New York's, in summer and in winter`() {
        #expect(TradingDay("2026-07-01")!.moment(minuteOfDay: 570) == TradingDay("2026-07-01")!.session!.regularOpen)
        #expect(TradingDay("2026-12-01")!.moment(minuteOfDay: 570) == TradingDay("2026-12-01")!.session!.regularOpen)
    }
}

@Suite(.timeLimit(.minutes(1))) struct DayComparisonTests {
    private let full = (0..<390).map { bar($0) }

    private func compare(
        _ tape: [Bar], _ file: [Bar], upstream: [Bar]? = nil, rounding: BarRounding = BarRounding(),
        halts: [Range<Int64>] = []
    ) -> DayComparison {
        DayComparison(
            Symbol("AAPL")!, on: day, tape: tape.map { DayBar($0) }, file: file.map { DayBar($0) },
            upstream: upstream?.map { DayBar($0) }, rounding: rounding, halts: halts)
    }

    @Test func `a day as the tape has it needs no change`() {
        let comparison = compare(full, full)
        #expect(comparison.changes.isEmpty && comparison.extra.isEmpty)
        let found = comparison.finding(open: [], at: 1).day
        #expect(found.present == 390 && found.regular == 390 && found.tape == 390 && found.isComplete)
    }

    @Test func `what is missing is added, what differs in any number is corrected`() {
        var file = full
        file.remove(at: 5)
        file[7].close = 10.01
        file[9].volume = 102
        file[11].vwap = 10.1
        file[12].vwap = 10.0005
        var tape = full
        for index in tape.indices { tape[index].vwap = 10 }
        let found = compare(tape, file).finding(open: [], at: 1)
        #expect(found.added == [full[5].start])
        #expect(found.corrected == [8, 10, 12].map { full[$0].start })
        #expect(found.day.added == 1 && found.day.corrected == 3 && found.day.present == 390)
    }

    @Test func `what is no number is different from any, as a table of the type numeric may hold it`() {
        var tape = full
        for index in tape.indices { tape[index].vwap = 10 }
        var upstream = tape
        upstream[3].vwap = .nan
        upstream[4].open = .infinity
        upstream[5].volume = .nan
        let changes = compare(tape, tape, upstream: upstream).changes
        #expect(changes.map(\.bar.start) == [3, 4, 5].map { full[$0].start })
    }

    @Test func `fractions of a share and a column's rounding are no difference`() {
        var file = full
        file[0].volume = 100.75
        #expect(compare(full, file).changes.isEmpty)
        var upstream = full
        upstream[1].close = 10.00004
        var rounding = BarRounding()
        rounding.prices.difference = 0.00005
        #expect(compare(full, [], upstream: upstream, rounding: rounding).changes.isEmpty)
        #expect(compare(full, [], upstream: upstream).changes.map(\.bar.start) == [full[1].start])
    }

    @Test func `each column rounds on its own: prices, volume and average price`() {
        var tape = full
        tape[0].vwap = 10.004
        tape[1].volume = 123_456_789
        var upstream = tape
        upstream[0].vwap = 10
        upstream[1].volume = 123_456_790
        #expect(compare(tape, [], upstream: upstream).changes.map(\.bar.start) == [full[0].start, full[1].start])
        var rounding = BarRounding()
        rounding.vwap.difference = 0.005
        rounding.volume.fraction = 0x1p-23
        let comparison = compare(tape, [], upstream: upstream, rounding: rounding)
        #expect(comparison.changes.isEmpty)
        #expect(comparison.open(in: upstream.map { DayBar($0) }, rounding: rounding).isEmpty)
        upstream[2].close = 10.004
        upstream[0].vwap = 10.02
        #expect(
            compare(tape, [], upstream: upstream, rounding: rounding).changes.map(\.bar.start)
                == [full[0].start, full[2].start])
    }

    @Test func `where there is a database, its bars count, and the file may have forgotten`() {
        #expect(compare(full, [], upstream: full).changes.isEmpty)
        let missing = compare(full, full, upstream: Array(full.dropFirst()))
        #expect(missing.changes.map(\.isNew) == [true])
        var altered = full
        altered[3].open = 1
        #expect(compare(full, altered, upstream: full).changes.map(\.isNew) == [false])
    }

    @Test func `of several versions in the file the last counts`() {
        #expect(compare([bar(0, close: 9.5)], [bar(0), bar(0, close: 9.5)]).changes.isEmpty)
        #expect(compare([bar(0)], [bar(0), bar(0, close: 9.5)]).changes.count == 1)
    }

    @Test func `minutes without trades and halts are explained, and bars that the tape lacks are listed`() {
        let tape = full.filter { !(10..<20).contains(Int(($0.start - opening) / 60_000)) }
        let halt = full[12].start + 30_000..<full[15].start
        let found = compare(tape, tape + [bar(19), bar(-30)], halts: [halt]).finding(open: [], at: 1)
        #expect(found.day.halted == 3 && found.day.untraded == 6 && found.day.present == 380)
        #expect(found.day.withBar == 381)
        #expect(found.extra == [bar(-30).start, bar(19).start] && found.day.isComplete)
    }

    @Test func `a tape without any bar shows nothing where there are bars`() {
        let unloaded = compare([], full)
        #expect(unloaded.lacksTape && !unloaded.finding(open: [], at: 1).day.isComplete)
        #expect(compare([], [], upstream: full).lacksTape)
        let untraded = compare([], [])
        #expect(!untraded.lacksTape && untraded.finding(open: [], at: 1).day.isComplete)
        #expect(!compare([bar(0)], full).lacksTape)
    }

    @Test func `what the database did not take stays open`() {
        let comparison = compare(full, full, upstream: Array(full.dropLast(2)))
        let open = comparison.open(in: full.dropLast().map { DayBar($0) }, rounding: BarRounding())
        #expect(open == [full[389].start])
        let found = comparison.finding(open: open, at: 1)
        #expect(found.day.missing == 1 && !found.day.isComplete && found.day.present == 389)
        #expect(found.added == [full[388].start] && found.open == [full[389].start])
    }
}

@Suite(.timeLimit(.minutes(1))) struct AggregateScanTests {
    @Test(arguments: [
        #"{"status":"OK","results":[{"v":5.5,"vw":10.25,"o":1,"c":1.5,"h":2e1,"l":-0.5,"t":1704206000000,"n":3}]}"#,
        #"{"results":[ {"t":1704206000000,"o":1,"h":2,"l":1,"c":1,"v":7,"otc":true} , {"t":1704206060000,"o":0.4372,"h":2,"l":1,"c":1,"v":0} ],"next_url":"http://x/y?cursor=1"}"#,
        #"{"results":[],"status":"OK"}"#,
    ]) func `what is read quickly is what the decoder reads`(text: String) throws {
        let quick = try #require(AggregateScan.read(Array(text.utf8)))
        let slow = try AggregateAnswer.decode(Array(text.utf8), "aggregates")
        let starts: ClosedRange<Int64> = 0 ... .max
        let symbol = Symbol("AAPL")!
        #expect(
            quick.bars(of: symbol, interval: .second, starts: starts).bars
                == slow.bars(of: symbol, interval: .second, starts: starts).bars)
        #expect(
            quick.next_url == slow.next_url && quick.status == slow.status
                && quick.results?.count == slow.results?.count)
    }

    @Test(arguments: [
        "", "{}", #"{"results":[{"t":1,"o":1}]}"#, #"{"results":[{"t":"1","o":1,"h":1,"l":1,"c":1,"v":1}]}"#,
        #"{"results":[{"t":1,"o":1,"h":1,"l":1,"c":1,"v":1}"#, #"{"results":[{"a\"b":1}]}"#, #"{"results":[1.5}"#,
        #"{"results":[{"t":1,"o":{},"h":1,"l":1,"c":1,"v":1}]}"#,
    ]) func `any other form is left to the decoder`(text: String) {
        #expect(AggregateScan.read(Array(text.utf8)) == nil)
    }
}

@Suite(.timeLimit(.minutes(1))) struct ReconcileScheduleTests {
    private let evening = day.moment(minuteOfDay: 21 * 60)

    @Test func `the day is due at the time, once`() {
        var schedule = ReconcileSchedule(minute: 21 * 60, since: opening)
        #expect(schedule.due(at: evening - 1) == nil && schedule.wait(at: evening - 1) == 1)
        #expect(schedule.due(at: evening) == day && schedule.wait(at: evening) == 0)
        schedule.finished(day)
        #expect(schedule.due(at: evening + 60_000) == nil && schedule.wait(at: evening + 60_000) == 86_340_000)
        #expect(schedule.due(at: evening + 24 * 3_600_000) == day.after)
    }

    @Test func `a time before the day is over is of the day before`() {
        let schedule = ReconcileSchedule(minute: 9 * 60, since: opening - 86_400_000)
        #expect(schedule.due(at: opening)?.description == nil)
        let older = ReconcileSchedule(minute: 9 * 60, since: opening - 5 * 86_400_000)
        #expect(older.due(at: opening)?.description == "2023-12-29")
    }

    @Test func `on a delayed feed a day is due only when its last bars have come`() {
        let minute = 20 * 60 + 20
        let time = day.moment(minuteOfDay: minute)
        #expect(ReconcileSchedule(minute: minute, since: opening).due(at: time) == day)
        let delayed = ReconcileSchedule(minute: minute, since: opening, delay: 16 * 60_000)
        #expect(delayed.due(at: time) == nil && delayed.due(at: time + 86_400_000) == day)
        #expect(ReconcileSchedule(minute: 21 * 60, since: opening, delay: 16 * 60_000).due(at: evening) == day)
    }

    @Test func `a box that was off catches up on every day of the last seven, a new one has nothing to`() {
        let later = day.advanced(by: 14).moment(minuteOfDay: 21 * 60)
        var schedule = ReconcileSchedule(minute: 21 * 60, since: opening)
        var days: [String] = []
        while let next = schedule.due(at: later) {
            days.append(next.description)
            schedule.finished(next)
        }
        // Martin Luther King Jr. Day is left out.
        #expect(
            days == [
                "2024-01-16", "2024-01-12", "2024-01-11", "2024-01-10", "2024-01-09", "2024-01-08", "2024-01-05",
            ])
        #expect(ReconcileSchedule(minute: 21 * 60, since: evening + 1).due(at: evening + 3_600_000) == nil)
    }

    @Test func `a day is done for the symbols that it was compared for, and due again for others`() {
        let (apple, ibm) = (Symbol("AAPL")!, Symbol("IBM")!)
        var schedule = ReconcileSchedule(minute: 21 * 60, since: opening)
        schedule.finished(day, of: [apple])
        #expect(schedule.due(at: evening, collecting: [apple]) == nil)
        #expect(schedule.due(at: evening, collecting: [apple, ibm]) == day)
        #expect(schedule.wait(at: evening, collecting: [apple, ibm]) == 0)
        schedule.finished(day, of: [ibm])
        #expect(schedule.due(at: evening, collecting: [apple, ibm]) == nil)
        #expect(schedule.due(at: evening) == nil)
    }

    @Test func `while no symbol is collected, no day is due and none is done`() {
        let schedule = ReconcileSchedule(minute: 21 * 60, since: opening)
        #expect(schedule.due(at: evening, collecting: []) == nil)
        #expect(schedule.wait(at: evening, collecting: []) == 86_400_000)
        #expect(schedule.due(at: evening, collecting: [Symbol("AAPL")!]) == day)
    }

    @Test func `a failure is tried again, later each time, until the day is done`() {
        var schedule = ReconcileSchedule(minute: 21 * 60, since: opening)
        schedule.failed(day, at: evening)
        #expect(schedule.due(at: evening + 1) == nil && schedule.wait(at: evening) == 600_000)
        #expect(schedule.due(at: evening + 600_000) == day)
        schedule.failed(day, at: evening + 600_000)
        #expect(schedule.wait(at: evening + 600_000) == 1_200_000)
        schedule.finished(day)
        #expect(schedule.due(at: evening + 86_000_000) == nil)
    }

    @Test func `a day that stays incomplete is tried beside the next ones, and is given up after seven`() {
        var schedule = ReconcileSchedule(minute: 21 * 60, since: opening)
        schedule.failed(day, at: evening)
        let next = evening + 86_400_000
        #expect(schedule.due(at: next) == day.after)
        schedule.finished(day.after)
        #expect(schedule.due(at: next) == day && schedule.forgetPast(at: next).isEmpty)
        schedule.failed(day, at: next)
        let late = day.advanced(by: 14).moment(minuteOfDay: 21 * 60)
        #expect(schedule.forgetPast(at: late) == [day])
        #expect(schedule.forgetPast(at: late).isEmpty)
    }
}

@Suite(.blocking, .timeLimit(.minutes(1))) struct FlatFileTests {
    private static let header = "ticker,volume,open,close,high,low,window_start,transactions"
    private let starts = day.moment(minuteOfDay: 0)..<day.after.moment(minuteOfDay: 0)

    private func line(_ symbol: String, _ minute: Int, volume: Int = 1500) -> String {
        "\(symbol),\(volume),10.5,10.75,11,10.25,\((opening + Int64(minute) * 60_000) * 1_000_000),12"
    }

    private func read(_ path: String, _ symbols: [String]) async throws -> [String: [DayBar]] {
        let tape = try FlatFileTape(path: path, symbols.compactMap { Symbol($0) }, starts: starts) { _ in }
        var found: [String: [DayBar]] = [:]
        while let group = try await tape.next().get() {
            for (symbol, bars) in group.bars {
                #expect(found.updateValue(bars, forKey: symbol.description) == nil)
            }
        }
        return found
    }

    @Test(arguments: [false, true]) func `a file gives the bars of the symbols asked for, packed or not`(isPacked: Bool)
        async throws
    {
        let workspace = try Workspace()
        let others = (0..<5000).map { line("A\($0)", 1) }
        let text =
            ([Self.header] + others + [line("AAPL", 0), line("AAPL", 1), line("ZZZ", 3)]).joined(separator: "\n") + "\n"
        var path = try workspace.write(text, to: "2024-01-02.csv")
        if isPacked {
            try Command.run(["/usr/bin/gzip", path])
            path += ".gz"
        }
        let found = try await read(path, ["AAPL", "NONE", "ZZZ"])
        #expect(found["AAPL"]?.map(\.start) == [opening, opening + 60_000])
        #expect(found["ZZZ"]?.count == 1 && found["NONE"] == [])
        let first = try #require(found["AAPL"]?.first)
        #expect((first.open, first.high, first.low, first.close) == (10.5, 11, 10.25, 10.75))
        #expect(first.volume == 1500 && first.vwap == nil)
    }

    @Test func `more symbols than a group holds come once each`() async throws {
        let workspace = try Workspace()
        let lines = (0..<250).flatMap { number in (0..<3).map { line("S\(number)", $0) } }
        let path = try workspace.write(([Self.header] + lines).joined(separator: "\n") + "\n", to: "day.csv")
        let found = try await read(path, (0..<260).map { "S\($0)" })
        #expect(found.count == 260 && found.values.count { $0.count == 3 } == 250)
    }

    @Test(arguments: ["\u{FEFF}", ""], ["\n", "\r\n"])
    func `a byte order mark, another order of the columns and lines that end with CRLF are read`(
        mark: String, end: String
    ) async throws {
        let workspace = try Workspace()
        let lines =
            ["window_start,transactions,low,high,close,open,volume,ticker"]
            + (0..<3).map { "\((opening + Int64($0) * 60_000) * 1_000_000),12,10.25,11,10.75,10.5,1500,AAPL" }
        let path = try workspace.write(mark + lines.joined(separator: end) + end, to: "day.csv")
        let found = try await read(path, ["AAPL"])
        #expect(found["AAPL"]?.map(\.start) == (0..<3).map { opening + $0 * 60_000 })
        #expect(found["AAPL"]?.first?.volume == 1500)
    }

    @Test func `of a symbol behind the end of a sorted file nobody knows whether it had no trades`() async throws {
        let workspace = try Workspace()
        let lines = ["AAPL", "BRK.B", "MSFT"].map { line($0, 1) }
        let path = try workspace.write(([Self.header] + lines).joined(separator: "\n") + "\n", to: "day.csv")
        let symbols = ["AAPL", "GOOG", "NVDA", "TSLA"].compactMap { Symbol($0) }
        let tape = try FlatFileTape(path: path, symbols, starts: starts) { _ in }
        let group = try #require(try await tape.next().get())
        #expect(group.bars.mapValues(\.count) == [symbols[0]: 1, symbols[1]: 0])
        #expect(Set(group.failures.keys) == Set(symbols[2...]))
        #expect(group.failures[symbols[2]]?.message.contains("ends with MSFT") == true)
        let rest = try await tape.next().get()
        #expect(rest?.bars.count == nil)
    }

    @Test func `a file whose tickers are not together, or that is cut short, is refused before anything is compared`()
        async throws
    {
        let workspace = try Workspace()
        let symbols = (0..<100).map { "S\($0)" }
        let byTime = [Self.header] + (0..<2).flatMap { minute in symbols.map { line($0, minute) } }
        let path = try workspace.write(byTime.joined(separator: "\n") + "\n", to: "day.csv")
        let error = await #expect(throws: BackfillError.self) { _ = try await read(path, symbols) }
        #expect(error?.reason == .badFile)
        #expect(error?.message.contains("line 102: the lines of S0 are not together") == true)
        #expect(throws: BackfillError.self) {
            try FlatFileTape(path: path, symbols.compactMap { Symbol($0) }, starts: starts) { _ in }
        }
        let directory = await #expect(throws: BackfillError.self) { _ = try await read(workspace.path, symbols) }
        #expect(directory?.message.contains("Is a directory") == true, "\(directory?.message ?? "")")
    }

    @Test func `a file of another day, of something else, or cut short is refused by name`() async throws {
        let workspace = try Workspace()
        func refusal(_ text: String, cut: Int? = nil) async throws -> BackfillError? {
            var path = try workspace.write(text, to: "day.csv")
            if let cut {
                try Command.run(["/usr/bin/gzip", "-f", path])
                path += ".gz"
                let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
                try bytes.dropLast(cut).write(to: URL(fileURLWithPath: path))
            }
            return await #expect(throws: BackfillError.self) { _ = try await read(path, ["AAPL"]) }
        }
        let late = Self.header + "\n" + line("AAPL", 3000) + "\n"
        #expect(
            try await refusal(late)?.message.contains("line 2: the bar is of 2024-01-04, not of 2024-01-02") == true)
        #expect(try await refusal(Self.header + "\n")?.message.contains("has no bar of 2024-01-02") == true)
        #expect(
            try await refusal([Self.header, line("AAPL", 1), line("AAPL", 2)].joined(separator: "\n"))?.message
                .contains("line 3: the line has no end") == true)
        #expect(
            try await refusal([Self.header, line("AAPL", 1, volume: -5), ""].joined(separator: "\n"))?.message
                .contains("line 2: not a bar") == true)
        #expect(try await refusal("time,price\n1,2\n")?.message.contains("minute_aggs_v1") == true)
        #expect(try await refusal(Self.header + "\nAAPL,x,1,1,1,1,1,1\n")?.message.contains("line 2") == true)
        let many = ([Self.header] + (0..<2000).map { line("AAPL", $0 % 390) }).joined(separator: "\n")
        #expect(try await refusal(many, cut: 100)?.message.contains("cut short") == true)
        let missing = await #expect(throws: BackfillError.self) { _ = try await read("/nonexistent.csv.gz", ["AAPL"]) }
        #expect(missing?.reason == .unreadableFile)
    }
}

/// Against a REST server on loopback and a real file.
@Suite(.timeLimit(.minutes(3))) struct ReconcilerTests {
    private struct Rig {
        let workspace: Workspace
        let buffer: TickBuffer
        let client: AggregatesClient
        let server: ScriptedREST

        init(_ answer: @escaping @Sendable (String) -> (status: Int, body: String)) throws {
            workspace = try Workspace()
            buffer = try TickBuffer.scratch(in: workspace.path)
            server = try ScriptedREST(answer)
            client = try AggregatesClient.local(server.port, tries: 1)
        }

        func reconciler(_ target: Reconciler.Target? = nil) -> Reconciler {
            Reconciler(source: .aggregates(client), buffer: buffer, target: target)
        }

        func offer(_ bars: [Bar]) async throws {
            var batch = EventBatch(connection: "primary", receivedMicroseconds: WallClock.microseconds())
            batch.bars = bars
            _ = buffer.offer(batch)
            try await buffer.flush()
        }

        func close() async {
            await client.shutdown()
            await buffer.close()
        }
    }

    private static func answer(_ target: String) -> (status: Int, body: String) {
        if target.contains("/BAD/") { return (403, "{}") }
        guard target.contains("/AAPL/") else { return (200, #"{"status":"OK"}"#) }
        let bars = (0..<5).map { #"{"t":\#(bar($0).start),"o":10,"h":11,"l":9,"c":10,"v":100,"vw":10.2}"# }
        return (200, #"{"status":"OK","results":[\#(bars.joined(separator: ","))]}"#)
    }

    @Test func `the file ends as the tape has it, keeps what the tape lacks, and a second look finds nothing`()
        async throws
    {
        let rig = try Rig(Self.answer)
        var different = bar(2, close: 9.5, vwap: 10.2)
        different.dayOpen = 9.25
        try await rig.offer([bar(0, vwap: 10.2), different, bar(3, vwap: 10.2), bar(7)])
        let symbols = [Symbol("AAPL")!, Symbol("QUIET")!]
        let first = try await rig.reconciler().run(day, symbols)
        #expect(first.isComplete && first.failures.isEmpty)
        let found = try #require(first.findings.first { $0.day.symbol == symbols[0] })
        #expect(found.added == [bar(1).start, bar(4).start] && found.corrected == [bar(2).start])
        #expect(found.extra == [bar(7).start] && found.day.untraded == 384)
        let stored = try GapLog.bars(
            directory: rig.workspace.path, symbols: [symbols[0]], interval: .minute, starts: opening...bar(9).start,
            received: nil)[symbols[0]]
        let corrected = stored?[bar(2).start]?.bar
        #expect(corrected?.close == 10 && corrected?.dayOpen == 9.25)
        #expect(stored?.count == 6)
        let second = try await rig.reconciler().run(day, symbols)
        #expect(second.findings.allSatisfy { $0.added.isEmpty && $0.corrected.isEmpty })
        let log = try DayLog.reconciled(directory: rig.workspace.path)
        #expect(log.map(\.symbol) == symbols && log.allSatisfy(\.isComplete) && log[0].tape == 5)
        await rig.close()
    }

    @Test(arguments: [
        #"{"status":"ERROR","error":"an error"}"#, #"{"status":"NOT_AUTHORIZED","message":"upgrade"}"#, "{}",
        #"{"status":"ERROR","results":[]}"#, #"{"status":"• odd •"}"#,
        #"{"status":"OK","resultsCount":0,"missing":{"reason":"the status of the buffer"}}"#,
    ])
    func `an answer that gives nothing is no day without trades`(body: String) async throws {
        let rig = try Rig { _ in (200, body) }
        let report = try await rig.reconciler().run(day, [Symbol("AAPL")!])
        let error = try #require(report.failures[Symbol("AAPL")!])
        #expect(!report.isComplete && report.findings.isEmpty)
        #expect(error.reason == (body.contains("missing") ? .incomplete : .badAnswer), "\(error)")
        #expect(!error.message.contains("buffer"), "\(error)")
        #expect(error.message.utf8.allSatisfy { 0x20..<0x7F ~= $0 })
        #expect(try DayLog.reconciled(directory: rig.workspace.path).isEmpty)
        await rig.close()
    }

    @Test(arguments: [1, 200])
    func `a day of which the server has no bar of any symbol was not compared`(count: Int) async throws {
        let rig = try Rig { _ in (200, #"{"status":"OK","resultsCount":0}"#) }
        let symbols = (0..<count).compactMap { Symbol("S\($0)") }
        let error = await #expect(throws: BackfillError.self) { try await rig.reconciler().run(day, symbols) }
        #expect(
            error?.reason == .badAnswer
                && error?.message.contains("has no bar of any of these symbols on 2024-01-02") == true)
        #expect(rig.server.requests.count == count)
        #expect(try DayLog.reconciled(directory: rig.workspace.path).isEmpty)
        await rig.close()
    }

    @Test func `symbols without trades are complete once another symbol shows that the server has the day`()
        async throws
    {
        let rig = try Rig(Self.answer)
        let quiet = (0..<170).compactMap { Symbol("S\($0)") }
        let report = try await rig.reconciler().run(day, quiet + [Symbol("AAPL")!])
        #expect(report.isComplete && report.findings.count == 171)
        #expect(report.findings.count { $0.day.tape == 0 } == 170)
        #expect(try DayLog.reconciled(directory: rig.workspace.path).count == 171)
        await rig.close()
    }

    @Test func `a tape without a bar of a symbol that has bars here proves nothing, and says so`() async throws {
        let isLoaded = Mutex(false)
        let rig = try Rig { target in
            let isThere = isLoaded.withLock { $0 } && target.contains("/IBM/")
            return isThere ? ScriptedREST.page([bar(3).start]) : Self.answer(target)
        }
        var own = bar(3)
        own.symbol = Symbol("IBM")!
        try await rig.offer([own])
        let symbols = ["AAPL", "IBM", "QUIET"].compactMap { Symbol($0) }
        var reconciler = rig.reconciler()
        reconciler.now = { [day] in day.span.upperBound }
        let report = try await reconciler.run(day, symbols)
        #expect(!report.isComplete && report.findings.map(\.day.symbol) == [symbols[0], symbols[2]])
        let why = try #require(report.failures[symbols[1]]?.message)
        #expect(why.contains("has no bar of IBM on 2024-01-02, but 1 bar is here"), "\(why)")
        // Nothing is recorded, so that no minute counts as one without trades.
        #expect(try DayLog.reconciled(directory: rig.workspace.path).map(\.symbol) == [symbols[0], symbols[2]])
        // A tape that stays empty for a day is what there is.
        reconciler.now = { [day] in day.span.upperBound + 86_400_000 }
        let final = try await reconciler.run(day, symbols)
        #expect(final.isComplete && final.findings.count == 3)
        isLoaded.withLock { $0 = true }
        let again = try await rig.reconciler().run(day, symbols)
        #expect(again.isComplete && again.findings.count == 3)
        await rig.close()
    }

    @Test func `a symbol without trades is complete by itself once the day is known to be loaded`() async throws {
        let rig = try Rig(Self.answer)
        let quiet = [Symbol("QUIET")!]
        await #expect(throws: BackfillError.self) { try await rig.reconciler().run(day, quiet) }
        let report = try await rig.reconciler().run(day, quiet, isLoaded: true)
        #expect(report.isComplete && report.findings.count == 1)
        await rig.close()
    }

    @Test func `pages that bring nothing and name another come to an end`() async throws {
        let rig = try Rig { target in
            let next = (Int(target.split(separator: "=").last ?? "") ?? 0) + 1
            return (200, #"{"status":"OK","results":[],"next_url":"/v2/aggs/ticker/AAPL?cursor=\#(next)"}"#)
        }
        let report = try await rig.reconciler().run(day, [Symbol("AAPL")!])
        #expect(report.failures[Symbol("AAPL")!]?.message.contains("do not end") == true)
        #expect(rig.server.requests.count == 20)
        await rig.close()
    }

    @Test
    func `a bar of the tape that can't be read is open, whatever is here, and nothing is taken for not on the tape`()
        async throws
    {
        let rig = try Rig { target in
            let (status, body) = Self.answer(target)
            return (status, body.replacing(#"{"t":\#(bar(3).start),"#, with: #"{"t":"a minute","#))
        }
        try await rig.offer([bar(3, vwap: 10.2)])
        let symbols = [Symbol("AAPL")!, Symbol("QUIET")!]
        let report = try await rig.reconciler().run(day, symbols)
        #expect(!report.isComplete && report.failures.isEmpty)
        let found = try #require(report.findings.first { $0.day.symbol == symbols[0] })
        #expect(found.unreadable == 1 && found.day.missing == 1 && found.day.tape == 5 && found.open.isEmpty)
        #expect(found.added.count == 4 && found.extra.isEmpty && found.day.untraded == 385)
        let log = try DayLog.reconciled(directory: rig.workspace.path)
        #expect(log.map(\.isComplete) == [false, true])
        await rig.close()
    }

    @Test func `where everything is collected, the symbols are those of the file and those that were compared`()
        async throws
    {
        let rig = try Rig(Self.answer)
        let error = await #expect(throws: BackfillError.self) { try await rig.reconciler().everySymbol(of: day) }
        #expect(error?.message.contains("--date 2024-01-02") == true)
        try await rig.offer([bar(3)])
        _ = try await rig.reconciler().run(day, [Symbol("AAPL")!, Symbol("QUIET")!])
        var other = bar(5)
        other.symbol = Symbol("IBM")!
        try await rig.offer([other])
        #expect(try await rig.reconciler().everySymbol(of: day).map(\.description) == ["AAPL", "IBM", "QUIET"])
        await rig.close()
    }

    @Test func `a symbol that can't be had is named, and the others are done`() async throws {
        let rig = try Rig(Self.answer)
        let report = try await rig.reconciler().run(day, [Symbol("AAPL")!, Symbol("BAD")!])
        #expect(!report.isComplete && report.findings.map(\.day.added) == [5])
        #expect(report.failures[Symbol("BAD")!]?.reason == .notAuthorized)
        #expect(try DayLog.reconciled(directory: rig.workspace.path).map(\.symbol.description) == ["AAPL"])
        await rig.close()
    }
}

/// The service, with the real clock, over a file that is old enough for seven days to be due.
@Suite(.blocking, .timeLimit(.minutes(3))) struct ReconcileServiceTests {
    private let workspace: Workspace
    private let server: ScriptedREST

    init() async throws {
        workspace = try Workspace()
        // One bar at noon of each day that is asked for, of one symbol.
        server = try ScriptedREST { target in
            let parts = target.split { "/?".contains($0) }
            guard parts.contains("AAPL"), let place = parts.firstIndex(of: "minute"), place + 1 < parts.count,
                let midnight = Int64(parts[place + 1])
            else { return (200, #"{"status":"OK"}"#) }
            return ScriptedREST.page([midnight + 12 * 3_600_000])
        }
        let buffer = try open()
        await buffer.close()
        try Command.sqlite(
            workspace.file("ticks.sqlite"), "UPDATE buffer SET created_us = created_us - 30 * 86400000000")
    }

    private func open() throws -> TickBuffer { try TickBuffer.scratch(in: workspace.path) }

    /// Runs a service until it sleeps, and returns its state.
    private func run(collecting names: [String]) async throws -> ReconcileState {
        let buffer = try open()
        let symbols = names.compactMap { Symbol($0) }
        let service = ReconcileService(
            client: try AggregatesClient.local(server.port, tries: 1), buffer: buffer, target: nil, minute: 21 * 60,
            symbols: { symbols }, logger: .quiet)
        let running = Task { try await service.run() }
        try await Waiting.until("the end of what is due") {
            service.state.next.map { $0 > WallClock.milliseconds() + 1000 } ?? false
        }
        running.cancel()
        try await running.value
        await buffer.close()
        return service.state
    }

    @Test func `a day that is not over by the REST server's clock is not compared, whatever this machine's shows`()
        async throws
    {
        // By its clock, the file is not made yet, and no day is due.
        let behind = try ScriptedREST(clock: WallClock.milliseconds() - 31 * 86_400_000) { _ in
            ScriptedREST.page([Int64]())
        }
        let buffer = try open()
        let service = ReconcileService(
            client: try AggregatesClient.local(behind.port, tries: 1), buffer: buffer, target: nil, minute: 21 * 60,
            symbols: { [Symbol("AAPL")].compactMap(\.self) }, logger: .quiet)
        let running = Task { try await service.run() }
        try await Waiting.until("the first look") { service.state.next != nil }
        running.cancel()
        try await running.value
        await buffer.close()
        #expect(behind.requests.isEmpty && service.state.days.isEmpty)
        #expect(service.state.clockLead > 30 * 86_400_000)
    }

    @Test func `while no symbol is collected, no day is called complete`() async throws {
        let state = try await run(collecting: [])
        #expect(state.days.isEmpty && server.requests.isEmpty)
    }

    @Test func `symbols that are collected later are compared for the days that are done, and no others`()
        async throws
    {
        let first = try await run(collecting: ["AAPL"])
        #expect(first.days.count == 7 && first.open.isEmpty)
        #expect(first.days.allSatisfy { $0.totals.symbols == 1 && $0.totals.tape == 1 })
        #expect(server.requests.count == 7)
        // A symbol that had no trades, such as one that was not listed then, is no fault of the day.
        let second = try await run(collecting: ["AAPL", "NEW"])
        #expect(second.days.count == 7 && second.open.isEmpty)
        #expect(second.days.allSatisfy { $0.totals.symbols == 2 })
        #expect(server.requests.count == 14 && server.requests.suffix(7).allSatisfy { $0.contains("/NEW/") })
    }
}
