public import MarketData
public import Store
public import Upstream

/// The evidence that the file, and the database if it is asked, give about the minute bars of some days.
public struct CoverageEvidence: Sendable {
    private var days: [TradingDay: DayCoverage.Evidence] = [:]
    private let sessions: [(day: TradingDay, session: Range<Int64>)]
    private let span: ClosedRange<TradingDay>
    private var askedUpstream = false
    private var problem: String?
    private var isComplete = true

    /// Reads the evidence in a buffer's file. Blocks on the disk.
    ///
    /// - Parameters:
    ///   - collected: symbols that are reported on each day since the file was made, even without a bar.
    ///   - pace: called between two steps of reading. If it returns `false`, reading ends and the report is marked
    ///     incomplete.
    /// - Throws: `.missing` if there is no file, and the errors of reading.
    public init(
        directory: String, days span: ClosedRange<TradingDay>, collected: Set<Symbol> = [],
        pace: TickHistory.Pace = { _, _ in true }
    ) throws(StoreError) {
        self.span = span
        sessions = span.compactMap { day in day.session.map { (day, $0.regularOpen..<$0.regularClose) } }
        // A missing file is an error on days without trading too.
        let made = try DayLog.made(directory: directory) ?? .max
        guard let first = sessions.first?.session, let last = sessions.last?.session else { return }
        let whole = first.lowerBound..<last.upperBound
        let history = TickHistory(directory: directory)
        let gaps = try GapLog.read(
            directory: directory, overlapping: whole.lowerBound...whole.upperBound, limit: Self.mostGaps,
            fills: .symbols([.minuteBar]))
        let drops = try history.lostBars(within: whole)
        let reconciled = Dictionary(
            grouping: try DayLog.reconciled(directory: directory, days: span).filter(\.isComplete), by: \.day)
        for (day, session) in sessions {
            var evidence = DayCoverage.Evidence()
            evidence.gaps = gaps.filter { $0.gap.from < session.upperBound && $0.gap.to ?? .max > session.lowerBound }
            evidence.drops = drops.filter { $0.starts.overlaps(session) }
            // Another program may have written a symbol twice, as text and as bytes.
            evidence.reconciled = Dictionary((reconciled[day] ?? []).map { ($0.symbol, $0.withBar) }) { min($0, $1) }
            days[day] = evidence
        }
        var finder = SessionFinder(sessions: sessions)
        var bars = [[Symbol: BitSet]](repeating: [:], count: sessions.count)
        let reading = try history.minuteBars(starts: whole, pace: pace) { symbol, start in
            guard let (place, minute) = finder.find(start) else { return }
            bars[place][symbol, default: BitSet()].insert(minute)
        }
        isComplete = reading.isComplete
        for (place, (day, session)) in sessions.enumerated() {
            if session.upperBound > made {
                for symbol in collected where bars[place][symbol] == nil { bars[place][symbol] = BitSet() }
            }
            days[day]?.bars = bars[place]
            days[day]?.isWhole = reading.isComplete && (reading.heldSince ?? .min) <= session.lowerBound
        }
    }

    /// The most gaps that are read; the newest count.
    private static let mostGaps = 100_000

    /// Adds what the database has, newest days first. If the database can't be asked, the report says why and uses only
    /// the file.
    ///
    /// - Parameter pace: called before each query with the number of days asked about so far and the number of all
    ///   days; returns how many days to ask about next. 0 ends the queries, and the report says so.
    public mutating func add(
        from reader: UpstreamReader, symbols: Set<Symbol>?, pace: (_ done: Int, _ total: Int) -> Int
    ) async {
        var finder = SessionFinder(sessions: sessions)
        var left = sessions[...]
        while let newest = left.last {
            let some = left.suffix(pace(sessions.count - left.count, sessions.count))
            guard let oldest = some.first else {
                problem =
                    "the time limit was reached; days before \(newest.day.after) were not read from the database: "
                    + "ask for fewer days, or run edgetick coverage"
                askedUpstream = left.count < sessions.count
                return
            }
            do throws(UpstreamError) {
                let found = try await reader.minuteBars(
                    starts: oldest.session.lowerBound..<newest.session.upperBound, symbols: symbols?.sorted())
                for (symbol, starts) in found {
                    for start in starts {
                        guard let (place, minute) = finder.find(start) else { continue }
                        let day = sessions[place].day
                        days[day]?.bars[symbol, default: BitSet()].insert(minute)
                        // A day without any rows in the database proves nothing: its retention may have deleted them.
                        if isComplete { days[day]?.isWhole = true }
                    }
                }
            } catch {
                problem = error.description
                return
            }
            left = left.dropLast(some.count)
        }
        askedUpstream = true
    }

    /// Returns how many days to ask the database about next when time is limited: as many as should fit into the time
    /// that is left, at the pace so far, but at most as many as have been done.
    public static func days(after done: Int, in elapsed: Duration, of limit: Duration) -> Int {
        guard done > 0 else { return 1 }
        guard elapsed < limit else { return 0 }
        return max(1, Int(min(Double(done), Double(done) * ((limit - elapsed) / elapsed))))
    }

    /// Returns what is known about the days.
    ///
    /// - Parameters:
    ///   - symbols: the symbols to report; `nil` for all that the evidence names.
    ///   - now: the present time, in milliseconds since the Unix epoch.
    public func report(symbols: Set<Symbol>?, now: Int64) -> CoverageReport {
        CoverageReport(
            days: span.map { day in
                DayCoverage(day, symbols: symbols, evidence: days[day] ?? DayCoverage.Evidence(), now: now)
            }, askedUpstream: askedUpstream, problem: problem, isComplete: isComplete)
    }
}

/// Finds the session of a moment. Most moments are in the same session as the one before.
private struct SessionFinder {
    let sessions: [(day: TradingDay, session: Range<Int64>)]
    var last = 0

    mutating func find(_ start: Int64) -> (place: Int, minute: Int)? {
        if !sessions[last].session.contains(start) {
            guard let found = sessions.firstIndex(where: { $0.session.contains(start) }) else { return nil }
            last = found
        }
        return (last, Int((start - sessions[last].session.lowerBound) / DayCoverage.length))
    }
}
