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
    }

    private static let barWidth = 24

    private let title: String
    private let unit: String
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let quietFor: Duration
    private let started = ContinuousClock.now
    private let state: Mutex<State>

    /// A line about `total` units of work; a job that finishes within `quietFor` shows none.
    init(title: String, unit: String, total: Int = 0, quietFor: Duration = .zero) {
        self.quietFor = quietFor
        self.title = title
        self.unit = unit
        state = Mutex(State(total: total))
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
            return state.total
        }
        guard let total else { return }
        write(line(done: done, total: total, elapsed: now - started), final: false)
    }

    /// Shows the final figures, and ends the line on a terminal.
    func finish(done: Int) {
        let (total, isShown) = state.withLock { (max($0.total, done), $0.drawn != nil) }
        guard isShown || quietFor == .zero, total > 0 else { return }
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
        let line = isTerminal ? "\r\u{1B}[2K\(text)\(final ? "\n" : "")" : "\(text)\n"
        _ = StandardStream.write(Array(line.utf8), to: 2)
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
        let tenths = Int64((self * 10).rounded())
        return "\(tenths < 0 ? "-" : "")\(tenths.magnitude / 10).\(tenths.magnitude % 10)"
    }
}
