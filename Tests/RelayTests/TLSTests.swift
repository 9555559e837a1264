import FeedServer
import FeedServerSupport
import Foundation
import MarketData
import TestSupport
import Testing

@testable import Relay

@Suite(.blocking, .timeLimit(.minutes(2))) struct `The relay over TLS` {
    private static func run(_ body: @escaping @Sendable (RelayRig, _ authority: String) async throws -> Void)
        async throws
    {
        let workspace = try Workspace()
        let certificates = try TestCertificates(directory: workspace.file("tls"))
        try certificates.makeServer("box", alternativeNames: "DNS:localhost")
        let (certificate, key) = certificates.server("box")
        let configuration = configured { $0.server.tls = .init(certificateFile: certificate, keyFile: key) }
        try await RelayRig.run(configuration) { rig in try await body(rig, certificates.authority) }
        withExtendedLifetime(workspace) {}
    }

    /// openssl's client, told what a person would type; its input stays open as a terminal's does.
    private static func openssl(_ port: Int, _ options: String, typing text: String = "") throws -> ChildProcess {
        let line = """
            pipe=$(mktemp -u) && mkfifo "$pipe" && exec 3<>"$pipe" && rm "$pipe" && echo \(text) >&3 \
            && exec openssl s_client -connect 127.0.0.1:\(port) \(options) <&3 2>&1
            """
        return try ChildProcess("/bin/sh", ["-c", line])
    }

    @Test func `ends a connection that renegotiates; the others go on`() async throws {
        try await Self.run { rig, authority in
            let good = try await TestClient.connect(port: rig.port, trusting: authority)
            try await good.login(key: "any key of some length")
            try await good.subscribe("T.*")
            let bad = try Self.openssl(rig.port, "-tls1_2", typing: "R")
            try await bad.line(containing: "RENEGOTIATING")
            try await bad.line(containing: "unexpected eof")
            let plan = plan(["AAPL"], kinds: [.trade])
            try rig.take(plan, 0..<100)
            let received = try await good.wait { $0.eventCount >= 100 }
            #expect(received.objects == texts(plan, 0..<100))
        }
    }

    @Test func `speaks no version older than 1.2`() async throws {
        try await Self.run { rig, _ in
            // At its usual security level, openssl itself refuses this version.
            let old = try Self.openssl(rig.port, "-tls1_1 -cipher DEFAULT@SECLEVEL=0")
            try await old.line(containing: "alert protocol version")
            let new = try Self.openssl(rig.port, "-tls1_2")
            try await new.line(containing: "New, TLSv1.2")
        }
    }
}
