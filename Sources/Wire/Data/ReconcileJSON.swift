package import MarketData
package import Store

/// A day compared with the tape: `edgetick reconcile --json`.
package struct ReconcileJSON: WireObject {
    package struct SymbolDay: WireObject {
        package var symbol: String
        package var is_complete: Bool
        package var regular_minutes: Int
        package var present_minutes: Int
        package var halted_minutes: Int
        package var untraded_minutes: Int
        package var tape_bars: Int
        package var added_ms: [Int64]
        package var corrected_ms: [Int64]
        package var not_on_tape_ms: [Int64]
        package var open_ms: [Int64]
        package var unreadable_bars: Int

        package static let meanings = [
            "is_complete": "Whether every bar of the tape is here with the same values",
            "regular_minutes": "Minutes of the regular session",
            "present_minutes": "Of these, minutes with a bar as the tape has it",
            "halted_minutes": "Of these, minutes without a bar in a trading halt",
            "untraded_minutes": "Of these, minutes without a bar on the tape or here, except in halts",
            "tape_bars": "Bars of the tape, those outside the regular session too",
            "added_ms": "Starts of the bars that were missing",
            "corrected_ms": "Starts of the bars that were different",
            "not_on_tape_ms": "Starts of the bars that the tape lacks; they stay",
            "open_ms": "Starts of the bars of the tape that are still missing or different",
            "unreadable_bars": "Bars of the tape that can't be read, and so are neither here nor compared",
        ]

        init(_ finding: DayFinding) {
            let day = finding.day
            symbol = day.symbol.description
            is_complete = day.isComplete
            regular_minutes = day.regular
            present_minutes = day.present
            halted_minutes = day.halted
            untraded_minutes = day.untraded
            tape_bars = day.tape
            added_ms = finding.added
            corrected_ms = finding.corrected
            not_on_tape_ms = finding.extra
            open_ms = finding.open
            unreadable_bars = finding.unreadable
        }
    }

    /// A symbol that could not be compared.
    package struct Failure: WireObject {
        package var symbol: String
        package var error: String
    }

    package var day: String
    package var is_complete: Bool
    package var percent: Int
    package var tape_bars: Int
    package var open_bars: Int
    package var added_bars: Int
    package var corrected_bars: Int
    package var not_on_tape_bars: Int
    package var symbols: [SymbolDay]
    package var failures: [Failure]

    package static let meanings = ofDay.merging(["failures": "Symbols that could not be compared"]) { $1 }

    fileprivate static let ofDay = [
        "day": "The New York date, such as 2026-11-24",
        "is_complete": "Whether every symbol was compared and is complete",
        "percent": "The share of the tape's bars that are here with the same values, rounded down",
        "open_bars": "Bars of the tape that are still missing or different, or that can't be read",
    ]

    package init(_ day: TradingDay, _ findings: [DayFinding], failures: [Symbol: String]) {
        let totals = DayTotals(findings.map(\.day))
        self.day = day.description
        is_complete = totals.missing == 0 && failures.isEmpty
        percent = totals.percent
        tape_bars = totals.tape
        open_bars = totals.missing
        added_bars = totals.added
        corrected_bars = totals.corrected
        not_on_tape_bars = totals.extra
        symbols = findings.map(SymbolDay.init)
        self.failures = failures.sorted { $0.key < $1.key }.map { Failure(symbol: $0.key.description, error: $0.value) }
    }
}

/// The state of the daily comparison with the tape: a part of `/api/status`.
package struct ReconcileStateJSON: WireObject {
    package struct Day: WireObject {
        package var day: String
        package var is_complete: Bool
        package var percent: Int
        package var symbols: Int
        package var failed_symbols: Int
        package var tape_bars: Int
        package var open_bars: Int
        package var added_bars: Int
        package var corrected_bars: Int
        package var not_on_tape_bars: Int
        package var error: String?
        package var at_ms: Int64

        package static let meanings = ReconcileJSON.ofDay.merging([
            "symbols": "Those that were compared",
            "failed_symbols": "Those that could not be compared",
            "error": "Why a symbol, or the day, could not be compared",
            "at_ms": "When it was found",
        ]) { $1 }

        init(_ outcome: ReconcileState.Outcome) {
            day = outcome.day.description
            is_complete = outcome.isComplete
            percent = outcome.totals.percent
            symbols = outcome.totals.symbols
            failed_symbols = outcome.failures
            tape_bars = outcome.totals.tape
            open_bars = outcome.totals.missing
            added_bars = outcome.totals.added
            corrected_bars = outcome.totals.corrected
            not_on_tape_bars = outcome.totals.extra
            error = outcome.problem
            at_ms = outcome.at
        }
    }

    package var at: String
    package var day_under_way: String?
    package var days: [Day]
    package var next_ms: Int64?

    package static let meanings = [
        "at": "The time of day in New York (RECONCILE_AT)",
        "day_under_way": "The day that is being compared",
        "days": "The outcomes of the last days, the newest first; days that are not complete are tried again",
        "next_ms": "When a day is compared next",
    ]

    package init(_ state: ReconcileState) {
        at = state.timeOfDay
        day_under_way = state.underWay?.description
        days = state.days.map(Day.init)
        next_ms = state.next
    }
}
