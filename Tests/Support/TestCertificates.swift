import Foundation

/// Certificates for TLS tests, made with openssl in a directory: an authority, and server certificates signed by it.
public struct TestCertificates: Sendable {
    /// The directory that holds the files.
    public let directory: String

    /// The authority's certificate.
    public var authority: String { directory + "/ca.crt" }

    /// Makes an authority in `directory`.
    public init(directory: String) throws {
        self.directory = directory
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=Test Authority", "-keyout",
            directory + "/ca.key", "-out", authority)
    }

    /// Makes `name`.crt and `name`.key for a server with alternative names written as `DNS:…` and `IP:…`; without them,
    /// the certificate has only the common name. It has expired if `days` is negative.
    public func makeServer(
        _ name: String, alternativeNames: String?, commonName: String? = nil, days: Int = 2
    ) throws {
        let request = directory + "/\(name).csr"
        let extensions = directory + "/\(name).ext"
        try (alternativeNames.map { "subjectAltName=\($0)\n" } ?? "basicConstraints=CA:FALSE\n").write(
            toFile: extensions, atomically: true, encoding: .utf8)
        try openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
            "/CN=\(commonName ?? name)",
            "-keyout", directory + "/\(name).key", "-out", request)
        try openssl(
            "x509", "-req", "-in", request, "-CA", authority, "-CAkey", directory + "/ca.key", "-CAcreateserial",
            "-days", "\(days)", "-extfile", extensions, "-out", directory + "/\(name).crt")
    }

    /// Returns the certificate and key files of a server made by ``makeServer(_:alternativeNames:commonName:days:)``.
    public func server(_ name: String) -> (certificate: String, key: String) {
        (directory + "/\(name).crt", directory + "/\(name).key")
    }

    private func openssl(_ arguments: String...) throws {
        try Command.run(["openssl"] + arguments)
    }
}
