import CPostgres
import Glibc

/// One libpq connection, driven without blocking calls: every wait is a poll(2) with a deadline.
///
/// Its methods block the calling thread up to that deadline, so it belongs to an actor on a ``QueueExecutor``. After a
/// deadline, a cancellation or a lost connection it is no longer usable (``isUsable``). The server rolls back the open
/// transaction; whether a COMMIT in flight succeeded is for the ledger to find out.
final class PostgresConnection {
    /// libpq's handle; ``finish()`` frees it.
    var handle: OpaquePointer?
    let interrupt: Wakeup
    let configuration: UpstreamConfiguration

    init(handle: OpaquePointer, interrupt: Wakeup, configuration: UpstreamConfiguration) {
        self.handle = handle
        self.interrupt = interrupt
        self.configuration = configuration
    }

    deinit { finish() }

    private var secrets: SecretTexts { configuration.settings.secrets }

    var isUsable: Bool { handle.map { PQstatus($0) == CONNECTION_OK } ?? false }

    /// Whether a transaction is open, including a failed one.
    var isInTransaction: Bool { PQtransactionStatus(handle) != PQTRANS_IDLE }

    /// The server's version in libpq's form: 150018 is 15.18.
    var serverVersion: Int { Int(PQserverVersion(handle)) }

    /// The process id of the server for this connection, as the server, or a pooler in front of it, reported at login.
    var backend: Int { Int(PQbackendPID(handle)) }

    var isEncrypted: Bool { PQsslInUse(handle) != 0 }

    /// Whether the server has left the idle connection open. Doesn't wait.
    var isOpen: Bool {
        // POLLRDHUP, which Swift doesn't import.
        var polled = pollfd(fd: PQsocket(handle), events: 0x2000, revents: 0)
        return isUsable && poll(&polled, 1, 0) == 0
    }

    /// Closes the socket and frees the memory. Doesn't block: libpq says goodbye only if the socket takes it at once.
    func finish() {
        guard let handle else { return }
        PQfinish(handle)
        self.handle = nil
    }

    /// Closes the connection for good and returns the reason as an error.
    func discarded(_ reason: UpstreamError.Reason, _ operation: String, _ text: String) -> UpstreamError {
        let error = UpstreamError(reason, operation, secrets.mask(text))
        finish()
        return error
    }

    /// Waits for the socket; closes the connection if the deadline passes or the task is cancelled.
    func waitFor(_ events: Int32, until deadline: Deadline, _ operation: String) throws(UpstreamError) -> Int16 {
        let socket = PQsocket(handle)
        guard socket >= 0 else { throw discarded(.connectionLost, operation, lastMessage) }
        switch wait(for: Int16(events), on: socket, until: deadline, interrupt: interrupt) {
        case .ready(let events): return events
        case .interrupted: throw discarded(.cancelled, operation, "cancelled")
        case .deadline: throw discarded(.deadline, operation, "no answer within \(configuration.responseLimit)")
        }
    }

    func consumeInput(_ operation: String) throws(UpstreamError) {
        guard PQconsumeInput(handle) == 1 else { throw ended(operation) }
    }

    /// The number of bytes received so far.
    var received: UInt64 { edgetick_received(PQsocket(handle)) }

    /// Waits for more of a response and reads it.
    func takeMore(of bounds: inout AnswerBounds, until deadline: Deadline, _ operation: String) throws(UpstreamError) {
        _ = try waitFor(POLLIN, until: deadline, operation)
        try take(of: &bounds, until: deadline, operation)
    }

    private func take(of bounds: inout AnswerBounds, until deadline: Deadline, _ operation: String)
        throws(UpstreamError)
    {
        try consumeInput(operation)
        guard let fault = bounds.fault(received: received, remaining: deadline.remaining) else { return }
        throw discarded(.deadline, operation, fault)
    }

    /// The error for a lost connection: the server's last message if it says why the session ended.
    private func ended(_ operation: String) -> UpstreamError {
        let text = lastMessage
        // During a COPY, libpq parses what has arrived only after the rows have been ended.
        PQputCopyEnd(handle, nil)
        while let result = PQgetResult(handle) {
            defer { PQclear(result) }
            let error = error(in: result, operation)
            if error.endsSession { return settled(error) }
        }
        return discarded(.connectionLost, operation, text)
    }

    /// Hands everything queued to the kernel. Reads what arrives meanwhile, so that both sides can't wait for ever.
    func flush(until deadline: Deadline, _ operation: String) throws(UpstreamError) {
        var bounds = AnswerBounds(received: received)
        while true {
            switch PQflush(handle) {
            case 0: return
            case 1:
                let events = try waitFor(POLLIN | POLLOUT, until: deadline, operation)
                if events & Int16(POLLIN) != 0 { try take(of: &bounds, until: deadline, operation) }
            default: throw discarded(.connectionLost, operation, lastMessage)
            }
        }
    }

    /// The next result of the statements sent; `nil` after the last.
    ///
    /// - Parameter failure: the error in an earlier result, with which the server may have ended the session.
    func nextResult(
        until deadline: Deadline, _ operation: String, after failure: UpstreamError? = nil
    ) throws(UpstreamError) -> OpaquePointer? {
        var bounds = AnswerBounds(received: received)
        do throws(UpstreamError) {
            while PQisBusy(handle) == 1 { try takeMore(of: &bounds, until: deadline, operation) }
        } catch {
            guard let failure, failure.endsSession else { throw error }
            throw failure
        }
        return PQgetResult(handle)
    }

    /// Whether a setting is on, among those that the server reports by itself.
    private func isOn(_ setting: String) -> Bool {
        PQparameterStatus(handle, setting).map { String(cString: $0) } == "on"
    }

    var lastMessage: String {
        let text = PQerrorMessage(handle).map { String(cString: $0) } ?? ""
        return secrets.mask(text.isEmpty ? "the connection is closed" : text)
    }

    func error(in result: OpaquePointer, _ operation: String) -> UpstreamError {
        func text(_ pointer: UnsafePointer<CChar>?) -> String? { pointer.map { String(cString: $0) } }
        let sqlState = text(edgetick_error_sqlstate(result))
        let message = [text(edgetick_error_message(result)), text(edgetick_error_detail(result))]
            .compactMap(\.self).joined(separator: ": ")
        let named = [
            ("table", text(edgetick_error_table(result))), ("column", text(edgetick_error_column(result))),
            ("constraint", text(edgetick_error_constraint(result))),
        ]
        var object = named.compactMap { kind, name in name.map { "\(kind) \($0)" } }.joined(separator: ", ")
        if sqlState == "25006", isOn("default_transaction_read_only"), !isOn("in_hot_standby") {
            object = UpstreamError.readOnlySetting
        }
        return UpstreamError(
            UpstreamError.Reason(sqlState: sqlState), operation, message.isEmpty ? lastMessage : secrets.mask(message),
            sqlState: sqlState, object: object.isEmpty ? nil : secrets.mask(object), constraint: named[2].1)
    }
}
