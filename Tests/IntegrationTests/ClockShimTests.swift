import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct ClockShimTests {
    @Test func `the wall clock is stepped under a running program, its timers are not`() async throws {
        let clock = try ClockShim()
        let workspace = try Workspace()
        let script = try workspace.write(
            """
            import threading, time
            held = threading.Lock()
            held.acquire()
            seen = None
            while True:
                before = time.monotonic()
                held.acquire(timeout=0.05)
                took = time.monotonic() - before
                if not 0.04 < took < 250: print("a wait took", took, flush=True)
                year = time.gmtime().tm_year
                if year != seen: print("year", year, flush=True)
                seen = year
            """, to: "clock.py")
        try clock.step(to: Date(timeIntervalSince1970: 946_684_800 + 86_400))
        let program = try ChildProcess("/usr/bin/env", ["python3", script], environment: clock.settings)
        try await program.line(containing: "year 2000")
        try clock.step(to: Date(timeIntervalSince1970: 4_102_444_800 + 86_400))
        try await program.line(containing: "year 2100")
        try clock.step(to: .zero)
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        // Looked up each time, since a year may end meanwhile.
        try await Waiting.until("the true year") { [calendar] in
            program.output.last == "year \(calendar.component(.year, from: Date()))"
        }
        #expect(program.output.allSatisfy { $0.hasPrefix("year") }, "\(program.output)")
    }
}
