import FeedSimulator
import Foundation
import LedgerSupport
import MarketData

/// Compares what was sent with what the buffer's file and the database hold, event by event.
///
/// Every event is rebuilt from its number, so the oracle only needs to know how far the feed has come. It finds
///
/// - **missing** events: a row that was reported durable but is not in the file; a sequence number left out between
///   rows; an event that was sent but is nowhere, and that no gap and no drop in the file explains; an event of the
///   file that is not upstream (if bytes were changed on purpose, also not among the dead letters).
/// - **spurious** events: a row that matches no event of the plan, or one that was not sent yet; a row upstream that
///   was never in the file.
/// - **corrupted** events: a row with a column that differs from the event.
/// - **doubled** events: an event that is twice in the file or upstream.
struct LedgerOracle {
    /// The result of a comparison.
    struct Findings: CustomStringConvertible {
        var events = 0
        var upstream = 0
        var explained = 0
        /// The number of explained events that are among the dead letters.
        var refused = 0
        var missing: [String] = []
        var spurious: [String] = []
        var corrupted: [String] = []
        var doubled: [String] = []

        /// Whether nothing is wrong.
        var isClean: Bool { missing.isEmpty && spurious.isEmpty && corrupted.isEmpty && doubled.isEmpty }

        var description: String {
            let parts = [("missing", missing), ("spurious", spurious), ("corrupted", corrupted), ("doubled", doubled)]
            let faults = parts.filter { !$0.1.isEmpty }
                .map { "\($0.1.count) \($0.0): " + $0.1.prefix(4).joined(separator: "; ") }
            return "\(events) events in the file, \(upstream) upstream, \(explained) explained by gaps and drops"
                + (faults.isEmpty ? ": all as sent" : "\n" + faults.joined(separator: "\n"))
        }
    }

    var plan: LedgerPlan
    /// The number of the first event that was sent.
    var first: UInt64 = 0
    /// The number after the last that may have been sent.
    var end: UInt64
    /// The highest sequence number of each stream that was reported durable.
    var reported: [EventStream: Int64] = [:]
    /// Whether the database may have rows that the file lost, because the test damaged the file.
    var allowsLostFile = false
    /// Whether events may have been sent after the last collector stopped, which no file can record.
    var allowsTail = false
    /// Events before this number may be gone, because the test damaged the file that held them.
    var lostBefore: UInt64 = 0

    /// The gaps recorded in files that were set aside, which an operator can still read.
    var toldBefore: [BufferFile.RecordedGap] = []

    /// Compares the file, and the database if given, with what was sent.
    func compare(_ file: BufferFile, _ upstream: UpstreamTables?) throws -> Findings {
        var findings = Findings()
        var found: Set<UInt64> = []
        // Events that upstream need not have, since the file records that the database refused their damaged rows.
        var refused: Set<UInt64> = []
        let dead = lostBefore > 0 ? try file.deadLetters() : [:]
        let drops = try file.drops()
        let deleted = try file.deletedThrough()
        for stream in EventStream.allCases {
            var next = (deleted[stream] ?? 0) + 1
            try file.rows(stream) { row in
                findings.events += 1
                if row.sequence > next { missingNumbers(stream, next..<row.sequence, drops, &findings) }
                next = max(next, row.sequence + 1)
                guard let id = check(row, "file", &findings) else { return }
                if dead[stream]?.contains(row.sequence) ?? false { refused.insert(id) }
                if !found.insert(id).inserted {
                    findings.doubled.append("file: \(describe(id))")
                }
            }
            if let last = reported[stream], last >= next {
                missingNumbers(stream, next..<(last + 1), drops, &findings)
            }
        }
        let there = try upstream.map { try compare($0, with: found, refused, deleted, &findings) } ?? []
        // Uploaded rows may have been deleted to free space, or may be in a file that was set aside.
        let gone = Set(
            there.filter {
                (allowsLostFile || deleted[plan.event($0).kind.stream] ?? 0 > 0) && !found.contains($0)
            })
        findings.explained += gone.count
        try explainHoles(found, gone, file, drops, &findings)
        return findings
    }

