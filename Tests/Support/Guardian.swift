public import Foundation

/// Kills processes and removes their files when this process ends, however it ends.
public final class Guardian: Sendable {
    private let pipe: Int32

    /// Starts watching. Going out of scope kills and removes them too.
    public init(of processes: [pid_t], and directory: String) throws(Command.Failure) {
        let script = """
            trap '' HUP INT TERM
            cat > /dev/null
            kill -KILL "$@"
            sleep 0.5
            rm -rf "$0"
            """
        pipe = try Command.start(["/bin/sh", "-c", script, directory] + processes.map { "\($0)" })
    }

    deinit { close(pipe) }
}
