package import Collector
import MarketData

/// What is known about the minutes of some days: `/api/coverage`, `edgetick coverage`.
package struct CoverageJSON: WireObject {
    /// One day, week or month.
    package struct Period: WireObject {
        package var from: String
        package var to: String
        package var state: CoveragePeriod.State
        package var trading_days: Int
        package var symbols: Int
        package var symbol_days: Int
        package var reconciled_symbol_days: Int
        package var minutes: [String: Int]

        package static let meanings = [
            "from": "The first day, as 2026-11-24 in New York",
            "to": "The last day",
            "state":
                "closed: no trading; complete: every symbol was reconciled on each day of trading and nothing is missing; "
                + "gaps: bars are known to be missing; unchecked: nothing is known to be missing, and not everything was "
                + "checked",
            "symbols": "The largest number on one day",
            "symbol_days": "Symbols and trading days, each pair once",
            "reconciled_symbol_days": "Those that were compared with the tape and have nothing open",
            "minutes": "Minutes of the regular session by the legend's letters, over all symbols",
        ]

        init(_ period: CoveragePeriod) {
            from = "\(period.first)"
            to = "\(period.last)"
            state = period.state
            trading_days = period.tradingDays
            symbols = period.symbols
            symbol_days = period.symbolDays
            reconciled_symbol_days = period.reconciled
            minutes = DayCoverage.Minute.byName { period.minutes[$0] ?? 0 }
        }
    }

    /// The minutes of one symbol.
    package struct Row: WireObject {
        package var symbol: String
        package var is_reconciled: Bool
        package var minutes: String

        package static let meanings = [
            "is_reconciled": "Whether the day was compared with the tape and nothing stayed open",
            "minutes":
                "Runs of equal minutes from the start of the session: a letter of the legend, and the run's length "
                + "unless that is 1, as in b120nb269",
        ]
        package static let bounds = ["symbol": Bounds.symbol]

        init(_ row: DayCoverage.Row) {
            symbol = row.symbol.description
            is_reconciled = row.isReconciled
            minutes = Self.runs(of: row.minutes)
        }

        /// Encodes minutes as runs: `b120nb269`.
        static func runs(of minutes: [DayCoverage.Minute]) -> String {
            var text = ""
            var index = 0
            while index < minutes.count {
                let end = minutes[index...].firstIndex { $0 != minutes[index] } ?? minutes.count
                text += minutes[index].rawValue
                if end - index > 1 { text += "\(end - index)" }
                index = end
            }
            return text
        }
    }

    package enum Source: String, Codable, CaseIterable, Sendable {
        case file
        case upstream
    }

    package var legend: [String: String]
    package var sources: [Source]
    package var problem: String?
    package var is_complete: Bool
    package var session_start_ms: Int64?
    package var session_end_ms: Int64?
    package var periods: [Period]
    package var symbols: [Row]

    package static let meanings = [
        "legend": "What a minute's letter means",
        "sources": "Where bars were looked for",
        "problem": "Why one of the sources could not be read, or not for all days",
        "is_complete": "Whether the sources were read as far as needed",
        "session_start_ms": "Of one day: its regular session; null for several days and for a closed one",
        "session_end_ms": "The regular session's end; 13:00 in New York on a half day",
        "periods": "Oldest first",
        "symbols": "Of one day: its minutes by symbol; empty for several days",
    ]

    package init(_ report: CoverageReport, by length: CoveragePeriod.Length) {
        legend = DayCoverage.Minute.byName { $0.meaning }
        sources = report.askedUpstream ? [.file, .upstream] : [.file]
        problem = report.problem
        is_complete = report.isComplete
        periods = CoveragePeriod.periods(of: report.days, by: length).map(Period.init)
        let only = report.days.count == 1 ? report.days.first : nil
        let session = only.flatMap { $0.session.isEmpty ? nil : $0.session }
        session_start_ms = session?.lowerBound
        session_end_ms = session?.upperBound
        symbols = only?.rows.map(Row.init) ?? []
    }
}
