import Dispatch
import Glibc

/// A program that the demo starts and ends. It runs in its own process group, so that Ctrl-C at the terminal reaches
/// only the demo, and its output goes to a file.
final class DemoProcess: Sendable {
    let id: pid_t
    private let status: Task<Int32, Never>

    /// - Parameter log: The file to which its output is appended.
    init(_ command: [String], environment: [String: String], log: String) throws(CommandFailure) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        // A child inherits ignored signals; reset them all.
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        let arguments = command.map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { (arguments + variables).forEach { free($0) } }
        var process: pid_t = 0
        let code = posix_spawnp(&process, command[0], &actions, &attributes, arguments, variables)
        guard code == 0 else {
            throw CommandFailure(.unavailable, "\(command[0]) can't be started: \(String(cString: strerror(code)))")
        }
        let id = process
        self.id = id
        status = Task {
            await withCheckedContinuation { continuation in
                DispatchQueue.global().async {
                    var status: Int32 = 0
                    while waitpid(id, &status, 0) < 0, errno == EINTR {}
                    // The shell's convention: 128 plus the signal's number.
                    continuation.resume(returning: status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + (status & 0x7F))
                }
            }
        }
    }

    /// Sends a signal and waits until the process has ended.
    func end(_ number: Int32) async {
        kill(id, number)
        _ = await status.value
    }

    func exit() async -> Int32 { await status.value }
}
