import Glibc
import MarketData
import NIOCore
import NIOPosix
import NIOSSL

extension FeedEnding {
    /// No TCP connection could be made.
    static func unreachable(_ error: any Error, _ configuration: FeedConfiguration) -> FeedEnding {
        let endpoint = configuration.endpoint
        let host = configuration.proxy.map { "the proxy \($0.host)" } ?? endpoint.host
        let place = configuration.proxy.map { "the proxy \($0)" } ?? endpoint.hostHeader
        let advice = configuration.proxy == nil ? "the URL" : "HTTPS_PROXY and NO_PROXY"
        let failure = error as? NIOConnectionError
        if let failure, failure.connectionErrors.isEmpty, failure.dnsAError != nil || failure.dnsAAAAError != nil {
            return FeedEnding(
                .hostNotFound, "connect",
                "no address was found for \(host); check \(advice), the network and DNS")
        }
        let causes = failure?.connectionErrors.map(\.error) ?? [error]
        let cause = causes.first.map(text(of:)) ?? "no address responded"
        return FeedEnding(
            .unreachable, "connect",
            "\(place) cannot be reached: \(cause); check \(advice), the network and the feed")
    }

    /// The socket was lost after it was opened.
    static func lost(_ error: (any Error)?, _ endpoint: FeedEndpoint) -> FeedEnding {
        var message = "the connection to \(endpoint) was lost"
        if let error { message += ": \(text(of: error))" }
        return FeedEnding(.closed, "read", message)
    }

    /// TLS could not be set up or failed. `certificate` is the one that the server presented, if known.
    static func tls(
        _ error: any Error, _ certificate: NIOSSLCertificate?, _ configuration: FeedConfiguration
    ) -> FeedEnding {
        let raw = String(describing: error)
        let problem: String
        if (error as? NIOSSLExtraError) == .failedToValidateHostname {
            problem = "its certificate is for another host name; check the URL"
        } else if raw.contains("CERTIFICATE_VERIFY_FAILED") {
            problem = certificateProblem(certificate, configuration, now: WallClock.seconds())
        } else if let failure = error as? NIOSSLError, case .uncleanShutdown = failure {
            problem = "it closed the connection during the TLS handshake"
        } else {
            problem =
                "TLS failed (\(DisplayText.escaped(DisplayText.withoutSourcePlaces(raw), limit: 160))); check that the port speaks TLS"
        }
        return FeedEnding(
            .certificate, "connect", "\(configuration.endpoint.hostHeader) is not trusted: \(problem)")
    }

    /// The certificate names a host only in its subject.
    static func withoutName(_ endpoint: FeedEndpoint) -> FeedEnding {
        FeedEnding(
            .certificate, "connect",
            "\(endpoint.hostHeader) is not trusted: its certificate has no subjectAltName, and a common name "
                + "alone is not accepted; the feed's operator must reissue it")
    }

    /// The file of private certificate authorities cannot be used.
    static func certificateFile(_ path: String, _ detail: String) -> FeedEnding {
        FeedEnding(
            .certificateFile, "connect",
            "the certificate file \(DisplayText.escaped(path)) \(detail); it must be readable and contain PEM "
                + "certificates")
    }

    private static func certificateProblem(
        _ certificate: NIOSSLCertificate?, _ configuration: FeedConfiguration, now: Int64
    ) -> String {
        if let certificate {
            if certificate.notValidAfter < now { return "its certificate has expired; the feed must renew it" }
            if certificate.notValidBefore > now {
                return "its certificate is not valid yet; check this machine's clock"
            }
        }
        let file = configuration.caFile.map { "\(DisplayText.escaped($0)) and the system" } ?? "the system"
        return
            "its certificate is from an authority that is not trusted by \(file); if you trust it, add its certificate "
            + "to the file that MASSIVE_WEBSOCKET_CA_FILE names"
    }

    private static func text(of error: any Error) -> String {
        if let error = error as? IOError {
            return String(cString: strerror(error.errnoCode)).lowercased()
        }
        if let error = error as? ChannelError, case .connectTimeout = error { return "no response in time" }
        if let error = error as? NIOSSLError, case .uncleanShutdown = error {
            return "closed without a TLS close_notify"
        }
        return DisplayText.escaped(DisplayText.withoutSourcePlaces(String(describing: error)), limit: 160)
    }
}
