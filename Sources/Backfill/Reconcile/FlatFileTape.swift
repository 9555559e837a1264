import Compression
import MarketData

/// A day's minute bars from one of the provider's flat files (`minute_aggs_v1`): CSV, gzipped or not, with each
/// ticker's lines together.
///
/// The file is read line by line, so that the whole market takes no more memory than two groups of symbols. It is read
/// twice, so that nothing is compared with a file that is cut short or sorted differently.
actor FlatFileTape: Tape {
    private let path: String
    private let starts: Range<Int64>
    private let tell: @Sendable (Int) -> Void
    private var wanted: Set<Symbol>
    private let lines: FlatFileLines
    private var columns: FlatFileColumns
    private var current: (symbol: Symbol, bars: [DayBar])?
    private var hasRows = false
    private var isOver = false
    private let count: Int
    /// The last ticker, if the file's tickers are in order.
    private let last: Symbol?

    init(
        path: String, _ symbols: [Symbol], starts: Range<Int64>, tell: @escaping @Sendable (Int) -> Void
    ) throws(BackfillError) {
        self.path = path
        self.starts = starts
        self.tell = tell
        wanted = Set(symbols)
        count = wanted.count
        lines = try FlatFileLines(path: path)
        guard let header = try lines.next(), let columns = FlatFileColumns(header: header) else {
            throw BackfillError(
                .badFile,
                "\(path) lacks one of the columns \(FlatFileColumns.names.joined(separator: ", ")); use a "
                    + "minute_aggs_v1 file")
        }
        self.columns = columns
        last = try Self.check(path, columns)
    }

    /// Checks that the file can be read to its end, and that each ticker's lines are together.
    ///
    /// - Returns: the last ticker, if the tickers are in order, as they are in the provider's files.
    private static func check(_ path: String, _ columns: FlatFileColumns) throws(BackfillError) -> Symbol? {
        let lines = try FlatFileLines(path: path)
        _ = try lines.next()
        var seen: Set<Symbol> = []
        var last: Symbol?
        var isSorted = true
        while let line = try lines.next() {
            // A line that is not a bar is reported when it is read.
            guard let symbol = columns.symbol(in: line), symbol != last else { continue }
            guard seen.insert(symbol).inserted else {
                throw BackfillError(
                    .badFile,
                    "\(path), line \(lines.number): the lines of \(symbol) are not together; sort the file by ticker")
            }
            isSorted = isSorted && last.map { $0 < symbol } ?? true
            last = symbol
        }
        return isSorted ? last : nil
    }

    func next() async -> Result<TapeGroup?, BackfillError> {
        Result { () throws(BackfillError) in try read() }
    }

    private func read() throws(BackfillError) -> TapeGroup? {
        var group = TapeGroup()
        func finish() {
            guard let done = current else { return }
            group.bars[done.symbol] = done.bars
            current = nil
        }
        while !isOver, group.bars.count < TapeGroup.size {
            guard let line = try lines.next() else {
                isOver = true
                finish()
                guard hasRows else {
                    throw BackfillError(
                        .badFile,
                        "\(path) has no bar of \(TradingDay(at: starts.lowerBound)); name the file of that day, or "
                            + "another --date")
                }
                break
            }
            guard let row = columns.bar(in: line) else {
                guard line.isEmpty else {
                    throw BackfillError(.badFile, "\(path), line \(lines.number): not a bar; download the file again")
                }
                continue
            }
            guard starts.contains(row.start) else {
                throw BackfillError(
                    .badFile,
                    "\(path), line \(lines.number): the bar is of \(TradingDay(at: row.start)), not of "
                        + "\(TradingDay(at: starts.lowerBound)); name the file of that day, or another --date")
            }
            hasRows = true
            if current?.symbol != row.symbol {
                finish()
                guard wanted.remove(row.symbol) != nil else { continue }
                current = (row.symbol, [])
                tell(count - wanted.count)
            }
            current?.bars.append(DayBar(row))
        }
        if isOver {
            // A symbol that the file lacks had no trades, unless it sorts after the file's last ticker: the file may be
            // cut short.
            for symbol in wanted.sorted().prefix(max(0, TapeGroup.size - group.bars.count)) {
                wanted.remove(symbol)
                if let last, last < symbol {
                    group.failures[symbol] = BackfillError(
                        .badFile, "\(path) ends with \(last), which is before it: the file may be cut short")
                } else {
                    group.bars[symbol] = []
                }
            }
            tell(count - wanted.count)
        }
        return group.bars.isEmpty && group.failures.isEmpty ? nil : group
    }
}

