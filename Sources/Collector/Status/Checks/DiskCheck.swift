import Store

extension Health.Check {
    /// Whether the buffer's disk has enough room left.
    static func disk(_ snapshot: CollectorSnapshot) -> Self {
        let buffer = snapshot.buffer
        guard let free = buffer.diskFreeBytes, let size = buffer.diskSizeBytes else {
            return Self("disk", ok: "not looked at yet")
        }
        let room = "\(free.bytesText) of \(size.bytesText) free"
        guard buffer.diskIsLow else { return Self("disk", ok: room) }
        return Self("disk", .degraded, "\(room): make room before it is full; then events are lost, whatever the cap")
    }
}
