import Foundation
import TestSupport

/// A page of a headless Chromium, driven through chromedriver by the W3C WebDriver protocol.
struct Browser: Sendable {
    /// What the driver answered instead of a value.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Whether Chromium and its driver are on this machine.
    static let isInstalled = Chromium.isInstalled

    private let chromium: Chromium
    private let downloads: String

    /// Runs `body` with a fresh page, which is closed afterwards. ``tasks(during:)`` needs one that `traces`.
    static func run(
        width: Int = 1280, height: Int = 900, scheme: String = "light", traces: Bool = false,
        _ body: @Sendable (Browser) async throws -> Void
    ) async throws {
        try await Chromium.withOne(traces: traces) { chromium in
            let workspace = try Workspace()
            let browser = Browser(chromium: chromium, downloads: workspace.path)
            try await browser.resize(width: width, height: height)
            try await browser.prefer(scheme: scheme)
            try await browser.command(
                "Browser.setDownloadBehavior", ["behavior": "allow", "downloadPath": browser.downloads])
            try await body(browser)
        }
    }

    // MARK: Pages

    /// Opens an address and waits for its load.
    func open(_ url: String, until expression: String? = nil) async throws {
        _ = try await call("POST", "/url", ["url": url])
        if let expression { try await until(expression) }
    }

    /// Loads the page again, and waits for that: a reload that a script asks for begins some time after the script.
    func reload() async throws {
        _ = try await call("POST", "/refresh", [:])
    }

    /// Runs a script in each page that is opened from now on, before the page's own. Turns off the cache, so that each
    /// load requests every file.
    func prepare(_ script: String) async throws {
        try await command("Network.setCacheDisabled", ["cacheDisabled": true])
        try await command("Page.addScriptToEvaluateOnNewDocument", ["source": script])
    }

