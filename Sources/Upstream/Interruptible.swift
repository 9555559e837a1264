/// Runs `body` so that cancelling the task ends its waits for the server.
func interruptible<Value: Sendable>(
    by wakeup: Wakeup, isolation: isolated (any Actor)? = #isolation,
    _ body: () async throws(UpstreamError) -> Value
) async throws(UpstreamError) -> Value {
    wakeup.clear()
    let result: Result<Value, UpstreamError> = await withTaskCancellationHandler {
        do throws(UpstreamError) {
            return .success(try await body())
        } catch {
            return .failure(error)
        }
    } onCancel: {
        wakeup.signal()
    }
    return try result.get()
}
