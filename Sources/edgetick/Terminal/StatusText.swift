import Collector
import Feed
import MarketData
import Store
import Wire

/// A running collector's state as a page of text: problems first, what is well last. Pure.
struct StatusText {
    private static let tableWidth = 80

    /// The names of checks in display order; unknown ones, of a newer collector, follow.
    static func inOrder(_ names: some Collection<String>) -> [String] {
        Health.names.filter(names.contains) + names.filter { !Health.names.contains($0) }.sorted()
    }

    let status: StatusJSON
    let gaps: GapCounts
    let address: String
    let paint: Paint
    /// The window's columns, which no line exceeds; `nil` for a pipe, where nothing is cut.
    let width: Int?

    /// The page, with a line feed after each line. A window that is too low cuts off the end, which matters least.
    var page: String {
        let sections = [head, checks { $0 != .ok }, vital, connections, streams, figures, checks { $0 == .ok }]
        let lines = sections.filter { !$0.isEmpty }.joined(separator: [""])
        return lines.map { line in (width.map { line.cut(toColumns: $0) } ?? line) + "\n" }.joined()
    }

    /// The text wrapped to the window's width minus a margin.
    private func lines(_ text: String, from margin: Int, atMost limit: Int) -> [String] {
        width.map { text.escapingControls.lines(of: max($0 - margin, 20), atMost: limit) } ?? [text.escapingControls]
    }

    private var head: [String] {
        let edge = max(min(width ?? Self.tableWidth, Self.tableWidth), 40)
        let words = level == .bad ? "NOT COLLECTING" : level == .warning ? "COLLECTING, WITH PROBLEMS" : "COLLECTING"
        let left =
            "\(status.collector.escapingControls)  EdgeTick \(status.version)  up \(Self.span(status.uptime_seconds))"
            .cut(to: edge - words.count - 2)
        return [left.padded(to: edge - words.count) + paint(words, level), paint(address, .faint)]
            + (status.health.headline.map { lines($0, from: 0, atMost: 4).map { paint($0, level) } } ?? [])
    }

    private var level: Paint.Level { Self.level(of: status.health.status) }

    /// The lines of the checks at the levels shown, worst first, without the one that the headline repeats in full.
    private func checks(_ isShown: (Health.Level) -> Bool) -> [String] {
        let names = Self.inOrder(status.health.checks.keys)
        let worstFirst = [Health.Level.failing, .degraded, .ok].flatMap { level -> [String] in
            names.filter { status.health.checks[$0]?.status == level }
        }
        return worstFirst.flatMap { name -> [String] in
            guard let check = status.health.checks[name], isShown(check.status),
                status.health.headline != "\(name) \(check.status.rawValue): \(check.detail ?? "")"
            else { return [] }
            let word = paint(check.status.rawValue.padded(to: 8), Self.level(of: check.status))
            // A problem's text says what to do about it, so it may take several lines.
            let detail = lines(check.detail ?? "", from: 20, atMost: check.status == .ok ? 1 : 5)
            let margin = String(repeating: " ", count: 20)
            return detail.enumerated().map { ($0 == 0 ? "\(name.padded(to: 9)) \(word)  " : margin) + $1 }
        }
    }

    private var connections: [String] {
        var lines = ["CONNECTION      STATUS          SYMBOLS  EVENTS/S       EVENTS      LAST  ERRORS"]
        for connection in status.connections {
            let symbols =
                connection.takes_all ? "all" : "\(connection.confirmed_tickers)/\(connection.assigned_tickers)"
            let age = connection.last_event_ms.map { Double(status.timestamp_ms - $0) / 1000 }
            let columns = [
                Self.short(connection.message_count).aligned(to: 12), (age.map { Self.ago($0) } ?? "-").aligned(to: 9),
                Self.short(connection.error_count, width: 7).aligned(to: 7),
            ]
            lines.append(
                connection.name.escapingControls.cut(to: 15).padded(to: 16)
                    + paint(connection.status.rawValue.padded(to: 13), Self.level(of: connection.status))
                    + symbols.aligned(to: 10) + Self.rate(connection.messages_per_second).aligned(to: 10) + " "
                    + columns.joined(separator: " "))
            if connection.status != .connected, let error = connection.last_error {
                lines += self.lines(error, from: 2, atMost: 2).map { "  " + paint($0, .bad) }
            }
        }
        return lines
    }

    private var streams: [String] {
        let isUploading = status.sync.state != .off
        var lines: [String] = []
        for stream in EventStream.allCases {
            guard let counts = status.buffer.streams[stream.rawValue], counts.appended > 0 || counts.pending > 0
            else { continue }
            lines.append(
                stream.rawValue.padded(to: 14) + counts.appended.grouped.aligned(to: 14)
                    + (isUploading ? counts.pending.grouped : "-").aligned(to: 14))
        }
        return lines.isEmpty ? [] : ["STREAM           SINCE START     TO UPLOAD"] + lines
    }

