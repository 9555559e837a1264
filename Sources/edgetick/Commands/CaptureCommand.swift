import ArgumentParser
import Collector
import Feed
import FeedSimulator
import Glibc
import Logging
import MarketData
import Store
import Synchronization
import Wire

/// Records the feed's raw frames in a file.
struct CaptureCommand: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "capture", abstract: "Record the feed's frames as they arrive, one per line.",
        discussion: """
            Example: SYMBOLS=AAPL,MSFT edgetick capture day.ndjson

            The file can be replayed with edgetick simulate --capture. Nothing is buffered or uploaded.
            It logs in as an additional client of the account; with several connections configured, as the first of
            them. If the account has no connection left, the login disconnects another client, possibly a running
            collector. With USE_SYNTHETIC_DATA=true it records the built-in simulator.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @Argument(help: "The file to write; must not exist.", completion: .file()) var file: String
    @Option(help: "Stop after this many frames.") var frames: Int?
    @Option(help: "Stop after this many seconds.") var seconds: Int?
    @Flag(help: "Print JSON.") var json = false

    func validate() throws { try refuseBelowOne(["--frames": frames, "--seconds": seconds]) }

    var needs: Settings.Needs { .feed }

    func run(_ settings: Settings) async throws {
        guard settings.feed.source != .none else {
            throw CommandFailure(.configuration, "there is no feed to record: set USE_MASSIVE_API=true")
        }
        let plan = try await settings.symbolPlan(
            of: Array(settings.wishes.prefix(1)), single: nil, Logger(label: "capture"))
        guard let assignment = plan.inForce.first, assignment.hasSymbols else {
            throw CommandFailure(.configuration, "no symbols: set SYMBOL_UNIVERSE_KEY or SYMBOLS")
        }
        let simulator = try await settings.builtInSimulator()
        let serving = simulator.map { simulator in Task { try await simulator.feed.run() } }
        defer { serving?.cancel() }
        let configuration = try settings.feedConfiguration(
            named: assignment.wish.name, url: simulator?.url ?? settings.feed.url)
        // Only now: a failure before this leaves no file behind.
        let recorder = try FrameRecorder(file: file, limit: frames, leavingOut: settings.feed.apiKey)
        let feed = FeedConnection(
            configuration: configuration, interest: assignment.interest, sink: NoSink(), tap: recorder,
            logger: Logger(label: "feed"))
        let running = Task { try await feed.run() }
        recorder.onEnd { running.cancel() }
        let timer = seconds.map { limit in
            Task {
                // A longer sleep than the clock can count ends the process.
                try await Task.sleep(for: .seconds(min(limit, Int(Int32.max))))
                running.cancel()
            }
        }
        defer { timer?.cancel() }
        _ = try? await Interrupts.cancelling(running)
        let recorded = try recorder.close()
        guard recorded > 0 else {
            unlink(file)
            throw CommandFailure(.unavailable, "no frame was received (the log says why), so \(file) was removed")
        }
        let result = CaptureJSON(file: file, frames: recorded)
        print(json ? WireJSON.text(of: result) : "recorded \(result.frames.counted("frame")) in \(result.file)")
    }
}

/// Writes each text message as a line.
private final class FrameRecorder: FrameTap {
    private struct State {
        let descriptor: Int32
        var pending: [UInt8] = []
        var frames = 0
        /// The system's error number of the first failed write.
        var failure: Int32?
        var end: (@Sendable () -> Void)?
    }

    private static let chunk = 1 << 20

    private let state: Mutex<State>
    private let limit: Int
    private let secret: [UInt8]

    init(file: String, limit: Int?, leavingOut secret: Secret?) throws(CommandFailure) {
        let descriptor = PrivateFile.open(file, O_WRONLY | O_EXCL)
        guard descriptor >= 0 else {
            throw CommandFailure(.ioError, "\(file) can't be created: \(String(cString: strerror(errno)))")
        }
        state = Mutex(State(descriptor: descriptor))
        self.limit = limit ?? .max
        self.secret = Array((secret?.reveal() ?? "").utf8)
    }

    /// Calls `end` when the limit is reached or the file can't be written.
    func onEnd(_ end: @escaping @Sendable () -> Void) { state.withLock { $0.end = end } }

    func received(_ message: UnsafeRawBufferPointer, receivedMicroseconds: Int64) {
        // If the feed echoes the key, it must not end up in a file that may be passed around.
        guard secret.isEmpty || !message.contains(secret) else { return }
        let end = state.withLock { state -> (@Sendable () -> Void)? in
            guard state.frames < limit, state.failure == nil else { return state.end }
            state.pending.append(contentsOf: message.lazy.map { $0 == UInt8(ascii: "\n") ? UInt8(ascii: " ") : $0 })
            state.pending.append(UInt8(ascii: "\n"))
            state.frames += 1
            if state.pending.count >= Self.chunk { Self.write(&state) }
            return state.frames == limit || state.failure != nil ? state.end : nil
        }
        end?()
    }

    /// Writes what is left; returns the number of frames.
    func close() throws -> Int {
        try state.withLock { state in
            Self.write(&state)
            if let failure = state.failure {
                throw CommandFailure(
                    .ioError, "the recording could not be written: \(String(cString: strerror(failure)))")
            }
            return state.frames
        }
    }

    private static func write(_ state: inout State) {
        let code = StandardStream.write(state.pending, to: state.descriptor).code
        if code != 0 { state.failure = code }
        state.pending.removeAll(keepingCapacity: true)
    }

    deinit { state.withLock { _ = Glibc.close($0.descriptor) } }
}
