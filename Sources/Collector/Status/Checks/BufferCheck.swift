extension Health.Check {
    /// Whether events reach the file, and will go on to.
    static func buffer(_ snapshot: CollectorSnapshot) -> Self {
        let buffer = snapshot.buffer
        func check(_ level: Health.Level, _ text: String) -> Self { Self("buffer", level, text) }
        switch buffer.condition {
        case .failing(let reason):
            return check(.failing, reason)
        case .full:
            return check(
                .failing, "full: events are dropped or rejected, and counted; raise BUFFER_MAX_BYTES or free disk space"
            )
        case .writing:
            if buffer.maximumBytes > 0, buffer.usedBytes >= buffer.maximumBytes / 5 * 4 {
                let percent = buffer.usedBytes * 100 / buffer.maximumBytes
                return check(.degraded, "\(percent) % of BUFFER_MAX_BYTES used")
            }
            if let newest = buffer.setAside.last {
                let others = buffer.setAside.count - 1
                return check(
                    .degraded,
                    "events reach the file, but a damaged one was set aside as \(newest)"
                        + (others > 0 ? " (and \(others) more)" : "")
                        + ": what waited in it is not upstream; save what can be read with edgetick repair --file, then move it away"
                )
            }
            return Self("buffer", ok: "events reach the file")
        }
    }
}