    /// The losses, the progress of the upload, and whether the market is open.
    private var vital: [String] {
        let buffer = status.buffer
        let lost = "dropped \(buffer.drops.grouped), \(gaps.text), dead letters \(buffer.dead_letters.grouped)"
        let upload =
            status.sync.state == .off
            ? "off: DATABASE_URI is not set"
            : status.sync.databases.map { database in
                (status.sync.databases.count > 1 ? "\(database.name): " : "")
                    + "\(database.rows_uploaded.counted("row")) up, \(Self.span(database.lag_seconds)) behind"
            }.joined(separator: "; ")
        let aside = buffer.set_aside.map { path -> String in
            // The end of a path is what tells files apart.
            let text = path.escapingControls
            let room = max((width ?? .max) - 9, 20)
            return "aside    " + paint(text.count > room ? "…" + text.suffix(room - 1) : text, .warning)
        }
        let isLossy = buffer.drops > 0 || gaps.unfillable > 0
        return labelled("losses", lost, isLossy ? .warning : nil) + aside + labelled("upload", upload)
            + labelled("market", market)
    }

    /// A text that may take several lines, with a label before the first.
    private func labelled(_ label: String, _ text: String, _ level: Paint.Level? = nil) -> [String] {
        lines(text, from: 9, atMost: 3).enumerated().map { index, line in
            (index == 0 ? label : "").padded(to: 9) + (level.map { paint(line, $0) } ?? line)
        }
    }

    private var market: String {
        let session =
            switch status.market.session {
            case .closed: "closed"
            case .holiday: "closed, a holiday,"
            case .preMarket: "before the session"
            case .regular: "open"
            case .afterHours: "after the session"
            }
        return "\(session) until \(WallClock.text(milliseconds: status.market.until))"
    }

    private var figures: [String] {
        let buffer = status.buffer
        return [
            "buffer   \(buffer.used_bytes.bytesText) of \(buffer.maximum_bytes.bytesText) in use, "
                + "WAL \(buffer.wal_bytes.bytesText)"
                + (buffer.disk_free_bytes.map { ", disk \($0.bytesText) free" } ?? "")
        ]
            + (status.relay.map { [relay($0)] } ?? []) + [
                "process  \(status.process.resident_bytes.bytesText) memory, "
                    + "\(Self.span(status.process.cpu_seconds)) of processor time"
            ]
    }

    private func relay(_ relay: RelayJSON) -> String {
        let behind = relay.clients.map(\.waiting_bytes).max() ?? 0
        return
            "relay    \(relay.clients.count) of \(relay.maximum_clients.counted("client")), \(relay.events.counted("event")) sent"
            + (behind > 0 ? ", \(Int64(behind).bytesText) behind" : "")
            + (relay.on_demand.map { ", \($0.symbols.count.counted("symbol")) on demand" } ?? "")
    }

    static func level(of level: Health.Level) -> Paint.Level {
        switch level {
        case .ok: .good
        case .degraded: .warning
        case .failing: .bad
        }
    }

    private static func level(of status: FeedConnectionStatus) -> Paint.Level {
        switch status {
        case .connected: .good
        case .error: .bad
        case .disconnected, .connecting: .warning
        }
    }

    private static func rate(_ value: Double) -> String {
        value < 100 ? value.oneDecimal : Int64(value.rounded()).grouped
    }

    /// The number in at most `width` characters, in millions if it is longer.
    private static func short(_ count: Int64, width: Int = 12) -> String {
        let text = count.grouped
        return text.count <= width ? text : "\((count / 1_000_000).grouped) M"
    }

    private static func ago(_ seconds: Double) -> String { seconds < 1.5 ? "now" : span(seconds) }

    /// `4.2 s`, `3 min`, `2 h 5 min`, `12 days`.
    static func span(_ seconds: Double) -> String {
        let whole = Int64(max(0, seconds))
        switch seconds {
        case ..<10: return "\(max(0, seconds).oneDecimal) s"
        case ..<60: return "\(whole) s"
        case ..<3600: return "\(whole / 60) min"
        case ..<172_800: return "\(whole / 3600) h \(whole % 3600 / 60) min"
        default: return "\(whole / 86_400) days"
        }
    }
}

/// The gaps that still matter; closed-market and filled gaps are no damage.
struct GapCounts {
    var open: Int64 = 0
    var partial: Int64 = 0
    var unfillable: Int64 = 0

    var text: String {
        open.counted("open gap") + (partial > 0 ? ", \(partial.grouped) partial" : "")
            + (unfillable > 0 ? ", \(unfillable.grouped) unfillable" : "")
    }
}

extension GapCounts {
    /// Counts the gaps in a buffer's file.
    init(directory: String) throws(StoreError) {
        self.init(
            open: try GapLog.count(directory: directory, states: [.open]),
            partial: try GapLog.count(directory: directory, states: [.partial]),
            unfillable: try GapLog.count(directory: directory, states: [.unfillable]))
    }
}
