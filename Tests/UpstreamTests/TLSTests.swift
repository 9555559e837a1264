import MarketData
import TestSupport
import Testing

@testable import Upstream

@Suite(.blocking, .timeLimit(.minutes(5))) struct TLSTests {
    private static let setUp = Result { try SetUp() }

    /// A server with a certificate for localhost, one with a certificate for another name, one whose certificate has a
    /// common name alone and one whose certificate has expired; an authority that signed them and one that did not.
    private struct SetUp: Sendable {
        let workspace: Workspace
        let authority: String
        let strangeAuthority: String
        let good: PostgresCluster
        let misnamed: PostgresCluster
        let commonName: PostgresCluster
        let expired: PostgresCluster

        init() throws {
            workspace = try Workspace()
            let certificates = try TestCertificates(directory: workspace.file("ca"))
            try certificates.makeServer("good", alternativeNames: "DNS:localhost,IP:127.0.0.1")
            try certificates.makeServer("misnamed", alternativeNames: "DNS:db.example")
            try certificates.makeServer("plain", alternativeNames: nil, commonName: "localhost")
            try certificates.makeServer("expired", alternativeNames: "DNS:localhost,IP:127.0.0.1", days: -1)
            authority = certificates.authority
            strangeAuthority = try TestCertificates(directory: workspace.file("strange")).authority
            good = try PostgresCluster(tls: certificates.server("good"))
            misnamed = try PostgresCluster(tls: certificates.server("misnamed"))
            commonName = try PostgresCluster(tls: certificates.server("plain"))
            expired = try PostgresCluster(tls: certificates.server("expired"))
        }
    }

    private func check(
        _ cluster: PostgresCluster, _ parameters: String, host: String = "127.0.0.1"
    ) async throws -> [SchemaChange] {
        let uri = cluster.uri("postgres", password: "canary4711", host: host, parameters: parameters)
        return try await UpstreamSchema.check(
            try UpstreamConfiguration(uri: uri, collector: "c", connectTimeout: .seconds(60)))
    }

    private func refusal(_ cluster: PostgresCluster, _ parameters: String) async -> UpstreamError? {
        let error = await #expect(throws: UpstreamError.self) { try await check(cluster, parameters) }
        #expect(error?.reason == .tls && error?.isRetryable == false)
        #expect(error?.description.contains("canary4711") == false)
        return error
    }

    @Test func `a server that proves its name is trusted`() async throws {
        let setUp = try Self.setUp.get()
        #expect(try await check(setUp.good, "sslmode=verify-full&sslrootcert=\(setUp.authority)").count > 10)
    }

    @Test func `a server without TLS is refused when proof is asked for`() async throws {
        let setUp = try Self.setUp.get()
        let error = await refusal(try .shared(), "sslmode=verify-full&sslrootcert=\(setUp.authority)")
        #expect(error?.text.contains("does not support SSL") == true)
        #expect(error?.description.contains("turn on TLS at the server") == true)
        // Without sslrootcert the system's authorities count.
        _ = await refusal(try .shared(), "sslmode=verify-full")
    }

    @Test func `a certificate of an unknown authority is refused`() async throws {
        let setUp = try Self.setUp.get()
        let error = await refusal(setUp.good, "sslmode=verify-full&sslrootcert=\(setUp.strangeAuthority)")
        #expect(error?.text.contains("certificate verify failed") == true)
        _ = await refusal(setUp.good, "sslmode=verify-full")
        _ = await refusal(setUp.good, "sslmode=verify-full&sslrootcert=system")
    }

    @Test func `a certificate for another host is refused`() async throws {
        let setUp = try Self.setUp.get()
        let error = await refusal(setUp.misnamed, "sslmode=verify-full&sslrootcert=\(setUp.authority)")
        #expect(error?.text.contains("db.example") == true)
        // The chain of certificates is sound.
        #expect(try await check(setUp.misnamed, "sslmode=verify-ca&sslrootcert=\(setUp.authority)").count > 10)
    }

    @Test func `a certificate without alternative names counts by its common name, as for psql`() async throws {
        let setUp = try Self.setUp.get()
        let proof = "sslmode=verify-full&sslrootcert=\(setUp.authority)"
        #expect(try await check(setUp.commonName, proof, host: "localhost").count > 10)
        let error = await refusal(setUp.commonName, proof)
        #expect(error?.text.contains("does not match host name") == true, "\(error?.text ?? "")")
    }

    @Test func `an expired certificate is refused`() async throws {
        let setUp = try Self.setUp.get()
        let error = await refusal(setUp.expired, "sslmode=verify-full&sslrootcert=\(setUp.authority)")
        #expect(error?.text.contains("certificate verify failed") == true)
    }
}
