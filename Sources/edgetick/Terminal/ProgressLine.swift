import Glibc
import MarketData
import Store
import Synchronization

/// Shows the progress of a long job: a bar that redraws itself on a terminal, a plain line every two seconds in a pipe.
///
/// Writes to standard error, so that standard output holds only data.
final class ProgressLine: Sendable {
    private struct State {
        var drawn = ContinuousClock.Instant?.none
        var total: Int
        /// The units of the last line, if it showed all of them as done.
        var complete: Int?
    }

    private static let barWidth = 24

    private let title: String
    private let unit: String
    private let quietFor: Duration
    private let isTerminal: Bool
    private let output: @Sendable (String) -> Void
    private let started = ContinuousClock.now
    private let state: Mutex<State>

    /// A line about `total` units of work; a job that finishes within `quietFor` shows none.
    init(
        title: String, unit: String, total: Int = 0, quietFor: Duration = .zero,
        isTerminal: Bool = isatty(STDERR_FILENO) == 1,
        to output: @escaping @Sendable (String) -> Void = {
            _ = StandardStream.write(Array($0.utf8), to: STDERR_FILENO)
        }
    ) {
        self.title = title
        self.unit = unit
        self.quietFor = quietFor
        self.isTerminal = isTerminal
        self.output = output
        state = Mutex(State(total: total))
    }

    // The result, or an error, begins on a line of its own.
    deinit { wipe() }

    /// Prints a remark on a line of its own.
    func remark(_ text: String) {
        wipe()
        printRemark(text)
    }

    /// Removes what is drawn on a terminal.
    private func wipe() {
        let isDrawn = state.withLock { state -> Bool in
            defer { state.drawn = nil }
            return state.drawn != nil
        }
        if isTerminal, isDrawn { output("\r\u{1B}[2K") }
    }

    /// Reports that `done` units are done; a larger `total` replaces the known one.
    func update(done: Int, total newTotal: Int? = nil) {
        let now = ContinuousClock.now
        let pause: Duration = isTerminal ? .milliseconds(100) : .seconds(2)
        let total: Int? = state.withLock { state in
            state.total = max(state.total, newTotal ?? 0, done)
            if now < started + quietFor || state.total == 0 { return nil }
            if let drawn = state.drawn, now < drawn + pause { return nil }
            state.drawn = now
            state.complete = done == state.total ? done : nil
            return state.total
        }
        guard let total else { return }
        write(line(done: done, total: total, elapsed: now - started), final: false)
    }

    /// Shows the final figures, and ends the line on a terminal.
    func finish(done: Int) {
        let (total, isShown, isWritten) = state.withLock { state -> (Int, Bool, Bool) in
            defer { state.drawn = nil }
            let total = max(state.total, done)
            return (total, state.drawn != nil, !isTerminal && done == total && state.complete == total)
        }
        guard isShown || quietFor == .zero, total > 0, !isWritten else { return }
        write(line(done: done, total: total, elapsed: .now - started), final: true)
    }

    private func line(done: Int, total: Int, elapsed: Duration) -> String {
        let seconds = max(elapsed / .seconds(1), 0.001)
        let rate = Double(done) / seconds
        let share = total > 0 ? Double(done) / Double(total) : 1
        var text = "\(title) "
        if isTerminal {
            let filled = Int(share * Double(Self.barWidth))
            text += "[" + String(repeating: "█", count: filled)
            text += String(repeating: "·", count: Self.barWidth - filled) + "] "
        }
        text += "\(Int(share * 100))% \(done.grouped)/\(total.grouped) \(unit), \(Int(rate).grouped) \(unit)/s, "
        let isUnderWay = done < total && rate > 0
        return text + (isUnderWay ? "\(Self.clock(Double(total - done) / rate)) left" : Self.clock(seconds))
    }

    private func write(_ text: String, final: Bool) {
        output(isTerminal ? "\r\u{1B}[2K\(text)\(final ? "\n" : "")" : "\(text)\n")
    }

    private static func clock(_ seconds: Double) -> String {
        if seconds < 10 { return "\(seconds.oneDecimal) s" }
        let whole = Int(seconds.rounded())
        return whole < 60 ? "\(whole) s" : "\(whole / 60) min \(whole % 60) s"
    }
}

extension ProgressLine {
    /// Shows how many rows a query has read, if it takes long.
    static func ofRows() -> TickHistory.Pace {
        let line = ProgressLine(title: "reading", unit: "rows", quietFor: .seconds(1))
        return { read, total in
            line.update(done: Int(read), total: Int(total))
            return true
        }
    }
}

extension Double {
    /// The number with one decimal: `2.5`.
    var oneDecimal: String {
        // Adding zero turns -0 into 0.
        "\(((self * 10).rounded() + 0) / 10)"
    }
}
