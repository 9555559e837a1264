import Foundation
import Synchronization
public import Testing

/// Threads for what waits in system calls: for a program, a server's answer, a socket.
///
/// The tasks of a process share one thread for each core. A test that waits on such a thread holds it, also from the server
/// within the process that is to answer it.
public enum Blocking {
    /// Runs something that blocks on one of these threads.
    public static func run<Value: Sendable>(_ body: @Sendable () throws -> Value) async throws -> Value {
        try await withTaskExecutorPreference(Threads.shared) { try body() }
    }

    /// Runs each test of a suite on these threads; what the suite leaves to tasks without a parent goes elsewhere.
    public struct Suite: SuiteTrait, TestTrait, TestScoping {
        /// Each test of the suite has it, and those of the suites in it.
        public var isRecursive: Bool { true }

        /// Runs the test on the threads.
        public func provideScope(
            for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
        ) async throws {
            try await withTaskExecutorPreference(Threads.shared) { try await function() }
        }
    }

    /// As many threads as there are jobs at once, up to a bound.
    private final class Threads: TaskExecutor {
        static let shared = Threads()
        private static let most = 64

        private struct State {
            var jobs: [UnownedJob] = []
            /// Threads without a job, less the jobs that wait for one.
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
    /// The suite's tests wait in system calls, on threads that nothing else needs.
    public static var blocking: Self { Self() }
}
