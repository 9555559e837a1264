import Glibc
public import MarketData
import Store
import Synchronization
public import Upstream

/// Writes events into files for other programs: partitioned by day and stream, and by symbol when asked.
///
/// A file gets its name when it is complete, so a reader never sees half of one; a file that is already there is
/// replaced. Days are written one after another. Of a day's files, the one that holds the most goes to disk first, so
/// that memory is bounded by the symbols of one day. When an export fails or is cancelled, no part of a file remains,
/// and it can be run again.
public struct Exporter: Sendable {
    private let options: ExportOptions
    /// The most bytes that are held for all files together.
    var mostBytes = 64 << 20

    /// Makes an export.
    public init(_ options: ExportOptions) { self.options = options }

    /// Exports rows of a buffer's file; of each bar, only the newest version. Blocks on the disk.
    ///
    /// - Parameter progress: is called with the number of rows read of a stream, and the number that there are.
    /// - Throws: ``ExportError``, ``StoreError``, and `CancellationError` when the task was cancelled.
    public func export(
        fileIn directory: String,
        progress: (_ stream: EventStream, _ read: Int64, _ total: Int64) -> Void = { _, _, _ in }
    ) throws -> ExportReport {
        switch options.format {
        case .parquet: try export(fileIn: directory, by: ParquetEncoder.self, progress)
        case .csv, .json: try export(fileIn: directory, by: TextEncoder.self, progress)
        }
    }

    private func export<Encoder: RowEncoder>(
        fileIn directory: String, by _: Encoder.Type,
        _ progress: (_ stream: EventStream, _ read: Int64, _ total: Int64) -> Void
    ) throws -> ExportReport {
        let history = TickHistory(directory: directory)
        let times = options.days.lowerBound.span.lowerBound..<options.days.upperBound.span.upperBound
        let pace: TickHistory.Pace = { _, _ in !Task.isCancelled }
        var run = Run<Encoder>(options, mostBytes: mostBytes)
        do {
            for stream in options.streams {
                // Rows that arrive after this are left out of every pass alike.
                guard let rows = try history.sequences(of: stream) else {
                    note(heldSince: try history.heldSince(stream), of: stream, on: options.days, &run.report)
                    continue
                }
                let superseded =
                    stream == .bars ? try history.supersededBars(among: rows, starts: times, pace: pace) : []
                let days =
                    options.days.count == 1
                    ? [options.days.lowerBound: rows]
                    : try history.sequences(of: stream, among: rows, on: options.days, pace: pace)
                try Task.checkCancellation()
                // Only now, because a day may have lost all its rows while they were looked for.
                note(heldSince: try history.heldSince(stream), of: stream, on: options.days, &run.report)
                let total = days.values.reduce(0) { $0 + $1.upperBound - $1.lowerBound + 1 }
                var before: Int64 = 0
                for (day, rows) in days.sorted(by: { $0.key < $1.key }) {
                    // Which symbols have no file yet shows only when the rows are read.
                    if options.layout == .day, keeps(stream, day, run.report) {
                        note(kept: day, of: stream, isWhole: true, &run.report)
                    } else {
                        try export(stream, day, rows, without: superseded, history, &run) { read in
                            progress(stream, before + read, total)
                        }
                    }
                    before += rows.upperBound - rows.lowerBound + 1
                }
            }
            return run.report
        } catch {
            run.abandon()
            throw error
        }
    }

    private func export<Encoder: RowEncoder>(
        _ stream: EventStream, _ day: TradingDay, _ rows: ClosedRange<Int64>, without superseded: Set<Int64>,
        _ history: TickHistory, _ run: inout Run<Encoder>, _ progress: (_ read: Int64) -> Void
    ) throws {
        let pace: TickHistory.Pace = { read, _ in
            progress(read)
            return !Task.isCancelled
        }
        _ = try history.rows(of: stream, among: rows, times: day.span, pace: pace) { row in
            if !superseded.isEmpty, let sequence = row.integer(0), superseded.contains(sequence) { return true }
            return run.append(row, of: stream)
        }
        if let failure = run.failure { throw failure }
        try Task.checkCancellation()
        // Rows may have been deleted before they were read.
        note(heldSince: try history.heldSince(stream), of: stream, on: day...day, &run.report)
        let isKept = keeps(stream, day, run.report)
        let before = run.report.files.count
        try run.finish(keeping: isKept)
        let isWhole = run.report.files.count == before
        if isKept { note(kept: day, of: stream, isWhole: isWhole, &run.report) }
    }

