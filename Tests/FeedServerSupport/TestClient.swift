import FeedServer
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
public import NIOWebSocket
import Synchronization
import TestSupport

/// A WebSocket client that keeps everything it receives, including single fragments.
public final class TestClient: Sendable {
    /// A WebSocket frame.
    public struct Frame: Equatable, Sendable {
        /// The frame's type.
        public var opcode: WebSocketOpcode
        /// Whether the frame is the last one of its message.
        public var isFinal: Bool
        /// Whether the frame is marked as compressed.
        public var isCompressed: Bool
        /// Its payload.
        public var bytes: [UInt8]

        /// The payload as text.
        public var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    /// What a client has received so far.
    public struct Received: Sendable {
        /// All frames.
        public var frames: [Frame] = []
        /// The code of the server's close.
        public var closeCode: UInt16?
        /// Whether the connection has ended.
        public var isClosed = false
        /// The error that ended the connection.
        public var error: String?

        /// The text frames that were not fragmented.
        public private(set) var texts: [String] = []
        /// Those text frames that aren't status messages.
        public private(set) var events: [String] = []
        /// The number of events in these frames.
        public private(set) var eventCount = 0
        /// The texts of the status messages, one element each.
        public private(set) var statuses: [String] = []
        /// The number of pongs.
        public var pongs: Int { frames.count { $0.opcode == .pong } }

        mutating func add(_ frame: Frame) {
            frames.append(frame)
            if frame.opcode == .connectionClose, frame.bytes.count >= 2 {
                closeCode = UInt16(frame.bytes[0]) << 8 | UInt16(frame.bytes[1])
            }
            guard frame.opcode == .text, frame.isFinal else { return }
            let text = frame.text
            texts.append(text)
            if text.contains("\"ev\":\"status\"") {
                statuses += text.split(separator: "\"message\":\"").dropFirst().map { String($0.prefix { $0 != "\"" }) }
            } else {
                events.append(text)
                eventCount += frame.eventCount
            }
        }
    }

    private let channel: any Channel
    private let received = Mutex(Received())
    private let signal = ChangeSignal()

    private init(_ channel: any Channel) {
        self.channel = channel
    }

