import Foundation
import TestSupport
import Testing

/// `doctor` compares this machine's clock with those of the servers that it can reach.
@Suite(.blocking, .timeLimit(.minutes(5))) struct DoctorClockTests {
    @Test(arguments: [3600, -3600])
    func `a Date header that is an hour off is a warning with how much and what to do`(seconds: Int) async throws {
        let workspace = try Workspace()
        let script = try workspace.write(
            """
            import http.server, time
            class Handler(http.server.BaseHTTPRequestHandler):
                def do_HEAD(self):
                    self.send_response(404)
                    self.end_headers()
                def date_time_string(self, timestamp=None):
                    return super().date_time_string(time.time() + \(seconds))
            server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
            print("port", server.server_port, flush=True)
            server.serve_forever()
            """, to: "clock.py")
        let server = try ChildProcess("/usr/bin/env", ["python3", script])
        let port = try await server.line(containing: "port").split(separator: " ")[1]
        let box = try CollectorBox(
            feed: "ws://127.0.0.1:9/stocks", settings: ["MASSIVE_REST_URL": "http://127.0.0.1:\(port)"])
        let (status, output) = try await box.run("doctor")
        #expect(status == 0, "\(output)")
        // The header has a resolution of one second.
        let said = try clock(output, "the REST server's").firstMatch(
            of: /this machine's clock is ([0-9.]+) s (ahead of|behind) the REST server's: set it right/)
        let found = try #require(said, "\(output)")
        #expect(found.2 == (seconds < 0 ? "ahead of" : "behind"))
        #expect(abs((Double(found.1) ?? 0) - 3600) < 300)
        server.send(SIGTERM)
    }

    @Test(.enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), arguments: [-3600, 0, 3600])
    func `the database's clock is compared with a machine's that is off, and with one that is right`(seconds: Int)
        async throws
    {
        let cluster = try PostgresCluster.shared()
        let box = try CollectorBox(
            feed: "ws://127.0.0.1:9/stocks", settings: ["DATABASE_URI": cluster.uri(try cluster.makeDatabase())])
        #expect(try await box.run("migrate").status == 0)
        let shim = try ClockShim()
        try shim.step(to: .seconds(seconds))
        let (status, output) = try await box.run(["doctor"], settings: shim.settings)
        #expect(status == 0, "\(output)")
        let line = try clock(output, "the database's")
        guard seconds != 0 else {
            #expect(line.hasPrefix("ok"), "\(line)")
            return
        }
        #expect(line.hasPrefix("WARN") && line.contains("timedatectl"), "\(line)")
        let found = try #require(
            line.firstMatch(of: /clock is ([0-9.]+) s (ahead of|behind) the database's/), "\(line)")
        #expect(found.2 == (seconds > 0 ? "ahead of" : "behind"), "\(line)")
        // The query may take a while on a busy machine.
        #expect(abs((Double(found.1) ?? 0) - 3600) < 300, "\(line)")
    }

    /// Returns the line about one of the other clocks.
    private func clock(_ output: [String], _ other: String) throws -> String {
        try #require(output.first { $0.dropFirst(6).hasPrefix("clock") && $0.contains(other) }, "\(output)")
    }
}
