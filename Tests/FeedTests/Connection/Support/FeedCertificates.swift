import Foundation
import NIOSSL
import TestSupport

/// An authority with the servers' certificates that the tests of TLS need, and another authority.
struct FeedCertificates {
    let authority: String
    let otherAuthority: String
    private let workspace: Workspace
    private let certificates: TestCertificates

    init() throws {
        workspace = try Workspace()
        certificates = try TestCertificates(directory: workspace.path)
        authority = certificates.authority
        otherAuthority = try TestCertificates(directory: workspace.file("other")).authority
        try certificates.makeServer("good", alternativeNames: "DNS:localhost,IP:127.0.0.1")
        try certificates.makeServer("wronghost", alternativeNames: "DNS:elsewhere.example,IP:127.0.0.9")
        try certificates.makeServer("commonname", alternativeNames: nil, commonName: "localhost")
        try certificates.makeServer("expired", alternativeNames: "DNS:localhost,IP:127.0.0.1", days: -1)
    }

    /// The path of a file that does not exist until ``place(_:at:)`` makes it.
    var later: String { workspace.file("later.pem") }

    /// Puts a copy of a certificate at a path.
    func place(_ certificate: String, at path: String) throws {
        try Data(contentsOf: URL(fileURLWithPath: certificate)).write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    /// A server's context with the certificate `name`.
    func context(_ name: String) throws -> NIOSSLContext {
        let files = certificates.server(name)
        return try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: NIOSSLCertificate.fromPEMFile(files.certificate).map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem))))
    }
}
