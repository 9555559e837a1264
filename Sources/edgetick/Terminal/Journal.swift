import FoundationEssentials
import Logging
import Store

/// systemd's journal. It takes the priority of a line from a prefix such as `<3>`, without which `journalctl -p err`
/// shows none of the errors.
enum Journal {
    /// Whether standard error leads straight to the journal: is the stream that systemd's variable names by device and
    /// inode. A process whose output goes elsewhere inherits the variable too.
    private static let isStandardError: Bool = {
        guard let name = ProcessInfo.processInfo.environment["JOURNAL_STREAM"] else { return false }
        return DescriptorIdentity.text(of: 2) == name
    }()

    /// What goes before a line on standard error; empty if that leads elsewhere.
    static func prefix(_ level: Logger.Level) -> String { isStandardError ? "<\(priority(level))>" : "" }

    /// The priority as sd-daemon(3) defines it.
    private static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }
}
