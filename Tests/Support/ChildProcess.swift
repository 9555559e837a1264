public import Foundation
import Synchronization

/// A real process under test: its output line by line, its signals, its exit.
///
/// The process is killed when the object goes out of scope, so that a failed test leaves nothing running.
public final class ChildProcess: Sendable {
    private static let passedOn = [
        "PATH", "HOME", "LANG", "TMPDIR", "TZ", "LLVM_PROFILE_FILE", "LD_PRELOAD", "CLOCKSHIM_FILE",
    ]

    private struct State {
        var output: [String] = []
        var partial: [Int: [UInt8]] = [:]
        var exit: Int32?
        var version = 0
        var waiters: [UUID: CheckedContinuation<Void, Never>] = [:]
    }

    private let child: Spawned
    private let state = Mutex(State())

    /// Starts `executable`. `environment` replaces the inherited environment except for PATH, HOME, LANG, TMPDIR, TZ
    /// and the variables of the tests' clock and of coverage. The product is confined to loopback (``Loopback``).
    public init(
        _ executable: String, _ arguments: [String], environment: [String: String] = [:],
        directory: String? = nil
    ) throws {
        let inherited = ProcessInfo.processInfo.environment
        var variables = environment
        for name in Self.passedOn where variables[name] == nil { variables[name] = inherited[name] }
        if ([executable] + arguments).contains(where: { $0.contains(Places.edgetick) }) {
            variables = try Loopback.settings(variables)
        }
        child = try Spawned([executable] + arguments, environment: variables, directory: directory)
        let reader = Thread { [weak self, child] in
            child.read { self?.received($0, from: $1) }
            let status = child.wait()
            self?.change { $0.exit = status }
        }
        reader.start()
    }

    deinit { child.signal(SIGKILL) }

    /// The process's id.
    public var pid: pid_t { child.pid }

    /// Sends a signal.
    public func send(_ signal: Int32) { child.signal(signal) }

    /// All lines so far of both outputs, in the order in which they came.
    public var output: [String] { state.withLock { $0.output } }

    /// Waits for a line that contains `text` and returns it.
    @discardableResult
    public func line(containing text: String, within limit: Duration = .seconds(45)) async throws -> String {
        let deadline = ContinuousClock.now + limit
        while true {
            let (found, ended, version) = state.withLock { state in
                (state.output.first { $0.contains(text) }, state.exit != nil, state.version)
            }
            if let found { return found }
            guard !ended, ContinuousClock.now < deadline else {
                throw Waiting.TimedOut(
                    "no line with \"\(text)\" in:\n" + output.suffix(40).joined(separator: "\n"))
            }
            await change(after: version, until: deadline)
        }
    }

    /// Waits for the process to end and returns its exit status, or the negated signal number if a signal ended it.
    @discardableResult
    public func exit(within limit: Duration = .seconds(45)) async throws -> Int32 {
        let deadline = ContinuousClock.now + limit
        while true {
            let (status, version) = state.withLock { ($0.exit, $0.version) }
            if let status { return status }
            guard ContinuousClock.now < deadline else {
                throw Waiting.TimedOut("still running:\n" + output.suffix(40).joined(separator: "\n"))
            }
            await change(after: version, until: deadline)
        }
    }

    /// Asks the process to end, and waits until it has; throws unless its exit status is 0.
    public func stop(within limit: Duration = .seconds(45)) async throws {
        send(SIGTERM)
        let status = try await exit(within: limit)
        guard status == 0 else {
            throw Command.Failure(
                description: "status \(status) after SIGTERM:\n" + output.suffix(40).joined(separator: "\n"))
        }
    }

    private func received(_ bytes: ArraySlice<UInt8>, from pipe: Int) {
        change { state in
            var rest = bytes
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                let line = state.partial[pipe, default: []] + rest[..<end]
                state.partial[pipe] = nil
                state.output.append(String(decoding: line, as: UTF8.self))
                rest = rest[(end + 1)...]
            }
            guard bytes.isEmpty else {
                if !rest.isEmpty { state.partial[pipe, default: []] += rest }
                return
            }
            if let last = state.partial.removeValue(forKey: pipe) {
                state.output.append(String(decoding: last, as: UTF8.self))
            }
        }
    }

    private func change(_ body: (inout State) -> Void) {
        let waiters = state.withLock { state in
            body(&state)
            state.version += 1
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume() }
    }

    private func change(after version: Int, until deadline: ContinuousClock.Instant) async {
        let id = UUID()
        let timer = Task {
            try? await Task.sleep(until: deadline, clock: .continuous)
            state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
        }
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if state.version == version, ContinuousClock.now < deadline {
                    state.waiters[id] = continuation
                    return false
                }
                return true
            }
            if isOver { continuation.resume() }
        }
        timer.cancel()
    }
}
