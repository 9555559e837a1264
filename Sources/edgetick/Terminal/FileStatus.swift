import Foundation
import MarketData
import Store

/// How the collector's files stand, as text and as JSON.
struct FileStatus {
    private let report: BufferReport

    init(_ report: BufferReport) {
        self.report = report
    }

    /// The page, a line feed after each line.
    var page: String {
        var lines = [report.holder.map { "collector  running, process \($0)" } ?? "collector  not running"]
        lines.append(
            "buffer     \(report.path.escapingControls), \(report.fileBytes.bytesText) + WAL \(report.walBytes.bytesText)"
        )
        lines.append("gaps \(report.gaps.grouped)  dead letters \(report.deadLetters.grouped)\n")
        var table = TextTable([
            ("STREAM", .left), ("ROWS", .right), ("TO UPLOAD", .right), ("OLDEST WAITING", .left), ("NEWEST", .left),
        ])
        for stream in EventStream.allCases {
            let counts = report[stream]
            table.add([
                stream.rawValue, counts.rows.grouped, counts.pending.grouped,
                counts.oldestPendingMilliseconds.map(Self.time) ?? "-", counts.newestMilliseconds.map(Self.time) ?? "-",
            ])
        }
        var text = lines.joined(separator: "\n") + "\n" + table.text
        for drop in report.drops {
            text +=
                "DROPPED \(drop.count.grouped) \(drop.stream.rawValue) of \(drop.symbols) symbols: "
                + "\(drop.reason), \(drop.from.map(Self.time) ?? "?") to \(drop.to.map(Self.time) ?? "?")\n"
        }
        for path in report.setAside {
            text +=
                "SET ASIDE \(path.escapingControls): damaged; save what can be read with edgetick repair --file, then move it away\n"
        }
        for incident in report.incidents { text += "INCIDENT \(incident.escapingControls)\n" }
        return text
    }

    /// The report as JSON; `instance` is what the running collector says of itself.
    func json(instance: [String: Any]?) throws -> String {
        let data = try JSONEncoder().encode(Answer(report))
        var object = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
        object["instance"] = instance ?? NSNull()
        let text = try JSONSerialization.data(
            withJSONObject: object, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        return String(decoding: text, as: UTF8.self)
    }

    private static func time(_ milliseconds: Int64) -> String { WallClock.text(milliseconds: milliseconds) }

    private struct Answer: Encodable {
        struct Stream: Encodable {
            let rows: Int64
            let pending: Int64
            let lastSequence: Int64
            let acknowledgedSequence: Int64
            let oldestPendingMilliseconds: Int64?
            let newestMilliseconds: Int64?
        }

        struct Drop: Encodable {
            let stream: String
            let reason: String
            let count: Int64
            let symbols: Int
            let fromMilliseconds: Int64?
            let toMilliseconds: Int64?
        }

        let path: String
        let id: String
        let collector: String
        let collectorProcess: Int32?
        let schemaVersion: Int
        let streams: [String: Stream]
        let drops: [Drop]
        let incidents: [String]
        let setAside: [String]
        let gaps: Int64
        let deadLetters: Int64
        let fileBytes: Int64
        let walBytes: Int64

        init(_ report: BufferReport) {
            path = report.path
            id = report.id
            collector = report.collector
            collectorProcess = report.holder
            schemaVersion = report.schemaVersion
            gaps = report.gaps
            deadLetters = report.deadLetters
            fileBytes = report.fileBytes
            walBytes = report.walBytes
            incidents = report.incidents
            setAside = report.setAside
            streams = Dictionary(
                uniqueKeysWithValues: report.streams.map { stream, counts in
                    (
                        stream.rawValue,
                        Stream(
                            rows: counts.rows, pending: counts.pending, lastSequence: counts.lastSequence,
                            acknowledgedSequence: counts.acknowledgedSequence,
                            oldestPendingMilliseconds: counts.oldestPendingMilliseconds,
                            newestMilliseconds: counts.newestMilliseconds)
                    )
                })
            drops = report.drops.map {
                Drop(
                    stream: $0.stream.rawValue, reason: $0.reason, count: $0.count, symbols: $0.symbols,
                    fromMilliseconds: $0.from, toMilliseconds: $0.to)
            }
        }
    }
}

extension Int64 {
    /// A size for people: `1.5 MiB`.
    var bytesText: String {
        var value = Double(self)
        for unit in ["B", "KiB", "MiB", "GiB"] {
            if value < 1024 || unit == "GiB" {
                return unit == "B" ? "\(self) B" : String(format: "%.1f %@", value, unit)
            }
            value /= 1024
        }
        return "\(self) B"
    }
}
