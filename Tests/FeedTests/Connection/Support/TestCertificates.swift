import Foundation
import NIOSSL

/// An authority, another one, and server certificates, in a directory that is removed at the end.
final class TestCertificates: Sendable {
    struct OpenSSLFailed: Error {
        var arguments: [String]
    }

    private let directory: String

    private init() throws {
        directory = NSTemporaryDirectory() + "edgetick-certificates-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    static func make() async throws -> TestCertificates {
        let made = try TestCertificates()
        for authority in ["ca", "other"] {
            try await made.openssl(
                ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
                    + ["-keyout", made.path("\(authority).key"), "-out", made.path("\(authority).pem")]
                    + ["-subj", "/CN=\(authority)"])
        }
        try await made.issue("good", names: "DNS:localhost,IP:127.0.0.1", days: 30)
        try await made.issue("wronghost", names: "DNS:elsewhere.example,IP:127.0.0.9", days: 30)
        try await made.issue("expired", names: "DNS:localhost,IP:127.0.0.1", days: -1)
        return made
    }

    deinit {
        try? FileManager.default.removeItem(atPath: directory)
    }

    func path(_ name: String) -> String { directory + "/" + name }

    func copy(_ name: String, to other: String) throws {
        try Data(contentsOf: URL(fileURLWithPath: path(name))).write(
            to: URL(fileURLWithPath: path(other)), options: .atomic)
    }

    /// A server's context with the certificate `name`.
    func context(_ name: String) throws -> NIOSSLContext {
        try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: NIOSSLCertificate.fromPEMFile(path("\(name).pem")).map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: path("\(name).key"), format: .pem))))
    }

    private func issue(_ name: String, names: String, days: Int) async throws {
        try await openssl(
            ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
                + ["-keyout", path("\(name).key"), "-out", path("\(name).csr"), "-subj", "/CN=\(name)"])
        try "subjectAltName=\(names)\n".write(toFile: path("\(name).ext"), atomically: true, encoding: .utf8)
        try await openssl(
            ["x509", "-req", "-in", path("\(name).csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key")]
                + ["-CAcreateserial", "-days", "\(days)", "-extfile", path("\(name).ext"), "-out", path("\(name).pem")])
    }

    /// Runs without blocking a thread, so that other tests go on.
    private func openssl(_ arguments: [String]) async throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        let status: Int32 = try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
        guard status == 0 else { throw OpenSSLFailed(arguments: arguments) }
    }
}
