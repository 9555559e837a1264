/// A private certificate authority and a server's certificate for `localhost`, made with openssl for one test.
public struct Certificates: Sendable {
    /// The authority's certificate, PEM.
    public let authorityFile: String
    /// The server's certificate, PEM.
    public let certificateFile: String
    /// The server's key, PEM.
    public let keyFile: String

    /// Makes the files in `workspace`.
    public init(in workspace: Workspace) async throws {
        authorityFile = workspace.file("ca.pem")
        certificateFile = workspace.file("server.pem")
        keyFile = workspace.file("server.key")
        let extensions = try workspace.write(
            "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n", to: "server.ext")
        let steps = [
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=EdgeTick-test-authority "
                + "-keyout \(workspace.file("ca.key")) -out \(authorityFile)",
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost "
                + "-keyout \(keyFile) -out \(workspace.file("server.csr"))",
            "x509 -req -days 2 -in \(workspace.file("server.csr")) -CA \(authorityFile) "
                + "-CAkey \(workspace.file("ca.key")) -CAcreateserial -extfile \(extensions) -out \(certificateFile)",
        ]
        for step in steps {
            let openssl = try ChildProcess("/usr/bin/openssl", step.split(separator: " ").map(String.init))
            guard try await openssl.exit() == 0 else {
                throw ChildProcess.TimedOut(description: openssl.output.joined(separator: "\n"))
            }
        }
    }
}
