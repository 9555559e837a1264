import Foundation

/// Runs commands and waits for them to end.
///
/// Foundation's `Process` doesn't fit: it considers a command unfinished as long as anything that the command started,
/// such as a server, holds the descriptors that it inherited.
public enum Command {
    /// The error of a command that couldn't be started or ended with a status other than 0.
    public struct Failure: Error, CustomStringConvertible {
        /// The command and what it printed.
        public let description: String
    }

    /// Runs the command, its path first, and returns what it printed to both outputs.
    @discardableResult
    public static func run(_ command: [String], input: String = "") throws(Failure) -> String {
        let (status, output) = try result(of: command, input: input)
        guard status == 0 else {
            throw Failure(description: "\(command.joined(separator: " ")): status \(status)\n\(output)")
        }
        return output
    }

    /// Runs statements on a file with the sqlite3 shell, which waits for locks, and returns what they print without the
    /// end of the last line.
    @discardableResult
    public static func sqlite(_ file: String, _ statements: String...) throws(Failure) -> String {
        try run(["/usr/bin/sqlite3", "-cmd", ".timeout 30000", file] + statements)
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Like ``sqlite(_:_:)`` with a query, over a connection that can't write.
    public static func query(_ file: String, _ sql: String) throws(Failure) -> String {
        try run(["/usr/bin/sqlite3", "-readonly", "-cmd", ".timeout 30000", file, sql])
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Runs the command, its path first, and returns its status, as `waitpid` reports it, and what it printed.
    public static func result(
        of command: [String], input: String = ""
    ) throws(Failure) -> (status: Int32, output: String) {
        let place = NSTemporaryDirectory() + "/edgetick-command-\(UUID().uuidString)"
        defer {
            unlink(place + ".in")
            unlink(place + ".out")
        }
        do {
            try Data(input.utf8).write(to: URL(fileURLWithPath: place + ".in"))
        } catch {
            throw Failure(description: "\(error)")
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, place + ".in", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, place + ".out", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        let child = try spawn(command, &actions)
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        return (status, (try? String(contentsOfFile: place + ".out", encoding: .utf8)) ?? "")
    }

    /// Starts a command whose standard input stays open until this process ends or closes the descriptor returned.
    static func start(_ command: [String]) throws(Failure) -> Int32 {
        let ends = try privatePair()
        defer { close(ends[0]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        let child = try spawn(command, &actions)
        // Reaped as soon as it ends: a zombie would keep code busy that waits for any child.
        Thread.detachNewThread {
            var status: Int32 = 0
            while waitpid(child, &status, 0) < 0, errno == EINTR {}
        }
        return ends[1]
    }

    /// Returns two connected sockets, which a child inherits only if it is given one.
    static func privatePair() throws(Failure) -> [Int32] {
        var ends: [Int32] = [-1, -1]
        let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue
        guard socketpair(AF_UNIX, Int32(type), 0, &ends) == 0 else {
            throw Failure(description: "no socket pair: errno \(errno)")
        }
        return ends
    }

    /// Starts a command, its path first, with the standard input and outputs that `actions` set; it inherits no other
    /// descriptor.
    static func spawn(
        _ command: [String], _ actions: inout posix_spawn_file_actions_t, environment: [String: String]? = nil
    ) throws(Failure) -> pid_t {
        // All other descriptors are closed in the child: a server would keep pipes open whose end others wait for.
        let open = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        for descriptor in open.compactMap({ Int32($0) }) where descriptor > 2 {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        let arguments = command.map { strdup($0) } + [nil]
        let variables = (environment ?? ProcessInfo.processInfo.environment).map { strdup("\($0)=\($1)") } + [nil]
        defer { for text in arguments + variables { free(text) } }
        var child: pid_t = 0
        let code = posix_spawnp(&child, command[0], &actions, nil, arguments, variables)
        guard code == 0 else {
            throw Failure(description: "\(command.joined(separator: " ")): \(String(cString: strerror(code)))")
        }
        return child
    }
}
