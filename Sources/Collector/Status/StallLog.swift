import Logging
import MarketData
import Store

/// Logs that nothing is committed although events wait. The buffer's writer can't: it waits for the disk.
struct StallLog {
    private let logger: Logger
    private var throttle = LogThrottle<String, ContinuousClock.Instant>()
    private var wasStalled = false

    init(logger: Logger) { self.logger = logger }

    /// Judges a sample. One alone proves nothing: after a pause of the whole process, the first one shows the pause.
    mutating func look(at snapshot: CollectorSnapshot, now: ContinuousClock.Instant) {
        let age = snapshot.loops.first { $0.name == CollectorProbe.writer }?.age ?? 0
        let isStalled = age >= CollectorProbe.commitLimit
        defer { wasStalled = isStalled }
        if isStalled, wasStalled {
            guard let count = throttle.occurred("", "", now: now) else { return }
            logger.error(
                "nothing is committed although events wait: the disk does not respond; check it and the kernel's log",
                metadata: [
                    "seconds": "\(Int(age))", "queued": "\(snapshot.buffer.queuedEvents)", "looks": "\(count)",
                ])
        } else if !isStalled, throttle.ended(""), snapshot.buffer.state == .writing {
            logger.notice("events are committed again")
        }
    }
}
