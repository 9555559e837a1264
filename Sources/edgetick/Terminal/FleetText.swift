import Collector
import MarketData
import Upstream

/// The boxes of a fleet as a table, worst first, followed by what is wrong. Pure.
struct FleetText {
    private static let columns: [TextTable.Column] = [
        "BOX", "GROUP", "STATE", .right("SEEN"), .right("SYMBOLS"), .right("EVENTS/S"), .right("PENDING"),
        .right("LAG"), .right("LAST EVENT"), .right("GAPS"), .right("DROPS"), .right("LETTERS"), .right("DISK"),
        .right("CLOCK"), "VERSION",
    ]
    /// The columns that a narrow window leaves out, in this order.
    private static let dispensable = [
        "VERSION", "CLOCK", "DISK", "GROUP", "SYMBOLS", "LAST EVENT", "EVENTS/S", "LETTERS", "DROPS", "GAPS", "PENDING",
    ]

    let fleet: Fleet
    let paint: Paint
    /// The window's columns; `nil` for a pipe, which gets everything.
    let width: Int?

    /// The page, a line feed after each line.
    var page: String {
        guard !fleet.boxes.isEmpty else { return "no box has written its row\n" }
        var left: [String] = []
        var table = table(without: left)
        while let width, table.width > width, left.count < Self.dispensable.count {
            left.append(Self.dispensable[left.count])
            table = self.table(without: left)
        }
        let details =
            fleet.remarks.map { ($0, Health.Level.degraded) }
            + fleet.boxes.compactMap { box in box.detail.map { ("\(box.row.report.id): \($0)", box.level) } }
        return table.text(within: width) + (details.isEmpty ? "" : "\n")
            + details.map { text, level -> String in
                let lines = text.escapingControls.lines(of: max(width ?? .max, 20), atMost: .max)
                return lines.map { paint($0, StatusText.level(of: level)) + "\n" }.joined()
            }.joined()
    }

    private func table(without left: [String]) -> TextTable {
        let kept = Self.columns.indices.filter { !left.contains(Self.columns[$0].title) }
        return TextTable(
            kept.map { Self.columns[$0] },
            fleet.boxes.map { box in
                let cells = cells(box)
                return kept.map { cells[$0] }
            })
    }

    private func cells(_ box: Fleet.Box) -> [String] {
        let report = box.row.report
        let now = box.row.seen + Int64(box.row.age * 1000)
        return [
            report.id, report.group ?? "-", box.standing == .live ? report.state.rawValue : box.standing.rawValue,
            StatusText.span(box.row.age), report.takesAll ? "all" : report.symbols.grouped,
            report.eventsPerSecond.oneDecimal, report.rowsPending.grouped,
            report.oldestPending > 0 ? StatusText.span(report.oldestPending) : "-",
            report.lastEvent.map { StatusText.span(Double(now + (report.clockOffset ?? 0) - $0) / 1000) } ?? "-",
            report.gapsOpen.grouped, report.eventsDropped.grouped, report.deadLetters.grouped,
            report.diskFreeBytes.map(\.bytesText) ?? "-", report.clockOffset.map { "\($0) ms" } ?? "-", report.version,
        ]
    }
}
