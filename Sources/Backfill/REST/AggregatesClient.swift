import AsyncHTTPClient
import FoundationEssentials
import Glibc
public import Logging
public import MarketData
import NIOCore
import NIOHTTP1
import NIOSSL
import Synchronization

/// A client of the REST API for bars, trades and quotes: over verified TLS, with a limit on requests per minute.
public final class AggregatesClient: Sendable {
    /// Where and how to ask.
    public struct Configuration: Sendable {
        /// The server's address, `https://api.massive.com`.
        public var url: String
        /// The account's key.
        public var apiKey: Secret
        /// A PEM file of certificates to trust besides the system's.
        var caFile: String?
        /// The proxy to ask through; `nil` connects directly.
        public var proxy: HTTPProxy?
        /// The limit on requests, shared by the copies of this configuration.
        public var limit = RequestLimit(requestsPerMinute: 300)
        /// How long an answer may take to begin, and how long it may pause.
        var timeout: Duration = .seconds(30)
        /// How long a whole answer may take, besides the time that its bytes take at the slowest rate. A page of 50,000
        /// trades is about 10 MB, and the network may be slow.
        var answerLimit: Duration = .seconds(300)
        /// How many times one request is tried.
        var tries = 4

        /// Makes a configuration with the defaults.
        public init(url: String, apiKey: Secret, caFile: String? = nil) {
            self.url = url
            self.apiKey = apiKey
            self.caFile = caFile
        }
    }

    private let configuration: Configuration
    private let origin: URL
    private let client: HTTPClient
    private let logger: Logger
    private let remarks = Mutex(LogThrottle<String, ContinuousClock.Instant>())
    private let isAsked = Atomic(false)
    private static let connectSeconds: Int64 = 10
    /// The most pages in a row that may be empty and still link to another.
    private static let mostEmptyPages = 20
    /// The longest answer that is read: 50,000 bars take about 6 MB.
    private static let maximumBytes = 64 << 20
    /// The slowest rate at which a long answer may come, in bytes per second.
    private static let slowest = 8 << 10

