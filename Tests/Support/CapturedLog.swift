public import Logging
import Synchronization

/// Keeps the lines that a logger writes, with their metadata, as text.
public final class CapturedLog: Sendable {
    private let kept = Mutex<[String]>([])

    /// Makes an empty log.
    public init() {}

    /// The lines written so far.
    public var lines: [String] { kept.withLock { $0 } }

    /// The lines that contain `text`.
    public func lines(with text: String) -> [String] { lines.filter { $0.contains(text) } }

    /// A logger that writes here.
    public var logger: Logger {
        Logger(label: "test") { _ in Destination(log: self) }
    }

    private func write(_ line: String) { kept.withLock { $0.append(line) } }

    private struct Destination: LogHandler {
        let log: CapturedLog
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level = .trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
            let pairs = all.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            log.write("\(event.level) \(event.message) \(pairs.joined(separator: " "))")
        }
    }
}
