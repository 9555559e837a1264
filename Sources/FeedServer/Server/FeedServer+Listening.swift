import Glibc
import MarketData
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

extension FeedServer {
    /// Opens the port and sets up each connection; throws when the address can't be used or a TLS file is wrong.
    func listen() async throws(FeedServerError) -> any Channel {
        let tls = try tlsContext()
        let upgrader = FeedUpgrader(server: self, isTLS: tls != nil)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 64)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { [self] channel in
                opens(channel)
                return channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
                    try pipeline.configureHTTPServerPipeline(
                        withServerUpgrade: (
                            upgraders: [upgrader],
                            completionHandler: { context in
                                let pipeline = context.pipeline.syncOperations
                                guard let plain = try? pipeline.context(handlerType: PlainRequestHandler.self) else {
                                    return
                                }
                                pipeline.removeHandler(context: plain, promise: nil)
                            }
                        ))
                    try pipeline.addHandler(PlainRequestHandler(server: self, isTLS: tls != nil))
                }
            }
        do {
            return try await bootstrap.bind(host: configuration.host, port: configuration.port).get()
        } catch {
            throw FeedServerError(
                reason: .cannotListen,
                operation: "listening on \(HostName.authority(configuration.host, port: configuration.port))",
                underlying: (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)",
                advice: "choose another port (0 picks a free one) or host, or stop the program that uses it")
        }
    }

    private func tlsContext() throws(FeedServerError) -> NIOSSLContext? {
        guard let files = configuration.tls else { return nil }
        let chain = try read(files.certificateFile, "certificate") { try NIOSSLCertificate.fromPEMFile($0) }
        guard !chain.isEmpty else { throw tlsError("\(files.certificateFile) holds no certificate in PEM format") }
        let key = try read(files.keyFile, "unencrypted private key") { try NIOSSLPrivateKey(file: $0, format: .pem) }
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        tls.minimumTLSVersion = .tlsv12
        do {
            return try NIOSSLContext(configuration: tls)
        } catch {
            throw tlsError(
                "the private key in \(files.keyFile) doesn't match the certificate in \(files.certificateFile) "
                    + "(\(error))")
        }
    }

    private func read<Value>(
        _ path: String, _ what: String, _ load: (String) throws -> Value
    ) throws(FeedServerError) -> Value {
        guard let file = fopen(path, "r") else { throw tlsError("\(path): \(String(cString: strerror(errno)))") }
        fclose(file)
        do {
            return try load(path)
        } catch {
            throw tlsError("\(path) holds no \(what) in PEM format")
        }
    }

    private func tlsError(_ underlying: String) -> FeedServerError {
        FeedServerError(
            reason: .tlsFiles, operation: "setting up TLS", underlying: underlying,
            advice: "name two readable PEM files: a certificate, and the private key that belongs to it")
    }
}
