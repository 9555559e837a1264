import Store

extension Health.Check {
    /// Whether events reach the file, and will go on to.
    static func buffer(_ snapshot: CollectorSnapshot) -> Self {
        let buffer = snapshot.buffer
        var problems: [Health.Problem] = []
        switch buffer.state {
        case .failing(let reason):
            problems.append(.init(level: .failing, text: reason))
        case .full:
            problems.append(
                .init(
                    level: .failing,
                    text: "full: events are dropped or rejected, and counted; find out why the upload is behind, "
                        + "or raise BUFFER_MAX_BYTES"))
        case .diskFull:
            problems.append(
                .init(
                    level: .failing,
                    text: "the disk is full: events are dropped or rejected, and counted; make room on it"))
        case .writing:
            let limit = snapshot.maximumBytes
            if limit > 0, buffer.usedBytes >= limit / 5 * 4 {
                let percent = buffer.usedBytes * 100 / limit
                problems.append(.init(level: .degraded, text: "\(percent) % of BUFFER_MAX_BYTES used"))
            }
        }
        let isWriting = if case .failing = buffer.state { false } else { true }
        if isWriting, let log = buffer.pinnedLog { problems.append(.init(level: .degraded, text: log)) }
        if let newest = buffer.setAside.last {
            let others = buffer.setAside.count - 1
            problems.append(
                .init(
                    level: .degraded,
                    text: "a damaged file was set aside as \(newest)" + (others > 0 ? " (and \(others) more)" : "")
                        + ": what waited in it is not upstream; save what can be read with edgetick repair --file, "
                        + "then move it away"))
        }
        return Self("buffer", ok: "events reach the file", problems: problems)
    }
}
