import Foundation
import Synchronization
import TestSupport
import WebAPISupport

/// A running Chromium and the driver in front of it, with one empty page.
///
/// Starting one takes seconds of processor time, more than most tests of a page need. So each serves many tests, one
/// after another, and ends with the tests' process.
final class Chromium: Sendable {
    /// Whether Chromium and its driver are on this machine.
    static let isInstalled = ["/usr/bin/chromium", "/usr/bin/chromedriver"].allSatisfy {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    /// Only two run at a time, so that pages stay quick.
    private static let places = DispatchSemaphore(value: 2)
    private static let idle = Mutex<[Chromium]>([])

    private let profile: Workspace
    private let process: ChildProcess
    private let driver: RawHTTP
    private let session: String
    private let guardian: Guardian

    /// Runs `body` with an empty page. The next test reuses the browser, unless `body` failed, which leaves it in an
    /// unknown state, or it `traces`, which makes it slow.
    static func withOne(traces: Bool, _ body: @Sendable (Chromium) async throws -> Void) async throws {
        _ = try await Blocking.run { places.wait() }
        defer { places.signal() }
        let waiting = traces ? nil : idle.withLock { $0.popLast() }
        let chromium = if let waiting { waiting } else { try await Chromium(traces: traces) }
        do {
            try await body(chromium)
        } catch {
            await chromium.end()
            throw error
        }
        guard !traces else { return await chromium.end() }
        do {
            try await chromium.renew()
        } catch {
            // The test has passed; the next one starts another browser.
            return await chromium.end()
        }
        idle.withLock { $0.append(chromium) }
    }

    private init(traces: Bool) async throws {
        profile = try Workspace()
        let (process, port) = try await Self.startDriver()
        self.process = process
        driver = RawHTTP(port: port)
        let arguments = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--user-data-dir=\(profile.path)", "--window-size=1280,900", "--lang=en",
            // No name is resolved, so the browser reaches only this machine.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        ]
        var options: [String: Any] = ["binary": "/usr/bin/chromium", "args": arguments]
        if traces {
            options["perfLoggingPrefs"] = ["enableNetwork": false, "traceCategories": "toplevel,blink.user_timing"]
        }
        let value = try await Self.request(
            driver, "POST", "/session",
            [
                "capabilities": [
                    "alwaysMatch": [
                        "browserName": "chrome",
                        // The driver gives a script half a minute, which a check of the whole page may take.
                        "timeouts": ["script": 100_000],
                        "goog:loggingPrefs": ["browser": "ALL", "performance": "ALL"],
                        "goog:chromeOptions": options,
                    ]
                ]
            ])
        guard let answer = value as? [String: Any], let session = answer["sessionId"] as? String,
            let browser = (answer["capabilities"] as? [String: Any])?["goog:processID"] as? Int
        else {
            process.send(SIGKILL)
            throw Browser.Failure(description: "no session: \(value)")
        }
        self.session = session
        guardian = try Guardian(of: [process.pid, pid_t(browser)], and: profile.path)
    }

    /// Starts the driver. It picks a free IPv6 port, and exits if the same IPv4 port is taken.
    private static func startDriver() async throws -> (ChildProcess, port: Int) {
        var failure: any Error = Browser.Failure(description: "no driver")
        for _ in 0..<5 {
            let process = try ChildProcess("/usr/bin/chromedriver", ["--port=0"])
            do {
                let line = try await process.line(containing: "started successfully on port", within: .seconds(60))
                guard let port = Int(line.split(separator: " ").last?.dropLast() ?? "") else {
                    throw Browser.Failure(description: line)
                }
                return (process, port)
            } catch {
                failure = error
            }
        }
        throw failure
    }

    /// Replaces all pages with an empty one, which inherits none of their scripts, size or color scheme, and discards
    /// the logs.
    private func renew() async throws {
        let old = try await call("GET", "/window/handles", nil) as? [String] ?? []
        let new = try await call("POST", "/window/new", ["type": "window"]) as? [String: Any]
        guard let handle = new?["handle"] as? String else { throw Browser.Failure(description: "no new window") }
        for each in old {
            _ = try await call("POST", "/window", ["handle": each])
            _ = try await call("DELETE", "/window", nil)
        }
        _ = try await call("POST", "/window", ["handle": handle])
        for log in ["browser", "performance"] { _ = try await call("POST", "/se/log", ["type": log]) }
    }

    private func end() async {
        _ = try? await call("DELETE", "", nil)
        _ = try? await Self.request(driver, "GET", "/shutdown", nil)
        process.send(SIGKILL)
    }

    /// Sends a command of the session, and returns its value.
    func call(_ method: String, _ path: String, _ body: [String: Any]?) async throws -> Any {
        try await Self.request(driver, method, "/session/\(session)\(path)", body)
    }

    private static func request(
        _ driver: RawHTTP, _ method: String, _ path: String, _ body: [String: Any]?
    ) async throws -> Any {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(driver.port)\r\nConnection: close\r\n"
        let data = try body.map { try JSONSerialization.data(withJSONObject: $0) } ?? Data()
        if body != nil { text += "Content-Type: application/json\r\n" }
        text += "Content-Length: \(data.count)\r\n\r\n"
        let reply = try await driver.exchange(Data(text.utf8) + data, within: 120)
        let value = reply.json["value"] ?? NSNull()
        guard reply.status == 200 else {
            let problem = value as? [String: Any]
            throw Browser.Failure(
                description: "\(method) \(path): \(problem?["error"] ?? reply.status) \(problem?["message"] ?? "")")
        }
        return value
    }
}
