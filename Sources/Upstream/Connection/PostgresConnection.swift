import CPostgres
import Glibc
import MarketData

/// Rows for COPY … FROM STDIN, encoded chunk by chunk.
protocol CopySource {
    /// Replaces `bytes` with the next chunk; empty when there are no more rows.
    mutating func nextChunk(into bytes: inout [UInt8])
}

/// One libpq connection, driven without blocking calls: every wait is a poll(2) with a deadline.
///
/// Its methods block the calling thread up to that deadline, so it belongs to an actor on a ``QueueExecutor``. After a
/// deadline, a cancellation or a lost connection it is no longer usable (``isUsable``). The server rolls back the open
/// transaction; whether a COMMIT in flight succeeded is for the ledger to find out.
final class PostgresConnection {
    /// libpq's handle; ``finish()`` frees it.
    private var handle: OpaquePointer?
    private let interrupt: Wakeup
    let configuration: UpstreamConfiguration

    private init(handle: OpaquePointer, interrupt: Wakeup, configuration: UpstreamConfiguration) {
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
    private func waitFor(_ events: Int32, until deadline: Deadline, _ operation: String) throws(UpstreamError) -> Int16
    {
        let socket = PQsocket(handle)
        guard socket >= 0 else { throw discarded(.connectionLost, operation, lastMessage) }
        switch wait(for: Int16(events), on: socket, until: deadline, interrupt: interrupt) {
        case .ready(let events): return events
        case .interrupted: throw discarded(.cancelled, operation, "cancelled")
        case .deadline: throw discarded(.deadline, operation, "no answer within \(configuration.responseLimit)")
        }
    }

    private func consumeInput(_ operation: String) throws(UpstreamError) {
        guard PQconsumeInput(handle) == 1 else { throw ended(operation) }
    }

    /// The number of bytes received so far.
    private var received: UInt64 { edgetick_received(PQsocket(handle)) }

    /// Waits for more of a response and reads it.
    private func takeMore(of bounds: inout AnswerBounds, until deadline: Deadline, _ operation: String)
        throws(UpstreamError)
    {
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
    private func flush(until deadline: Deadline, _ operation: String) throws(UpstreamError) {
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
    private func nextResult(
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

    private var lastMessage: String {
        let text = PQerrorMessage(handle).map { String(cString: $0) } ?? ""
        return secrets.mask(text.isEmpty ? "the connection is closed" : text)
    }

    private func error(in result: OpaquePointer, _ operation: String) -> UpstreamError {
        func text(_ pointer: UnsafePointer<CChar>?) -> String? { pointer.map { String(cString: $0) } }
        let sqlState = text(edgetick_error_sqlstate(result))
        let message = [text(edgetick_error_message(result)), text(edgetick_error_detail(result))]
            .compactMap(\.self).joined(separator: ": ")
        let named = [
            ("table", text(edgetick_error_table(result))), ("column", text(edgetick_error_column(result))),
            ("constraint", text(edgetick_error_constraint(result))),
        ]
        var object = named.compactMap { kind, name in name.map { "\(kind) \($0)" } }.joined(separator: ", ")
        if sqlState == UpstreamError.readOnlyTransaction, isOn("default_transaction_read_only"), !isOn("in_hot_standby")
        {
            object = UpstreamError.readOnlySetting
        }
        return UpstreamError(
            UpstreamError.Reason(sqlState: sqlState), operation, message.isEmpty ? lastMessage : secrets.mask(message),
            sqlState: sqlState, object: object.isEmpty ? nil : secrets.mask(object), constraint: named[2].1)
    }
}

// MARK: - Connecting

extension PostgresConnection {
    /// Connects to the first server that takes the login.
    ///
    /// Names are looked up and servers are tried one at a time here, not in libpq: its nonblocking interface has no
    /// time limit per address, and its name lookup blocks.
    static func connect(
        _ configuration: UpstreamConfiguration, interrupt: Wakeup
    ) throws(UpstreamError) -> PostgresConnection {
        let deadline = Deadline(after: configuration.connectTimeout)
        let configuration = configuration.renewed()
        var failure: UpstreamError?
        var servers = configuration.settings.servers[...]
        while let server = servers.popFirst() {
            var refusal: UpstreamError?
            do throws(UpstreamError) {
                var addresses = try addresses(of: server, until: deadline, interrupt: interrupt)[...]
                while let address = addresses.popFirst() {
                    let share = Deadline(after: deadline.remaining / (addresses.count + servers.count + 1))
                    do throws(UpstreamError) {
                        return try connect(to: server, at: address, configuration, until: share, interrupt: interrupt)
                    } catch {
                        guard error.reason != .cancelled else { throw error }
                        // An address that can't be reached, such as ::1, says nothing about the server at another.
                        if refusal?.isRetryable ?? true { refusal = error }
                    }
                }
            } catch {
                refusal = error
            }
            if let refusal { failure = try worse(failure, refusal) }
        }
        throw failure ?? UpstreamError(.configuration, "connect", "no server is named")
    }

    /// The failure to report: one that a person must fix is preferred to news that the next server is down too. But a
    /// server that takes no writes is as it should be while another, perhaps the primary, can't be reached.
    private static func worse(_ first: UpstreamError?, _ second: UpstreamError) throws(UpstreamError) -> UpstreamError {
        guard second.reason != .cancelled else { throw second }
        guard let first else { return second }
        if first.reason == .readOnly || second.reason == .readOnly { return first.reason == .readOnly ? second : first }
        return first.isRetryable ? second : first
    }

    private static func addresses(
        of server: ConnectionSettings.Server, until deadline: Deadline, interrupt: Wakeup
    ) throws(UpstreamError) -> [String?] {
        if server.isSocket || server.address != nil { return [server.address] }
        guard let host = server.host else { return [nil] }
        return try AddressLookup.addresses(of: host, until: deadline, interrupt: interrupt)
    }

    private static func connect(
        to server: ConnectionSettings.Server, at address: String?, _ configuration: UpstreamConfiguration,
        until deadline: Deadline, interrupt: Wakeup
    ) throws(UpstreamError) -> PostgresConnection {
        let settings = configuration.settings
        let place = [server.host, address.flatMap { $0 == server.host ? nil : $0 }].compactMap(\.self)
        let operation =
            "connect to \(place.isEmpty ? "the local socket" : place.joined(separator: " at "))"
            + (server.port.map { ", port \($0)" } ?? "")
        var options = settings.options
        options["host"] = server.host
        options["hostaddr"] = address
        options["port"] = server.port
        if options["tcp_user_timeout"] == nil {
            options["tcp_user_timeout"] = String(configuration.responseLimit.settingMilliseconds)
        }
        for (key, secret) in settings.credentials { options[key] = secret.reveal() }
        guard LoginStep.mayTry(operation) else {
            throw UpstreamError(.deadline, operation, "an earlier login is still computing. \(loginTooLong)")
        }
        guard let handle = start(options) else { throw UpstreamError(.busy, operation, "out of memory") }
        let connection = PostgresConnection(handle: handle, interrupt: interrupt, configuration: configuration)
        edgetick_ignore_notices(handle)
        // Makes a server's refusal include its SQLSTATE, which libpq offers in no other way here.
        PQsetErrorVerbosity(handle, PQERRORS_VERBOSE)
        try connection.finishConnecting(until: deadline, operation)
        if let fault = fault(inVersion: connection.serverVersion) {
            throw connection.discarded(.configuration, operation, fault)
        }
        PQsetErrorVerbosity(handle, PQERRORS_DEFAULT)
        PQsetnonblocking(handle, 1)
        return connection
    }

    /// Why a server of this version, in libpq's form, can't be used; `nil` if it can, or if it doesn't report its version.
    private static func fault(inVersion version: Int) -> String? {
        guard (1..<150_000).contains(version) else { return nil }
        // Until 9.6, a version has three parts.
        let minor = version < 100_000 ? version / 100 % 100 : version % 10_000
        return "\(UpstreamError.oldServer), and this is \(version / 10_000).\(minor)"
    }

    private static func start(_ options: [String: String]) -> OpaquePointer? {
        let keys = options.keys.sorted()
        let copies = keys.map { (strdup($0), strdup(options[$0] ?? "")) }
        defer {
            for (key, value) in copies {
                free(key)
                free(value)
            }
        }
        let keywords = copies.map { UnsafePointer($0.0) } + [nil]
        let values = copies.map { UnsafePointer($0.1) } + [nil]
        return PQconnectStartParams(keywords, values, 0)
    }

    private func finishConnecting(until deadline: Deadline, _ operation: String) throws(UpstreamError) {
        guard PQstatus(handle) != CONNECTION_BAD else { throw refused(during: CONNECTION_STARTED, operation) }
        var events = POLLOUT
        var bounds = AnswerBounds(received: 0, mostBytes: AnswerBounds.mostLoginBytes)
        while true {
            let stage = PQstatus(handle)
            switch wait(for: Int16(events), on: PQsocket(handle), until: deadline, interrupt: interrupt) {
            case .ready: break
            case .interrupted: throw discarded(.cancelled, operation, "cancelled")
            case .deadline:
                let limit = configuration.connectTimeout
                throw discarded(.deadline, operation, "not connected in time (the limit for all servers is \(limit))")
            }
            switch try step(until: deadline, operation) {
            case PGRES_POLLING_OK: return
            case PGRES_POLLING_READING: events = POLLIN
            case PGRES_POLLING_WRITING: events = POLLOUT
            default: throw refused(during: stage, operation)
            }
            if let fault = bounds.fault(received: received, remaining: deadline.remaining) {
                throw discarded(.deadline, operation, fault)
            }
        }
    }

    private static let loginTooLong =
        "Hashing the password takes longer than the connect timeout: lower the server's scram_iterations and set the "
        + "password again"

    /// Lets libpq proceed as far as it can without waiting for the server.
    private func step(until deadline: Deadline, _ operation: String) throws(UpstreamError) -> PostgresPollingStatusType
    {
        guard let handle else { throw UpstreamError(.connectionLost, operation, lastMessage) }
        switch LoginStep.take(with: handle, server: operation, until: deadline, interrupt: interrupt) {
        case .done(let status): return status
        case .leftAlone(let readiness):
            self.handle = nil
            guard case .interrupted = readiness else {
                throw UpstreamError(.deadline, operation, "the login was given up. \(Self.loginTooLong)")
            }
            throw UpstreamError(.cancelled, operation, "cancelled")
        case nil: throw discarded(.busy, operation, "no thread can be started: raise the service's task limit")
        }
    }

    /// The error of a failed attempt; libpq provides only a text, no result object.
    private func refused(during stage: ConnStatusType, _ operation: String) -> UpstreamError {
        let refusal = ConnectionRefusal(lastMessage, needsPassword: PQconnectionNeedsPassword(handle) == 1)
        let reason = refusal.reason(duringTLS: stage == CONNECTION_SSL_STARTUP)
        finish()
        return UpstreamError(reason, operation, refusal.text, sqlState: refusal.sqlState)
    }
}

// MARK: - Statements

extension PostgresConnection {
    /// Runs statements, separated by semicolons, in one exchange, and returns the result of each.
    ///
    /// - Throws: the first error, after the exchange is over; later statements were not run.
    @discardableResult
    func run(_ sql: String, _ operation: String) throws(UpstreamError) -> [StatementResult] {
        let deadline = Deadline(after: configuration.responseLimit)
        try send(sql, until: deadline, operation)
        var results: [StatementResult] = []
        var failure: UpstreamError?
        while let result = try nextResult(until: deadline, operation, after: failure) {
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: results.append(StatementResult(result))
            default: failure = failure ?? error(in: result, operation)
            }
        }
        if let failure { throw settled(failure) }
        return results
    }

    /// Begins a transaction with EdgeTick's session settings.
    ///
    /// - Parameter mode: What follows BEGIN.
    func begin(_ mode: String, _ operation: String) throws(UpstreamError) {
        try run((["BEGIN \(mode)"] + configuration.sessionSQL).joined(separator: "; "), operation)
    }

    /// Runs statements with EdgeTick's session settings, in the open transaction if there is one.
    func ask(_ sql: String, _ operation: String) throws(UpstreamError) -> [StatementResult] {
        guard !isInTransaction else { return try run(sql, operation) }
        let settings = configuration.sessionSQL
        let results = try run((settings + [sql]).joined(separator: "; "), operation)
        return Array(results.dropFirst(settings.count))
    }

    private func send(_ sql: String, until deadline: Deadline, _ operation: String) throws(UpstreamError) {
        guard isUsable else { throw discarded(.connectionLost, operation, "not connected") }
        guard PQsendQuery(handle, sql) == 1 else { throw discarded(.connectionLost, operation, lastMessage) }
        try flush(until: deadline, operation)
    }

    /// Returns `error` unchanged, after closing the connection if it can't be used any more.
    private func settled(_ error: UpstreamError) -> UpstreamError {
        if error.endsConnection || !isUsable { finish() }
        return error
    }
}

// MARK: - COPY

extension PostgresConnection {
    /// Runs statements of which the last is COPY … FROM STDIN, and sends the rows.
    ///
    /// `onResult` is called with the result of each statement; if it throws before the COPY begins, no rows are sent. A
    /// chunk is encoded only after the previous one was handed to the kernel, so memory is bounded by one chunk, and
    /// encoding overlaps with the server's work as far as the socket buffers allow.
    ///
    /// - Returns: The number of bytes sent, and of rows that the server says it stored.
    /// - Throws: the first error, after the exchange is over.
    func copy(
        _ sql: String, from source: some CopySource, _ operation: String,
        _ onResult: (StatementResult) throws(UpstreamError) -> Void = { _ in }
    ) throws(UpstreamError) -> (bytes: Int, stored: Int) {
        var deadline = Deadline(after: configuration.responseLimit)
        try send(sql, until: deadline, operation)
        var source = source
        var (sent, stored) = (0, 0)
        var copied = false
        var failure: UpstreamError?
        while let result = try nextResult(until: deadline, operation, after: failure) {
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK:
                guard failure == nil else { break }
                let result = StatementResult(result)
                if copied { stored = result.affected }
                do throws(UpstreamError) { try onResult(result) } catch { failure = error }
            case PGRES_COPY_IN where !copied:
                copied = true
                // The earlier statements are done; the rows get the full time limit.
                deadline = Deadline(after: configuration.responseLimit)
                if failure == nil {
                    sent = try sendRows(&source, until: deadline, operation)
                } else {
                    try endCopy(because: "not wanted", until: deadline, operation)
                }
            default: failure = failure ?? error(in: result, operation)
            }
        }
        if let failure { throw settled(failure) }
        guard copied else { throw discarded(.connectionLost, operation, "the server didn't ask for the rows") }
        return (sent, stored)
    }

    /// Runs a COPY … TO STDOUT and passes on each row as the server sent it, without the line ending.
    ///
    /// The server waits while a row is processed, so memory is bounded by one row.
    ///
    /// - Throws: the first error, or what `row` throws; then the connection is closed, since more rows may follow.
    func copyOut(
        _ sql: String, _ operation: String, _ row: (UnsafeRawBufferPointer) throws(UpstreamError) -> Void
    ) throws(UpstreamError) {
        var deadline = Deadline(after: configuration.responseLimit)
        try send(sql, until: deadline, operation)
        while let result = try nextResult(until: deadline, operation) {
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK: continue
            case PGRES_COPY_OUT: break
            default: throw settled(error(in: result, operation))
            }
            var bounds = AnswerBounds(received: received)
            rows: while true {
                var bytes: UnsafeMutablePointer<CChar>?
                let count = PQgetCopyData(handle, &bytes, 1)
                defer { if let bytes { PQfreemem(bytes) } }
                switch count {
                case 1...:
                    // Each row gets the full time limit.
                    deadline = Deadline(after: configuration.responseLimit)
                    bounds = AnswerBounds(received: received)
                    do throws(UpstreamError) {
                        try row(UnsafeRawBufferPointer(start: bytes, count: Int(count) - 1))
                    } catch {
                        finish()
                        throw error
                    }
                case 0:
                    try takeMore(of: &bounds, until: deadline, operation)
                case -1: break rows
                default: throw discarded(.connectionLost, operation, lastMessage)
                }
            }
        }
    }

    /// Sends all rows, or stops when the server refuses one; the next result then has the reason.
    private func sendRows(
        _ source: inout some CopySource, until deadline: Deadline, _ operation: String
    ) throws(UpstreamError) -> Int {
        var sent = 0
        var chunk: [UInt8] = []
        while true {
            source.nextChunk(into: &chunk)
            guard !chunk.isEmpty else { break }
            let put = chunk.withUnsafeBytes {
                PQputCopyData(handle, $0.baseAddress?.assumingMemoryBound(to: CChar.self), Int32($0.count))
            }
            // libpq has seen the server's refusal; a lost connection shows up in the next step as well.
            if put == -1 { return sent }
            // A chunk that isn't queued would be missing in the middle of the rows.
            guard put == 1 else { throw discarded(.busy, operation, "libpq has no memory for the rows") }
            sent += chunk.count
            try flush(until: deadline, operation)
            try noticeRefusal(operation)
        }
        try endCopy(because: nil, until: deadline, operation)
        return sent
    }

    /// Ends the rows, or aborts the COPY if there is a reason.
    private func endCopy(because reason: String?, until deadline: Deadline, _ operation: String) throws(UpstreamError) {
        while PQputCopyEnd(handle, reason) == 0 { _ = try waitFor(POLLOUT, until: deadline, operation) }
        try flush(until: deadline, operation)
    }

    /// Reads what has arrived, without waiting, so that a refusal stops the sending early.
    private func noticeRefusal(_ operation: String) throws(UpstreamError) {
        var polled = pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0)
        if poll(&polled, 1, 0) > 0 { try consumeInput(operation) }
    }
}
