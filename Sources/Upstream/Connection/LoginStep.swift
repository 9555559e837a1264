import CPostgres
import Glibc
import MarketData
import Synchronization

/// One step of establishing a connection, on a thread of its own.
///
/// A server may make its client hash the password two thousand million times (SCRAM's rounds), which takes an hour.
/// libpq has no limit for that, and nothing can interrupt it. A step that exceeds its deadline is therefore abandoned:
/// it continues at the lowest priority and frees the connection when it ends. Until then, few logins are tried at that
/// server: see ``HeldLogins``.
final class LoginStep: Sendable {
    private enum State {
        case running(thread: Int32?)
        case done(UInt32)
        case leftAlone(isPastDeadline: Bool)
    }

    enum Outcome {
        case done(PostgresPollingStatusType)
        /// The step exceeded its deadline or was cancelled, and now owns the connection.
        case leftAlone(Readiness)
    }

    /// The servers at which steps continue past their deadlines, under the names that operations use.
    private static let held = Mutex<[String: HeldLogins]>([:])

    /// libpq's handle; only one thread uses it at a time.
    private let address: UInt
    private let server: String
    private let state = Mutex(State.running(thread: nil))
    private let ended = Wakeup()

    private init(_ handle: OpaquePointer, server: String) {
        address = UInt(bitPattern: handle)
        self.server = server
    }

    /// Whether a login at this server may be tried, given the earlier ones that are still computing.
    static func mayTry(_ server: String) -> Bool { held.withLock { $0[server]?.mayTry(MonotonicTime.now()) ?? true } }

    /// Takes one step. Blocks until `deadline` at most; `nil` if no thread can be started.
    static func take(
        with handle: OpaquePointer, server: String, until deadline: Deadline, interrupt: Wakeup
    ) -> Outcome? {
        let step = LoginStep(handle, server: server)
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(step).toOpaque()
        let code = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<LoginStep>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, argument)
        guard code == 0 else {
            Unmanaged<LoginStep>.fromOpaque(argument).release()
            return nil
        }
        pthread_detach(thread)
        return step.outcome(until: deadline, interrupt)
    }

    private func outcome(until deadline: Deadline, _ interrupt: Wakeup) -> Outcome {
        let readiness = wait(for: Int16(POLLIN), on: ended.descriptor, until: deadline, interrupt: interrupt)
        return state.withLock { state in
            if case .done(let status) = state { return .done(PostgresPollingStatusType(rawValue: status)) }
            if case .running(let thread?) = state { edgetick_give_way(thread) }
            // A cancelled step isn't held: it may end in a moment, and the next login may be tried before that.
            let isPastDeadline = if case .interrupted = readiness { false } else { true }
            state = .leftAlone(isPastDeadline: isPastDeadline)
            if isPastDeadline { Self.held.withLock { $0[server, default: HeldLogins()].add(MonotonicTime.now()) } }
            return .leftAlone(readiness)
        }
    }

    private func run() {
        guard let handle = OpaquePointer(bitPattern: address) else { return }
        state.withLock { state in
            if case .running = state { state = .running(thread: edgetick_thread()) }
        }
        let status = PQconnectPoll(handle)
        let isPastDeadline: Bool? = state.withLock { state in
            if case .leftAlone(let isPastDeadline) = state { return isPastDeadline }
            state = .done(status.rawValue)
            return nil
        }
        guard let isPastDeadline else { return ended.signal() }
        PQfinish(handle)
        guard isPastDeadline else { return }
        Self.held.withLock { held in
            held[server]?.end()
            if held[server]?.count == 0 { held[server] = nil }
        }
    }
}