    /// Connects and upgrades.
    public static func connect(port: Int, path: String = "/stocks", trusting certificate: String? = nil) async throws
        -> TestClient
    {
        var tls: NIOSSLContext?
        if let certificate {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.trustRoots = .file(certificate)
            tls = try NIOSSLContext(configuration: configuration)
        }
        let context = tls
        let upgraded = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(60))
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: context, serverHostname: "localhost"))
                    }
                    let upgrader = NIOTypedWebSocketClientUpgrader(
                        maxFrameSize: 64 << 20, enableAutomaticErrorHandling: false
                    ) { channel, _ in
                        channel.eventLoop.makeCompletedFuture {
                            let client = TestClient(channel)
                            try channel.pipeline.syncOperations.addHandler(Reader(client))
                            return client
                        }
                    }
                    var pipeline = NIOUpgradableHTTPClientPipelineConfiguration(
                        upgradeConfiguration: NIOTypedHTTPClientUpgradeConfiguration(
                            upgradeRequestHead: HTTPRequestHead(
                                version: .http1_1, method: .GET, uri: path, headers: ["Host": "localhost"]),
                            upgraders: [upgrader],
                            notUpgradingCompletionHandler: { channel in
                                channel.eventLoop.makeFailedFuture(ChannelError.inappropriateOperationForState)
                            }))
                    // The server's first message may come in one read with the upgrade response.
                    pipeline.leftOverBytesStrategy = .forwardBytes
                    return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
                        configuration: pipeline)
                }
            }
        return try await upgraded.get()
    }

    /// What was received so far.
    public var snapshot: Received { received.withLock { $0 } }

    /// Waits until what was received satisfies a condition; throws after `seconds`.
    @discardableResult
    public func wait(seconds: Int = 45, until condition: (Received) -> Bool) async throws -> Received {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while true {
            let version = signal.version
            // Evaluated under the lock: while a copy existed, the next frame would have to copy everything received
            // before.
            if received.withLock({ condition($0) }) { return snapshot }
            guard ContinuousClock.now < deadline else {
                throw Waiting.TimedOut("the frame, the last are \(snapshot.texts.suffix(5))")
            }
            try await signal.wait(past: version, until: deadline)
        }
    }

    /// Sends a text.
    public func send(_ text: String) async throws { try await write(.text, Array(text.utf8)) }

    /// Sends a ping.
    public func ping(_ text: String) async throws { try await write(.ping, Array(text.utf8)) }

    /// Sends a frame.
    public func write(_ opcode: WebSocketOpcode, _ bytes: [UInt8], isFinal: Bool = true) async throws {
        let frame = WebSocketFrame(
            fin: isFinal, opcode: opcode, maskKey: [1, 2, 3, 4], data: ByteBuffer(bytes: bytes))
        try await channel.writeAndFlush(frame)
    }

    /// Logs in, and waits for the answer.
    public func login(key: String = "key") async throws {
        try await send(#"{"action":"auth","params":"\#(key)"}"#)
        try await wait { $0.statuses.contains("authenticated") }
    }

    /// Subscribes and waits for the last confirmation.
    public func subscribe(_ channels: String) async throws {
        try await send(#"{"action":"subscribe","params":"\#(channels)"}"#)
        let last = channels.split(whereSeparator: { $0 == "," || $0 == " " }).last.map(String.init) ?? ""
        try await wait { $0.statuses.contains("subscribed to: \(last)") }
    }

    /// Connects, logs in and subscribes.
    public static func connect(port: Int, subscribingTo channels: String) async throws -> TestClient {
        let client = try await connect(port: port)
        try await client.login()
        try await client.subscribe(channels)
        return client
    }

    /// Stops or resumes reading from the socket.
    public func setReads(_ reads: Bool) async throws {
        try await channel.setOption(.autoRead, value: reads).get()
        if reads { channel.read() }
    }

    /// Closes the connection.
    public func close() async throws { try await channel.close() }

    fileprivate func took(_ frame: WebSocketFrame) {
        var copy = frame.unmaskedData
        let bytes = copy.readBytes(length: copy.readableBytes) ?? []
        let kept = Frame(opcode: frame.opcode, isFinal: frame.fin, isCompressed: frame.rsv1, bytes: bytes)
        received.withLock { $0.add(kept) }
        if frame.opcode == .connectionClose {
            let answer = WebSocketFrame(
                fin: true, opcode: .connectionClose, maskKey: [1, 2, 3, 4], data: ByteBuffer(bytes: bytes.prefix(2)))
            channel.writeAndFlush(answer, promise: nil)
        }
        signal.changed()
    }

    fileprivate func ended(_ error: (any Error)? = nil) {
        received.withLock { received in
            if let error {
                received.error = "\(error)"
            } else {
                received.isClosed = true
            }
        }
        signal.changed()
    }
}

private final class Reader: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame

    private let client: TestClient

    init(_ client: TestClient) { self.client = client }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { client.took(unwrapInboundIn(data)) }

    func channelInactive(context: ChannelHandlerContext) { client.ended() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        client.ended(error)
        context.close(promise: nil)
    }
}

extension TestClient.Frame {
    /// The number of objects in the array that have an `ev` field.
    fileprivate var eventCount: Int {
        bytes.withUnsafeBytes { all in
            guard let base = all.baseAddress else { return 0 }
            var (place, count) = (0, 0)
            while let found = memchr(base + place, Int32(UInt8(ascii: "\"")), all.count - place) {
                place = UnsafeRawPointer(found) - base + 1
                if place + 3 < all.count, all[place] == UInt8(ascii: "e"), all[place + 1] == UInt8(ascii: "v"),
                    all[place + 2] == UInt8(ascii: "\"")
                {
                    count += 1
                }
            }
            return count
        }
    }
}

extension ChangeSignal {
    /// Like ``wait(past:)``, but returns at `deadline` at the latest.
    fileprivate func wait(past version: UInt64, until deadline: ContinuousClock.Instant) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.wait(past: version) }
            group.addTask { try await Task.sleep(until: deadline, clock: .continuous) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
