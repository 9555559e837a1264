import FeedServer
import Foundation
import TestSupport
import Testing

@Suite(.blocking, .timeLimit(.minutes(3))) struct `Files for TLS that can't be used` {
    private func refusal(_ certificate: String, _ key: String) async -> String? {
        var configuration = FeedServerConfiguration()
        configuration.tls = .init(certificateFile: certificate, keyFile: key)
        do throws(FeedServerError) {
            try await FeedServer.check(configuration)
            return nil
        } catch {
            return error.reason == .tlsFiles ? error.underlying : nil
        }
    }

    @Test func `are named, with what is wrong about them`() async throws {
        let directory = try Workspace()
        let certificates = try TestCertificates(directory: directory.file("tls"))
        for name in ["box", "other"] { try certificates.makeServer(name, alternativeNames: "DNS:localhost") }
        let (box, other) = (certificates.server("box"), certificates.server("other"))
        let (none, text) = (directory.file("none.pem"), directory.file("text.pem"))
        try Data("no PEM at all".utf8).write(to: URL(filePath: text))
        #expect(await refusal(none, box.key) == "\(none): No such file or directory")
        #expect(await refusal(box.certificate, none) == "\(none): No such file or directory")
        #expect(await refusal(text, box.key) == "\(text) holds no certificate in PEM format")
        #expect(await refusal(box.certificate, text) == "\(text) holds no unencrypted private key in PEM format")
        let mixed = await refusal(box.certificate, other.key)
        let mismatch = "the private key in \(other.key) doesn't match the certificate in \(box.certificate)"
        #expect(mixed?.hasPrefix(mismatch) == true)
        #expect(await refusal(box.certificate, box.key) == nil)
    }
}
