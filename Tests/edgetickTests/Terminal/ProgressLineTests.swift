import Synchronization
import Testing

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct ProgressLineTests {
    private static let wiped = "\r\u{1B}[2K"

    /// Returns what a line writes until it is gone.
    private func written(isTerminal: Bool, _ use: (ProgressLine) -> Void) -> String {
        let text = Shown()
        do {
            let line = ProgressLine(title: "reading", unit: "rows", total: 2, isTerminal: isTerminal) { text.add($0) }
            use(line)
        }
        return text.text
    }

    @Test func `a line that is not finished is wiped from the terminal, so that what follows has its own`() {
        let shown = written(isTerminal: true) { $0.update(done: 1) }
        #expect(shown.contains("50% 1/2 rows") && shown.hasSuffix(Self.wiped), "\(shown)")
        #expect(written(isTerminal: true) { _ in } == "")
    }

    @Test func `a finished line stays`() {
        let shown = written(isTerminal: true) { line in
            line.update(done: 1)
            line.finish(done: 2)
        }
        #expect(shown.contains("100% 2/2 rows") && shown.hasSuffix("\n"), "\(shown)")
    }

    @Test func `in a pipe, every line stays`() {
        let shown = written(isTerminal: false) { $0.update(done: 1) }
        #expect(shown.hasPrefix("reading 50% 1/2 rows") && shown.hasSuffix("\n"), "\(shown)")
    }

    @Test(arguments: [1, 2]) func `in a pipe, the last line is written once`(done: Int) {
        let shown = written(isTerminal: false) { line in
            line.update(done: done)
            line.finish(done: 2)
        }
        let lines = shown.split(separator: "\n")
        #expect(lines.count == 3 - done && lines.last?.hasPrefix("reading 100% 2/2 rows") == true, "\(shown)")
    }
}

private final class Shown: Sendable {
    private let state = Mutex("")

    var text: String { state.withLock { $0 } }

    func add(_ text: String) { state.withLock { $0 += text } }
}
