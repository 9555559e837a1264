/// Runs `body` so that cancelling the task ends its waits for the server.
func interruptible<Value: Sendable, Failure: Error>(
    by wakeup: Wakeup, isolation: isolated (any Actor)? = #isolation,
    _ body: () async throws(Failure) -> Value
) async throws(Failure) -> Value {
    wakeup.clear()
    let result: Result<Value, Failure> = await withTaskCancellationHandler {
        do throws(Failure) {
            return .success(try await body())
        } catch {
            return .failure(error)
        }
    } onCancel: {
        wakeup.signal()
    }
    return try result.get()
}
