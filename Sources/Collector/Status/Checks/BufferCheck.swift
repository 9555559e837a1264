import Store

extension Health.Check {
    /// Whether events reach the file, and will go on to.
    static func buffer(_ snapshot: CollectorSnapshot) -> Self {
        let buffer = snapshot.buffer
        var troubles: [Health.Trouble] = []
        switch buffer.state {
        case .failing(let reason):
            troubles.append(.init(level: .failing, text: reason))
        case .full:
            troubles.append(
                .init(
                    level: .failing,
                    text: "full: events are dropped or rejected, and counted; find out why the upload is behind, "
                        + "or raise BUFFER_MAX_BYTES"))
        case .diskFull:
            troubles.append(
                .init(
                    level: .failing,
                    text: "the disk is full: events are dropped or rejected, and counted; make room on it"))
        case .writing:
            let limit = snapshot.maximumBytes
            if limit > 0, buffer.usedBytes >= limit / 5 * 4 {
                let percent = buffer.usedBytes * 100 / limit
                troubles.append(.init(level: .degraded, text: "\(percent) % of BUFFER_MAX_BYTES used"))
            }
        }
        if let newest = buffer.setAside.last {
            let others = buffer.setAside.count - 1
            troubles.append(
                .init(
                    level: .degraded,
                    text: "a damaged file was set aside as \(newest)" + (others > 0 ? " (and \(others) more)" : "")
                        + ": what waited in it is not upstream; save what can be read with edgetick repair --file, "
                        + "then move it away"))
        }
        return Self("buffer", ok: "events reach the file", troubles: troubles)
    }
}
