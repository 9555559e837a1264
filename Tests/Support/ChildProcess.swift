public import Foundation
import Synchronization

/// A real process under test: its output line by line, its signals, its exit.
///
/// Killed when it goes out of scope, so that a failed test leaves nothing running.
public final class ChildProcess: Sendable {
    /// A line that did not come, or an exit that did not happen, in time.
    public struct TimedOut: Error, CustomStringConvertible {
        /// What was awaited, and what was seen instead.
        public let description: String
    }

    private struct State {
        var output: [String] = []
        var partial: [Int32: [UInt8]] = [:]
        var openPipes = 2
        var exit: Int32?
        var version = 0
        var waiters: [UUID: CheckedContinuation<Void, Never>] = [:]
    }

    private let process: Process
    private let state = Mutex(State())

    /// Starts `executable`; `environment` replaces the inherited one but for PATH, HOME, LANG and TMPDIR.
    public init(
        _ executable: String, _ arguments: [String], environment: [String: String] = [:],
        directory: String? = nil
    ) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        let inherited = ProcessInfo.processInfo.environment
        var variables = environment
        for name in ["PATH", "HOME", "LANG", "TMPDIR"] where variables[name] == nil {
            variables[name] = inherited[name]
        }
        process.environment = variables
        if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
        process.standardInput = FileHandle.nullDevice
        self.process = process
        for (number, pipe) in [(Int32(1), Pipe()), (Int32(2), Pipe())] {
            if number == 1 { process.standardOutput = pipe } else { process.standardError = pipe }
            pipe.fileHandleForReading.readabilityHandler = { [weak self] handle in
                let data = handle.availableData
                if data.isEmpty { handle.readabilityHandler = nil }
                self?.received(data, from: number)
            }
        }
        process.terminationHandler = { [weak self] process in
            let isSignal = process.terminationReason == .uncaughtSignal
            self?.change { $0.exit = isSignal ? -process.terminationStatus : process.terminationStatus }
            // A process that was started at the same instant may hold the pipes open for as long as it lives.
            Task { [weak self] in
                try? await Task.sleep(for: .seconds(2))
                self?.change { $0.openPipes = 0 }
            }
        }
        try process.run()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    /// The process's id.
    public var pid: pid_t { process.processIdentifier }

    /// All lines so far, of both outputs as they came.
    public var output: [String] { state.withLock { $0.output } }

    /// Sends a signal.
    public func send(_ signal: Int32) {
        if process.isRunning { kill(process.processIdentifier, signal) }
    }

    /// Waits for a line that contains `text` and returns it.
    @discardableResult
    public func line(containing text: String, within limit: Duration = .seconds(20)) async throws -> String {
        let deadline = ContinuousClock.now + limit
        while true {
            let (found, ended, version) = state.withLock { state in
                (state.output.first { $0.contains(text) }, state.exit != nil && state.openPipes == 0, state.version)
            }
            if let found { return found }
            guard !ended, ContinuousClock.now < deadline else {
                throw TimedOut(
                    description: "no line with \"\(text)\" in:\n" + output.suffix(40).joined(separator: "\n"))
            }
            await change(after: version, until: deadline)
        }
    }

    /// Waits for the end and returns the exit status; minus the signal's number when a signal ended it.
    @discardableResult
    public func exit(within limit: Duration = .seconds(20)) async throws -> Int32 {
        let deadline = ContinuousClock.now + limit
        while true {
            let (status, version) = state.withLock { ($0.openPipes == 0 ? $0.exit : nil, $0.version) }
            if let status { return status }
            guard ContinuousClock.now < deadline else {
                throw TimedOut(description: "still running:\n" + output.suffix(40).joined(separator: "\n"))
            }
            await change(after: version, until: deadline)
        }
    }

    private func received(_ data: Data, from pipe: Int32) {
        change { state in
            guard !data.isEmpty else {
                if let rest = state.partial.removeValue(forKey: pipe), !rest.isEmpty {
                    state.output.append(String(decoding: rest, as: UTF8.self))
                }
                state.openPipes = max(0, state.openPipes - 1)
                return
            }
            var bytes = state.partial[pipe] ?? []
            bytes.append(contentsOf: data)
            while let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
                state.output.append(String(decoding: bytes[..<end], as: UTF8.self))
                bytes.removeSubrange(...end)
            }
            state.partial[pipe] = bytes
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
