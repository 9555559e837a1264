import Logging
import MarketData

/// Writes each log entry to standard error as one line of text or JSON.
///
/// Control characters are escaped, so that no symbol, message or path from outside can forge a line or steer a
/// terminal.
struct LineLogHandler: LogHandler {
    enum Format: String, Sendable, CaseIterable {
        case text
        case json
    }

    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level
    private let label: String
    private let format: Format

    init(label: String, level: Logger.Level, format: Format) {
        self.label = label
        self.format = format
        logLevel = level
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// The longest message or value, in characters: ``LogWriter`` drops a line that exceeds its limit.
    private static let longest = 8192

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
            .map { (key: $0.key, value: $0.value.description) }
        let format = format
        let line = Self.line(format, event.level, label, event.message.description, all)
        LogWriter.standardError.write(Self.prefix(format, event.level) + line) { lost in
            Self.prefix(format, .warning)
                + Self.line(
                    format, .warning, "log", "log lines were lost because they could not be written",
                    [("lines", "\(lost)")])
        }
    }

    /// What goes before a line; a line of JSON stays JSON, and has its level in a member.
    private static func prefix(_ format: Format, _ level: Logger.Level) -> String {
        format == .text ? Journal.prefix(level) : ""
    }

    private static func shortened(_ text: String) -> String {
        let shown = text.unicodeScalars.prefix(longest)
        return shown.endIndex == text.endIndex ? text : String(shown) + "…"
    }

    static func line(
        _ format: Format, _ level: Logger.Level, _ label: String, _ message: String,
        _ metadata: [(key: String, value: String)]
    ) -> String {
        let time = MomentText.exactText(WallClock.milliseconds())
        let message = shortened(message)
        let metadata = metadata.map { (key: $0.key, value: shortened($0.value)) }
        switch format {
        case .text:
            var line = "\(time) \(level.rawValue.uppercased().padded(to: 7)) \(label): \(message.escapingControls)"
            for (key, value) in metadata {
                let text = value.escapingControls
                let needsQuotes = text.isEmpty || text.unicodeScalars.contains { " \"=".unicodeScalars.contains($0) }
                line += " \(key)=" + (needsQuotes ? "\"\(text.escaping("\"", with: "\\"))\"" : text)
            }
            return line + "\n"
        case .json:
            var line = #"{"time":"\#(time)","level":"\#(level.rawValue)""#
            for (key, value) in [(key: "logger", value: label), (key: "message", value: message)] + metadata {
                line += "," + JSONString.quoted(key) + ":" + JSONString.quoted(value)
            }
            return line + "}\n"
        }
    }
}

extension String {
    /// The text on one line, without characters that steer a terminal or hide text.
    var escapingControls: String { DisplayText.escaped(self, limit: .max) }

    /// The text, followed by spaces up to `width` characters.
    func padded(to width: Int) -> String {
        count >= width ? self : self + String(repeating: " ", count: width - count)
    }

    /// The text, preceded by spaces up to `width` characters.
    func aligned(to width: Int) -> String {
        count >= width ? self : String(repeating: " ", count: width - count) + self
    }
}
