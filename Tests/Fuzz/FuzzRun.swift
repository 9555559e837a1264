import DecoderFuzz
import Foundation
import MarketData
import Synchronization

/// Threads that check frames until the time or the number is reached, and one that sees whether any hangs.
final class FuzzRun: Sendable {
    private struct Counts {
        var frames = 0
        var whole = 0
        var events = 0
        var eventsOfFoundation = 0
        var failed = false
        var running = 0
    }

    private let frames: Int
    private let deadline: ContinuousClock.Instant
    private let seed: UInt64
    private let threads: Int
    private let corpus: [[UInt8]]
    private let counts = Mutex(Counts())
    /// What each thread is at, and since when.
    private let current: Mutex<[(frame: [UInt8], since: ContinuousClock.Instant)]>

    init(frames: Int, deadline: ContinuousClock.Instant, seed: UInt64, threads: Int, corpus: [[UInt8]]) {
        self.frames = frames
        self.deadline = deadline
        self.seed = seed
        self.threads = threads
        self.corpus = corpus
        current = Mutex(Array(repeating: ([], .now), count: threads))
    }

    /// Runs to the end; whether no difference was found.
    func start() -> Bool {
        counts.withLock { $0.running = threads }
        for number in 0..<threads {
            let thread = Thread { [self] in
                work(number)
                counts.withLock { $0.running -= 1 }
            }
            thread.stackSize = 8 << 20
            thread.start()
        }
        var nextReport = ContinuousClock.now + .seconds(30)
        while counts.withLock({ $0.running > 0 }) {
            Thread.sleep(forTimeInterval: 0.2)
            if ContinuousClock.now > nextReport {
                nextReport += .seconds(30)
                report()
            }
            let hanging = current.withLock { all in all.first { !$0.frame.isEmpty && .now - $0.since > .seconds(30) } }
            if let hanging {
                tell("a frame takes more than 30 s", hanging.frame)
                return false
            }
        }
        report()
        let failed = counts.withLock { $0.failed }
        say(failed ? "DIFFERENT: see above" : "no difference, no crash, no hang")
        return !failed
    }

    private func work(_ number: Int) {
        guard let memory = GuardedMemory(capacity: 128 * 1024) else {
            tell("no memory", [])
            return
        }
        var random = SeededRandom(seed: seed &+ UInt64(number) &* 0x9E37_79B9)
        while counts.withLock({ !$0.failed && $0.frames < frames }), ContinuousClock.now < deadline {
            var counted = Counts()
            for _ in 0..<100 {
                let (frame, events, firstChange) = next(&random)
                current.withLock { $0[number] = (frame, .now) }
                let check = FrameCheck(frame, events: events, firstChange: firstChange, in: memory)
                counted.frames += 1
                counted.whole += check.isWhole ? 1 : 0
                counted.events += check.events
                counted.eventsOfFoundation += check.eventsOfFoundation
                guard check.differences.isEmpty else {
                    tell(check.differences.joined(separator: "\n"), frame)
                    break
                }
            }
            current.withLock { $0[number].frame = [] }
            counts.withLock {
                $0.frames += counted.frames
                $0.whole += counted.whole
                $0.events += counted.events
                $0.eventsOfFoundation += counted.eventsOfFoundation
            }
        }
    }

    private func next(_ random: inout SeededRandom) -> (frame: [UInt8], events: [String], firstChange: Int) {
        guard Int.random(in: 0..<4, using: &random) == 0, var frame = corpus.randomElement(using: &random) else {
            return FrameMaker.changedFrame(&random)
        }
        let first = FrameMaker.change(&frame, &random)
        return (frame, [], first)
    }

    private func tell(_ what: String, _ frame: [UInt8]) {
        counts.withLock { $0.failed = true }
        say("\(what)\nframe: \(String(decoding: frame, as: UTF8.self))\nbytes: \(Data(frame).base64EncodedString())")
    }

    private func report() {
        let now = counts.withLock { $0 }
        say(
            "\(now.frames) frames, \(now.whole) of them JSON; \(now.events) events as the reference has them, "
                + "\(now.eventsOfFoundation) as Foundation has them")
    }
}

/// Prints a line at once, also into a file.
func say(_ line: String) {
    FileHandle.standardOutput.write(Data("\(line)\n".utf8))
}