    /// Makes a client, which sends nothing yet. Call ``shutdown()`` when done.
    ///
    /// - Parameter logger: logs each wait, so that the program does not seem to hang.
    public init(configuration: Configuration, logger: Logger) throws(BackfillError) {
        guard let url = URL(string: configuration.url), let host = url.host(), !host.isEmpty,
            ["http", "https"].contains(url.scheme)
        else {
            throw BackfillError(
                .invalidConfiguration, "MASSIVE_REST_URL is not a valid address; write it like https://host")
        }
        self.configuration = configuration
        self.logger = logger
        origin = url
        var options = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(Self.connectSeconds), read: TimeAmount(configuration.timeout)))
        // The pacer logs, counts and retries failures. The library would retry silently until the connect timeout.
        options.connectionPool.retryConnectionEstablishment = false
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if let caFile = configuration.caFile {
            let bytes = FileManager.default.contents(atPath: caFile).map {
                Array(ByteOrderMark.dropped(from: Array($0)))
            }
            guard let certificates = bytes.flatMap({ try? NIOSSLCertificate.fromPEMBytes($0) }), !certificates.isEmpty
            else {
                throw BackfillError(
                    .invalidConfiguration, "\(caFile) has no readable certificate in it; it must be a PEM file")
            }
            tls.additionalTrustRoots = [.certificates(certificates)]
        }
        options.tlsConfiguration = tls
        options.http1_1ConnectionDebugInitializer = Self.checkName
        options.http2ConnectionDebugInitializer = Self.checkName
        if let proxy = configuration.proxy {
            let login = proxy.credentials.map { credentials in
                HTTPClient.Authorization.basic(credentials: Data(credentials.reveal().utf8).base64EncodedString())
            }
            options.proxy = .server(host: proxy.host, port: proxy.port, authorization: login)
        }
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: options)
    }

    /// The whole answer did not arrive in time.
    private struct AnswerTooSlow: Error {}

    /// The server's certificate has a common name but no subject alternative name.
    private struct NameMissing: Error {}

    /// Fails for a connection whose certificate names its host only in the subject. That does not count as a name (RFC
    /// 9525, section 2), though the library accepts it.
    @Sendable private static func checkName(_ channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.submit {
            guard let tls = try? channel.pipeline.syncOperations.handler(type: NIOSSLClientHandler.self) else { return }
            let kinds = tls.peerCertificate?._subjectAlternativeNames().map(\.nameType) ?? []
            guard kinds.contains(.dnsName) || kinds.contains(.ipAddress) else { throw NameMissing() }
        }
    }

    /// Closes the connections.
    public func shutdown() async { try? await client.shutdown() }

    /// Asks for the bars of a symbol that start within a span, oldest first, and hands on each page as it comes.
    ///
    /// - Parameters:
    ///   - needed: the first start that must not be missing. If the server lacks bars before it, that is no failure.
    ///   - page: receives the bars of a page, and the number of its results that are not valid bars.
    /// - Throws: `.keyRefused`, `.notAuthorized` or `.badAnswer` at once, others when all tries failed, and what `page`
    ///   throws. Pages that were handed on before remain valid.
    public func bars(
        of symbol: Symbol, interval: Bar.Interval, starts: ClosedRange<Int64>, needed: Int64 = .min,
        page: (_ bars: [Bar], _ leftOut: Int) async throws(BackfillError) -> Void
    ) async throws(BackfillError) {
        let name = symbol.description.percentEncoded()
        let unit = interval == .minute ? "minute" : "second"
        let question = "/v2/aggs/ticker/\(name)/range/1/\(unit)/\(starts.lowerBound)/\(starts.upperBound)"
        try await pages(
            of: symbol, question + "?adjusted=false&sort=asc&limit=50000", "aggregates", needed: needed,
            quick: AggregateScan.read
        ) { (answer: AggregateAnswer, _) async throws(BackfillError) in
            let (bars, leftOut) = answer.bars(of: symbol, interval: interval, starts: starts)
            tell(leftOut: leftOut, of: answer.count, symbol, "aggregates")
            try await page(bars, leftOut)
            return true
        }
    }

    /// Asks for the trades or quotes of a symbol within a span, in milliseconds since the Unix epoch, oldest first.
    /// Hands on each page as it arrives, with the number of its results that can't be read and the server's clock, until
    /// `page` returns `false`.
    ///
    /// - Throws: the same as ``bars(of:interval:starts:needed:page:)``.
    func ticks<Tick: RESTTick>(
        of symbol: Symbol, times: ClosedRange<Int64>,
        page: (_ ticks: [Tick], _ leftOut: Int, _ clock: ServerClock?) async throws(BackfillError) -> Bool
    ) async throws(BackfillError) {
        let name = symbol.description.percentEncoded()
        let span = "timestamp.gte=\(times.lowerBound)000000&timestamp.lt=\(times.upperBound + 1)000000"
        try await pages(
            of: symbol, "/v3/\(Tick.route)/\(name)?\(span)&order=asc&limit=50000", Tick.route
        ) { (answer: PagedAnswer<Tick>, clock) async throws(BackfillError) in
            let ticks = answer.results?.values ?? []
            let leftOut = (answer.results?.unreadable ?? 0) + ticks.count { times.isFar(from: $0.milliseconds) }
            tell(leftOut: leftOut, of: answer.count, symbol, Tick.route)
            return try await page(ticks.filter { times.contains($0.milliseconds) }, leftOut, clock)
        }
    }

    private func tell(leftOut: Int, of count: Int?, _ symbol: Symbol, _ what: String) {
        guard leftOut > 0, let answers = remarks.withLock({ $0.occurred(what, "\(symbol)", now: .now) }) else { return }
        logger.warning(
            "the REST server sent \(what) with impossible or unreadable fields; they are left out and count as missing",
            metadata: [
                "symbol": "\(symbol)", "left_out": "\(leftOut)", "of": "\(count ?? leftOut)",
                "answers": "\(answers)",
            ])
    }

    /// - Parameters:
    ///   - needed: the first time that must not be missing; `nil` if the server can't say what is.
    ///   - quick: reads the usual form of a page.
    private func pages<Value: Decodable>(
        of symbol: Symbol, _ question: String, _ what: String, needed: Int64? = nil,
        quick: ([UInt8]) -> PagedAnswer<Value>? = { _ in nil },
        _ page: (PagedAnswer<Value>, ServerClock?) async throws(BackfillError) -> Bool
    ) async throws(BackfillError) {
        var next: String? = "\(base)\(prefix)\(question)"
        var asked: Set<String> = []
        var empty = 0
        var isIncomplete = false
        while let url = next {
            guard asked.insert(url).inserted, asked.count < 10_000, empty < Self.mostEmptyPages else {
                throw BackfillError(
                    .badAnswer,
                    "the REST server's pages for \(symbol) repeat or do not end; what was read is kept: check MASSIVE_REST_URL"
                )
            }
            let (bytes, clock) = try await get(url, what)
            let answer: PagedAnswer<Value>
            if let usual = quick(bytes) { answer = usual } else { answer = try .decode(bytes, what) }
            guard answer.isGiven else {
                throw BackfillError(
                    .badAnswer,
                    "the REST server's answer has no \(what) and the status \(answer.statusWord); check MASSIVE_REST_URL, "
                        + "the key and the plan")
            }
            empty = answer.count ?? 0 == 0 ? empty + 1 : 0
            let goesOn = try await page(answer, clock)
            if let needed, let end = answer.missing?.through, end >= needed { isIncomplete = true }
            guard goesOn, let link = answer.next_url else { break }
            next = PageLink.address(link, base: base, prefix: prefix)
            guard next != nil else {
                throw BackfillError(
                    .badAnswer,
                    "the REST server's link to the next page of \(symbol) is not a valid address; "
                        + "what was read is kept")
            }
        }
        // Only now, since the following pages may have bars that are not in the file yet.
        if isIncomplete {
            throw BackfillError(
                .incomplete, "the REST server lacks a part of the bars of \(symbol); what was read is kept")
        }
    }

    /// Returns the server's clock, to the second, in milliseconds since the Unix epoch; asks once, without the key.
    ///
    /// - Returns: `nil` when the answer has no date.
    /// - Throws: `.unreachable`.
    public func serverTime() async throws(BackfillError) -> Int64? {
        var request = HTTPClientRequest(url: base + "/")
        request.method = .HEAD
        do {
            let asked = ContinuousClock.now
            let response = try await client.execute(request, timeout: .seconds(Self.connectSeconds))
            return ServerClock(response.headers, asked: asked)?.milliseconds
        } catch {
            throw BackfillError(.unreachable, "\(place) can't be reached; check the network and the address")
        }
    }

    private var base: String {
        "\(origin.scheme ?? "https")://\(HostName.authority(origin.host() ?? "", port: origin.port))"
    }

    /// The server and any proxy, for error messages.
    private var place: String {
        configuration.proxy.map { "\(base), asked through the proxy \($0) (HTTPS_PROXY)," } ?? base
    }

    /// The path that all routes are below, without a trailing slash.
    private var prefix: String {
        var path = origin.path()
        while path.hasSuffix("/") { path.removeLast() }
        return path
    }

    private func get(
        _ url: String, _ what: String
    ) async throws(BackfillError) -> (body: [UInt8], clock: ServerClock?) {
        if !isAsked.exchange(true, ordering: .relaxed) {
            logger.info(
                "asking the REST server",
                metadata: [
                    "server": "\(base)", "tries": "\(configuration.tries)",
                    "connect_timeout_s": "\(Self.connectSeconds)",
                ])
        }
        var tried = 0
        while true {
            tried += 1
            let wait = configuration.limit.withPacer { $0.turn(now: Self.now) }
            if tried > 1, wait >= .seconds(2) {
                tell("waiting before the next try, to stay within the request limit", tried, next: wait)
            }
            try await pause(wait)
            let failure: BackfillError
            let retryAfter: Duration?
            do throws(BackfillError) {
                let answer = try await fetch(url)
                guard let refusal = Self.refusal(answer.status, what) else { return (answer.body, answer.clock) }
                failure = refusal
                retryAfter = answer.retryAfter
            } catch {
                failure = error
                retryAfter = nil
            }
            let next = configuration.limit.withPacer {
                $0.failed(
                    failure.reason, tried: tried, of: configuration.tries, retryAfter: retryAfter,
                    jitter: .random(in: 0...1), now: Self.now)
            }
            if Task.isCancelled { throw Self.stopped }
            guard let pause = next else { throw failure }
            if pause > .zero { tell(failure.message, tried, next: pause) }
            try await self.pause(pause)
        }
    }

    private func tell(_ text: String, _ tried: Int, next: Duration) {
        logger.notice(
            "\(text)",
            metadata: [
                "server": "\(base)", "try": "\(tried) of \(configuration.tries)",
                "next_try_in_s": "\(Int(next.inSeconds.rounded(.up)))",
            ])
    }

    private static let stopped = BackfillError(.unreachable, "the backfill was stopped")

    private func pause(_ duration: Duration) async throws(BackfillError) {
        guard duration > .zero else { return }
        do {
            try await Task.sleep(for: duration)
        } catch {
            throw Self.stopped
        }
    }

    private func fetch(
        _ url: String
    ) async throws(BackfillError) -> (status: UInt, retryAfter: Duration?, body: [UInt8], clock: ServerClock?) {
        var request = HTTPClientRequest(url: url)
        request.headers.add(name: "Authorization", value: "Bearer \(configuration.apiKey.reveal())")
        request.headers.add(name: "Accept", value: "application/json")
        do {
            let asked = ContinuousClock.now
            let response = try await client.execute(request, timeout: TimeAmount(configuration.timeout))
            let clock = ServerClock(response.headers, asked: asked)
            let body = try await body(of: response, asked: asked)
            let retryAfter = response.headers.first(name: "retry-after").flatMap {
                RequestPacer.pause($0, now: WallClock.milliseconds())
            }
            return (response.status.code, retryAfter, Array(buffer: body), clock)
        } catch let error as HTTPClientError {
            throw BackfillError(.unreachable, "\(place) did not answer (\(error.shortDescription)); check the network")
        } catch is NIOSSLError {
            throw BackfillError(
                .unreachable, "\(base) has no certificate that is trusted for it; check MASSIVE_REST_URL")
        } catch is NameMissing {
            throw BackfillError(
                .unreachable,
                "\(base) is not trusted: its certificate has no subjectAltName, and a common name alone is not "
                    + "accepted; the server's operator must reissue it")
        } catch is AnswerTooSlow {
            throw BackfillError(
                .unreachable,
                "\(place) sends its answer too slowly, less than \(Self.slowest >> 10) KiB/s; check the network")
        } catch is NIOTooManyBytesError {
            throw BackfillError(
                .badAnswer, "\(base) sent an answer of more than \(Self.maximumBytes >> 20) MiB; check MASSIVE_REST_URL"
            )
        } catch {
            throw BackfillError(.unreachable, "\(place) can't be reached; check the network and the address")
        }
    }

    /// Reads the whole body. The library's own time limit ends with the head, so without this one, a server that sends
    /// a byte now and then would hold up all gaps for ever.
    private func body(
        of response: HTTPClientResponse, asked: ContinuousClock.Instant
    ) async throws -> ByteBuffer {
        let announced = response.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
        guard announced <= Self.maximumBytes else { throw NIOTooManyBytesError(maxBytes: Self.maximumBytes) }
        var body = ByteBuffer()
        for try await var part in response.body {
            guard body.readableBytes + part.readableBytes <= Self.maximumBytes else {
                throw NIOTooManyBytesError(maxBytes: Self.maximumBytes)
            }
            let limit = configuration.answerLimit + .seconds(body.readableBytes / Self.slowest)
            guard ContinuousClock.now - asked < limit else { throw AnswerTooSlow() }
            body.writeBuffer(&part)
        }
        return body
    }

    private static func refusal(_ status: UInt, _ what: String) -> BackfillError? {
        switch status {
        case 200..<300: nil
        case 401:
            BackfillError(.keyRefused, "the REST server refused the key: check MASSIVE_API_KEY and the account")
        case 403:
            BackfillError(.notAuthorized, "the account's plan does not cover these \(what): have it extended")
        case 429:
            BackfillError(
                .tooManyRequests, "the REST server asks for fewer requests: lower BACKFILL_REQUESTS_PER_MINUTE")
        case 500...:
            BackfillError(
                .serverProblem, "the REST server answered HTTP \(status), a problem on its side: try again later")
        default: BackfillError(.badAnswer, "the REST server answered HTTP \(status); check MASSIVE_REST_URL")
        }
    }

    private static var now: Duration { MonotonicTime.now().sinceBoot }
}