    /// Exports rows of the database.
    ///
    /// - Parameters:
    ///   - readers: The database of each stream.
    ///   - progress: is called with the number of days done, and the number that there are.
    /// - Throws: ``ExportError``, ``UpstreamError``, and `CancellationError` when the task was cancelled.
    public func export(
        upstream readers: [EventStream: UpstreamReader],
        progress: (_ stream: EventStream, _ done: Int, _ total: Int) -> Void = { _, _, _ in }
    ) async throws -> ExportReport {
        switch options.format {
        case .parquet: try await export(upstream: readers, by: ParquetEncoder.self, progress)
        case .csv, .json: try await export(upstream: readers, by: TextEncoder.self, progress)
        }
    }

    private func export<Encoder: RowEncoder>(
        upstream readers: [EventStream: UpstreamReader], by _: Encoder.Type,
        _ progress: (_ stream: EventStream, _ done: Int, _ total: Int) -> Void
    ) async throws -> ExportReport {
        let run = SharedRun(Run<Encoder>(options, mostBytes: mostBytes))
        do {
            let symbols = options.symbols?.sorted()
            for stream in options.streams {
                guard let reader = readers[stream] else { continue }
                for (place, day) in options.days.enumerated() {
                    for kind in stream.kinds {
                        do throws(UpstreamError) {
                            let leftOut = try await reader.rows(of: kind, times: day.span, symbols: symbols) { row in
                                run.append(row, of: stream)
                            }
                            run.note(leftOut: leftOut)
                        } catch {
                            guard error.isOfMissingTable, options.optional.contains(kind) else { throw error }
                            run.note(missing: kind, error.description)
                        }
                    }
                    try Task.checkCancellation()
                    try run.finish()
                    progress(stream, place + 1, options.days.count)
                }
            }
            return run.report
        } catch {
            run.abandon()
            throw error
        }
    }

    /// Notes which of some days' rows may be partly deleted already.
    private func note(
        heldSince: Int64?, of stream: EventStream, on days: ClosedRange<TradingDay>, _ report: inout ExportReport
    ) {
        guard let heldSince else { return }
        let known = report.partial[stream] ?? []
        let partial = days.filter { ($0.session?.open ?? $0.span.lowerBound) < heldSince && !known.contains($0) }
        if !partial.isEmpty { report.partial[stream] = known + partial }
    }

    /// Whether the files that a day has are left as they are, because the buffer has fewer of its rows by now.
    private func keeps(_ stream: EventStream, _ day: TradingDay, _ report: ExportReport) -> Bool {
        !options.replacesWhole && report.partial[stream]?.contains(day) == true
            && options.written(of: stream, day, in: options.layout) != nil
    }

    /// Notes a day whose files were left as they are.
    ///
    /// - Parameter isWhole: Whether no file was added to them.
    private func note(kept day: TradingDay, of stream: EventStream, isWhole: Bool, _ report: inout ExportReport) {
        report.kept[stream, default: []].append(day)
        if isWhole { report.partial[stream]?.removeAll { $0 == day } }
    }
}

/// The files of an export under way.
private struct Run<Encoder: RowEncoder> {
    private struct Key: Hashable {
        let day: TradingDay
        let symbol: Symbol?
    }

    var report = ExportReport()
    /// Why a row could not be written.
    private(set) var failure: ExportError?
    private let options: ExportOptions
    private let mostBytes: Int
    private var files: [Key: PartitionFile<Encoder>] = [:]
    private var held = 0
    private var hold: DirectoryHold?
    /// The file of the previous row, and the times that belong to its day.
    private var last: (key: Key, span: Range<Int64>, file: PartitionFile<Encoder>)?
    private var stream: EventStream?
    private var places = (symbol: 0, time: 0)

    init(_ options: ExportOptions, mostBytes: Int) {
        self.options = options
        self.mostBytes = mostBytes
    }

    /// Appends a row; once one can't be written, returns `false`, and ``finish(keeping:)`` throws the reason.
    mutating func append(_ row: some ExportRow, of stream: EventStream) -> Bool {
        guard failure == nil else { return false }
        do throws(ExportError) { try add(row, of: stream) } catch { failure = error }
        return failure == nil
    }

    private mutating func add(_ row: some ExportRow, of stream: EventStream) throws(ExportError) {
        if stream != self.stream { begin(stream) }
        var symbol: Symbol?
        if options.symbols != nil || options.layout == .symbol {
            _ = row.withText(places.symbol) { symbol = Symbol(utf8: $0) }
            guard let symbol else {
                report.unreadable += 1
                return
            }
            if let wanted = options.symbols, !wanted.contains(symbol) { return }
        }
        guard let time = row.integer(places.time) else {
            report.unreadable += 1
            return
        }
        let file = try file(of: stream, time, options.layout == .symbol ? symbol : nil)
        held += try file.append(row)
        while held > mostBytes, let largest = files.values.max(by: { $0.heldBytes < $1.heldBytes }) {
            let freed = try largest.flush()
            guard freed > 0 else { break }
            held -= freed
        }
    }

