import Feed
import Foundation
import MarketData
import NIOSSL
import TestSupport
import Testing

/// Certificates are fully verified; openssl makes them for each test.
@Suite(.blocking, .timeLimit(.minutes(3))) struct TLSTests {
    /// Connects to a server with the certificate `name`; returns the first error, or `nil` if an event arrives.
    private func connect(
        _ certificates: FeedCertificates, _ name: String, host: String = "localhost", caFile: String?
    ) async throws -> FeedError? {
        let feed = try await ScriptedFeed.start(tls: try certificates.context(name)) { peer in
            try await peer.stand()
            peer.trade(1)
            await peer.untilClosed()
        }
        let rig = Rig()
        var configuration = try Rig.configuration(port: feed.port, host: host, scheme: "wss")
        configuration.caFile = caFile
        nonisolated(unsafe) var result: FeedError?
        try await rig.run(configuration) { connection in
            try await Waiting.until("an outcome") { connection.snapshot.lastError != nil || rig.sink.prices == [1] }
            result = connection.snapshot.lastError
            if let error = connection.snapshot.lastError {
                #expect(connection.snapshot.status == .error)
                #expect(error.operation == "connect")
            }
        }
        await feed.stop()
        return result
    }

    @Test func `a certificate of the given authority for this host is accepted, by name and by address`() async throws {
        let certificates = try FeedCertificates()
        #expect(try await connect(certificates, "good", caFile: certificates.authority) == nil)
        #expect(try await connect(certificates, "good", host: "127.0.0.1", caFile: certificates.authority) == nil)
    }

    @Test func `a certificate of an unknown authority is refused`() async throws {
        let certificates = try FeedCertificates()
        for caFile in [nil, certificates.otherAuthority] {
            let error = try await connect(certificates, "good", caFile: caFile)
            #expect(error?.reason == .certificate)
            #expect(error?.message.contains("from an authority that") == true)
        }
    }

    @Test func `a certificate for another host is refused`() async throws {
        let certificates = try FeedCertificates()
        for host in ["localhost", "127.0.0.1"] {
            let error = try await connect(certificates, "wronghost", host: host, caFile: certificates.authority)
            #expect(error?.reason == .certificate)
            #expect(error?.message.contains("for another host name") == true)
        }
    }

    @Test func `a certificate with a common name alone is refused`() async throws {
        let certificates = try FeedCertificates()
        let error = try await connect(certificates, "commonname", caFile: certificates.authority)
        #expect(error?.reason == .certificate)
        #expect(error?.message.contains("subjectAltName") == true)
    }

    @Test func `a file of authorities may begin with a byte order mark`() async throws {
        let certificates = try FeedCertificates()
        let marked = "\u{FEFF}" + (try String(contentsOfFile: certificates.authority, encoding: .utf8))
        try marked.write(toFile: certificates.later, atomically: true, encoding: .utf8)
        #expect(try await connect(certificates, "good", caFile: certificates.later) == nil)
    }

    @Test func `an expired certificate is refused, and said to be expired`() async throws {
        let certificates = try FeedCertificates()
        let error = try await connect(certificates, "expired", caFile: certificates.authority)
        #expect(error?.reason == .certificate)
        #expect(error?.message.contains("has expired") == true)
    }

    @Test func `a server without TLS is refused`() async throws {
        let certificates = try FeedCertificates()
        let feed = try await ScriptedFeed.start()
        let rig = Rig()
        var configuration = try Rig.configuration(port: feed.port, host: "localhost", scheme: "wss")
        configuration.caFile = certificates.authority
        try await rig.run(configuration) { connection in
            try await Waiting.until("the failure") { connection.snapshot.lastError != nil }
            #expect(connection.snapshot.status != .connected)
            #expect(connection.snapshot.lastError?.operation == "connect")
        }
        await feed.stop()
    }

    @Test func `a CA file that is missing or no certificate is named, and a corrected one needs no restart`()
        async throws
    {
        let certificates = try FeedCertificates()
        let feed = try await ScriptedFeed.start(tls: try certificates.context("good")) { peer in
            try await peer.stand()
            await peer.untilClosed()
        }
        let rig = Rig()
        var configuration = try Rig.configuration(port: feed.port, host: "localhost", scheme: "wss")
        configuration.caFile = certificates.later
        try await rig.run(configuration) { connection in
            try await Waiting.until("the failure") { connection.snapshot.lastError?.reason == .certificateFile }
            #expect(connection.snapshot.lastError?.message.contains("later.pem") == true)
            try certificates.place(certificates.otherAuthority, at: certificates.later)
            try await Waiting.until("unknown") { connection.snapshot.lastError?.reason == .certificate }
            try certificates.place(certificates.authority, at: certificates.later)
            try await Waiting.until("connected") { connection.snapshot.status == .connected }
        }
        await feed.stop()
    }
}