/// The positions of a flat file's columns.
struct FlatFileColumns: Sendable {
    static let names = ["ticker", "volume", "open", "close", "high", "low", "window_start"]

    private let places: [Int]
    private let count: Int

    init?(header: UnsafeRawBufferPointer) {
        let text = String(decoding: ByteOrderMark.dropped(from: header), as: UTF8.self)
        let found = text.split(separator: ",").map(String.init)
        places = Self.names.compactMap { found.firstIndex(of: $0) }
        count = found.count
        guard places.count == Self.names.count else { return nil }
    }

    /// Returns the ticker of a line; `nil` for a line without one.
    func symbol(in line: UnsafeRawBufferPointer) -> Symbol? {
        var cell = line[...]
        for _ in 0..<places[0] {
            guard let comma = cell.firstIndex(of: UInt8(ascii: ",")) else { return nil }
            cell = cell[(comma + 1)...]
        }
        return Symbol(utf8: UnsafeRawBufferPointer(rebasing: cell.prefix { $0 != UInt8(ascii: ",") }))
    }

    /// Returns the bar of a line; `nil` for a line that is not one.
    func bar(in line: UnsafeRawBufferPointer) -> Bar? {
        let cells = line.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        guard cells.count == count else { return nil }
        func number(_ name: Int) -> Double? {
            Double(String(decoding: cells[places[name]], as: UTF8.self)).flatMap { $0.isFinite ? $0 : nil }
        }
        guard let symbol = Symbol(String(decoding: cells[places[0]], as: UTF8.self)), let volume = number(1),
            volume >= 0,
            let open = number(2), let close = number(3), let high = number(4), let low = number(5),
            let window = Int64(String(decoding: cells[places[6]], as: UTF8.self)),
            window % 60_000_000_000 == 0
        else { return nil }
        let start = window / 1_000_000
        return Bar(
            symbol: symbol, interval: .minute, start: start, end: start + 60_000, open: open, high: high, low: low,
            close: close, volume: volume)
    }
}

/// The lines of a flat file, gzipped or not.
private struct FlatFileLines {
    private let path: String
    private let lines: GzipLines
    /// The number of the line last read, from 1.
    var number: Int { lines.number }

    init(path: String) throws(BackfillError) {
        self.path = path
        // No line of a table of numbers is longer.
        do { lines = try GzipLines(path, longest: 64 << 10) } catch { throw BackfillError(error, path) }
    }

    /// Returns the next line without its end, valid until the next call; `nil` after the last.
    func next() throws(BackfillError) -> UnsafeRawBufferPointer? {
        let line: UnsafeRawBufferPointer?
        do { line = try lines.next() } catch { throw BackfillError(error, path) }
        // A gzipped file has a checksum that shows whether it is whole; a plain one has none.
        guard line == nil || !lines.isAtEnd || lines.isGzipped else {
            throw BackfillError(
                .badFile, "\(path), line \(number): the line has no end: the file is cut short; download it again")
        }
        return line
    }
}

extension BackfillError {
    fileprivate init(_ fault: GzipLines.Fault, _ path: String) {
        switch fault {
        case .unopened(let words, _): self.init(.unreadableFile, "\(path) can't be opened: \(words)")
        case .unreadable(let words): self.init(.unreadableFile, "\(path) can't be read: \(words)")
        case .damaged: self.init(.badFile, "\(path) is damaged or cut short; download it again")
        case .lineTooLong(let number):
            self.init(.badFile, "\(path), line \(number): the line is too long; use a minute_aggs_v1 file")
        }
    }
}
