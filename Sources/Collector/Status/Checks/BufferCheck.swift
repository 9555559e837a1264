import Store

extension Health.Check {
    /// Whether events reach the file, and will go on to.
    static func buffer(_ snapshot: CollectorSnapshot) -> Self {
        let buffer = snapshot.buffer
        var problems: [Health.Problem] = []
        switch buffer.state {
        case .failing(let reason): problems.fail(reason)
        case .full:
            problems.fail(
                "full: events are dropped or rejected, and counted; find out why the upload is behind, "
                    + "or raise BUFFER_MAX_BYTES")
        case .diskFull: problems.fail("the disk is full: events are dropped or rejected, and counted; make room on it")
        case .writing:
            let limit = snapshot.maximumBytes
            if limit > 0, buffer.usedBytes >= limit / 5 * 4 {
                problems.degrade("\(buffer.usedBytes * 100 / limit) % of BUFFER_MAX_BYTES used")
            }
        }
        let isWriting = if case .failing = buffer.state { false } else { true }
        if isWriting, let log = buffer.pinnedLog { problems.degrade(log) }
        if let newest = buffer.setAside.last {
            let others = buffer.setAside.count - 1
            problems.degrade(
                "a damaged file was set aside as \(newest)" + (others > 0 ? " (and \(others) more)" : "")
                    + ": what waited in it is not upstream; save what can be read with edgetick repair --file, "
                    + "then move it away")
        }
        return Self("buffer", ok: "events reach the file", problems: problems)
    }
}
