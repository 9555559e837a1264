/// Runs `body` so that cancelling the task ends its waits for the server. Its errors name the settings of `role`.
func interruptible<Value: Sendable, Failure: Error>(
    by wakeup: Wakeup, role: UpstreamRole, isolation: isolated (any Actor)? = #isolation,
    _ body: () async throws(Failure) -> Value
) async throws(Failure) -> Value {
    wakeup.clear()
    let result: Result<Value, Failure> = await withTaskCancellationHandler {
        do throws(Failure) {
            return .success(try await body())
        } catch {
            return .failure((error as? UpstreamError)?.of(role) as? Failure ?? error)
        }
    } onCancel: {
        wakeup.signal()
    }
    return try result.get()
}