    private mutating func begin(_ stream: EventStream) {
        self.stream = stream
        let columns = stream.columns
        places.symbol = columns.firstIndex { $0.content == .symbol } ?? 0
        places.time = columns.firstIndex { $0.name == stream.timeColumn } ?? 0
        last = nil
    }

    private mutating func file(
        of stream: EventStream, _ time: Int64, _ symbol: Symbol?
    ) throws(ExportError) -> PartitionFile<Encoder> {
        if let last, last.span.contains(time), last.key.symbol == symbol { return last.file }
        let day = last.flatMap { $0.span.contains(time) ? $0.key.day : nil } ?? TradingDay(at: time)
        let key = Key(day: day, symbol: symbol)
        let span = last.flatMap { $0.key.day == day ? $0.span : nil } ?? day.span
        // The operator ?? would throw any error.
        let file: PartitionFile<Encoder>
        if let known = files[key] { file = known } else { file = try begin(stream, day, symbol) }
        files[key] = file
        last = (key, span, file)
        return file
    }

    private mutating func begin(
        _ stream: EventStream, _ day: TradingDay, _ symbol: Symbol?
    ) throws(ExportError) -> PartitionFile<Encoder> {
        if hold == nil { hold = try DirectoryHold(options.directory) }
        let path = options.path(of: stream, day, symbol)
        if files.isEmpty, let other = options.written(of: stream, day, in: options.otherLayout) {
            throw ExportError(
                path: path,
                cause: "\(other) already holds this day in the other layout, and a program that reads both would get "
                    + "each row twice; write to another directory")
        }
        if let wanted = options.symbols, options.layout == .day, !options.replacesWhole, access(path, F_OK) == 0 {
            let lacking = SymbolsNote(of: path).symbols?.subtracting(wanted)
            guard lacking?.isEmpty == true else {
                let others = lacking.map { "\($0.count.counted("other symbol"))" } ?? "all symbols"
                throw ExportError(
                    path: path,
                    cause: "the file exists and holds \(others): --force replaces it; --partition symbol, with another "
                        + "directory, writes one file per symbol")
            }
        }
        return PartitionFile(
            stream, day, path: path,
            encoder: Encoder(stream, format: options.format, isCompressed: options.isCompressed))
    }

    /// Gives every file its name.
    ///
    /// - Parameter keeping: Whether files that are already there stay. An interrupted export may have left some of a
    ///   day's symbols without one.
    mutating func finish(keeping: Bool = false) throws(ExportError) {
        if let failure { throw failure }
        for (_, file) in files.sorted(by: { $0.value.path < $1.value.path }) {
            if keeping, access(file.path, F_OK) == 0 {
                file.abandon()
                continue
            }
            let note = SymbolsNote(of: file.path)
            // A file without a note counts as one of all symbols, so an interruption between these steps lets nothing
            // be replaced.
            if options.layout == .day { try note.note(nil) }
            try file.finish()
            if options.layout == .day { try note.note(options.symbols) }
            report.files.append(
                .init(path: file.path, stream: file.stream, day: file.day, rows: file.rows, bytes: file.bytes))
            report.rounded += file.encoder.rounded
            report.leftOut += file.encoder.tooLarge
        }
        files = [:]
        held = 0
        last = nil
    }

    func abandon() {
        for file in files.values { file.abandon() }
    }
}

/// A run whose rows come from an actor.
private final class SharedRun<Encoder: RowEncoder>: Sendable {
    private let run: Mutex<Run<Encoder>>

    init(_ run: sending Run<Encoder>) { self.run = Mutex(run) }

    func append(_ row: [ColumnValue?], of stream: EventStream) {
        run.withLock { _ = $0.append(ValueRow(values: row), of: stream) }
    }

    func finish() throws(ExportError) { try run.withLock { run throws(ExportError) in try run.finish() } }

    func note(leftOut: Int) { run.withLock { $0.report.leftOut += leftOut } }

    func note(missing kind: EventKind, _ text: String) { run.withLock { $0.report.missing[kind] = text } }

    var report: ExportReport { run.withLock { $0.report } }

    func abandon() { run.withLock { $0.abandon() } }
}
