import Foundation
import Synchronization
public import Testing

/// Threads for code that blocks in system calls: on a program, a server's answer, a socket.
///
/// Swift runs all tasks of a process on one thread per core. A test that blocks such a thread takes it away from the
/// others, including the server in the same process whose answer it waits for.
public enum Blocking {
    /// Runs blocking code on one of these threads.
    public static func run<Value: Sendable>(_ body: @Sendable () throws -> Value) async throws -> Value {
        try await withTaskExecutorPreference(Threads.shared) { try body() }
    }

    /// Runs each test of a suite on these threads; detached and other unstructured tasks run elsewhere.
    public struct Suite: SuiteTrait, TestTrait, TestScoping {
        /// Applies the trait to each test of the suite and of the suites within it.
        public var isRecursive: Bool { true }

        /// Runs the test on the threads.
        public func provideScope(
            for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
        ) async throws {
            try await withTaskExecutorPreference(Threads.shared) { try await function() }
        }
    }

    /// Starts as many threads as there are concurrent jobs, up to a limit.
    private final class Threads: TaskExecutor {
        static let shared = Threads()
        private static let most = 64

        private struct State {
            var jobs: [UnownedJob] = []
            /// The number of idle threads minus the number of waiting jobs.
            var free = 0
            var started = 0
        }

        private let state = Mutex(State())
        private let news = DispatchSemaphore(value: 0)

        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            let needsThread = state.withLock { state in
                state.jobs.append(job)
                guard state.free <= 0, state.started < Self.most else {
                    state.free -= 1
                    return false
                }
                state.started += 1
                return true
            }
            if needsThread { Thread.detachNewThread { [self] in work() } }
            news.signal()
        }

        private func work() {
            while true {
                news.wait()
                let job = state.withLock { $0.jobs.removeFirst() }
                job.runSynchronously(on: asUnownedTaskExecutor())
                state.withLock { $0.free += 1 }
            }
        }
    }
}

extension Trait where Self == Blocking.Suite {
    /// Runs the suite's tests on threads that they may block.
    public static var blocking: Self { Self() }
}
