import MarketData
import Store

extension Health.Check {
    /// How far rows may be dated ahead of the clock before the buffer is degraded, in milliseconds.
    static let receiptTolerance: Int64 = 5000

    /// Whether events reach the file, and will continue to.
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
        if buffer.latestReceipt - snapshot.time > receiptTolerance {
            problems.degrade(
                "new rows are dated \(WallClock.text(milliseconds: buffer.latestReceipt)) until the clock gets there, "
                    + "because earlier rows were received while it was ahead, or it is behind now; meanwhile "
                    + "received_us is wrong and uploaded rows are kept longer; run edgetick doctor to check the clock")
        }
        if let newest = buffer.setAside.last(where: { buffer.repairedFiles[$0] == nil }) ?? buffer.setAside.last {
            let others = buffer.setAside.count - 1
            let advice =
                buffer.repairedFiles[newest].map { " and \($0.advice)" }
                ?? ": rows that waited in it are not upstream; recover them with edgetick repair --file, then move the "
                + "file away"
            problems.degrade(
                "a damaged file was set aside as \(newest)" + (others > 0 ? " (and \(others) more)" : "") + advice)
        }
        return Self("buffer", ok: "events reach the file", problems: problems)
    }
}