    /// Sets the page's size, in CSS pixels.
    func resize(width: Int, height: Int) async throws {
        try await command(
            "Emulation.setDeviceMetricsOverride",
            ["width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500])
    }

    /// Makes the system prefer a light or dark page, and one without motion.
    func prefer(scheme: String) async throws {
        try await command(
            "Emulation.setEmulatedMedia",
            [
                "features": [
                    ["name": "prefers-color-scheme", "value": scheme],
                    // A click would miss what is still moving.
                    ["name": "prefers-reduced-motion", "value": "reduce"],
                ]
            ])
    }

    /// Runs a function body in the page, and returns its result.
    @discardableResult
    func evaluate<Value>(_ script: String, as type: Value.Type = Value.self) async throws -> Value {
        let value = try await call("POST", "/execute/sync", ["script": script, "args": [Any]()])
        guard let value = value as? Value else {
            throw Failure(description: "\(script) answered \(value)")
        }
        return value
    }

    /// Waits until an expression is true in the page. One that can't be evaluated, such as for an element that is not
    /// there yet, counts as false.
    func until(_ expression: String, within limit: Duration = .seconds(60)) async throws {
        let deadline = ContinuousClock.now + limit
        let script = "try { return Boolean(\(expression)); } catch { return false; }"
        while try await !evaluate(script, as: Bool.self) {
            guard ContinuousClock.now < deadline else {
                let text = try await evaluate("return document.body.innerText.slice(0, 3000)", as: String.self)
                throw Waiting.TimedOut("\(expression)\n\(text)")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Waits for the next frame. Canvases are drawn a frame after the page's text changes.
    func waitForFrame() async throws {
        let script = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done(true)));"
        _ = try await call("POST", "/execute/async", ["script": script, "args": [Any]()])
    }

    /// Waits until the element stays where it is, for a hundred frames at most: while the page is read for the first
    /// time, what is above it grows.
    private func waitForRest(of selector: String) async throws {
        let script = """
            const [selector, done] = arguments;
            let [before, same, frames] = ['', 0, 0];
            const look = () => {
              const { x, y, width, height } = document.querySelector(selector)?.getBoundingClientRect() ?? {};
              const now = [x, y, width, height].join();
              same = now === before ? same + 1 : 0;
              before = now;
              frames += 1;
              if (same === 5 || frames === 100) done(true);
              else requestAnimationFrame(look);
            };
            look();
            """
        _ = try await call("POST", "/execute/async", ["script": script, "args": [selector]])
    }

    /// Sets the page's size, and waits until it has been laid out and drawn again.
    func settle(width: Int, height: Int) async throws {
        try await resize(width: width, height: height)
        try await until("window.innerWidth === \(width)")
        try await waitForFrame()
    }

    /// Waits for something that is not there yet.
    private func soon<Value>(_ what: String, _ look: () async throws -> Value?) async throws -> Value {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if let found = try await look() { return found }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw Waiting.TimedOut("\(what)")
    }

    /// Clicks the middle of the element, as a person would: fails when something lies over it.
    func click(_ selector: String) async throws {
        var tries = 0
        while true {
            try await waitForRest(of: selector)
            tries += 1
            do {
                _ = try await call("POST", "/element/\(try await element(selector))/click", [:])
                return
            } catch let failure as Failure where tries < 5 && failure.description.contains("stale element") {
                // The page has just put another element in its place.
            }
        }
    }

    /// Types into the element.
    func type(_ text: String, into selector: String) async throws {
        _ = try await call("POST", "/element/\(try await element(selector))/value", ["text": text])
    }

    /// Presses and releases a key where the focus is; keys without a letter have code points of their own (W3C
    /// WebDriver, section 17.4.2).
    func press(_ key: String) async throws {
        let steps = ["keyDown", "keyUp"].map { ["type": $0, "value": key] }
        _ = try await call("POST", "/actions", ["actions": [["type": "key", "id": "keyboard", "actions": steps]]])
    }

    /// Presses a key while another is held down.
    func press(_ key: String, with modifier: String) async throws {
        let steps = [("keyDown", modifier), ("keyDown", key), ("keyUp", key), ("keyUp", modifier)]
            .map { ["type": $0.0, "value": $0.1] }
        _ = try await call("POST", "/actions", ["actions": [["type": "key", "id": "keyboard", "actions": steps]]])
    }

    /// Turns the wheel over the middle of the element.
    func turnWheel(over selector: String, by delta: Int) async throws {
        let origin = ["element-6066-11e4-a52e-4f735466cecf": try await element(selector)]
        let step: [String: Any] = [
            "type": "scroll", "x": 0, "y": 0, "deltaX": 0, "deltaY": delta, "origin": origin, "duration": 0,
        ]
        _ = try await call("POST", "/actions", ["actions": [["type": "wheel", "id": "wheel", "actions": [step]]]])
    }

    /// Waits for the download with this name, and returns its contents.
    func download(_ name: String) async throws -> Data {
        let file = URL(fileURLWithPath: downloads + "/" + name)
        return try await soon("the download \(name)") {
            (try? Data(contentsOf: file)).flatMap { $0.isEmpty ? nil : $0 }
        }
    }

    /// Waits for a second window, returns its text once it has some, and closes it.
    func textOfNewWindow() async throws -> String {
        guard let first = try await call("GET", "/window") as? String else { throw Failure(description: "no window") }
        // The handles come in no particular order.
        let new = try await soon("another window") {
            (try await call("GET", "/window/handles") as? [String])?.first { $0 != first }
        }
        _ = try await call("POST", "/window", ["handle": new])
        try await until("document.body.innerText.length > 0")
        let text = try await evaluate("return document.body.innerText", as: String.self)
        _ = try await call("DELETE", "/window")
        _ = try await call("POST", "/window", ["handle": first])
        return text
    }

    /// A picture of what is seen, as PNG.
    func screenshot() async throws -> Data {
        let text = try await call("GET", "/screenshot") as? String
        guard let data = text.flatMap({ Data(base64Encoded: $0) }) else { throw Failure(description: "no picture") }
        return data
    }

    // MARK: Logs

    /// Errors and warnings of the page since the last call.
    func complaints() async throws -> [String] {
        let entries = try await call("POST", "/se/log", ["type": "browser"]) as? [[String: Any]] ?? []
        return entries.compactMap { entry in
            let level = entry["level"] as? String ?? ""
            return ["SEVERE", "WARNING"].contains(level) ? "\(level) \(entry["message"] ?? "")" : nil
        }
    }

    /// The addresses that the browser requested since the last call.
    func requested() async throws -> [String] {
        try await notices(of: "Network.requestWillBeSent").compactMap { notice in
            (notice["request"] as? [String: Any])?["url"] as? String
        }
    }

    /// The processor time of the page's tasks while `body` runs, in milliseconds, the longest first: unlike their
    /// length, it does not depend on what else the machine does. The browser must trace, and is on an empty page
    /// afterwards.
    func tasks(during body: () async throws -> Void) async throws -> [Double] {
        try await evaluate("performance.mark('tasks begin'); return true", as: Bool.self)
        try await body()
        try await evaluate("performance.mark('tasks end'); return true", as: Bool.self)
        // The driver collects what was traced when the browser leaves the page.
        try await open("about:blank")
        let traced = try await notices(of: "Tracing.dataCollected")
        func mark(_ name: String) throws -> (process: Int, thread: Int, time: Double) {
            guard let mark = traced.first(where: { $0["name"] as? String == name }),
                let process = mark["pid"] as? Int, let thread = mark["tid"] as? Int, let time = mark["ts"] as? NSNumber
            else { throw Failure(description: "no mark \(name) among \(traced.count) events") }
            return (process, thread, time.doubleValue)
        }
        let (begin, end) = (try mark("tasks begin"), try mark("tasks end"))
        return traced.compactMap { event in
            guard event["name"] as? String == "ThreadControllerImpl::RunTask", event["pid"] as? Int == begin.process,
                event["tid"] as? Int == begin.thread, let time = event["ts"] as? NSNumber,
                (begin.time...end.time).contains(time.doubleValue), let taken = event["tdur"] as? NSNumber
            else { return nil }
            return taken.doubleValue / 1000
        }
        .sorted(by: >)
    }

    /// The parameters of the browser's notices with this name since the last call.
    private func notices(of method: String) async throws -> [[String: Any]] {
        var entries: [[String: Any]] = []
        var isWhole = false
        while !isWhole {
            let some = try await call("POST", "/se/log", ["type": "performance"]) as? [[String: Any]] ?? []
            entries += some
            // The most that the driver returns at once.
            isWhole = some.count < 100_000
        }
        return entries.compactMap { entry in
            guard let text = entry["message"] as? String,
                let outer = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any],
                let message = outer["message"] as? [String: Any], message["method"] as? String == method
            else { return nil }
            return message["params"] as? [String: Any]
        }
    }

    // MARK: The protocol

    private func element(_ selector: String) async throws -> String {
        let value = try await call("POST", "/element", ["using": "css selector", "value": selector])
        guard let id = (value as? [String: String])?.values.first else {
            throw Failure(description: "no element \(selector)")
        }
        return id
    }

    private func command(_ name: String, _ parameters: [String: Any]) async throws {
        _ = try await call("POST", "/goog/cdp/execute", ["cmd": name, "params": parameters])
    }

    private func call(_ method: String, _ path: String, _ body: [String: Any]? = nil) async throws -> Any {
        try await chromium.call(method, path, body)
    }
}
