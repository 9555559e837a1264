import Store

extension Health.Check {
    /// Whether the buffer's disk has enough room left.
    static func disk(_ snapshot: CollectorSnapshot) -> Self {
        let buffer = snapshot.buffer
        guard let free = buffer.diskFreeBytes, let size = buffer.diskSizeBytes else {
            return Self("disk", ok: "not measured yet")
        }
        let room = "\(free.bytesText) of \(size.bytesText) free"
        guard buffer.diskIsLow else { return Self("disk", ok: room) }
        return Self(
            "disk", .degraded, "\(room): make room; on a full disk events are lost, whatever BUFFER_MAX_BYTES is")
    }
}
