import CPostgres
import Glibc
import MarketData

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
            do throws(UpstreamError) {
                var addresses = try addresses(of: server, until: deadline, interrupt: interrupt)[...]
                while let address = addresses.popFirst() {
                    let share = Deadline(after: deadline.remaining / (addresses.count + servers.count + 1))
                    do throws(UpstreamError) {
                        return try connect(to: server, at: address, configuration, until: share, interrupt: interrupt)
                    } catch {
                        failure = try worse(failure, error)
                    }
                }
            } catch {
                failure = try worse(failure, error)
            }
        }
        throw failure ?? UpstreamError(.configuration, "connect", "no server is named")
    }

    /// The failure to report: one that a person must fix is preferred to news that the next server is down too.
    private static func worse(_ first: UpstreamError?, _ second: UpstreamError) throws(UpstreamError) -> UpstreamError {
        guard second.reason != .cancelled else { throw second }
        return if let first, !first.isRetryable { first } else { second }
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
