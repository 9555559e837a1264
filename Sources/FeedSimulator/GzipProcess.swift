import Glibc
import Synchronization

/// A `gzip -dc` child that decompresses a file into a pipe; started without a shell, ended with its owner.
///
/// Decompression so runs on a core of its own and needs no library. The child reads the open file from its standard
/// input: no path is ever passed on.
final class GzipProcess: Sendable {
    private let path: String
    private let process: pid_t
    private let output: Int32
    private let messages: Int32
    private let isReaped = Mutex(false)

    /// Starts the child on an open file.
    init(input: borrowing CaptureBytes.FileDescriptor, path: String) throws(SimulatorError) {
        var outputPipe: [Int32] = [-1, -1]
        var messagePipe: [Int32] = [-1, -1]
        guard Self.makePipe(&outputPipe) else { throw Self.cannotStart(path, errno) }
        guard Self.makePipe(&messagePipe) else {
            let code = errno
            outputPipe.forEach { close($0) }
            throw Self.cannotStart(path, code)
        }
        let (code, process) = Self.spawn(
            input: input.number, output: outputPipe[1], messages: messagePipe[1])
        close(outputPipe[1])
        close(messagePipe[1])
        guard code == 0 else {
            close(outputPipe[0])
            close(messagePipe[0])
            throw Self.cannotStart(path, code)
        }
        self.path = path
        self.process = process
        output = outputPipe[0]
        messages = messagePipe[0]
    }

    deinit {
        isReaped.withLock { isReaped in
            guard !isReaped else { return }
            kill(process, SIGKILL)
            var status: Int32 = 0
            while waitpid(process, &status, 0) < 0, errno == EINTR {}
        }
        close(output)
        close(messages)
    }

    /// Reads decompressed bytes; 0 means that all were read and that the file is sound. Blocks.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(SimulatorError) -> Int {
        let count = readFully(output, buffer)
        guard count >= 0 else { throw .cannotRead(path, errno) }
        if count == 0 { try finish() }
        return count
    }

    private func finish() throws(SimulatorError) {
        let text = readMessages()
        var status: Int32 = 0
        let reapedNow = isReaped.withLock { isReaped in
            guard !isReaped else { return false }
            while waitpid(process, &status, 0) < 0, errno == EINTR {}
            isReaped = true
            return true
        }
        guard reapedNow, status != 0 else { return }
        let isTruncated = text.contains("unexpected end of file")
        throw SimulatorError(
            reason: isTruncated ? .captureTruncated : .captureUnreadable,
            operation: "decompressing the capture \(path)",
            underlying: text.isEmpty ? "gzip ended with wait status \(status)" : text,
            advice: isTruncated ? "copy or download the whole file again" : "name a file that 'gzip -t' accepts")
    }

    /// What the child wrote to its standard error, on one line.
    private func readMessages() -> String {
        var bytes: [UInt8] = []
        withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 1) { buffer in
            while bytes.count < 4096 {
                let count = readFully(messages, buffer)
                guard count > 0 else { return }
                bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
        }
        return String(decoding: bytes, as: UTF8.self)
            .split(whereSeparator: \.isNewline).joined(separator: " ")
            .split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
    }

    /// A pair of sockets serves as the pipe: both ends are marked close-on-exec as they are made, so that no other
    /// child started at that moment keeps one open.
    private static func makePipe(_ ends: inout [Int32]) -> Bool {
        socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0
    }

    private static func spawn(input: Int32, output: Int32, messages: Int32) -> (code: Int32, process: pid_t) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, messages, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A group of its own: an interrupt at the terminal ends the simulator, which then ends the child.
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("gzip"), strdup("-dc"), nil]
        let environment: [UnsafeMutablePointer<CChar>?] = [strdup("LC_ALL=C"), nil]
        defer { (arguments + environment).forEach { free($0) } }
        var process: pid_t = 0
        var code: Int32 = ENOENT
        for program in ["/usr/bin/gzip", "/bin/gzip", "/usr/local/bin/gzip"] {
            code = posix_spawn(&process, program, &actions, &attributes, arguments, environment)
            if code != ENOENT { break }
        }
        return (code, process)
    }

    private static func cannotStart(_ path: String, _ code: Int32) -> SimulatorError {
        SimulatorError(
            reason: .captureUnreadable, operation: "starting gzip for the capture \(path)",
            underlying: SimulatorError.systemText(code), advice: "install gzip, or decompress the file first")
    }
}