    /// Checks only the database, for spurious, corrupted and doubled events.
    func compare(_ upstream: UpstreamTables) throws -> Findings {
        var findings = Findings()
        _ = try compare(upstream, with: nil, [], [:], &findings)
        return findings
    }

    // MARK: - Parts

    /// Returns the number of the row's event, or `nil` if there is none; records what is wrong with the row.
    private func check(_ row: LedgerRow, _ place: String, _ findings: inout Findings) -> UInt64? {
        guard let symbol = Symbol(row.symbol), let id = plan.id(of: row.kind, symbol: symbol, time: row.time),
            id >= first, id < end
        else {
            findings.spurious.append("\(place): \(row.kind.rawValue) \(row.symbol) \(row.time) #\(row.sequence)")
            return nil
        }
        let expected = LedgerColumns.expected(plan.event(id))
        if row.values != expected {
            for (name, (found, wanted)) in zip(LedgerColumns.names(row.kind.stream), zip(row.values, expected))
            where found != wanted {
                findings.corrupted.append(
                    "\(place): \(describe(id)) \(name) is \(found ?? "null"), not \(wanted ?? "null")")
                break
            }
        }
        return id
    }

    private func missingNumbers(
        _ stream: EventStream, _ range: Range<Int64>, _ drops: [BufferFile.RecordedDrop], _ findings: inout Findings
    ) {
        let known = drops.contains { drop in
            drop.stream == stream.rawValue
                && drop.sequences.map { $0.lowerBound <= range.lowerBound && range.upperBound - 1 <= $0.upperBound }
                    ?? false
        }
        if known || lostBefore > 0 {
            findings.explained += range.count
        } else {
            findings.missing.append("file: \(stream.rawValue) \(range.lowerBound) to \(range.upperBound - 1)")
        }
    }

    /// Checks that a drop, or a gap of its symbol and kind at its own time, explains every event that was sent but is
    /// nowhere.
    private func explainHoles(
        _ found: Set<UInt64>, _ gone: Set<UInt64>, _ file: BufferFile, _ drops: [BufferFile.RecordedDrop],
        _ findings: inout Findings
    ) throws {
        let gaps = try file.gaps() + toldBefore
        let last = allowsTail ? found.max() ?? 0 : end
        for hole in max(first, lostBefore)..<max(first, lostBefore, last)
        where !found.contains(hole) && !gone.contains(hole) {
            let event = plan.event(hole)
            let isTold =
                drops.contains { $0.covers(event.kind, "\(event.symbol)", at: event.time) }
                || gaps.contains { $0.covers(event) }
            if isTold {
                findings.explained += 1
            } else {
                findings.missing.append("file: \(describe(hole)) was sent, and no gap has it")
            }
        }
    }

    private func compare(
        _ upstream: UpstreamTables, with found: Set<UInt64>?, _ refused: Set<UInt64>,
        _ deleted: [EventStream: Int64], _ findings: inout Findings
    ) throws -> Set<UInt64> {
        var there: Set<UInt64> = []
        for stream in EventStream.allCases {
            try upstream.rows(stream) { row in
                findings.upstream += 1
                guard let id = check(row, "upstream", &findings) else { return }
                if !there.insert(id).inserted { findings.doubled.append("upstream: \(describe(id))") }
                let mayBeGone = allowsLostFile || deleted[stream] ?? 0 > 0
                if let found, !found.contains(id), !mayBeGone {
                    findings.spurious.append("upstream: \(describe(id)) was never in the file")
                }
            }
        }
        for id in (found ?? []).sorted() where !there.contains(id) {
            if refused.contains(id) {
                findings.explained += 1
                findings.refused += 1
                continue
            }
            findings.missing.append("upstream: \(describe(id))")
        }
        return there
    }

    private func describe(_ id: UInt64) -> String {
        let event = plan.event(id)
        return "\(id) (\(event.kind.rawValue) \(event.symbol) \(event.time))"
    }
}
