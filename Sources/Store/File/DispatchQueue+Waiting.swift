public import Dispatch

extension DispatchQueue {
    /// Runs a blocking `body` on this queue and waits for it; cancellation doesn't end the wait.
    public func waiting<Value: Sendable, Failure: Error>(
        for body: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let result: Result<Value, Failure> = await withCheckedContinuation { continuation in
            self.async { continuation.resume(returning: Result(catching: body)) }
        }
        return try result.get()
    }
}
