import FoundationEssentials
import MarketData
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// The certificates that are trusted, read once, and again after a certificate was refused.
///
/// Reading the system's roots takes milliseconds and blocks, so it happens on another thread.
final class TrustCache: Sendable {
    private let caFile: String?
    private let closeTimeout: Duration
    private let kept = Mutex<NIOSSLContext?>(nil)

    init(caFile: String?, closeTimeout: Duration) {
        self.caFile = caFile
        self.closeTimeout = closeTimeout
    }

    /// The context for the next connection; fails with ``FeedEnding``.
    func context(on eventLoop: any EventLoop) -> EventLoopFuture<NIOSSLContext> {
        if let context = kept.withLock({ $0 }) { return eventLoop.makeSucceededFuture(context) }
        return NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { [self] in
            let context = try load()
            kept.withLock { $0 = context }
            return context
        }
    }

    /// Forgets the certificates, so that the files are read again before the next connection.
    func forget() { kept.withLock { $0 = nil } }

    private func load() throws -> NIOSSLContext {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        tls.certificateVerification = .fullVerification
        tls.trustRoots = .default
        if let caFile {
            guard let text = try? Data(contentsOf: URL(fileURLWithPath: caFile)),
                let certificates = try? NIOSSLCertificate.fromPEMBytes(Array(ByteOrderMark.dropped(from: Array(text))))
            else { throw FeedEnding.certificateFile(caFile, "cannot be read") }
            guard !certificates.isEmpty else { throw FeedEnding.certificateFile(caFile, "contains no certificate") }
            tls.additionalTrustRoots = [.certificates(certificates)]
        }
        // A peer that does not respond must not delay the next try.
        tls.shutdownTimeout = TimeAmount(closeTimeout)
        return try NIOSSLContext(configuration: tls)
    }
}
