public import Dispatch

extension DispatchQueue {
    /// Runs a blocking `body` on this queue and waits for it; cancellation doesn't end the wait.
    public func waiting<Value: Sendable, Failure: Error>(
        for body: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<Value, Failure>, Never>) in
            self.async {
                do throws(Failure) {
                    continuation.resume(returning: .success(try body()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }
}
