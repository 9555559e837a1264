public import Foundation

/// Ends processes that others than this one started, and removes their files, when this process ends, however it does.
public final class Guardian: Sendable {
    private let pipe: Int32

    /// Starts to watch; also ends and removes them when it goes out of scope.
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
